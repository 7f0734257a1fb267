"""serve.yaml: what it may hold, and the one line that says what is wrong with it."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import InputError
from server.config import ServeConfig, build_config, is_loopback, load_config

_MODEL: dict[str, Any] = {"backends": [{"url": "http://127.0.0.1:9000"}]}

_EVERYTHING = """
host: 0.0.0.0
port: 8080
workers: 4
open: false
models:
  himed-8b:
    format: himed
    languages: [hi, English]
    checkpoint: checkpoints/himed-8b
    engine:
      replicas: 2
      max_model_len: 4096
      chat_template: templates/himed.jinja
      allow_download: false
      start_timeout_s: 600
      args: [--tensor-parallel-size, "2"]
      devices: ["0,1", "2,3"]
    adapters: {himed-8b-trad: adapters/trad}
    sampling: {temperature: 0.2, max_tokens: 512}
  cure-med-7b:
    format: cure-med
    languages: [fr, sw]
    backends:
      - {url: https://gpu2.example:8443/v1/, model: cure, api_key_variable: CURE_KEY, stream_usage: false}
    adapters: {cure-med-7b-yo: null}
auto: {routes: {ha: cure-med-7b}, default: himed-8b}
limits:
  {body_bytes: 2048, max_tokens: 1024, choices: 4, header_s: 5, body_s: 6, request_s: 70, connections: 100}
request_log: {enabled: true, bodies: true, keep_days: 7}
probe_s: 2
drain_s: 30
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "serve.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def _values(section: str | None = None, **given: Any) -> dict[str, Any]:
    return {"models": {"m": _MODEL}} | ({section: given} if section else given)


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "himed-8b").mkdir(parents=True)
    config = load_config(_write(tmp_path, _EVERYTHING))
    himed, cure = config.models["himed-8b"], config.models["cure-med-7b"]
    assert (config.host, config.port, config.workers, config.open) == ("0.0.0.0", 8080, 4, False)
    assert (himed.format, himed.languages, cure.languages) == ("himed", ("hi", "en"), ("fr", "sw"))
    assert himed.engine.replicas == 2
    assert himed.engine.devices == ("0,1", "2,3")
    assert himed.engine.args == ("--tensor-parallel-size", "2")
    assert (himed.engine.max_model_len, himed.engine.start_timeout_s) == (4096, 600)
    assert himed.sampling is not None
    assert (himed.sampling.temperature, himed.sampling.max_tokens) == (0.2, 512)
    backend = cure.backends[0]
    assert (backend.url, backend.model, backend.stream_usage) == ("https://gpu2.example:8443/v1", "cure", False)
    assert cure.adapters == {"cure-med-7b-yo": None}
    assert config.auto.routes == {"ha": "cure-med-7b"}
    assert config.auto.default == "himed-8b"
    assert config.limits.model_dump() == {
        "body_bytes": 2048,
        "max_tokens": 1024,
        "choices": 4,
        "header_s": 5,
        "body_s": 6,
        "request_s": 70,
        "connections": 100,
    }
    assert config.request_log.model_dump() == {"enabled": True, "bodies": True, "keep_days": 7}
    assert (config.probe_s, config.drain_s) == (2, 30)


def test_every_key_of_the_models_stands_in_the_test_above() -> None:
    assert sorted(key for key in _keys(ServeConfig.model_json_schema()) if f"{key}:" not in _EVERYTHING) == []


def _keys(schema: dict[str, Any]) -> set[str]:
    definitions = schema.get("$defs", {})
    return {
        key
        for name, part in [("", schema), *definitions.items()]
        if name != "Sampling"  # has its own tests in tests/app
        for key in part.get("properties", {})
    }


def test_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoints" / "himed-8b").mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = _write(tmp_path, _EVERYTHING)
    monkeypatch.chdir(elsewhere)
    himed = load_config(file).models["himed-8b"]
    assert himed.checkpoint == str(tmp_path / "checkpoints" / "himed-8b")
    assert himed.adapters == {"himed-8b-trad": tmp_path / "adapters" / "trad"}
    assert himed.engine.chat_template == tmp_path / "templates" / "himed.jinja"


def test_a_checkpoint_that_is_no_folder_here_stays_a_hub_name(tmp_path: Path) -> None:
    text = "models: {m: {checkpoint: someone/model, engine: {allow_download: true}}}"
    assert load_config(_write(tmp_path, text)).models["m"].checkpoint == "someone/model"


def test_the_least_configuration_keeps_to_the_loopback_interface_and_asks_for_keys() -> None:
    config = build_config({"models": {"m": _MODEL}})
    assert (config.host, config.port, config.workers, config.open) == ("127.0.0.1", 8000, 1, False)
    assert not config.request_log.enabled
    assert not config.request_log.bodies
    assert config.models["m"].resolved_format() == "plain"


def test_a_checkpoints_lineage_names_the_format_unless_the_file_does(tmp_path: Path) -> None:
    (tmp_path / "lineage.json").write_text('{"format": "cure-med"}')
    told = {"checkpoint": str(tmp_path)}
    assert build_config({"models": {"m": told}}).models["m"].resolved_format() == "cure-med"
    assert build_config({"models": {"m": told | {"format": "himed"}}}).models["m"].resolved_format() == "himed"


_WRONG: list[tuple[dict[str, Any], str, str]] = [
    # an unknown key, at every level
    (_values(prot=1), "prot", "unknown key"),
    (_values("limits", body=1), "limits.body", "unknown key"),
    (_values("auto", fallback="m"), "auto.fallback", "unknown key"),
    (_values("request_log", days=1), "request_log.days", "unknown key"),
    (_values(models={"m": _MODEL | {"lang": ["hi"]}}), "models.m.lang", "unknown key"),
    (_values(models={"m": _MODEL | {"engine": {"gpus": 2}}}), "models.m.engine.gpus", "unknown key"),
    (
        _values(models={"m": {"backends": [{"url": "http://h", "api_key": "sk-1"}]}}),
        "models.m.backends.0.api_key",
        "unknown key",
    ),
    (_values(models={"m": _MODEL | {"sampling": {"temp": 1}}}), "models.m.sampling.temp", "unknown key"),
    # a wrong type or a number out of range
    (_values(port="many"), "port", "valid integer"),
    (_values(port=65536), "port", "less than or equal"),
    (_values(workers=0), "workers", "greater than or equal"),
    (_values(drain_s=0), "drain_s", "greater than 0"),
    (_values(probe_s=float("nan")), "probe_s", "finite"),
    (_values("limits", body_bytes=0), "limits.body_bytes", "greater than"),
    (_values("limits", max_tokens=0), "limits.max_tokens", "greater than"),
    (_values("limits", choices=0), "limits.choices", "greater than"),
    (_values("limits", request_s=1e9), "limits.request_s", "less than"),
    (_values("request_log", keep_days=0), "request_log.keep_days", "greater than 0"),
    (_values(models={}), "models", "at least 1"),
    (_values(models=["m"]), "models", "valid dictionary"),
    (_values(models={"m": None}), "models.m", "valid dictionary"),
    (_values(models={"m": _MODEL | {"format": "xml"}}), "models.m.format", "himed"),
    (_values(models={"m": _MODEL | {"languages": ["klingon"]}}), "models.m.languages.0", "unknown language"),
    (_values(models={"m": {"checkpoint": "c", "engine": {"replicas": 0}}}), "models.m.engine.replicas", "greater than"),
    # a place that is none
    (_values(models={"m": {}}), "models.m", "neither a checkpoint nor backends"),
    (_values(models={"m": {"backends": [{"url": "ftp://h"}]}}), "models.m.backends.0.url", "no URL"),
    (_values(models={"m": {"backends": [{"url": "http://user:pw@h"}]}}), "models.m.backends.0.url", "user name"),
    (_values(models={"m": {"backends": [{"url": "http://h?key=1"}]}}), "models.m.backends.0.url", "query"),
    (
        _values(models={"m": {"backends": [{"url": "http://h", "api_key_variable": "my key"}]}}),
        "models.m.backends.0.api_key_variable",
        "pattern",
    ),
    # devices and replicas
    (
        _values(models={"m": {"checkpoint": "c", "engine": {"replicas": 3, "devices": ["0", "1"]}}}),
        "models.m.engine",
        "2 devices for 3 replicas",
    ),
    # names
    (_values(models={"auto": _MODEL}), "", "'auto' is the gateway's own name"),
    (_values(auto={"routes": {"hi": "m", "Hindi": "m"}}), "auto.routes", "the language hi is given twice"),
    (_values(models={"m": _MODEL | {"adapters": {"a": None}}, "a": _MODEL}), "", "'a' is given twice"),
    (_values(models={"m": {"checkpoint": "c", "adapters": {"a": None}}}), "models.m", "the adapter a needs a folder"),
    # auto
    (_values("auto", routes={"hi": "other"}), "", "auto names 'other', which is none of m"),
    (_values("auto", default="other"), "", "auto names 'other', which is none of m"),
    (_values("auto", routes={"tlh": "m"}), "auto.routes.tlh.[key]", "unknown language"),
    # open
    (_values(open=True, host="0.0.0.0"), "", "loopback interface only"),
    (_values(open=True, host="::"), "", "loopback interface only"),
    (_values(open=True, host="gpu1.example"), "", "loopback interface only"),
]


@pytest.mark.parametrize(("values", "field", "problem"), _WRONG)
def test_an_error_names_the_file_and_the_field_in_one_line(
    values: dict[str, Any], field: str, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "serve.yaml"
    with pytest.raises(InputError) as raised:
        build_config(values, file)
    line = str(raised.value)
    assert "\n" not in line
    assert line.startswith(f"{file}, field '{field}': " if field else f"{file}: ")
    assert problem in line
    assert "sk-1" not in line
    assert "pw@" not in line


def test_a_model_that_is_given_twice_is_an_error_that_names_the_row(tmp_path: Path) -> None:
    file = _write(tmp_path, "models:\n  m: {checkpoint: a}\n  m: {checkpoint: b}\n")
    with pytest.raises(InputError, match=r"serve\.yaml, row 3: the key 'm' is given twice"):
        load_config(file)


@pytest.mark.parametrize("text", ["models: [", "- a\n- b\n", "", "\tmodels: 1", "1: 2"])
def test_a_file_that_is_no_configuration_is_an_input_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"serve\.yaml"):
        load_config(_write(tmp_path, text))


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        load_config(tmp_path / "none.yaml")


def test_a_backends_key_comes_from_its_variable_and_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"backends": [{"url": "http://h:1", "api_key_variable": "BACKEND_KEY"}]}
    backend = build_config({"models": {"m": told}}).models["m"].backends[0]
    monkeypatch.delenv("BACKEND_KEY", raising=False)
    with pytest.raises(InputError, match="the environment variable BACKEND_KEY is not set"):
        backend.api_key()
    monkeypatch.setenv("BACKEND_KEY", "  ")
    with pytest.raises(InputError, match="is not set"):
        backend.api_key()
    monkeypatch.setenv("BACKEND_KEY", " sk-secret\n")
    key = backend.api_key()
    assert key is not None
    assert key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(key) + repr(backend)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
