"""Logs as JSON lines on stderr. They hold names, counts and times: no key, no question, no answer."""

import logging
import sys
import traceback
from datetime import UTC, datetime

import orjson

from server.record import Record

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

access_log = logging.getLogger("himed.access")


class JsonFormatter(logging.Formatter):
    """One JSON object a line; fields given as ``extra`` stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            line["traceback"] = _traceback(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


def _traceback(error: BaseException | None) -> str:
    """What was raised and where, the causes last; without the messages, which may quote a request."""
    parts: list[str] = []
    while error is not None:
        parts += [f"{type(error).__module__}.{type(error).__qualname__}\n", *traceback.format_tb(error.__traceback__)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(parts)


def set_up_logs(level: str = "INFO") -> None:
    """Send all logs of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # uvicorn's lines of requests hold their queries, in which somebody may have put a key.
    logging.getLogger("uvicorn.access").disabled = True


def log_request(record: Record) -> None:
    """One line for a request that has ended."""
    fields = {
        "request_id": record.request_id,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "outcome": record.outcome,
        "duration_ms": round(record.elapsed_s * 1000, 1),
        "key": record.key_name,
        "model": record.model,
        "backend": record.backend,
        "first_token_ms": None if record.first_token_s is None else round(record.first_token_s * 1000, 1),
        "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
        "verdict": record.verdict,
    }
    access_log.info("request", extra={name: value for name, value in fields.items() if value is not None})
