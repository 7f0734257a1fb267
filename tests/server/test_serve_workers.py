"""Several gateway processes behind one port."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import ScriptedBackend
from served import BODY, Served, command_of, processes_below, processor_s, until

pytestmark = pytest.mark.slow  # a dozen processes start


def config(backend: ScriptedBackend, **more: Any) -> dict[str, Any]:
    return {"workers": 2, "models": {"m": {"backends": [{"url": f"http://127.0.0.1:{backend.port}"}]}}} | more


def workers_of(served: Served) -> list[int]:
    return [pid for pid in processes_below(served.process.pid) if "server.worker" in command_of(pid)]


def answered(served: Served) -> float:
    """Chat requests so far, as the metrics count them."""
    text = httpx.get(f"{served.url}/metrics").text
    found = re.findall(r'himed_requests_total\{model="m",path="/v1/chat/completions",status="200"\} (\S+)', text)
    return sum(map(float, found))


def ask_both(served: Served, count: int = 40) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert {answer.status_code for answer in pool.map(lambda _: served.chat(), range(count))} == {200}


def test_both_answer_and_their_metrics_are_summed(tmp_path: Path) -> None:
    with ScriptedBackend() as backend, Served(tmp_path, config(backend)) as served:
        assert len(workers_of(served)) == 2
        before = [processor_s(pid) for pid in workers_of(served)]
        ask_both(served, 100)
        until(lambda: answered(served) == 100)
        used = [processor_s(pid) - past for pid, past in zip(workers_of(served), before, strict=True)]
        assert min(used) > 0
        served.stop()
        assert served.wait() == 0
    assert not served.events("gateway process died")


def test_a_killed_worker_comes_back_and_its_counts_stay(tmp_path: Path) -> None:
    with ScriptedBackend() as backend, Served(tmp_path, config(backend)) as served:
        ask_both(served)
        until(lambda: answered(served) == 40)
        before = workers_of(served)
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(workers_of(served)) == 2 and workers_of(served) != before)
        until(lambda: served.chat().status_code == 200)
        assert answered(served) >= 41
        (line,) = served.events("gateway process died")
        assert line["pid"] == before[0]
        assert line["status"] == -signal.SIGKILL
        # The new one takes the same setups.
        served.reload(config(backend, limits={"body_bytes": 1024}))
        assert {served.chat(content="x" * 2000).status_code for _ in range(20)} == {413}
        served.stop()
        assert served.wait() == 0


def test_workers_are_gone_when_their_parent_was_killed(tmp_path: Path) -> None:
    with ScriptedBackend() as backend, Served(tmp_path, config(backend)) as served:
        workers = workers_of(served)
        served.process.kill()
        until(lambda: not any(map(command_of, workers)), 10)
        with pytest.raises(httpx.ConnectError):
            httpx.get(served.url)


def make_key(served_folder: Path, *options: str) -> str:
    database = f"sqlite:///{served_folder / 'served.db'}"
    command = [sys.executable, "-P", "-m", "server.cli", "keys", "add", "tester", *options, "--db", database]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_rate_limit_holds_over_all_workers(tmp_path: Path) -> None:
    key = make_key(tmp_path, "--per-minute", "10")
    with ScriptedBackend() as backend, Served(tmp_path, config(backend, open=False)) as served:
        assert "no API key" not in served.err
        url, headers = f"{served.url}/v1/chat/completions", {"Authorization": f"Bearer {key}"}
        until(lambda: httpx.get(f"{served.url}/ready", headers=headers).status_code == 200)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: httpx.post(url, json=BODY, headers=headers), range(40)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert 10 <= statuses.count(200) <= 12
        assert httpx.post(url, json=BODY).status_code == 401


def test_no_secret_is_in_a_command_line_or_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE_KEY", "sk-of-elsewhere")
    values = {"url": "http://127.0.0.1:9", "api_key_variable": "ELSEWHERE_KEY"}
    with Served(tmp_path, {"workers": 2, "models": {"m": {"backends": [values]}}}) as served:
        for pid in workers_of(served):
            assert re.fullmatch(r"-P -m server.worker \d+ \d+ \d+ [01]", " ".join(command_of(pid)[1:]))
        assert "sk-of-elsewhere" not in served.err + served.out


def test_a_worker_that_cannot_start_is_said_and_ends_it(tmp_path: Path) -> None:
    # Python runs this in every process; it fails in the workers alone.
    (tmp_path / "sitecustomize.py").write_text("import os, sys\nif 'server.worker' in sys.orig_argv: os._exit(7)\n")
    served = Served(tmp_path, {"workers": 2, "models": {"m": {"backends": [{"url": "http://127.0.0.1:9"}]}}})
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    result = subprocess.run(served.command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert result.returncode == 2
    assert "himed-serve: error: a gateway process ended with status 7 before it took requests" in result.stderr


def backend_gauges(served: Served) -> dict[str, str]:
    text = httpx.get(f"{served.url}/metrics").text
    return dict(re.findall(r'himed_backend_up\{backend="(.*?)"\} (\S+)', text))


def test_the_backends_state_is_fresh_in_all_and_gone_with_them(tmp_path: Path) -> None:
    with ScriptedBackend() as backend, Served(tmp_path, config(backend)) as served:
        for up in (True, False, True):
            backend.up = up
            if not up:
                backend.stop()
                until(lambda: served.chat().status_code == 503)
            elif served.chat().status_code != 200:
                backend.start(backend.port)
            until(lambda up=up: {str(backend_gauges(served)) for _ in range(8)} == {f"{{'m/0': '{up:d}.0'}}"})
        models = config(backend)["models"] | {"x": {"backends": [{"url": "http://127.0.0.1:9"}]}}
        served.reload(config(backend) | {"models": models})
        until(lambda: all(backend_gauges(served) == {"m/0": "1.0", "x/0": "0.0"} for _ in range(8)))
        served.reload(config(backend))
        until(lambda: all(backend_gauges(served) == {"m/0": "1.0"} for _ in range(8)))
