"""Signing in to the page: who gets in, what the rest get to see."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_page import AWAY, NAME, PASSWORD, RunningPage, sqlite_url
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.tables import AccountSessionRow
from ui.accounts.door import COOKIE
from ui.accounts.sessions import CACHE_S
from ui.accounts.store import AccountStore
from ui.accounts.throttle import TRIES
from ui.texts import texts

# What Gradio serves beside the page: its settings, its API, its files, and routes that this page has no use for.
GRADIOS = [
    "sign-out", "config", "theme.css", "robots.txt", "favicon.ico", "manifest.json", "pwa_icon", "login",
    "login_check", "monitoring", "monitoring/summary", "assets/index.js", "static/img/logo.svg", "svelte/x.js",
    "gradio_api/info", "gradio_api/app_id", "gradio_api/user", "gradio_api/token", "gradio_api/openapi.json",
    "gradio_api/queue/data?session_hash=x", "none", "gradio_api/queue/status", "gradio_api/heartbeat/x",
    "gradio_api/file=/etc/passwd", "gradio_api/startup-events", "gradio_api/proxy=http://127.0.0.1",
    "gradio_api/upload_progress?upload_id=x", "gradio_api/runs", "sign-in/", "%2F", "sign-in%0A", "docs",
    "openapi.json", "gradio_api/vibe-code", "gradio_api/stream/x/1/1/playlist.m3u8",
]  # fmt: skip
POSTS = [
    "gradio_api/queue/join", "gradio_api/run/predict", "gradio_api/api/predict", "gradio_api/call/x",
    "gradio_api/upload", "gradio_api/reset", "gradio_api/cancel", "gradio_api/component_server",
    "gradio_api/process_recording", "login", "gradio_api/vibe-edit", "",
]  # fmt: skip


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page on loopback where nobody signs in."""
    with RunningPage(AWAY, sqlite_url(tmp_path_factory.mktemp("free"))) as page:
        yield page


def _client(page: RunningPage, **options: Any) -> httpx.Client:
    return httpx.Client(base_url=page.url, timeout=30, **options)


def _sign_in(client: httpx.Client, name: str = NAME, password: str = PASSWORD, **headers: str) -> httpx.Response:
    return client.post("/sign-in", data={"name": name, "password": password}, headers=headers)


@pytest.fixture
def visitor(guarded: RunningPage) -> Iterator[httpx.Client]:
    """Somebody who is not signed in."""
    with _client(guarded) as client:
        yield client


@pytest.fixture
def signed_in(visitor: httpx.Client) -> httpx.Client:
    assert _sign_in(visitor).status_code == 303
    return visitor


@pytest.mark.parametrize("query", ["", "?lang=hi"])
def test_the_page_sends_a_visitor_to_the_sign_in_page(visitor: httpx.Client, query: str) -> None:
    for method in ("GET", "HEAD"):
        answer = visitor.request(method, f"/{query}")
        assert answer.status_code == 303
        assert answer.headers["location"] == f"./sign-in{query}"
        assert answer.text == ""
    shown = visitor.get(f"/{query}", follow_redirects=True)
    assert shown.status_code == 200
    assert shown.url.path == "/sign-in"


@pytest.mark.parametrize("path", GRADIOS)
def test_everything_else_tells_a_visitor_nothing(visitor: httpx.Client, path: str) -> None:
    answer = visitor.get(f"/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Please sign in.", "error": "Please sign in."}


@pytest.mark.parametrize("path", POSTS)
def test_nothing_can_be_sent_by_a_visitor(visitor: httpx.Client, path: str) -> None:
    assert visitor.post(f"/{path}", json={"data": [], "session_hash": "x"}).status_code == 401


def test_what_the_page_has_no_use_for_is_not_there_for_anybody(free: RunningPage, signed_in: httpx.Client) -> None:
    used = ("config", "theme.css", "favicon.ico", "gradio_api/queue/data?", "gradio_api/heartbeat/")
    unused = [path for path in GRADIOS if not path.startswith((*used, "assets/", "static/", "gradio_api/app_id"))]
    with _client(free) as unknown:
        for client in (signed_in, unknown):
            for path in (*unused, "gradio_api/deep_link?session_hash=x", "config?deep_link=x", "?deep_link=x"):
                answer = client.get(f"/{path}")
                assert (path, answer.status_code, answer.text) == (path, 404, '{"detail":"Not Found"}')
            for path in POSTS:
                if path not in ("gradio_api/queue/join", "gradio_api/run/predict", "gradio_api/cancel"):
                    assert (path, client.post(f"/{path}", json={}).status_code) == (path, 404)


@pytest.fixture
def other(guarded: RunningPage) -> Iterator[httpx.Client]:
    """Somebody else, who is signed in too."""
    store = AccountStore(guarded.engine)
    if "Dr. Other" not in [row.name for row in store.list()]:
        store.add("Dr. Other", PASSWORD)
    with _client(guarded) as client:
        assert _sign_in(client, "Dr. Other").status_code == 303
        yield client


def _calls(client: httpx.Client, session: str) -> dict[str, int]:
    """The status of each request that names a session, by its route."""
    body = f'{{"data": [], "fn_index": 0, "event_id": "none", "session_hash": "mine", "session_hash": "{session}"}}'
    found = {}
    for route in ("run/predict", "queue/join", "cancel"):
        answer = client.post(f"/gradio_api/{route}", content=body, headers={"Content-Type": "application/json"})
        found[route] = answer.status_code
    for route in (f"queue/data?session_hash={session}", f"heartbeat/{session}"):
        with client.stream("GET", f"/gradio_api/{route}") as streamed:
            found[route.split("/")[0]] = streamed.status_code
    return found


def test_a_session_is_closed_to_other_accounts(signed_in: httpx.Client, other: httpx.Client) -> None:
    with signed_in.stream("GET", "/gradio_api/heartbeat/theirs") as beat:
        assert beat.status_code == 200
        assert set(_calls(other, "theirs").values()) == {403}
        assert 403 not in _calls(signed_in, "theirs").values()
    refused = other.post("/gradio_api/cancel", json={"session_hash": "theirs"}, headers={"Accept-Language": "hi"})
    assert refused.json()["error"] == texts("hi")("sign_in.other")
    assert 403 not in _calls(other, "its-own").values()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", pytest.param(b"[" * 100_000, id="deep"), b'{"session_hash": null}', b'{"session_hash": 1}',
        b'{"session_hash": "a b"}',
        b'{"session_hash": "\xff"}', b'{"session_hash": "' + b"x" * 65 + b'"}',
    ],
)  # fmt: skip
def test_a_request_that_names_no_session_goes_no_further(signed_in: httpx.Client, body: bytes) -> None:
    for route in ("run/predict", "queue/join", "cancel"):
        assert signed_in.post(f"/gradio_api/{route}", content=body).status_code == 400
    for query in ("", "?session_hash=", "?session_hash=a&session_hash=b"):
        assert signed_in.get(f"/gradio_api/queue/data{query}").status_code == 400


def test_a_body_that_is_too_long_is_refused_before_it_is_read_to_its_end(free: RunningPage) -> None:
    with _client(free) as client:
        pieces = (b" " * (1 << 20) for _ in range(9))
        assert client.post("/gradio_api/run/predict", content=pieces).status_code == 413


def test_sixteen_that_hold_the_tabs_connections_keep_nobody_out(guarded: RunningPage, visitor: httpx.Client) -> None:
    with ExitStack() as held:
        for _ in range(15):  # all of the engine's
            held.enter_context(guarded.engine.connect())
        assert _sign_in(visitor).status_code == 303
        assert visitor.get("/config").status_code == 200


@pytest.mark.parametrize("token", ["x", "x" * 43, "null"])
def test_a_made_up_cookie_opens_nothing(visitor: httpx.Client, token: str) -> None:
    visitor.cookies.set(COOKIE, token)
    assert visitor.get("/").status_code == 303
    assert visitor.get("/config").status_code == 401


def test_the_sign_in_page_loads_nothing_and_runs_nothing(visitor: httpx.Client) -> None:
    answer = visitor.get("/sign-in")
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in answer.text
    assert 'src="' not in answer.text
    assert "url(" not in answer.text


@pytest.mark.parametrize(
    ("query", "accepted", "code"),
    [("", "hi-IN,hi;q=0.9,en;q=0.5", "hi"), ("", "fr", "en"), ("?lang=hi", "en", "hi"), ("?lang=xx", "hi", "hi")],
)
def test_the_sign_in_page_speaks_the_visitors_language(
    visitor: httpx.Client, query: str, accepted: str, code: str
) -> None:
    answer = visitor.get(f"/sign-in{query}", headers={"Accept-Language": accepted})
    assert f'<html lang="{code}">' in answer.text
    assert answer.headers["content-language"] == code
    assert f"<h2>{texts(code)('sign_in.title')}</h2>" in answer.text


def test_signing_in_opens_the_page_and_signing_out_closes_it(guarded: RunningPage, visitor: httpx.Client) -> None:
    answer = _sign_in(visitor)
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    set_cookie = answer.headers["set-cookie"].lower().split("; ")
    assert set_cookie[0].startswith(f"{COOKIE}=")
    assert set(set_cookie[1:]) == {"httponly", "max-age=43200", "path=/", "samesite=lax"}
    page = visitor.get("/")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert visitor.get("/config").json()["username"] == NAME
    assert visitor.get("/theme.css").status_code == 200
    token = visitor.cookies[COOKIE]
    out = visitor.post("/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "./sign-in?out=1")
    assert COOKIE not in visitor.cookies
    assert texts("en")("sign_in.out") in visitor.get("/sign-in?out=1").text
    visitor.cookies.set(COOKIE, token)  # somebody kept it
    assert visitor.get("/config").status_code == 401


def test_each_sign_in_has_a_token_of_its_own_and_ends_the_one_before(
    guarded: RunningPage, signed_in: httpx.Client
) -> None:
    first = signed_in.cookies[COOKIE]
    _sign_in(signed_in)
    second = signed_in.cookies[COOKIE]
    assert first != second
    assert signed_in.get("/config").status_code == 200
    signed_in.cookies.clear()
    signed_in.cookies.set(COOKIE, first)
    assert signed_in.get("/config").status_code == 401


def test_over_https_the_cookie_never_travels_without(visitor: httpx.Client) -> None:
    answer = _sign_in(visitor, **{"X-Forwarded-Proto": "https"})  # as a web server on this machine says it
    assert "secure" in answer.headers["set-cookie"].lower().split("; ")


def test_the_chosen_language_goes_along(visitor: httpx.Client) -> None:
    answer = visitor.post("/sign-in?lang=hi", data={"name": NAME, "password": PASSWORD})
    assert answer.headers["location"] == "./?lang=hi"
    assert visitor.post("/sign-out?lang=hi").headers["location"] == "./sign-in?out=1&lang=hi"


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(visitor: httpx.Client) -> None:
    wrong, unknown = _sign_in(visitor, password="a wrong password"), _sign_in(visitor, name="Dr. <b>Nobody</b>")
    for answer in (wrong, unknown):
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert texts("en")("sign_in.wrong") in answer.text
        assert "<b>" not in answer.text
        assert "a wrong password" not in answer.text
    assert wrong.text.replace("Sharma", "Nobody") == unknown.text
    assert _sign_in(visitor).status_code == 303


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 401),
        (b"name=%00&password=%ff%fe", 401),
        (b"name=\xff&password=\x00", 401),
        (b"a=1&" * 20, 400),
        (b"name=a&password=" + b"x" * 20_000, 400),
        (b'{"name": "x"}', 401),
    ],
)
def test_a_form_that_is_none_is_refused_with_the_page(visitor: httpx.Client, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = visitor.post("/sign-in", content=body, headers=headers)
    assert answer.status_code == status
    assert "<form" in answer.text


def test_failed_tries_have_to_wait_and_are_told_so(guarded: RunningPage, visitor: httpx.Client) -> None:
    AccountStore(guarded.engine).add("Dr. Rao", PASSWORD)
    here = {"X-Forwarded-For": "10.9.8.7"}
    statuses = [_sign_in(visitor, "Dr. Rao", "a wrong password", **here).status_code for _ in range(TRIES)]
    assert statuses == [401] * TRIES
    right = _sign_in(visitor, "dr. rao", PASSWORD, **here, **{"Accept-Language": "hi"})
    assert right.status_code == 429
    assert 240 < int(right.headers["retry-after"]) <= 300
    assert texts("hi").count("sign_in.wait", 5) in right.text
    assert _sign_in(visitor).status_code == 303  # another name, from another address


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "{url}.evil.example"}, False),
        ({"Origin": "{url}"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{url}"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({}, True),
    ],
)
def test_another_sites_posts_are_refused(
    guarded: RunningPage, free: RunningPage, signed_in: httpx.Client, headers: dict[str, str], own: bool
) -> None:
    with _client(free) as unknown:
        for page, client in ((guarded, signed_in), (free, unknown)):
            sent = {name: value.format(url=page.url) for name, value in headers.items()}
            body = {"data": [], "fn_index": 0, "session_hash": "x"}
            joined = client.post("/gradio_api/queue/join", json=body, headers=sent)
            assert (joined.status_code != 403) is own
    sent = {name: value.format(url=guarded.url) for name, value in headers.items()}
    assert (_sign_in(signed_in, **sent).status_code == 303) is own
    assert (signed_in.post("/sign-out", headers=sent).status_code == 303) is own


@pytest.mark.parametrize("host", ["localhost", "localhost:7860", "127.0.0.1:1", "[::1]:7860", "LOCALHOST"])
def test_on_loopback_without_sign_in_this_machines_names_pass(free: RunningPage, host: str) -> None:
    with _client(free) as client:
        assert client.get("/config", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "localhost.evil.example", "10.0.0.1", "", "[::1"]
)
def test_on_loopback_without_sign_in_no_other_name_passes(free: RunningPage, host: str) -> None:
    with _client(free) as client:
        for path in ("/", "/config", "/sign-in"):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code in (400, 403)
            assert "himed" not in answer.text


def test_with_sign_in_the_page_has_whatever_name_a_web_server_before_it_gives(visitor: httpx.Client) -> None:
    assert visitor.get("/", headers={"Host": "himed.example.org"}).headers["location"] == "./sign-in"


def test_without_sign_in_there_is_no_sign_in_page(free: RunningPage) -> None:
    with _client(free) as client:
        assert client.get("/").status_code == 200
        assert client.post("/sign-in", data={"name": NAME, "password": PASSWORD}).status_code in (404, 405)
        assert client.get("/config").json()["username"] is None


def test_an_account_that_was_removed_is_out_within_seconds(guarded: RunningPage, visitor: httpx.Client) -> None:
    store = AccountStore(guarded.engine)
    store.add("Dr. Gone", PASSWORD)
    _sign_in(visitor, "Dr. Gone")
    assert visitor.get("/config").status_code == 200
    store.remove("Dr. Gone")
    end = time.monotonic() + CACHE_S + 2
    while visitor.get("/config").status_code == 200:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_neither_the_log_nor_the_database_holds_passwords_or_tokens(
    guarded: RunningPage, visitor: httpx.Client, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    _sign_in(visitor, "Dr. Secret", "a wrong password")
    _sign_in(visitor)
    token = visitor.cookies[COOKIE]
    said = [record.getMessage() for record in caplog.records if record.name.startswith("ui.")]
    assert said == ["a sign-in from 127.0.0.1 failed"]
    with Session(guarded.engine) as session:
        assert token not in session.scalars(select(AccountSessionRow.hash)).all()
