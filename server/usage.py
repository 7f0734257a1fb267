"""Takes the count of tokens out of a stream that passes, and out of the stream where the client did not ask for it."""

import re
from typing import Any

import orjson

# Inside a text each of these quotes has a backslash before it, so that no text looks like them. vLLM writes no blanks,
# servers elsewhere may.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_LAST = re.compile(rb'"finish_reason"\s*:\s*"')
_NO_CHOICE = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_FINGERPRINT = b'"system_fingerprint"'
_END = b"\n\n"
_OTHER_END = b"\r\n\r\n"


class UsageTap:
    """Passes a stream's bytes on in whole events.

    vLLM ends a stream whose tokens were asked for with an event of its own, and puts its fingerprint there rather than
    into the last event with a choice. Where only we asked, that event is taken out and the fingerprint put back: the
    client gets the bytes that it would have got.
    """

    def __init__(self, *, strip: bool) -> None:
        self.usage: dict[str, Any] | None = None
        self._strip = strip
        self._rest = b""  # the beginning of an event
        self._held = b""  # events from the first with a finish reason on, until the count has come

    def feed(self, piece: bytes) -> bytes:
        """What can go on of the bytes that have come."""
        if self._rest:
            piece = self._rest + piece
        cut = piece.rfind(_END) + len(_END)
        if cut < len(_END):
            return self._unended(piece)
        whole, self._rest = piece[:cut], piece[cut:]
        if self._strip:
            return self._stripped(whole)
        if _USAGE.search(whole):
            events = whole.split(_END)
            self._read(events[_last_counted(events)])
        return whole

    def close(self) -> bytes:
        """What is left when the stream has ended."""
        left, self._held, self._rest = self._held + self._rest, b"", b""
        return left

    def _unended(self, piece: bytes) -> bytes:
        """Bytes without an event's end: they wait for it. Events that end in another way pass uncounted: vLLM writes
        none, servers elsewhere may."""
        cut = piece.rfind(_OTHER_END) + len(_OTHER_END)
        if cut < len(_OTHER_END):
            cut = 0
        self._rest = piece[cut:]
        return piece[:cut]

    def _stripped(self, whole: bytes) -> bytes:
        if not self._held and not _LAST.search(whole) and not _USAGE.search(whole):
            return whole
        whole = self._held + whole
        self._held = b""
        if not _USAGE.search(whole):
            last = _LAST.search(whole)
            before = whole.rfind(_END, 0, last.start()) if last else -1
            start = before + len(_END) if before >= 0 else 0
            self._held = whole[start:]
            return whole[:start]
        events = whole.split(_END)
        at = _last_counted(events)
        fingerprint = self._read(events[at])
        if _NO_CHOICE.search(events[at]):
            del events[at]
        if fingerprint is not None:
            events = [_with_fingerprint(event, fingerprint) for event in events]
        return _END.join(events)

    def _read(self, event: bytes) -> str | None:
        """Note the usage. Returns the fingerprint."""
        try:
            body = orjson.loads(event.removeprefix(b"data:"))
        except orjson.JSONDecodeError:
            return None
        self.usage = body.get("usage")
        found = body.get("system_fingerprint")
        return found if isinstance(found, str) else None


def _last_counted(events: list[bytes]) -> int:
    """The place of the last event with a count: a client may have asked for one in each."""
    return next(number for number in reversed(range(len(events))) if _USAGE.search(events[number]))


def _with_fingerprint(event: bytes, fingerprint: str) -> bytes:
    if not _LAST.search(event) or _FINGERPRINT in event or not event.endswith(b"}"):
        return event
    return event[:-1] + b',"system_fingerprint":' + orjson.dumps(fingerprint) + b"}"
