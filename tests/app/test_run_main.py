import pytest

from app.command import run_main
from app.errors import InputError


def _end(call: object, capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str]:
    with pytest.raises(SystemExit) as raised:
        run_main(call, "himed-test")  # type: ignore[arg-type]
    return raised.value.code, capsys.readouterr().err


def test_a_call_that_returns_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(lambda: None, capsys) == (0, "")


def test_a_calls_own_exit_code_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def call() -> None:
        raise SystemExit(3)

    assert _end(call, capsys) == (3, "")


def test_bad_input_ends_with_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def call() -> None:
        raise InputError("is wrong", file="a.yaml", field="b", remedy="mend it")

    assert _end(call, capsys) == (2, "himed-test: error: a.yaml, field 'b': is wrong; mend it\n")


def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    def call() -> None:
        raise KeyboardInterrupt

    assert _end(call, capsys) == (130, "")
