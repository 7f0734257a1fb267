"""`himed-ui` in a process of its own: its accounts, its start and its end."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest
from medical_gateway import ENGLISH, ENGLISH_QUESTION, medical_backend, medical_gateway
from page_gateway import speaking
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session

from app.schema import open_database
from app.tables import AccountRow
from ui.accounts.store import AccountStore

COMMAND = [sys.executable, "-c", "from ui.cli import main; main()"]


def _draining(seconds: float) -> list[str]:
    """The command with another time for open answers than 5 s."""
    return [sys.executable, "-c", f"import ui.serve; ui.serve._DRAIN_S = {seconds}; from ui.cli import main; main()"]


# More than any machine that is busy needs.
PATIENT = _draining(60.0)
PASSWORD = "a long password"
SECRET = "a-question-nobody-else-may-read"


def _himed_ui(folder: Path, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HIMED_DB": f"sqlite:///{folder / 'page.db'}"}
    return subprocess.run(
        [*COMMAND, *arguments], input=password, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _add(folder: Path, name: str) -> None:
    engine = open_database(f"sqlite:///{folder / 'page.db'}")
    AccountStore(engine).add(name, PASSWORD)
    engine.dispose()


@pytest.fixture(scope="module")
def with_sharma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database has one account."""
    folder = tmp_path_factory.mktemp("accounts")
    _add(folder, "Sharma")
    return folder


def test_a_person_is_added_listed_changed_disabled_and_removed(tmp_path: Path) -> None:
    added = _himed_ui(tmp_path, "users", "add", "डॉ. राव", "--password-stdin", password=f"{PASSWORD}\nmore\n")
    assert (added.returncode, added.stdout, added.stderr) == (0, "डॉ. राव can sign in\n", "")
    engine = open_database(f"sqlite:///{tmp_path / 'page.db'}")
    store = AccountStore(engine)
    assert store.sign_in("डॉ. राव", PASSWORD)

    changed = _himed_ui(tmp_path, "users", "password", "डॉ. राव", "--password-stdin", password="another password\r\n")
    assert "must sign in anew" in changed.stdout
    assert store.sign_in("डॉ. राव", "another password")

    assert "no more" in _himed_ui(tmp_path, "users", "disable", "डॉ. राव").stdout
    listed = _himed_ui(tmp_path, "users", "list").stdout
    assert re.search(r"डॉ\. राव +\d{4}-\d\d-\d\d \d\d:\d\d UTC +\d{4}-", listed)
    (row,) = orjson.loads(_himed_ui(tmp_path, "users", "list", "--json").stdout)
    assert row["name"] == "डॉ. राव"
    assert row["disabled"] is not None
    with Session(engine) as session:
        assert session.get(AccountRow, 1).password not in listed  # type: ignore[union-attr]

    assert "again" in _himed_ui(tmp_path, "users", "enable", "डॉ. राव").stdout
    assert store.anybody()
    assert "no account any more" in _himed_ui(tmp_path, "users", "remove", "डॉ. राव").stdout
    assert _himed_ui(tmp_path, "users", "list").stdout == "no accounts\n"
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "password", "problem"),
    [
        (["users", "add", "Rao"], PASSWORD, "no terminal to ask for the password; pipe it in with --password-stdin"),
        (["users", "add", "Rao", "--password-stdin"], "short", "a password has at least 10 characters"),
        (["users", "add", "Rao", "--password-stdin"], "", "a password has at least 10 characters"),
        (["users", "add", " Rao", "--password-stdin"], PASSWORD, "a name has 1 to 100 printable characters"),
        (["users", "add", "Sharma", "--password-stdin"], PASSWORD, "there is an account named 'Sharma' already"),
        (["users", "password", "Rao", "--password-stdin"], PASSWORD, "there is no account named 'Rao'"),
        (["users", "remove", "Rao"], "", "there is no account named 'Rao'; see himed-ui users list"),
        (["--db", "x", "users", "list"], "", "options before users; write them after: himed-ui users …"),
        (["users", "list", "--db", "mysql://x"], "", "unsupported database 'mysql'"),
        (["--gateway", "ftp://x"], "", "the endpoint is no URL; write it like http://127.0.0.1:8000/v1"),
        (["--host", "no.such.host.invalid"], "", "cannot listen on no.such.host.invalid"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    with_sharma: Path, arguments: list[str], password: str, problem: str
) -> None:
    refused = _himed_ui(with_sharma, *arguments, password=password)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("himed-ui: error: ")
    assert problem in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not password or password not in refused.stderr.removesuffix("--password-stdin\n")


def test_a_missing_database_is_made_by_the_first_account_only(tmp_path: Path) -> None:
    refused = _himed_ui(tmp_path, "users", "list")
    assert refused.returncode == 2
    assert "for the page himed-ui users add" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def _at_a_terminal(folder: Path, answers: list[str], *arguments: str) -> tuple[int, str]:
    """Exit code and all that the terminal shows, when each question is answered."""
    environment = os.environ | {"HIMED_DB": f"sqlite:///{folder / 'page.db'}"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [*COMMAND, *arguments], environment)
    shown = ""
    while True:
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError:  # the other side has ended
            break
        if answers and shown.count(": ") > 2 - len(answers):
            os.write(terminal, f"{answers.pop(0)}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_at_a_terminal_the_password_is_asked_for_twice_and_never_shown(tmp_path: Path) -> None:
    code, shown = _at_a_terminal(tmp_path, [PASSWORD, PASSWORD], "users", "add", "Rao")
    assert (code, shown.splitlines()) == (0, ["Password of Rao: ", "Once more: ", "Rao can sign in"])
    code, shown = _at_a_terminal(tmp_path, [PASSWORD, "something else"], "users", "add", "Sharma")
    assert code == 2
    assert "the two passwords differ" in shown
    assert PASSWORD not in shown
    assert _himed_ui(tmp_path, "users", "list").stdout.count("UTC") == 1


def test_the_command_line_starts_without_the_web_application() -> None:
    code = "import sys, ui.cli; print({'gradio', 'fastapi', 'sqlalchemy', 'openai'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("option", [["--sign-in"], ["--host", "0.0.0.0"]])
def test_where_people_sign_in_the_page_does_not_start_without_a_good_account(tmp_path: Path, option: list[str]) -> None:
    _add(tmp_path, "Rao")
    assert _himed_ui(tmp_path, "users", "disable", "Rao").returncode == 0
    refused = _himed_ui(tmp_path, "--port", "0", *option)
    assert refused.returncode == 2
    assert refused.stderr == (
        "himed-ui: error: people must sign in to this page, and nobody has an account; "
        'make one with himed-ui users add "Dr. Sharma", for the same --db\n'
    )


def test_a_port_in_use_is_said_before_anything_is_built(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = _himed_ui(tmp_path, "--port", str(port))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"himed-ui: error: cannot listen on 127.0.0.1, port {port} ")
    assert list(tmp_path.iterdir()) == []


class Started:
    """`himed-ui` in a process."""

    def __init__(self, folder: Path, *arguments: str, command: list[str] = COMMAND) -> None:
        environment = os.environ | {"HIMED_DB": f"sqlite:///{folder / 'page.db'}"}
        self._log = folder / "stderr.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", "0", *arguments],
                stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = re.fullmatch(r"himed-ui: (http://\S+)/ \(Ctrl-C stops it\)\n", line)
        assert match is not None, line + self.log
        self.url = match[1]

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")


@contextmanager
def _started(folder: Path, *arguments: str, command: list[str] = COMMAND) -> Iterator[Started]:
    started = Started(folder, *arguments, command=command)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_soon_though_pages_are_open(tmp_path: Path, number: signal.Signals) -> None:
    with _started(tmp_path, command=PATIENT) as page:
        open_page = threading.Thread(target=_hold_open, args=(page.url,))
        open_page.start()
        time.sleep(0.5)
        begin = time.monotonic()
        page.process.send_signal(number)
        assert page.process.wait(20) == 0
        assert time.monotonic() - begin < 15
        open_page.join(10)
        assert page.log == ""


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True])
def test_an_answer_that_is_being_read_may_end_unless_the_signal_comes_twice(
    tmp_path: Path, browser: Browser, again: bool
) -> None:
    with (
        medical_backend(speaking(wait_s=1.0 if again else 0.1)) as backend,  # about 20 s, or 2
        medical_gateway(backend) as gateway,
        _started(tmp_path, "--gateway", gateway.url, command=PATIENT) as page,
        browser.new_context(locale="en-GB") as context,
    ):
        shown = context.new_page()
        shown.goto(page.url)
        shown.locator("#question textarea").fill(ENGLISH_QUESTION)
        shown.locator("#send").click()
        answer = shown.locator("#present .answer")
        expect(answer).to_contain_text("The patient", timeout=20_000)
        page.process.send_signal(signal.SIGTERM)
        if again:
            time.sleep(0.3)
            page.process.send_signal(signal.SIGTERM)
            assert page.process.wait(12) == 0
        else:
            expect(answer).to_contain_text(ENGLISH[-30:], timeout=30_000)
            assert page.process.wait(20) == 0
        assert page.log == ""


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_cut(tmp_path: Path, browser: Browser) -> None:
    with (
        medical_backend(speaking(wait_s=2.0)) as backend,  # about 40 s
        medical_gateway(backend) as gateway,
        _started(tmp_path, "--gateway", gateway.url, command=_draining(0.5)) as page,
        browser.new_context(locale="en-GB") as context,
    ):
        shown = context.new_page()
        shown.goto(page.url)
        shown.locator("#question textarea").fill(ENGLISH_QUESTION)
        shown.locator("#send").click()
        expect(shown.locator("#present .answer")).to_contain_text("The patient", timeout=30_000)
        page.process.send_signal(signal.SIGTERM)
        assert page.process.wait(15) == 0
        assert page.log == ""


def _hold_open(url: str) -> None:
    with httpx.Client(timeout=30) as client, client.stream("GET", f"{url}/gradio_api/heartbeat/one") as answer:
        for _ in answer.iter_lines():
            pass


def test_a_log_line_is_json_and_holds_nothing_of_people(tmp_path: Path) -> None:
    _add(tmp_path, "Dr. Rao")
    with _started(tmp_path, "--sign-in") as page, httpx.Client(base_url=page.url, timeout=30) as client:
        client.post("/sign-in", data={"name": "Dr. Rao", "password": "wrong-password"})
        client.post("/sign-in", data={"name": "Dr. Rao", "password": PASSWORD})
        token = client.cookies["himed-session"]
        assert _ask(client, SECRET).status_code == 500
        page.process.send_signal(signal.SIGTERM)
        assert page.process.wait(20) == 0
        log = page.log
    lines = [orjson.loads(line) for line in log.splitlines()]
    events = [line["event"] for line in lines]
    assert events == ["a sign-in from 127.0.0.1 failed", "a handler of the page failed"]
    assert "Traceback" not in log
    for private in ("Rao", "wrong-password", PASSWORD, token, SECRET):
        assert private not in log


WARNS = """
import warnings, ui.application
from app.errors import InputError
def build(*_):
    warnings.warn("said to a page")
    raise InputError("that is enough")
ui.application.build_application = build
from ui.cli import main
main()
"""


def test_a_warning_is_a_line_of_the_log_too(tmp_path: Path) -> None:
    environment = os.environ | {"HIMED_DB": f"sqlite:///{tmp_path / 'page.db'}"}
    command = [sys.executable, "-c", WARNS, "--port", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    line, end = ended.stderr.splitlines()
    assert "UserWarning: said to a page" in orjson.loads(line)["event"]
    assert end == "himed-ui: error: that is enough"


def _ask(client: httpx.Client, question: str) -> httpx.Response:
    """Ask as the page's script does, but for a model that is none of the choices."""
    config = client.get("/config").json()
    names = {one["id"]: one["props"].get("elem_id") for one in config["components"]}
    handler = next(
        one
        for one in config["dependencies"]
        if [names[id] for id in one["inputs"][:2]] == ["question", "question-language"]
    )
    body = {"data": [question, question, question, None, None], "fn_index": handler["id"], "session_hash": "one"}
    return client.post("/gradio_api/run/predict", json=body)
