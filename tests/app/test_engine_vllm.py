"""Real vLLM servers with the tiny checkpoint."""

import asyncio
import json
import shutil
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
from process_table import alive, group_of, needs_proc, processes_of
from waiting import until

from app.endpoint import Endpoint, EndpointError, Sampling
from app.engine import Engine, EngineError, EngineSettings
from app.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
GREEDY = Sampling(temperature=0.0, max_tokens=12)
MESSAGES = [{"role": "user", "content": "बुखार का कारण क्या है?"}]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: run `make setup`"),
]


async def test_vllm_answers_whole_and_streamed_alike(vllm_server: Engine) -> None:
    async with Endpoint(vllm_server.endpoint_settings()) as endpoint:
        assert await endpoint.models() == [vllm_server.served_model_name]
        whole = await endpoint.chat(MESSAGES, GREEDY)
        async with endpoint.stream(MESSAGES, GREEDY) as stream:
            pieces = [delta.text async for delta in stream]
    assert len(pieces) > 1
    assert "".join(pieces) == stream.reply.text == whole.text
    assert whole.finish_reason == stream.reply.finish_reason == "length"
    assert whole.prompt_tokens == stream.reply.prompt_tokens
    assert whole.completion_tokens == stream.reply.completion_tokens == 12
    assert whole.latency_s > 0


async def test_vllm_takes_every_sampling_setting_and_repeats_a_seed(vllm_server: Engine) -> None:
    full = Sampling(temperature=0.6, top_p=0.95, top_k=20, repetition_penalty=1.2, max_tokens=12, stop=("<|x|>",))
    async with Endpoint(vllm_server.endpoint_settings()) as endpoint:
        first, again, other = [await endpoint.chat(MESSAGES, full, seed=seed) for seed in (1, 1, 2)]
    assert first.text == again.text != other.text


async def test_vllm_refuses_strangers_and_too_long_prompts(vllm_server: Engine) -> None:
    long = [{"role": "user", "content": "बुखार " * 3000}]
    async with Endpoint(vllm_server.endpoint_settings(api_key=None)) as stranger:
        with pytest.raises(EndpointError, match=r"HTTP 401 .*set the key in the environment variable HIMED_API_KEY"):
            await stranger.chat(MESSAGES, GREEDY)
    async with Endpoint(vllm_server.endpoint_settings(model="another")) as endpoint:
        with pytest.raises(EndpointError, match=r"HTTP 404 .*another"):
            await endpoint.chat(MESSAGES, GREEDY)
    async with Endpoint(vllm_server.endpoint_settings()) as endpoint:
        with pytest.raises(EndpointError, match=r"HTTP 400 .*maximum context length is 2048") as caught:
            await endpoint.chat(long, GREEDY)
    assert not caught.value.retryable
    assert "बुखार" not in str(caught.value)


def test_the_servers_key_is_in_no_command_line_and_no_log(vllm_server: Engine) -> None:
    assert processes_of(vllm_server.base_url.rpartition(":")[2].removesuffix("/v1"))
    assert processes_of(vllm_server.api_key.get_secret_value()) == []
    assert vllm_server.api_key.get_secret_value() not in vllm_server.log.read_text()
    assert vllm_server.running


@needs_proc
async def test_vllm_is_gone_after_an_error_in_the_block(tiny_checkpoint: Path, tmp_path: Path) -> None:
    settings = EngineSettings(tiny_checkpoint, served_model_name="gone-soon", max_model_len=512, log_dir=tmp_path)
    engine = Engine(settings)
    pids: list[int] = []

    async def fail_inside() -> None:
        async with engine:
            pids.extend(group_of(processes_of("gone-soon")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_inside()
    assert len(pids) >= 3  # the supervisor, the server, its engine
    assert not any(map(alive, pids))
    assert not engine.running


@needs_proc
async def test_vllm_is_gone_after_its_owner_was_killed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    owner = """
    import asyncio, sys
    from pathlib import Path
    from app.engine import Engine, EngineSettings
    async def main():
        checkpoint, folder = sys.argv[1], Path(sys.argv[2])
        async with Engine(EngineSettings(checkpoint, "owner-killed", max_model_len=512, log_dir=folder)):
            (folder / "ready").touch()
            await asyncio.sleep(600)
    asyncio.run(main())
    """
    arguments = ["-c", textwrap.dedent(owner), str(tiny_checkpoint), str(tmp_path)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT)
    try:
        await until(lambda: (tmp_path / "ready").exists() or process.returncode is not None, 300)
        pids = group_of([pid for pid in processes_of("owner-killed") if pid != process.pid])
        assert len(pids) >= 3
    finally:
        process.kill()
        await process.wait()
    await until(lambda: not any(map(alive, pids)))


async def test_an_architecture_that_vllm_does_not_know_is_said(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unknown"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text()) | {"architectures": ["FooForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match=r"unknown: vLLM does not know the architecture \['FooForCausalLM'\]"
    ) as caught:
        async with Engine(EngineSettings(folder, log_dir=tmp_path / "logs")):
            pass
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in str(caught.value)


async def test_a_start_that_takes_too_long_is_ended(tiny_checkpoint: Path, tmp_path: Path) -> None:
    settings = EngineSettings(tiny_checkpoint, log_dir=tmp_path, start_timeout_s=1.0)
    engine = Engine(settings)
    with pytest.raises(EngineError, match="vLLM was not ready within 1 s; allow it more time; the server's log is"):
        await engine.__aenter__()
    assert not engine.running
