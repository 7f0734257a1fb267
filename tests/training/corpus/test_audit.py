"""The audit of files made here: each fault is planted, found and counted; what is right is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.errors import InputError
from training.corpus.auditing import Audit, FileAudit, Finding, as_json, audit, print_audit, render_html, write_html
from training.corpus.auditing.chance import hits_p_value, letter_spread
from training.corpus.auditing.characters import find_mojibake, unpaired_tag
from training.corpus.auditing.findings import wilson
from training.corpus.auditing.golds import holds_label, read_gold
from training.corpus.auditing.near import near_matches

OPTIONS = {"A": "बुखार", "B": "खाँसी", "C": "उल्टी", "D": "सिरदर्द"}
TOPICS = "हृदय यकृत फेफड़ा वृक्क मस्तिष्क आमाशय अग्न्याशय प्लीहा त्वचा अस्थि".split()


def _write(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def _benchmark(n: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "question": f"{TOPICS[i % 10]} के रोग का मुख्य लक्षण कौन सा है, क्रमांक {i} {TOPICS[i * 7 % 10] * (1 + i % 3)}?",
            "options": OPTIONS,
            "answer": "ABCD"[i % 4],
            "source": "one",
            **changes,
        }
        for i in range(n)
    ]


def _only(report: Audit) -> FileAudit:
    (file,) = report.files
    return file


def _find(file: FileAudit, name: str) -> Finding:
    return next(finding for finding in file.findings if finding.name == name)


def _names(file: FileAudit, level: str) -> set[str]:
    return {finding.name for finding in file.findings if finding.level == level}


def test_a_constant_gold_is_a_fault_of_its_source_alone(tmp_path: Path) -> None:
    rows = _benchmark(80) + [{**row, "answer": "D", "source": "two"} for row in _benchmark(120)[80:]]
    file = _only(audit([_write(tmp_path / "bench.jsonl", rows)]))
    fault = _find(file, "gold-constant")
    assert (fault.level, fault.count, fault.of) == ("fault", 40, 40)
    assert fault.title == "All golds of source two are D"
    assert fault.p is not None
    assert fault.p < 1e-6
    assert fault.ci95 is not None
    assert fault.ci95[0] == pytest.approx(0.912, abs=1e-3)
    table = next(table for table in file.figures if table.name == "gold-letters")
    assert ("source one", 80, 20, 20, 20, 20, "1.0000") in table.rows
    assert ("source two", 40, 0, 0, 0, 40, "< 0.0001") in table.rows


def test_few_golds_of_one_letter_are_no_finding(tmp_path: Path) -> None:
    file = _only(audit([_write(tmp_path / "bench.jsonl", _benchmark(4, answer="B"))]))
    assert _find(file, "gold-letter").level == "figure"
    assert "gold-constant" not in {finding.name for finding in file.findings}


def test_golds_are_read_by_letter_and_text() -> None:
    options = {"A": "E. coli", "B": "30 mg (dose)", "C": "दो", "D": "तीन"}
    assert read_gold("c", options).letter == "C"
    assert read_gold("E. coli", options).letter == "A"
    assert read_gold("C. तीन", options).agreement == "other option"
    assert read_gold("(B) 30 mg", options).agreement == "glosses"
    assert read_gold("B. 30 मि.ग्रा.", options).agreement == "words"
    assert read_gold("D. तीन।", options).agreement == "form"
    foreign = read_gold("बी। 30 mg (dose)", options)
    assert (foreign.letter, foreign.label, foreign.agreement) == ("B", "other script", "same")
    assert read_gold("E", options).impossible == "it names none of the options"
    assert read_gold("E. पाँच", options).impossible is not None
    twice = {"A": "दो", "B": "दो"}
    assert read_gold("दो", twice).impossible == "the text of the options A and B"


def test_empty_impossible_and_disagreeing_golds_are_counted_with_their_rows(tmp_path: Path) -> None:
    rows = _benchmark(12)
    rows[2]["answer"] = ""
    rows[4]["answer"] = "F"
    rows[6]["answer"] = "A. खाँसी"
    rows[8]["options"] = {**OPTIONS, "C": ""}
    rows[9]["options"] = {**OPTIONS, "C": "बुखार"}
    file = _only(audit([_write(tmp_path / "bench.jsonl", rows)]))
    found = {
        name: (finding.count, finding.of, finding.examples[0].row)
        for name in ("gold-empty", "gold-impossible", "gold-disagrees", "options-empty", "options-repeated")
        for finding in (_find(file, name),)
    }
    assert found == {
        "gold-empty": (1, 12, 3),
        "gold-impossible": (1, 11, 5),
        "gold-disagrees": (1, 1, 7),
        "options-empty": (1, 12, 9),
        "options-repeated": (1, 12, 10),
    }
    assert set(found) <= _names(file, "fault")


def test_options_that_do_not_stand_on_lines_are_told_apart(tmp_path: Path) -> None:
    lines = "रोग कौन सा है?\nA. ज्वर\nB. खाँसी"
    questions = [lines, lines.replace("\n", "<br>"), lines.replace("\n", " "), "रोग कौन सा है?", "A. ज्वर\nB. खाँसी"]
    rows = [{"question": text, "answer": "A", "cot": "क्योंकि।", "type": "MCQ"} for text in questions]
    file = _only(audit([_write(tmp_path / "trad.jsonl", rows)]))
    finding = _find(file, "options-without-lines")
    assert (finding.count, finding.of) == (3, 5)
    assert [example.row for example in finding.examples] == [2, 3, 4]
    assert finding.note == "1 in running text; 1 behind <br>; 1 without any option"
    assert _find(file, "options-missing").examples[0].row == 4
    assert _find(file, "question-only-options").examples[0].row == 5


def test_glosses_inside_words_are_found_and_those_beside_words_are_not(tmp_path: Path) -> None:
    texts = ["हृदय (heart) रोग", "कोशिका (cell)ओं में", "खंड (block)ों में", "तरल (2)ों"]
    rows = [{"question": f"{text} क्या है?", "answer": "उत्तर।", "language": "hi"} for text in texts]
    file = _only(audit([_write(tmp_path / "open.jsonl", rows)]))
    marks, letters = _find(file, "gloss-before-vowel-sign"), _find(file, "gloss-before-letter")
    assert (marks.count, marks.of, marks.examples[0].row) == (1, 3, 3)
    assert (letters.count, letters.of, letters.examples[0].row) == (1, 3, 2)


def test_doubles_with_shuffled_options_and_another_gold_are_found(tmp_path: Path) -> None:
    rows = _benchmark(10)
    shuffled = dict(zip("ABCD", ("सिरदर्द", "बुखार", "खाँसी", "उल्टी"), strict=True))
    rows.append({**rows[0], "question": rows[0]["question"].replace("?", " ?"), "options": shuffled, "answer": "B"})
    rows.append({**rows[1], "answer": "C"})
    rows.append({**rows[2], "options": {**OPTIONS, "A": "दर्द"}})
    file = _only(audit([_write(tmp_path / "bench.jsonl", rows)]))
    assert _find(file, "question-repeated").count == 2 + 1
    double = _find(file, "question-and-options-repeated")
    assert (double.count, [example.row for example in double.examples]) == (2, [11, 12])
    assert double.note == "1 of them with the options in the same order"
    conflict = _find(file, "double-golds-differ")
    assert (conflict.count, conflict.examples[0].row) == (1, 12)


def test_near_questions_are_those_that_a_comparison_of_all_pairs_finds() -> None:
    texts = [f"{topic} के रोगी को तेज़ बुखार और खाँसी है, {age} वर्ष" for topic in TOPICS[:4] for age in (30, 31, 45)]
    texts += ["मधुमेह का निदान कैसे होता है", "अ", "मधुमेह का निदान कैसे होता हैं"]
    grams = [{text[i : i + 5] for i in range(max(1, len(text) - 4))} for text in texts]
    wanted = {}
    for i, one in enumerate(grams):
        pairs = [(len(one & other) / len(one | other), -j) for j, other in enumerate(grams[:i])]
        if pairs and max(pairs)[0] >= 0.7:
            wanted[i] = (-max(pairs)[1], pytest.approx(max(pairs)[0]))
    assert len(wanted) > 5
    assert near_matches(texts) == wanted


def test_questions_of_other_files_are_overlap_but_a_file_is_not_held_against_itself(tmp_path: Path) -> None:
    rows = _benchmark(5)
    bench = _write(tmp_path / "bench.jsonl", rows)
    own = _write(tmp_path / "corpus.jsonl", [*_benchmark(8)[5:], rows[3]])
    report = audit([own], against=[bench, own])
    assert (_find(_only(report), "overlap-exact").count, _only(report).of_level("fault")[0].examples[0].row) == (1, 4)
    assert report.against == (str(bench), str(own))
    both = audit([bench, own])
    assert _find(both.files[1], "question-in-other-file").count == 1


def test_broken_characters_and_tags_are_found() -> None:
    assert find_mojibake("यह ठीक है, “Å” et café, naïve…”") is None
    assert "was é" in str(find_mojibake("caf" + "é".encode().decode("latin-1")))
    assert find_mojibake("don" + "’".encode().decode("cp1252") + "t") is not None
    assert unpaired_tag("<thinking><step1>a</step1></thinking>") is None
    assert unpaired_tag("<thinking><step1>a</step2></thinking>") == "</step2> at character 18 closes nothing"
    assert unpaired_tag("<answer>a") == "<answer> is never closed"


def test_texts_that_should_not_be_there_are_found_once_a_row(tmp_path: Path) -> None:
    answers = ["ठीक है।", "\ufffd\ufffd", "a\x08b", " ि है", "<b>x</b>", "[ERROR: timeout]", "nan", "त्रुटि [error] है।"]
    rows = [
        {"question": f"{topic} क्या है?", "reasoning": "<thinking>x</thinking>", "answer": answer, "language": "hi"}
        for topic, answer in zip(TOPICS, answers, strict=False)
    ]
    file = _only(audit([_write(tmp_path / "sft.jsonl", rows)]))
    names = "text-replacement text-control text-orphan-mark text-markup text-error-text text-placeholder".split()
    assert [[example.row for example in _find(file, name).examples] for name in names] == [[2], [3], [4], [5], [6], [7]]


def test_language_is_by_verdict_and_unknown_stays_unknown(tmp_path: Path) -> None:
    hindi = "यह एक लंबा वाक्य है जो हिंदी में लिखा गया है।"
    rows = [{"question": hindi, "answer": hindi, "language": "hi"} for _ in range(3)]
    rows += [{"question": "The patient has had a fever and a cough for three days.", "answer": "7", "language": "hi"}]
    rows += [{"question": hindi, "answer": hindi, "language": "xx"}]
    file = _only(audit([_write(tmp_path / "open.jsonl", rows)]))
    table = next(table for table in file.figures if table.name == "language")
    assert table.rows[0][:8] == ("question", 4, 4, 3, 0, 1, 0, 0.75)
    assert table.rows[1][:8] == ("answer", 4, 4, 3, 0, 0, 1, 1.0)
    assert _find(file, "language-other-question").examples[0].row == 4
    assert _find(file, "language-unknown").examples[0].row == 5


def test_a_file_of_our_own_instances_and_a_file_of_passages_are_read(tmp_path: Path) -> None:
    instance = {
        "id": "a-p00001-1", "passage_id": "a-p00001", "context": "हृदय रक्त को शरीर में भेजता है।", "type": "MCQ",
        "question": "हृदय क्या भेजता है?\nA. रक्त\nB. जल\nC. वायु\nD. लसीका\nE. पित्त", "answer": "A", "cot": "पाठ में है।",
    }  # fmt: skip
    own = _only(audit([_write(tmp_path / "instances.jsonl", [instance, instance])]))
    assert (own.layout, _find(own, "ids-repeated").count) == ("himed-trad", 1)
    assert {"context", "cot", "options"} <= {row[0] for row in own.figures[-1].rows}
    passages = _only(audit([_write(tmp_path / "passages.jsonl", [{"id": "a", "text": "हृदय\ufffd रक्त"}])]))
    assert (passages.layout, _find(passages, "text-replacement").count) == ("texts", 1)


def test_unreadable_files_and_rows_are_listed_and_bad_paths_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    half = tmp_path / "half.jsonl"
    half.write_text('{"question": "a b c?", "answer": "b", "language": "en"}\n{"question"\n', encoding="utf-8")
    report = audit([broken, half])
    assert [Path(file.file).name for file in report.unreadable] == ["broken.json"]
    (tmp_path / "twice.csv").write_text("question,answer,answer\na,b,c\n", encoding="utf-8")
    (twice,) = audit([tmp_path / "twice.csv"]).unreadable
    assert twice.reason == "field 'answer': the column stands twice; rename one of the two"
    finding = _find(_only(report), "rows-unreadable")
    assert (finding.level, finding.count, finding.of, finding.examples[0].row) == ("fault", 1, 2, 2)
    assert report.faults == 2
    with pytest.raises(InputError, match="no such file"):
        audit([tmp_path / "none.json"])


def test_the_reports_hold_the_findings_and_escape_the_data(tmp_path: Path) -> None:
    rows = _benchmark(6)
    rows[1]["question"] = "<script>alert(1)</script> [red]क्या है?"
    rows[1]["answer"] = ""
    report = audit([_write(tmp_path / "bench.jsonl", rows)])
    values = json.loads(as_json(report))
    assert values["faults"] == report.faults
    assert {"name", "level", "count", "of", "share", "ci95", "examples"} <= values["files"][0]["findings"][0].keys()
    page = render_html(report)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert 'src="http' not in page
    assert "Empty golds" in page
    console = Console(width=60, record=True, file=(tmp_path / "out").open("w"))
    print_audit(report, console)
    text = console.export_text()
    assert "Empty golds" in text
    assert "1 of 6" in text
    write_html(report, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert as_json(audit([tmp_path / "bench.jsonl"])) == as_json(report)


def test_what_a_terminal_obeys_and_no_file_holds_is_shown_as_an_escape(tmp_path: Path) -> None:
    rows = _benchmark(20) + [{**row, "answer": "D", "source": "\x1b[31mtwo"} for row in _benchmark(60)[20:]]
    rows[2] |= {"question": "half \ud800 of a pair?", "answer": ""}
    file = tmp_path / "bench.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = audit([file])
    assert _find(_only(report), "gold-constant").title == r"All golds of source \x1b[31mtwo are D"
    assert _find(_only(report), "gold-empty").examples[0].text == r"half \ud800 of a pair?"
    assert rb"\\ud800" in as_json(report)
    write_html(report, tmp_path / "page.html")
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    print_audit(report, console)
    assert "\x1b" not in console.export_text()


def test_a_file_that_is_named_twice_is_audited_once(tmp_path: Path) -> None:
    file = _write(tmp_path / "bench.jsonl", _benchmark(5))
    report = audit([file, tmp_path, tmp_path / ".." / tmp_path.name / "bench.jsonl"])
    assert _only(report).file == str(file)


def test_chance_agrees_with_scipy() -> None:
    from scipy.stats import binomtest, chisquare

    golds = [(letter, "ABCD") for letter in "A" * 40 + "B" * 25 + "C" * 30 + "D" * 25]
    assert letter_spread(golds).p == pytest.approx(chisquare([40, 25, 30, 25]).pvalue)
    small = letter_spread([("A", "AB")] * 8)
    assert small.method == "9,999 draws"
    assert small.p == pytest.approx(2 / 2**8, abs=0.004)
    assert hits_p_value(9, [0.5] * 10) == pytest.approx(binomtest(9, 10, 0.5).pvalue)
    low, high = binomtest(3, 20).proportion_ci(method="wilson")
    assert wilson(3, 20) == pytest.approx((low, high))


def test_lengths_are_given_in_tokens_of_a_checkpoint_too(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").save_pretrained(tmp_path / "tokenizer")
    rows = [{"question": "one two \ud800?", "answer": "four", "language": "en"}]
    (tmp_path / "open.jsonl").write_text(json.dumps(rows[0]), encoding="utf-8")
    file = _only(audit([tmp_path / "open.jsonl"], tokenizer=tmp_path / "tokenizer"))
    table = next(table for table in file.figures if table.name == "lengths")
    assert ("question", "tokens", 1, 3, 3, 3, 3) in table.rows
    with pytest.raises(InputError, match="does not exist"):
        audit([tmp_path / "open.jsonl"], tokenizer=tmp_path / "none")


def test_names_of_organisms_are_no_labels_inside_an_option() -> None:
    assert holds_label("आर. एल.\nC. पीतक कोष")
    assert not holds_label("जीवाणु\nE. coli")
    assert not holds_label("E. कोलाई")
