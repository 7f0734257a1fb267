"""Handlers of what takes seconds: in threads of their own, and only the answer to the last question is shown."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import anyio
import anyio.to_thread
import gradio as gr

from ui.page import QUIET

# Gradio's own threads, 40 of them, serve the whole page: people who wait for a report must not take them all.
_threads: Final = anyio.CapacityLimiter(32)
# Handlers of what is built: Gradio would drop a second choice while the first is being built.
EACH: Final[dict[str, Any]] = QUIET | {"trigger_mode": "multiple"}


@dataclass(slots=True)
class Latest:
    """What a reader has chosen last. As a gr.State it is the session's own, and handlers at work see it change."""

    choice: Any = None

    def only(self, choice: Any, shown: Any) -> Any:
        """What to show of a choice; nothing where the reader has chosen something else since."""
        return shown if self.choice == choice else gr.skip()


def apart(handler: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """The handler in a thread of those that wait for what is built."""

    @wraps(handler)
    async def wait(*values: Any) -> Any:
        return await anyio.to_thread.run_sync(handler, *values, limiter=_threads)

    return wait
