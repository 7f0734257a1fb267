"""SIGHUP: another configuration, and no stream dropped."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from running import ScriptedBackend
from served import DONE, Served, Streams, slow_stream, until


def config(workers: int = 1, **backends: ScriptedBackend) -> dict[str, Any]:
    models = {name: {"backends": [{"url": f"http://127.0.0.1:{backend.port}"}]} for name, backend in backends.items()}
    return {"workers": workers, "models": models}


@pytest.mark.parametrize("workers", [1, 2])
async def test_models_come_and_go_under_an_open_stream(tmp_path: Path, workers: int) -> None:
    with (
        ScriptedBackend(slow_stream(3)) as old,
        ScriptedBackend(models=("new",)) as new,
        Served(tmp_path, config(workers, m=old)) as served,
    ):
        streams = Streams(served.url, 4)
        reading = asyncio.create_task(streams.read())
        await streams.all_started()
        await asyncio.to_thread(served.reload, config(workers, m=old, new=new))
        await asyncio.to_thread(until, lambda: served.models() == ["m", "new", "auto"])
        await asyncio.to_thread(until, lambda: served.chat("new").status_code == 200)
        await asyncio.to_thread(served.reload, config(workers, new=new))
        await asyncio.to_thread(until, lambda: served.models() == ["new", "auto"])
        gone = await asyncio.to_thread(served.chat, "m")
        assert gone.status_code == 404
        assert old.open == 4  # they stream on
        answers = await reading
        assert all(answer.endswith(DONE) and b"w9 " in answer for answer in answers)
        served.stop()
        assert served.wait() == 0


def test_a_broken_configuration_changes_nothing_and_is_said_in_one_line(tmp_path: Path) -> None:
    with ScriptedBackend() as backend, Served(tmp_path, config(m=backend)) as served:
        for wrong, said in (
            ({"models": {}}, "field 'models'"),
            ({"modles": {}}, "unknown key"),
            ({"models": {"x": {"checkpoint": "/nowhere/at/all"}}}, "no such checkpoint"),
            ({"models": {"x": {"backends": [{"url": "http://h", "api_key_variable": "NOT_SET"}]}}}, "NOT_SET"),
        ):
            served.reload(config(m=backend) | wrong)
            line = served.events("the configuration was not reloaded")[-1]
            assert said in line["reason"]
            assert line["level"] == "error"
            assert served.chat().status_code == 200
        assert len(served.events("the configuration was not reloaded")) == 4
        assert "traceback" not in served.err


def test_what_needs_a_restart_is_said_and_kept(tmp_path: Path) -> None:
    with ScriptedBackend() as backend, Served(tmp_path, config(m=backend)) as served:
        served.reload(config(2, m=backend) | {"port": 1, "open": False, "limits": {"body_bytes": 1024}})
        (line,) = served.events("takes effect at a restart")
        assert line["fields"] == ["port", "workers", "open"]
        assert served.chat().status_code == 200
        assert served.chat(content="x" * 2000).status_code == 413  # the rest is in force


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    with ScriptedBackend() as backend, Served(tmp_path, config(m=backend)) as served:
        served.file.unlink()
        served.process.send_signal(signal.SIGHUP)
        until(lambda: bool(served.events("the configuration was not reloaded")))
        assert "no such file" in served.events("the configuration was not reloaded")[0]["reason"]
        assert served.chat().status_code == 200
