"""The command with real vLLM servers and the tiny checkpoint."""

import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from served import Served, command_of, processes_below, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: run `make setup`"),
]


def engines_of(served: Served, model: str) -> list[int]:
    """The processes of a model's vLLM servers, without their supervisors."""
    return [
        pid
        for pid in processes_below(served.process.pid)
        if (words := command_of(pid)) and model in words and "-m" in words[:3]
    ]


def test_a_checkpoint_is_served_comes_back_and_leaves_nothing_behind(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with Served(tmp_path, None, "--model", str(tiny_checkpoint), "--open", "--port", "0", start_s=300) as served:
        name = tiny_checkpoint.name
        assert served.models() == [name, "auto"]
        first = served.chat(name)
        assert first.status_code == 200
        assert first.json()["choices"][0]["message"]["content"] is not None
        (engine,) = engines_of(served, name)
        (log,) = (tmp_path / "logs" / name).iterdir()
        assert served.events("engine is ready")[0]["log"] == str(log)

        os.kill(engine, signal.SIGKILL)
        until(lambda: bool(served.events("engine died")))
        assert served.events("engine died")[0]["backend"] == f"{name}/0"
        assert served.chat(name).status_code == 503
        until(lambda: len(served.events("engine is ready")) == 2, 300)
        until(lambda: served.chat(name).status_code == 200)
        assert served.chat("auto").status_code == 200

        left = processes_below(served.process.pid)
        assert len(left) >= 2
        served.stop()
        assert served.wait(60) == 0
        assert not any(map(command_of, left))
        key_words = ("VLLM_API_KEY", "Bearer")
        assert not any(word in served.err for word in key_words)


def test_a_model_is_added_and_removed_while_another_serves(tiny_checkpoint: Path, tmp_path: Path) -> None:
    model = {"checkpoint": str(tiny_checkpoint), "engine": {"max_model_len": 512}}
    broken = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint, broken)
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:-8])
    with Served(tmp_path, {"models": {"one": model}}, start_s=300) as served:
        (first,) = engines_of(served, "one")
        served.reload({"models": {"one": model, "broken": {"checkpoint": str(broken)}}})
        assert "field 'models.broken'" in served.events("the configuration was not reloaded")[0]["reason"]
        served.reload({"models": {"one": model, "two": model | {"format": "plain"}}})
        until(lambda: served.chat("two").status_code == 200)
        assert engines_of(served, "one") == [first]
        served.reload({"models": {"two": model | {"format": "plain"}}})
        until(lambda: not engines_of(served, "one"))
        assert served.chat("one").status_code == 404
        assert served.chat("two").status_code == 200
        # A stop in the middle of a start leaves nothing either.
        served.configure({"models": {"two": model, "three": model}})
        served.process.send_signal(signal.SIGHUP)
        until(lambda: bool(engines_of(served, "three")))
        left = processes_below(served.process.pid)
        served.stop()
        assert served.wait(60) == 0
        assert not any(map(command_of, left))
