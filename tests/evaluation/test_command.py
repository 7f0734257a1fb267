"""How every command line ends."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest
import typer
from sqlalchemy.exc import OperationalError

from app.errors import InputError
from evaluation.command import run_command


def _end(monkeypatch: pytest.MonkeyPatch, body: Callable[[], None]) -> int | str | None:
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(body)
    monkeypatch.setattr(sys, "argv", ["himed-test"])
    with pytest.raises(SystemExit) as raised:
        run_command(app, "himed-test")
    return raised.value.code


def test_a_command_that_returns_ends_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not _end(monkeypatch, lambda: print("done"))
    assert capsys.readouterr().out == "done\n"


def test_a_commands_own_exit_code_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        raise typer.Exit(3)

    assert _end(monkeypatch, body) == 3


def test_bad_input_is_one_line_however_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = "a problem [not markup] that is longer than any terminal is wide " * 5

    def body() -> None:
        raise InputError(problem, file="items.json", row=3, field="gold", remedy="mend it")

    assert _end(monkeypatch, body) == 2
    error = capsys.readouterr().err
    assert error == f"himed-test: error: items.json, row 3, field 'gold': {problem.strip()} ; mend it\n"


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        raise KeyboardInterrupt

    assert _end(monkeypatch, body) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_database_error_is_one_line_without_statement_and_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def body() -> None:
        raise OperationalError("SELECT :key", {"key": "hunter2"}, Exception("connection failed:\n\tno server"))

    assert _end(monkeypatch, body) == 2
    said = "himed-test: error: the database failed: connection failed: no server; check that it is there, "
    assert capsys.readouterr().err == said + "has room and may be written\n"


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        raise ZeroDivisionError

    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(body)
    monkeypatch.setattr(sys, "argv", ["himed-test"])
    with pytest.raises(ZeroDivisionError):
        run_command(app, "himed-test")


def _script(body: str) -> list[str]:
    code = "import typer\nfrom evaluation.command import run_command\n"
    code += "app = typer.Typer(pretty_exceptions_enable=False)\n"
    code += f"@app.command()\ndef body() -> None:\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
    return [sys.executable, "-c", code + "run_command(app, 'himed-test')\n"]


@pytest.mark.parametrize("lines", [1, 100_000], ids=["in the buffer", "more than a pipe holds"])
def test_a_reader_that_has_gone_is_no_error(lines: int) -> None:
    process = subprocess.Popen(
        _script(f"for _ in range({lines}): print('line')"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (1, b"")


def test_a_real_interrupt_ends_with_130_and_no_traceback() -> None:
    body = "import os, time\nos.write(1, b'x')\ntime.sleep(60)"
    process = subprocess.Popen(_script(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 1) == b"x"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, b"")
