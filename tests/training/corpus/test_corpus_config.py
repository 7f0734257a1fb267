"""The YAML file of a corpus."""

from pathlib import Path

import pytest
import yaml

import training.corpus.config as config_module
from app.errors import InputError
from app.settings import load_settings
from training.corpus.config import CorpusConfig, endpoint_settings, load_config

WRITER = "writer: {base_url: 'http://127.0.0.1:8000/v1', model: w, family: llama}\n"
JUDGE = "judge: {model: {base_url: 'http://127.0.0.1:8001', model: j, family: qwen}}\n"
PATHS = "sources: books\nfolder: made\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "corpus.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, PATHS + WRITER + JUDGE))
    assert (config.sources, config.folder) == (tmp_path / "books", tmp_path / "made")
    assert config.passages.threshold == 0.65
    assert config.instances.max_calls == 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sources: a\n", "field 'folder': Field required"),
        (PATHS + "passages: {treshold: 1}\n", r"field 'passages\.treshold': unknown key"),
        (PATHS + "passages: {threshold: 2}\n", "less than or equal to 1"),
        (PATHS + "passages: {encoder: {prefix: x}}\n", "give either path or model"),
        (PATHS + "instances: {languages: [xx]}\n", "'xx' is none of"),
        (PATHS + "instances: {max_calls: 9}\n", "less than or equal to 8"),
        (PATHS + WRITER + JUDGE.replace("qwen", "Llama"), "of one family"),
        (PATHS + WRITER + JUDGE.replace(", family: qwen", ""), "give both models' family"),
        ("sources: .\nfolder: made\n", "field 'folder': stands in sources"),
        ("sources: made/pages\nfolder: made\n", "field 'folder': stands in sources"),
    ],
)
def test_a_mistake_is_named_with_its_field(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        load_config(write(tmp_path, text))


def test_a_key_comes_from_its_roles_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIMED_API_KEY", "sk-writer")
    monkeypatch.setenv("HIMED_JUDGE_API_KEY", "sk-judge")
    config = load_config(write(tmp_path, PATHS + WRITER + JUDGE))
    assert config.writer is not None
    assert config.judge.model is not None
    settings = load_settings()
    keys = [
        endpoint_settings(config.writer, "writer", settings).api_key,
        endpoint_settings(config.judge.model, "judge", settings).api_key,
    ]
    assert [key and key.get_secret_value() for key in keys] == ["sk-writer", "sk-judge"]


TEMPLATE = Path(config_module.__file__).with_name("corpus.yaml")


def test_the_template_holds_every_key_with_its_default() -> None:
    text = TEMPLATE.read_text(encoding="utf-8").replace("#: ", "")
    values = yaml.safe_load(text)
    config = CorpusConfig.model_validate(values)
    for name in ("pages", "passages", "instances", "judge"):
        section = getattr(config, name)
        assert set(values[name]) == set(type(section).model_fields)
        plain = {key: getattr(section, key) for key in values[name] if key not in ("model", "encoder", "vision")}
        assert plain == {key: getattr(type(section)(), key) for key in plain}
    assert set(values) == set(CorpusConfig.model_fields)


def test_the_template_is_read_as_it_is() -> None:
    config = load_config(TEMPLATE)
    assert config.passages.encoder is None
    assert config.judge.model is not None
