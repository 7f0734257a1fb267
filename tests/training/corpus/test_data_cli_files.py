"""`himed-data audit` and `translate`: what they print and write, and how they end."""

from pathlib import Path
from typing import Any

import orjson
from data_command import Command, himed_data

__all__ = ["himed_data"]  # pytest finds the fixture here


ROW = {"prompt": "What is it?", "Complex_CoT": "It grows.", "ground_truth": "A germ."}
NOWHERE = ("--endpoint", "http://127.0.0.1:1/v1", "--model", "m")


def bench(folder: Path, *, fault: bool) -> Path:
    answers = ["A", "", "B"] if fault else ["A", "C", "B"]
    options = {"A": "बुखार", "B": "खाँसी", "C": "उल्टी"}
    topics = ("हृदय", "मस्तिष्क", "यकृत")
    rows = [
        {"question": f"{topic} के रोग का लक्षण क्या है?", "options": options, "answer": answer}
        for topic, answer in zip(topics, answers, strict=True)
    ]
    file = folder / "Hindi.json"
    file.write_bytes(orjson.dumps(rows))
    return file


def english(file: Path, *rows: dict[str, Any]) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(orjson.dumps(rows or (ROW,)))
    return file


def test_an_audit_is_a_table_json_and_a_page(himed_data: Command, tmp_path: Path) -> None:
    file = bench(tmp_path, fault=True)
    ended = himed_data("audit", file, "--json", tmp_path / "audit.json", "--html", tmp_path / "audit.html")
    assert ended.code == 0
    (line,) = [line for line in ended.out.splitlines() if "Empty golds" in line]
    assert line.split() == ["fault", "Empty", "golds", "1", "of", "3", "33.3", "%", "2"]
    written = orjson.loads((tmp_path / "audit.json").read_bytes())
    (empty,) = [finding for finding in written["files"][0]["findings"] if finding["name"] == "gold-empty"]
    assert (written["faults"], empty["count"], empty["of"], empty["examples"][0]["row"]) == (1, 1, 3, 2)
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Empty golds" in page


def test_a_strict_audit_ends_with_1_where_there_is_a_fault_and_writes_all(himed_data: Command, tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    assert himed_data("audit", bench(tmp_path / "good", fault=False), "--strict").code == 0
    ended = himed_data("audit", bench(tmp_path, fault=True), "--strict", "--json", tmp_path / "audit.json")
    assert ended.code == 1
    assert "Empty golds" in ended.out
    assert orjson.loads((tmp_path / "audit.json").read_bytes())["faults"] == 1


def test_an_audit_refuses_what_it_cannot_read_or_write_in_one_line(himed_data: Command, tmp_path: Path) -> None:
    file = bench(tmp_path, fault=False)
    for words, said in (
        ([tmp_path / "none.json"], "none.json: there is no such file"),
        ([file, "--against", tmp_path / "none.json"], "none.json"),
        ([file, "--language", "xx"], "xx"),
        ([file, "--tokenizer", tmp_path / "none"], "tokenizer's folder does not exist"),
        ([file, "--html", tmp_path / "none" / "page.html"], "its folder does not exist"),
    ):
        ended = himed_data("audit", *words)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
        assert len(ended.err.splitlines()) == 1


def test_a_translation_needs_one_translator_and_known_files(himed_data: Command, tmp_path: Path) -> None:
    file = english(tmp_path / "in" / "west.json")
    settings = tmp_path / "settings.yaml"
    settings.write_text("model: {base_url: 'http://127.0.0.1:1/v1', model: m}\n")
    text = tmp_path / "in" / "west.txt"
    text.write_text("text")
    for words, said in (
        ([file], "no translator; give --nllb FOLDER, or --endpoint URL and --model NAME"),
        ([file, "--endpoint", "http://127.0.0.1:1/v1"], "no translator"),
        ([file, "--nllb", tmp_path, *NOWHERE], "no translator"),
        ([file, "--settings", settings, "--lexicon", tmp_path / "lexicon.csv"], "--settings takes the place of"),
        ([file, "--settings", tmp_path / "none.yaml"], "none.yaml"),
        ([file, "--executor", "cloud", *NOWHERE], "cloud"),
        ([tmp_path / "none.json", *NOWHERE], "none.json"),
        ([text, *NOWHERE], "unknown kind of file '.txt'"),
    ):
        ended = himed_data("translate", *words, "-o", tmp_path / "out", "--dry-run")
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
        assert len(ended.err.splitlines()) == 1


def test_a_dry_run_of_a_translation_estimates_and_asks_nobody(himed_data: Command, tmp_path: Path) -> None:
    english(tmp_path / "in" / "a.json", *[ROW] * 100)
    english(tmp_path / "in" / "copy.json", *[ROW] * 100)
    other = english(tmp_path / "b.json")
    twice = (tmp_path / "in", other, tmp_path / "in" / "a.json")
    ended = himed_data("translate", *twice, "-o", tmp_path / "out", *NOWHERE, "--dry-run")
    assert ended.code == 0
    (line,) = [line for line in ended.out.splitlines() if "translate" in line and "101" in line]
    assert line.split()[:3] == ["translate", "2", "101"]
    assert ended.err == f"{tmp_path}/in/copy.json: a copy of {tmp_path}/in/a.json, left out\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_decontaminate_ends_by_what_it_found(himed_data: Command, tmp_path: Path) -> None:
    rows = [{"question": f"प्रश्न {n} में ज्वर का मुख्य कारण क्या माना जाता है और क्यों?", "answer": str(n)} for n in "कखग"]
    corpus, bench = tmp_path / "corpus.jsonl", tmp_path / "bench.jsonl"
    corpus.write_bytes(b"".join(orjson.dumps(row | {"cot": "सोच", "type": "QA"}) + b"\n" for row in [*rows, rows[0]]))
    bench.write_bytes(orjson.dumps(rows[1] | {"language": "Hindi"}) + b"\n")
    rules = ("--threshold", "1", "--processes", 1)
    ended = himed_data("decontaminate", corpus, "--benchmark", bench, "-o", tmp_path / "clean", *rules)
    assert ended.code == 1
    assert len((tmp_path / "clean" / "rows" / "corpus.jsonl").read_bytes().splitlines()) == 2
    kept = himed_data("decontaminate", corpus, "-o", tmp_path / "kept", "--inside", "keep", *rules)
    assert kept.code == 0
    assert (tmp_path / "kept" / "rows" / "corpus.jsonl").read_bytes() == corpus.read_bytes()
    assert himed_data("decontaminate", corpus, "--inside", "some").code == 2


def test_a_split_is_proved_and_its_proof_checked(himed_data: Command, tmp_path: Path) -> None:
    texts = ("ज्वर में विश्राम", "मधुमेह में व्यायाम", "कास में काढ़ा", "दमा में श्वास-क्रिया")
    rows = [
        {
            "id": f"b-p{n}-q",
            "passage_id": f"b-p{n}",
            "context": text,
            "question": f"{text} क्यों आवश्यक है?",
            "answer": "हाँ",
        }
        for n, text in enumerate(texts * 5)
    ]
    for n, row in enumerate(rows):
        row["context"] = row["question"] = f"{row['question']} {chr(0x915 + n) * 5}"
    file, out = tmp_path / "judged.jsonl", tmp_path / "parts"
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    ended = himed_data("split", file, "-o", out, "--share", 0.4, "--processes", 1)
    assert ended.code == 0, ended.err
    assert himed_data("check-split", out).out == "no passage stands on both sides\n"
    (moved,) = (out / "bench").glob("*.jsonl")
    (out / "corpus" / "more.jsonl").write_bytes(moved.read_bytes())
    assert "stands on both sides" in himed_data("check-split", out).err
