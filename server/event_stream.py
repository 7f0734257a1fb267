"""Streams of server-sent events: their head, and how they end when something breaks.

WHATWG HTML, 9.2: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib

from starlette.types import Send

EVENT_STREAM = "text/event-stream"
# Reverse proxies must not collect what should appear at once.
UNBUFFERED = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))

_LAST_WORD_S = 2.0


async def send_last(send: Send, event: bytes) -> None:
    """The last bytes of a stream that broke. A client that reads nothing is not waited for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORD_S):
            await send({"type": "http.response.body", "body": event})
