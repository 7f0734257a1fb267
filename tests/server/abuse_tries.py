"""The tries. Each returns what it got, which must be what `docs/serving/abuse.md` says."""

import base64
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep

import httpx
import orjson
from abuse_target import CHAT, Reply, Target

from server.access.key_text import make_key


@dataclass(frozen=True, slots=True)
class Try:
    """One try: what is done, what it must get, and the doing."""

    what: str
    got: str
    run: Callable[[Target], str]


TRIES: list[Try] = []
_Run = Callable[[Target], str]


def abuse(what: str, got: str) -> Callable[[_Run], _Run]:
    """Add a try to the table."""

    def add(run: _Run) -> _Run:
        TRIES.append(Try(what, got, run))
        return run

    return add


def _all_alike(answers: list[Reply]) -> str:
    (seen,) = {answer.seen for answer in answers}
    return seen


def _secret() -> str:
    return make_key()[1]


# Keys


@abuse("no key, on every route but /health", "401 missing_api_key")
def _(target: Target) -> str:
    paths = ("/v1/models", "/v1/models/m", "/ready", "/metrics", "/openapi.json", "/docs", "/v1/feedback/export", "/x")
    posts = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/medical/answer", "/v1/feedback")
    answers = [target.ask(path, method="GET", key=None) for path in paths]
    answers += [target.ask(path, key=None) for path in posts]
    assert all(answer.headers["www-authenticate"] == "Bearer" for answer in answers)
    assert target.ask("/health", method="GET", key=None).status == 200
    return _all_alike(answers)


@abuse("a key of the right shape that was never made", "401 invalid_api_key")
def _(target: Target) -> str:
    return target.ask(key=_secret()).seen


@abuse("a real key's id with another secret; one letter of the secret changed", "401 invalid_api_key")
def _(target: Target) -> str:
    key = target.keys["chat"]
    changed = key[:-1] + ("a" if key[-1] != "a" else "b")
    return _all_alike([target.ask(key=key.rsplit("-", 1)[0] + _secret()[-44:]), target.ask(key=changed)])


@abuse("a revoked key, which worked a moment ago", "401 invalid_api_key within 6 s")
def _(target: Target) -> str:
    key = target.store.add("leaver", ["chat"])
    assert target.ask(key=key).status == 200
    target.store.revoke("leaver")
    revoked = monotonic()
    while (answer := target.ask(key=key)).status == 200:
        assert monotonic() < revoked + 6
        sleep(0.25)
    return f"{answer.seen} within 6 s"


@abuse(
    "malformed keys: empty, blank, cut, longer, 50 kB, not ASCII, two at once, with a NUL",
    "401; no header may hold a NUL: 400",
)
def _(target: Target) -> str:
    key = target.keys["chat"]
    malformed = ["", " ", "himed-", key[:-1], key + "x", key.upper(), "x" * 50_000, "kéy", f"{key} {key}", f"{key},"]
    assert {target.ask(key=bad).status for bad in malformed} == {401}
    return f"401; no header may hold a NUL: {target.ask(key='a' + chr(0)).status}"


@abuse("the key under another scheme: Basic, Token, none at all", "401 missing_api_key")
def _(target: Target) -> str:
    key = target.keys["chat"]
    basic = base64.b64encode(f":{key}".encode()).decode()
    shown = (f"Authorization: Basic {basic}", f"Authorization: Token {key}", f"Authorization: {key}")
    return _all_alike([target.ask(key=None, headers=(header,)) for header in shown])


@abuse("the key in another header or a cookie", "401 missing_api_key")
def _(target: Target) -> str:
    key = target.keys["chat"]
    shown = (f"X-API-Key: {key}", f"api-key: {key}", f"Cookie: key={key}", f"Proxy-Authorization: Bearer {key}")
    return _all_alike([target.ask(key=None, headers=(header,)) for header in shown])


@abuse("the key in the URL", "401 missing_api_key, and no log line holds it")
def _(target: Target) -> str:
    key = target.keys["chat"]
    paths = (f"/v1/models?api_key={key}", f"/v1/models?key={key}&access_token={key}", f"/{key}/v1/models")
    seen = _all_alike([target.ask(path, method="GET", key=None) for path in paths])
    assert not [line for line in target.log if key in line]
    return f"{seen}, and no log line holds it"


@abuse("two Authorization headers, one of them right", "400 bad_header")
def _(target: Target) -> str:
    return target.ask(headers=(f"Authorization: Bearer {_secret()}",)).seen


@abuse("/metrics and /v1/feedback/export with a chat key", "403 scope_missing")
def _(target: Target) -> str:
    return _all_alike([target.ask(path, method="GET") for path in ("/metrics", "/v1/feedback/export")])


@abuse("questions with the keys of feedback and admin; feedback with a chat key", "403 scope_missing")
def _(target: Target) -> str:
    answers = [target.ask(key="feedback"), target.ask(key="admin"), target.ask("/v1/feedback", b"{}")]
    return _all_alike(answers)


@abuse("a thousand wrong keys", "401 each; memory grows by less than 16 MiB")
def _(target: Target) -> str:
    with httpx.Client(base_url=f"http://127.0.0.1:{target.port}") as client:
        before = target.memory_mib
        for _ in range(1000):
            assert client.get("/v1/models", headers={"Authorization": f"Bearer {_secret()}"}).status_code == 401
    assert target.memory_mib - before < 16
    return "401 each; memory grows by less than 16 MiB"


# Bodies


@abuse("a body declared as 1 TB", "413 request_too_large at once, without 100 Continue, and the connection closed")
def _(target: Target) -> str:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {target.keys['chat']}\r\n"
    more = "Expect: 100-continue\r\nContent-Length: 1000000000000\r\n\r\n"
    began = monotonic()
    (answer,) = target.send((head + more).encode())
    assert monotonic() - began < 0.9  # the time limits of a head and a body are 1 s
    assert answer.headers["connection"] == "close"
    return f"{answer.seen} at once, without 100 Continue, and the connection closed"


@abuse("an endless chunked body", "413 request_too_large, and the connection closed")
def _(target: Target) -> str:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {target.keys['chat']}\r\n"
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    with target.connect() as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 100 << 20:
                connection.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass
        assert sent < 100 << 20
    (answer,) = target.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 5)
    return f"{answer.seen}, and the connection closed"


_BROKEN = (
    b"",
    b"{",
    b'{"model":"m"',
    b"[]",
    b'"m"',
    b"null",
    b'{"model":"m",}',
    b"{'model':'m'}",
    b"model=m",
    b'{"a":1}{"b":2}',
    b"\xff\xfe{\x00}\x00",
    b"\x80\x04}.",
    b'\xef\xbb\xbf{"model":"m"}',
)


@abuse("no JSON, broken JSON, no object, pickles, UTF-16, a byte order mark", "400 invalid_json")
def _(target: Target) -> str:
    return _all_alike([target.ask(body=body) for body in _BROKEN])


@abuse("60,000 brackets deep", "400 invalid_json")
def _(target: Target) -> str:
    deep = b'{"model":"m","messages":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    return _all_alike([target.ask(body=deep), target.ask(body=b"[" * 60_000), target.ask(body=b'{"a":' * 10_000)])


@abuse("NaN, Infinity, 1e999", "400 invalid_json")
def _(target: Target) -> str:
    bodies = [b'{"model":"m","n":%s}' % number for number in (b"NaN", b"-Infinity", b"1e999", b"0x10", b"01")]
    return _all_alike([target.ask(body=body) for body in bodies])


@abuse("half a surrogate pair, bytes that are no UTF-8", "400 invalid_json")
def _(target: Target) -> str:
    texts = (rb'"\ud800"', b'"\xed\xa0\x80"', b'"\xff"', rb'"\u12"')
    return _all_alike([target.ask(body=b'{"model":"m","messages":[],"user":%s}' % text) for text in texts])


_HARD_TEXTS = (rb'"\ud800"', rb'"a\u0000b"', b'"\xff"', b"NaN", b"1e999", b'["a"]', b"{}", b"null", b'""', b'"  "')


@abuse("the like in medical questions and feedback: surrogates, NUL, no text, brackets, unknown fields", "400")
def _(target: Target) -> str:
    answers = [target.ask("/v1/medical/answer", b'{"question":%s}' % text) for text in _HARD_TEXTS]
    answers += [target.ask("/v1/medical/answer/stream", b'{"question":%s}' % text) for text in _HARD_TEXTS]
    said = b'{"request_id":"x","rating":1,"correction":%s}'
    answers.append(target.ask("/v1/medical/answer", rb'{"question":"q","\ud800":1}'))
    answers.append(target.ask("/v1/feedback", rb'{"request_id":"x","rating":1,"\udfff":1}', key="feedback"))
    answers.append(target.ask("/v1/medical/answer", rb'{"question":"q","options":{"\ud800":"a","B":"b"}}'))
    answers.append(target.ask("/v1/medical/answer", rb'{"question":"q","language":"\ud800"}'))
    answers.append(target.ask("/v1/medical/answer", rb'{"question":"q","model":"\ud800"}'))
    answers += [target.ask("/v1/feedback", said % text, key="feedback") for text in _HARD_TEXTS if text != b"null"]
    for path, key in (("/v1/medical/answer", "chat"), ("/v1/feedback", "feedback")):
        answers += [
            target.ask(path, body, key=key) for body in (b"[" * 60_000, b"", b"[]", rb'{"\ud800":1}', b'{"a":1}')
        ]
    return str(*{answer.status for answer in answers})


@abuse("NUL characters: in the model's name; in a text", "404 model_not_found; the text is the model's to read: 200")
def _(target: Target) -> str:
    answer = target.chat(messages=[{"role": "user", "content": "nul\0nul"}])
    assert target.backend.requests[-1]["messages"][0]["content"] == "nul\0nul"
    assert "nul" in target.stored()  # the request log takes it
    return f"{target.chat(model='m' + chr(0)).seen}; the text is the model's to read: {answer.seen}"


@abuse("a key of the body given twice", "the last counts, here as there: 404 model_not_found")
def _(target: Target) -> str:
    twice = b'{"model":"gone","model":"m","messages":[]}'
    assert target.ask(body=twice).status == 200
    gone = b'{"model":"m","model":"gone","messages":[]}'
    return f"the last counts, here as there: {target.ask(body=gone).seen}"


@abuse("a body packed with gzip", "never unpacked: 400 invalid_json")
def _(target: Target) -> str:
    packed = gzip.compress(orjson.dumps(CHAT | {"user": "x" * 10_000_000}))
    return f"never unpacked: {target.ask(body=packed, headers=('Content-Encoding: gzip',)).seen}"


@abuse("the body as a form or a plain text, which a foreign web page may send", "415 unsupported_media_type")
def _(target: Target) -> str:
    kinds = (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/xml",
    )
    return _all_alike([target.ask(headers=(f"Content-Type: {kind}",)) for kind in kinds])
