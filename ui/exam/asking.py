"""Answers that come as a whole: waited for with signs of life, and stopped on demand."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from typing import Final

import openai

from ui.answers import LiveAnswer
from ui.gateway import Gateway, MedicalAnswer, Question

_TICK_S: Final = 1.0


class Asking:
    """The whole answers that are being waited for, by who waits."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[MedicalAnswer]] = {}

    async def wait(
        self, reader: Hashable, gateway: Gateway, question: Question, live: LiveAnswer
    ) -> AsyncIterator[int]:
        """Ask, and wait for the answer in ``live``; yields the seconds gone, once a second.

        It ends when the answer is there, failed (which ``live`` says) or was stopped; the request is closed then.
        """
        live.state = "running"
        task = asyncio.create_task(gateway.answer(question))
        self._tasks[reader] = task
        begun = asyncio.get_running_loop().time()
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=_TICK_S)
                if done:
                    break
                yield round(asyncio.get_running_loop().time() - begun)
            _settle(task, live)
        finally:
            task.cancel()  # the reader left: so does the generation
            await asyncio.gather(task, return_exceptions=True)
            if live.growing:
                live.state = "stopped"
            if self._tasks.get(reader) is task:
                del self._tasks[reader]

    def stop(self, reader: Hashable) -> bool:
        """Stop waiting; whether there was anything to stop."""
        task = self._tasks.get(reader)
        return task is not None and task.cancel()


def _settle(task: asyncio.Task[MedicalAnswer], live: LiveAnswer) -> None:
    try:
        live.finish(task.result())
    except asyncio.CancelledError:
        live.state = "stopped"
    except (openai.OpenAIError, ValueError) as error:  # the last: it is no answer of ours, or no JSON at all
        live.fail(error)
