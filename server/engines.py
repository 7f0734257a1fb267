"""The vLLM servers that the gateway starts for checkpoints, and starts again when they die."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from app.engine import Engine, EngineSettings
from app.engine.command import find_device
from app.errors import InputError
from server.config import ModelConfig, ServeConfig
from server.reasoning import server_options

logger = logging.getLogger(__name__)

_WATCH_S = 0.5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_STEADY_S = 300.0  # one that ran this long did not die of its start


@dataclass(frozen=True, slots=True)
class Replica:
    """One vLLM server to be: number ``index`` of a model's."""

    model: str
    index: int
    settings: EngineSettings

    @property
    def name(self) -> str:
        """As in ``himed-8b/0``."""
        return f"{self.model}/{self.index}"

    def told(self, error: InputError) -> InputError:
        """The error with the model's name."""
        return InputError(str(error), field=f"models.{self.model}")


def replicas(config: ServeConfig, log_dir: Path) -> list[Replica]:
    """The vLLM servers that a configuration asks for.

    Args:
        log_dir: each model's logs go into a folder of its name there.

    Raises:
        InputError: vLLM must not be given an option that it is given.
    """
    return [replica for name, model in config.models.items() for replica in _replicas_of(name, model, log_dir)]


def _replicas_of(name: str, model: ModelConfig, log_dir: Path) -> Iterator[Replica]:
    if model.checkpoint is None:
        return
    engine = model.engine
    for index in range(engine.replicas):
        try:
            settings = EngineSettings(
                model.checkpoint,
                served_model_name=name,
                max_model_len=engine.max_model_len,
                chat_template=engine.chat_template,
                lora={adapter: folder for adapter, folder in model.adapters.items() if folder is not None},
                log_dir=log_dir / (re.sub(r"[^\w.-]+", "_", name).lstrip(".") or "_"),
                allow_download=engine.allow_download,
                start_timeout_s=engine.start_timeout_s,
                extra_args=(*server_options(model.resolved_format()), *engine.args),
                environment={"CUDA_VISIBLE_DEVICES": engine.devices[index]} if engine.devices else {},
            )
        except InputError as error:
            raise InputError(str(error), field=f"models.{name}.engine") from None
        yield Replica(name, index, settings)


class EnginePool:
    """The engines that run. Leaving the block stops them all.

    Args:
        changed: called when an engine has come back at another address.
    """

    def __init__(self, log_dir: Path, changed: Callable[[], None]) -> None:
        self._log_dir, self._changed = log_dir, changed
        self._running: list[_Running] = []

    async def __aenter__(self) -> "EnginePool":
        return self

    async def __aexit__(self, *_: object) -> None:
        await _stop(self._running)

    async def start(self, config: ServeConfig) -> None:
        """Start the engines that a configuration asks for and that do not run yet: all of them, or none.

        Raises:
            InputError: a checkpoint is at fault.
            EngineError: the machine is.
        """
        wanted = replicas(config, self._log_dir)
        missing = [replica for replica in wanted if self._find(replica) is None]
        for replica in missing:  # in milliseconds, before the first of them loads for minutes
            try:
                Engine(replica.settings).check()
            except InputError as error:
                raise replica.told(error) from None
        if not missing:
            return
        # On a CPU they contend for its cores.
        at_once = asyncio.Semaphore(1 if find_device() == "cpu" else len(missing))
        new = [_Running(replica, self._changed) for replica in missing]
        try:
            async with asyncio.TaskGroup() as group:
                for running in new:
                    group.create_task(_start_in_turn(running, at_once))
        except BaseException as error:  # cancellation included: nothing may be left behind
            await _stop(new)
            if isinstance(error, ExceptionGroup):
                raise error.exceptions[0] from None
            raise
        self._running += new

    def engines(self, config: ServeConfig) -> dict[str, list[Engine]]:
        """The running engines of each model of a configuration that was started."""
        found: dict[str, list[Engine]] = {name: [] for name in config.models}
        for replica in replicas(config, self._log_dir):
            running = self._find(replica)
            assert running is not None
            found[replica.model].append(running.engine)
        return found

    async def retire(self, config: ServeConfig) -> None:
        """Stop the engines that a configuration does not ask for."""
        wanted = replicas(config, self._log_dir)
        gone = [running for running in self._running if running.replica not in wanted]
        self._running = [running for running in self._running if running.replica in wanted]
        for running in gone:
            logger.info("engine is stopped", extra={"backend": running.replica.name})
        await _stop(gone)

    def _find(self, replica: Replica) -> "_Running | None":
        return next((running for running in self._running if running.replica == replica), None)


class _Running:
    """One engine, and the task that starts it again."""

    def __init__(self, replica: Replica, changed: Callable[[], None]) -> None:
        self.replica, self._changed = replica, changed
        self.engine: Engine
        self._stack = AsyncExitStack()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and from then on keep it running."""
        try:
            await self._start()
        except InputError as error:
            raise self.replica.told(error) from None
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await self._stack.aclose()

    async def _start(self) -> None:
        began = monotonic()
        logger.info("engine is starting", extra={"backend": self.replica.name})
        engine = Engine(self.replica.settings)
        await self._stack.enter_async_context(engine)
        self.engine = engine
        fields = {"backend": self.replica.name, "url": engine.base_url, "log": str(engine.log)}
        logger.info("engine is ready", extra=fields | {"seconds": round(monotonic() - began, 1)})

    async def _keep(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            began = monotonic()
            while self.engine.running:  # noqa: ASYNC110  # another process's end: no event tells
                await asyncio.sleep(_WATCH_S)
            if monotonic() - began > _STEADY_S:
                wait_s = _FIRST_WAIT_S
            logger.error("engine died", extra={"backend": self.replica.name, "log": str(self.engine.log)})
            await self._stack.aclose()
            wait_s = await self._start_again(wait_s)
            self._changed()

    async def _start_again(self, wait_s: float) -> float:
        """Try until it runs. Returns how long to wait should it die at once."""
        while True:
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            try:
                await self._start()
            except InputError as error:
                fields = {"backend": self.replica.name, "reason": str(error), "next_try_s": wait_s}
                logger.error("engine did not start again", extra=fields)
            except Exception:  # no memory for a process, say: whatever it is, it may be over at the next try
                logger.exception("engine did not start again", extra={"backend": self.replica.name})
            else:
                return wait_s


async def _start_in_turn(running: _Running, at_once: asyncio.Semaphore) -> None:
    async with at_once:
        await running.start()


async def _stop(engines: "list[_Running]") -> None:
    await asyncio.gather(*(running.stop() for running in engines))
