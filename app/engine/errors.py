"""A server that did not start, for a reason that lies in this machine and not in the checkpoint."""

from pathlib import Path

from app.errors import InputError


class EngineError(InputError):
    """No vLLM, no GPU, no memory, no time, or a failure that is not known: one sentence, with the log's path.

    An InputError, so that every command line says it in one line: the user can do something about each of them.
    """

    def __init__(self, problem: str, *, log: Path | None = None, remedy: str | None = None) -> None:
        self.log = log
        advice = [remedy] if remedy else []
        if log is not None:
            advice.append(f"the server's log is {log}")
        super().__init__(problem, remedy="; ".join(advice) or None)
