"""`himed-data` in this process: its words in, its exit code and what it printed out."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest

from app.command import run_main
from training.corpus.cli import NAME, app


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def himed_data(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: object) -> Ended:
        with pytest.raises(SystemExit) as ended:
            run_main(partial(app, [str(word) for word in words], prog_name=NAME), NAME)
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return command
