from pathlib import Path

import pytest

from app.errors import InputError
from evaluation.config import read_config

ENDPOINT = {"bench": "sample", "endpoint": "http://127.0.0.1:1", "served_model": "m"}


def test_options_go_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "eval.yaml"
    file.write_text("bench: HiMed-West\nlimit: 5\nfew-shot: 2\n")
    config = read_config(ENDPOINT | {"limit": 7}, file)
    assert (config.bench, config.limit, config.few_shot) == ("sample", 7, 2)


def test_groups_are_read_as_sets_of_values() -> None:
    config = read_config(ENDPOINT | {"group": ["system=Ayurveda", "system=Unani", "type=MCQ"]}, None)
    assert config.groups == {"system": {"Ayurveda", "Unani"}, "type": {"MCQ"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limt: 5", r"eval.yaml, field 'limt': unknown option; use one of bench, .*"),
        ("limit: many", r"eval.yaml, field 'limit': Input should be a valid integer.*\(given: 'many'\)"),
        ("limit: 0", r"eval.yaml, field 'limit': Input should be greater than or equal to 1 \(given: 0\)"),
        ("temperature: .nan", r"eval.yaml, field 'temperature': Input should be"),
        ("- a\n- b", r"eval.yaml: holds no 'key: value' pairs; write one per line"),
        ("limit: [1", r"eval.yaml, row [12]: expected ',' or ']', but got .*; correct the file"),
        ("limit: 5\nlimit: 6", r"eval.yaml, row 2: the key 'limit' is given twice; correct the file"),
        ("max-tokens: 5\nmax_tokens: 6", r"eval.yaml: an option is given twice, with - and with _; keep one of them"),
        ("limit: yes", r"eval.yaml, field 'limit': Input should not be true or false \(given: True\)"),
        ("languages: []", r"eval.yaml, field 'languages': List should have at least 1 item"),
        ("group: [Ayurveda]", r"eval.yaml, field 'group': String should match pattern"),
        ("format: chatml", r"eval.yaml, field 'format': Input should be 'plain', 'himed' or 'cure-med'"),
    ],
)
def test_a_broken_config_file_is_refused_with_file_field_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "eval.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_config(ENDPOINT, file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bench": "sample"}, r"give exactly one of --model, --endpoint and --predictions \(given: 0\)"),
        (ENDPOINT | {"predictions": Path("x")}, r"give exactly one .* \(given: 2\)"),
        ({"bench": "sample", "endpoint": "http://h"}, "--endpoint and --served-model go together"),
        (ENDPOINT | {"judge_model": "j"}, "--judge-endpoint and --judge-model go together"),
        (ENDPOINT | {"judge_language": True}, "--judge-language needs --judge-endpoint"),
        ({"bench": "sample", "predictions": Path("x"), "samples": 3}, "--samples cannot be used with --predictions"),
        (ENDPOINT | {"max_model_len": 4096}, "--max-model-len cannot be used without --model"),
        ({"bench": "sample", "predictions": Path("x"), "top_k": 3}, "--top-k cannot be used with --predictions"),
        ({"endpoint": "http://h"}, "no benchmark is named; give --bench NAME or a file"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_config(options, None)
