"""A passage, and what is like it, is on one side; the proof says so, and is checked again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.errors import InputError
from training.corpus.decontamination import check_proof, prove_split, split, split_passages

Row = dict[str, Any]

TOPICS = "ज्वर कास श्वास अतिसार पाण्डु कामला कुष्ठ प्रमेह शोथ अर्श गुल्म हृद्रोग".split()


def passages(n: int, rows_each: int = 3) -> list[Row]:
    made = []
    for p in range(n):
        topic = TOPICS[p % len(TOPICS)]
        text = f"{topic}{p} में लक्षण{p}, कारण{p} और औषधि{p} का वर्णन ग्रंथ{p} के अध्याय{p} में मिलता है।"
        for i in range(rows_each):
            question = f"{topic}{p} के प्रकार{p}क{i} में दोष{p}ख{i} और धातु{p}ग{i} का संबंध किस ग्रंथ{p} में है?"
            made.append({"id": f"p{p:03}-{i}", "passage_id": f"p{p:03}", "context": text, "question": question})
    return made


def sides(rows: list[Row], share: float = 0.3, seed: int = 0) -> tuple[set[str], set[str]]:
    corpus, bench = split_passages(rows, share, seed)
    assert len(corpus) + len(bench) == len(rows)
    assert [row for row in rows if row in corpus] == corpus
    one, other = ({row["passage_id"] for row in side} for side in (corpus, bench))
    assert not one & other
    return one, other


def test_passages_are_the_unit_and_the_share_is_near() -> None:
    rows = passages(120)

    corpus, bench = sides(rows)

    assert 24 <= len(bench) <= 48
    assert sides(rows) == (corpus, bench)
    assert sides(rows, seed=1) != (corpus, bench)
    assert sides(rows[::-1]) == (corpus, bench)
    # Passages that come later move no other.
    more_corpus, more_bench = sides(passages(150))
    assert corpus <= more_corpus
    assert bench <= more_bench
    assert bench < sides(rows, share=0.6)[1]


@pytest.mark.parametrize("how", ["question", "near question", "context", "near context", "options"])
def test_passages_that_share_something_go_together(how: str) -> None:
    rows = passages(60)
    corpus, bench = sides(rows)
    one, other = min(corpus), min(bench)
    first = next(row for row in rows if row["passage_id"] == one)
    second = next(row for row in rows if row["passage_id"] == other)
    if how == "question":
        second["question"] = first["question"].replace("?", "।")
    elif how == "near question":
        second["question"] = first["question"].replace("संबंध", "वर्णन")
    elif how == "options":
        first["question"] += "\nA. वात\nB. कफ"
        second["question"] = first["question"].replace("वात", "x").replace("कफ", "वात").replace("x", "कफ")
    else:
        text = first["context"] if how == "context" else first["context"].replace("वर्णन", "उल्लेख")
        for row in rows:
            if row["passage_id"] == other:
                row["context"] = f" {text} "

    new_corpus, new_bench = sides(rows)

    assert {one, other} <= new_corpus or {one, other} <= new_bench


def test_a_chain_of_likeness_stays_on_one_side() -> None:
    rows = passages(40)
    for p in range(0, 20):
        rows.append(
            {**rows[3 * p], "passage_id": f"p{p + 1:03}", "id": f"chain{p}", "context": rows[3 * p + 3]["context"]}
        )

    corpus, bench = sides(rows, share=0.5)

    chain = {f"p{p:03}" for p in range(21)}
    assert chain <= corpus or chain <= bench


def test_rows_without_a_passage_are_refused(tmp_path: Path) -> None:
    rows = passages(4)
    del rows[5]["passage_id"]
    with pytest.raises(InputError, match="the row names no passage"):
        split_passages(rows, 0.5, 0)
    file = write(tmp_path / "x.jsonl", rows)
    with pytest.raises(InputError) as error:
        split([file], tmp_path / "out", share=0.5, processes=1)
    assert str(error.value).startswith(f"{file}, row 6, field 'passage_id': the row names no passage")
    with pytest.raises(InputError, match="would have none of the 1 passages"):
        split_passages(passages(1), 0.5, 0)
    with pytest.raises(InputError, match="no share between 0 and 1"):
        split_passages(passages(4), 1.0, 0)
    assert not (tmp_path / "out").exists()


def write(path: Path, rows: list[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"))


def test_files_are_split_with_a_proof_that_can_be_checked(tmp_path: Path) -> None:
    rows = passages(60)
    folder = tmp_path / "corpus"
    write(folder / "a.jsonl", rows[:90])
    write(folder / "b.jsonl", rows[90:])

    for processes in (1, 2):
        told, proof = split([folder], tmp_path / f"out{processes}", share=0.4, seed=3, processes=processes)

    out, again = tmp_path / "out1", tmp_path / "out2"
    assert [file.read_bytes() for file in files_of(out)] == [file.read_bytes() for file in files_of(again)]
    assert (out / "proof.json").read_bytes() == (again / "proof.json").read_bytes()
    assert sum(told.passages.values()) == 60
    assert sum(told.rows.values()) == 180
    assert told.passages["bench"] == proof.bench.passages == proof.bench.texts
    assert (proof.passages_shared, proof.texts_shared, proof.questions_shared) == (0, 0, 0)
    lines = b"".join(file.read_bytes() for file in files_of(out)).splitlines()
    assert sorted(lines) == sorted(line for file in files_of(folder) for line in file.read_bytes().splitlines())
    corpus, bench = files_of(out / "corpus"), files_of(out / "bench")
    assert check_proof(out / "proof.json", corpus, bench) == proof
    with pytest.raises(InputError, match=r"the proof is of other files: corpus's rows, corpus's passages, .* differ"):
        check_proof(out / "proof.json", corpus[:1], bench)
    bench[0].write_bytes(bench[0].read_bytes() + corpus[0].read_bytes().split(b"\n")[0] + b"\n")
    with pytest.raises(InputError, match=r"the passage 'p\d+' stands on both sides"):
        check_proof(out / "proof.json", corpus, bench)
    (out / "proof.json").write_text("{}")
    with pytest.raises(InputError, match="is no proof"):
        check_proof(out / "proof.json", corpus, bench)


def test_the_proof_sees_a_passages_text_under_another_id() -> None:
    one, other = passages(2, 1)

    assert prove_split([one], [other]).corpus.passages == 1
    with pytest.raises(InputError, match="the text of the passage 'p001' stands on both sides, like 0 more"):
        prove_split([one], [other | {"context": one["context"].replace("।", " .")}])
    with pytest.raises(InputError, match="the row names no passage"):
        prove_split([one], [{"question": "x"}])
