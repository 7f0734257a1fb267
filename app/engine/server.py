"""A vLLM server as an async context manager."""

import asyncio
import logging
import os
import secrets
import socket
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from app.endpoint import Endpoint, EndpointError, EndpointSettings, Sampling
from app.engine.checkpoint import Checkpoint, check_adapter, check_checkpoint
from app.engine.command import Device, build_command, build_environment, find_device, serving_length
from app.engine.errors import EngineError
from app.engine.failure import explain_failure
from app.engine.process import ServerProcess
from app.engine.settings import EngineSettings
from app.errors import InputError

_LOOPBACK = "127.0.0.1"
_HEALTH_POLL_S = 0.2

logger = logging.getLogger(__name__)


class Engine:
    """One vLLM server on the loopback interface, ready for requests inside the block and gone after it.

    The server ends with the block however that is left, and also when this process is killed. Its key is random and
    known to this process alone, so that other users of the machine cannot use it.

    Attributes:
        settings: as given.
        base_url: ``http://127.0.0.1:PORT/v1``.
        api_key: what requests must carry; see `endpoint_settings`.
        device: ``cpu`` or ``gpu``.
        log: the server's log.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.api_key = SecretStr(secrets.token_urlsafe(24))
        self.base_url = ""
        self.device: Device = "cpu"
        self.log = Path()
        self._process: ServerProcess | None = None

    @property
    def served_model_name(self) -> str:
        """The name that requests ask for."""
        return self.settings.served_name

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.status() is None

    def endpoint_settings(self, **changes: Any) -> EndpointSettings:
        """Settings of an `Endpoint` of this server; ``changes`` are fields of `EndpointSettings`."""
        own: dict[str, Any] = {"base_url": self.base_url, "model": self.served_model_name, "api_key": self.api_key}
        return EndpointSettings(**(own | changes))

    async def __aenter__(self) -> Self:
        """Check the checkpoint, start the server, wait for its first answer.

        Raises:
            InputError: the checkpoint, an adapter, the chat template or the port is at fault.
            EngineError: vLLM is missing, memory ran out, the start took too long, or vLLM failed otherwise.
        """
        settings = self.settings
        checkpoint, rank = self.check()
        self.device = find_device()
        port = _free_port() if settings.port is None else _check_port(settings.port)
        length = serving_length(settings, checkpoint)
        self.base_url = f"http://{_LOOPBACK}:{port}/v1"
        self.log = _new_log(settings.log_dir, port)
        logger.info("starting vLLM for %s on a %s; its log is %s", settings.model, self.device.upper(), self.log)
        started = monotonic()
        self._process = ServerProcess(
            build_command(settings, self.device, port, length, rank),
            build_environment(settings, self.device, self.api_key.get_secret_value(), length, checkpoint),
            self.log,
        )
        try:
            async with asyncio.timeout(settings.start_timeout_s):
                await self._wait_until_healthy(f"http://{_LOOPBACK}:{port}/health")
                await self._warm_up()
        except TimeoutError:
            await self._process.stop()
            raise EngineError(
                f"vLLM was not ready within {settings.start_timeout_s:g} s", log=self.log, remedy="allow it more time"
            ) from None
        except BaseException:  # Ctrl-C and cancellation included: no server may be left behind
            await self._process.stop()
            raise
        logger.info("vLLM is ready after %.0f s", monotonic() - started)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await self._process.stop()

    def check(self) -> tuple[Checkpoint | None, int]:
        """Check the checkpoint and the adapters, which takes milliseconds and starts nothing.

        Returns the checkpoint, None for one that the hub may have, and the adapters' largest rank, 0 without any.

        Raises:
            InputError: one of them, or the chat template, is at fault.
        """
        checkpoint = self._check_model()
        return checkpoint, max((check_adapter(folder) for folder in self.settings.lora.values()), default=0)

    def _check_model(self) -> Checkpoint | None:
        settings = self.settings
        folder = Path(settings.model)
        if settings.allow_download and not folder.exists():
            return None
        if not folder.exists() and len(folder.parts) == 2 and not folder.is_absolute():
            raise InputError(
                "no such checkpoint; if this is a hub name, nothing is downloaded unless you allow it",
                file=settings.model,
                remedy="name the folder that holds its config.json, or allow the download",
            )
        return check_checkpoint(folder, chat_template=settings.chat_template)

    async def _wait_until_healthy(self, url: str) -> None:
        import aiohttp

        assert self._process is not None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while True:
                if (status := self._process.status()) is not None:
                    raise explain_failure(self.settings, status, self.log)
                try:
                    async with session.get(url) as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass  # not listening yet
                await asyncio.sleep(_HEALTH_POLL_S)

    async def _warm_up(self) -> None:
        """One short answer: the first takes seconds, and shows whether the chat template works."""
        settings = self.endpoint_settings(max_attempts=1, timeout_s=self.settings.start_timeout_s)
        try:
            async with Endpoint(settings) as endpoint:
                await endpoint.chat([{"role": "user", "content": "1 + 1?"}], Sampling(temperature=0.0, max_tokens=2))
        except EndpointError as error:
            assert self._process is not None
            if (status := self._process.status()) is not None:
                raise explain_failure(self.settings, status, self.log) from None
            raise EngineError(f"vLLM started and its first answer failed: {error}", log=self.log) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _check_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((_LOOPBACK, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "no port number"
            raise InputError(f"port {port} cannot be used ({reason})", remedy="name another, or none") from None
    return port


def _new_log(folder: Path, port: int) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log = folder.resolve() / f"vllm-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}-{port}.log"
        log.touch()
    except OSError as error:
        raise InputError(
            f"no log can be written ({error.strerror})", file=folder, remedy="name another log_dir"
        ) from None
    return log
