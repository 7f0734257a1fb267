"""Backends: which one is asked, and what a probe makes of one."""

import asyncio
from collections.abc import Callable
from time import monotonic

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from running import ScriptedBackend

from server.access import Limiter, OpenGate
from server.backends import Address, Backend, BackendGroup, Prober
from server.config import build_config
from server.gateway import Gateway, Setup
from server.relay import open_session


def _backend(name: str, *, up: bool = True, open: int = 0) -> Backend:
    return Backend(Address(name, "http://127.0.0.1:1/v1"), up=up, open=open)


def test_the_one_with_the_fewest_open_requests_is_asked() -> None:
    busy, idle, out = _backend("busy", open=2), _backend("idle", open=1), _backend("out", up=False)
    group = BackendGroup([busy, idle, out])
    assert [group.pick() for _ in range(3)] == [idle] * 3
    assert group.pick([idle]) is busy
    assert group.pick([idle, busy]) is None


def test_equals_are_asked_in_turn() -> None:
    group = BackendGroup([_backend("a"), _backend("b"), _backend("c")])
    assert sorted(picked.name for picked in (group.pick() for _ in range(6)) if picked) == [
        "a",
        "a",
        "b",
        "b",
        "c",
        "c",
    ]


def test_one_that_failed_is_asked_no_more() -> None:
    backend = _backend("a")
    group = BackendGroup([backend, _backend("b", up=False)])
    backend.failed("no answer")
    assert group.pick() is None
    assert BackendGroup().pick() is None


def test_a_key_stands_in_the_headers_and_nowhere_else() -> None:
    address = Address("a/0", "http://h/v1", SecretStr("sk-secret"), (("himed", "there"),))
    assert address.headers["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in repr(address)
    assert address.upstream_name("himed") == "there"
    assert address.upstream_name("other") == "other"


def _probed(address: Address, times: int = 1, before: Callable[[Backend], None] | None = None) -> Backend:
    async def probe() -> Backend:
        backend = Backend(address)
        if before is not None:
            before(backend)
        async with open_session() as session:
            for _ in range(times):
                await Prober(session, lambda: 0.1).probe(backend)
        return backend

    return asyncio.run(probe())


def test_a_backend_that_lists_its_models_is_up() -> None:
    with ScriptedBackend(models=("m", "more")) as server:
        backend = _probed(server.address())
    assert backend.up
    assert backend.failure is None


def test_a_backend_without_one_of_its_models_is_out() -> None:
    with ScriptedBackend(models=("m",)) as server:
        backend = _probed(server.address(names=(("x", "gone"), ("y", "absent"), ("m", "m"))))
    assert not backend.up
    assert backend.failure == "does not serve absent, gone"


def test_a_backend_that_says_it_is_not_ready_is_out_and_comes_back() -> None:
    with ScriptedBackend() as server:
        server.up = False

        async def probe() -> None:
            backend = Backend(server.address())
            async with open_session() as session:
                prober = Prober(session, lambda: 0.1)
                await prober.probe(backend)
                assert (backend.up, backend.failure, backend.failures) == (False, "answers with status 503", 1)
                server.up = True
                await prober.probe(backend)
                assert (backend.up, backend.failure, backend.failures) == (True, None, 0)

        asyncio.run(probe())


def test_a_backend_that_is_not_there_is_out() -> None:
    with ScriptedBackend() as server:
        address = server.address()
    backend = _probed(address, times=3)
    assert not backend.up
    assert backend.failures == 3
    assert backend.failure == "no answer (ClientConnectorError)"


async def _keyed(request: web.Request) -> web.Response:
    if request.headers.get("Authorization") != "Bearer right":
        return web.json_response({}, status=401)
    return web.json_response({"data": [{"id": "m"}]})


async def _broken(_request: web.Request) -> web.Response:
    return web.json_response(["no", "list", "of", "models"])


async def _redirecting(_request: web.Request) -> web.Response:
    raise web.HTTPFound("http://127.0.0.1:1/elsewhere")


@pytest.mark.parametrize(
    ("handler", "key", "failure"),
    [
        (_keyed, "wrong", "refuses its key"),
        (_keyed, "right", None),
        (_broken, None, "its list of models cannot be read"),
        (_redirecting, None, "answers with status 302"),
    ],
)
async def test_what_a_probe_makes_of_an_answer(
    handler: Callable[[web.Request], web.Response], key: str | None, failure: str | None
) -> None:
    application = web.Application()
    application.router.add_get("/v1/models", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    backend = Backend(Address("m/0", url, SecretStr(key) if key else None, (("m", "m"),)))
    async with open_session() as session:
        await Prober(session, lambda: 0.1).probe(backend)
    await runner.cleanup()
    assert backend.failure == failure
    assert backend.up == (failure is None)


async def test_however_many_requests_failed_the_first_probes_follow_each_other_quickly() -> None:
    backend, every_s = _backend("m/0"), 3.0
    for _ in range(30):
        backend.failed("no answer")
    async with open_session() as session:
        prober = Prober(session, lambda: every_s)
        for wait_s in (2 * every_s, 4 * every_s):
            await prober.probe(backend)
            assert backend.next_probe - monotonic() == pytest.approx(wait_s, abs=every_s / 2)


def test_a_busy_backend_that_is_gone_is_out_at_once() -> None:
    def busy(backend: Backend) -> None:
        backend.up, backend.open = True, 1

    with ScriptedBackend() as server:
        address = server.address()
    assert not _probed(address, before=busy).up


async def test_a_busy_backend_that_hangs_is_taken_out_after_three_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.backends._PROBE_TIMEOUT_S", 0.05)
    silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(60), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    backend = Backend(Address("n/0", f"http://127.0.0.1:{port}/v1"), up=True, open=1)
    async with open_session() as session:
        prober = Prober(session, lambda: 0.1)
        for _ in range(3):
            await prober.probe(backend)
            assert backend.up
        await prober.probe(backend)
    assert (backend.up, backend.failure) == (False, "does not answer")
    silent.close()


def test_a_reload_keeps_what_is_known_of_a_backend_whose_place_or_adapters_change() -> None:
    def setup(*addresses: Address) -> Setup:
        urls = [{"url": address.base_url} for address in addresses]
        return Setup(build_config({"open": True, "models": {"m": {"backends": urls}}}), {"m": addresses})

    first = Address("m/0", "http://127.0.0.1:7/v1", names=(("m", "m"),))
    gateway = Gateway(setup(first), OpenGate(), Limiter(), None)
    (backend,) = gateway.backends.values()
    backend.up, backend.open = True, 3
    new = Address("m/0", "http://127.0.0.1:8/v1", names=(("m", "m"),))
    moved = Address("m/1", "http://127.0.0.1:7/v1", names=(("m", "m"), ("adapter", "adapter")))
    started = Address("m/2", "http://127.0.0.1:9/v1", warm=True)
    gateway.load(setup(new, moved, started))
    assert gateway.backends["m/1"] is backend
    assert backend.address == moved
    assert [found.up for found in gateway.backends.values()] == [False, True, True]


async def test_the_prober_goes_on_and_finds_what_comes_up() -> None:
    with ScriptedBackend() as server:
        server.up = False
        backend = Backend(server.address())
        async with open_session() as session:
            running = asyncio.create_task(Prober(session, lambda: 0.05).run({"m/0": backend}))
            await asyncio.sleep(0.1)
            assert not backend.up
            server.up = True
            async with asyncio.timeout(5):
                while not backend.up:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_backend_that_hangs_keeps_no_other_waiting() -> None:
    silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(60), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with ScriptedBackend() as server:
        hanging = Backend(Address("n/0", f"http://127.0.0.1:{port}/v1"))
        backend = Backend(server.address())
        async with open_session() as session:
            running = asyncio.create_task(Prober(session, lambda: 0.05).run({"n/0": hanging, "m/0": backend}))
            for _ in range(2):  # and again after the first round
                async with asyncio.timeout(2):
                    while not backend.up:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                backend.failed("test")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    silent.close()


def test_the_session_keeps_no_cookies_and_limits_no_connections() -> None:
    async def look() -> tuple[type, int]:
        async with open_session() as session:
            assert session.connector is not None
            return type(session.cookie_jar), session.connector.limit

    assert asyncio.run(look()) == (aiohttp.DummyCookieJar, 0)
