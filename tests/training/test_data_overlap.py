"""Benchmark questions among training data: exact, near, safe for Hindi, and refused unless allowed."""

import itertools
import random
from pathlib import Path

import pytest
from data_rows import CURE_MED, TRAD, TRIPLE, WEST, write_rows

from app.errors import InputError
from app.questions import normalise_question
from training.data import check_data, load_examples
from training.data.overlap import GRAM, THRESHOLD, BenchmarkQuestion, QuestionIndex, read_benchmarks

LONG = "एक 45 वर्षीय रोगी को तीन दिन से तेज बुखार, सिर दर्द और जोड़ों में दर्द है; सबसे संभावित निदान क्या है?"


def index(*texts: str) -> QuestionIndex:
    return QuestionIndex([BenchmarkQuestion(text, Path("b.json"), i) for i, text in enumerate(texts, start=1)])


@pytest.mark.parametrize(
    "text", [LONG, f" {LONG}  ", LONG.replace(" ", "\n", 3), LONG.rstrip("?"), f"{LONG}\nA. मलेरिया\nB. डेंगू"]
)
def test_the_same_question_on_another_surface_or_with_options_is_exact(text: str) -> None:
    match = index("कुछ और?", LONG).find(text)

    assert match is not None
    assert (match.kind, match.similarity, match.question.row) == ("exact", 1.0, 2)


@pytest.mark.parametrize(("old", "new"), [("45", "54"), ("तेज ", ""), ("रोगी", "मरीज"), ("सबसे संभावित", "संभावित")])
def test_a_changed_word_is_near(old: str, new: str) -> None:
    match = index("कुछ और?", LONG).find(LONG.replace(old, new))

    assert match is not None
    assert match.kind == "near"
    assert THRESHOLD <= match.similarity < 1


@pytest.mark.parametrize(
    ("one", "other"), [("कला क्या है?", "काला क्या है?"), ("दिन कब है?", "दीन कब है?"), ("कि", "क"), ("राम्", "राम")]
)
def test_vowel_signs_and_the_virama_tell_questions_apart(one: str, other: str) -> None:
    match = index(one).find(other)

    assert match is None or match.kind == "near"


def test_unrelated_questions_do_not_match() -> None:
    assert index(LONG).find("आयुर्वेद में त्रिफला के घटक कौन से हैं और उनका उपयोग किस रोग में होता है?") is None
    assert index().find(LONG) is None


def test_the_filtered_search_finds_what_comparing_all_pairs_finds() -> None:
    chance = random.Random(5)
    words = "रोगी बुखार दर्द दवा हृदय रक्त कफ वात पित्त निदान उपचार लक्षण".split()
    benchmark = [" ".join(chance.choices(words, k=12)) for _ in range(60)]
    asked = []
    for text in benchmark:
        changed = text.split()
        for _ in range(chance.randrange(5)):
            changed[chance.randrange(len(changed))] = chance.choice(words)
        asked.append(" ".join(changed))
    found = {text: match.similarity for text in asked if (match := index(*benchmark).find(text))}

    def grams(text: str) -> set[str]:
        text = normalise_question(text)
        return {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}

    best: dict[str, float] = {}
    for text, other in itertools.product(asked, benchmark):
        one, two = grams(text), grams(other)
        best[text] = max(best.get(text, 0), len(one & two) / len(one | two))
    expected = {text: similarity for text, similarity in best.items() if similarity >= THRESHOLD}
    assert 20 < len(expected) < 60
    assert found == pytest.approx(expected)


def test_a_benchmarks_question_is_refused_with_both_places(tmp_path: Path) -> None:
    bench = write_rows(tmp_path / "bench.json", {"question": "और?", "answer": "x"}, {"question": "वर्ष", "answer": "x"})
    data = write_rows(tmp_path / "west.json", WEST | {"prompt": "नया?"}, WEST)

    with pytest.raises(InputError) as error:
        load_examples([data], "la", benchmarks=[bench])

    assert str(error.value) == (
        f"{data}, row 2, field 'question': the question stands in a benchmark ({bench}, row 2), like those of 0 more "
        "rows; take these rows out, or allow it with --allow-overlap"
    )


def test_an_allowed_overlap_is_kept_and_reported(tmp_path: Path) -> None:
    bench = write_rows(tmp_path / "bench" / "b.jsonl", {"question": LONG, "answer": "x"})
    row = TRAD | {"type": "QA", "question": LONG.replace("45", "46"), "answer": "डेंगू"}
    data = write_rows(tmp_path / "trad.json", row)

    examples, report = load_examples([data], "rc", benchmarks=[bench.parent], allow_overlap=True)

    assert len(examples) == 1
    (overlap,) = report.overlap
    assert (overlap.row, overlap.benchmark, overlap.benchmark_row, overlap.kind) == (1, str(bench), 1, "near")
    refused = check_data([data], benchmarks=[bench.parent])
    assert (refused.kept, refused.files[0].overlap) == (0, 1)


def test_triples_without_a_question_are_counted_as_not_compared(tmp_path: Path) -> None:
    bench = write_rows(tmp_path / "b.jsonl", {"question": LONG, "answer": "x"})
    data = write_rows(tmp_path / "t.jsonl", TRIPLE, TRIPLE | {"response": "x", "question": LONG})

    report = check_data([data], benchmarks=[bench])

    assert (report.not_compared, report.kept, len(report.overlap)) == (1, 1, 1)


def test_questions_that_two_stages_share_are_counted(tmp_path: Path) -> None:
    bare = {key: CURE_MED[key] for key in ("question", "answer", "language")}
    files = [write_rows(tmp_path / "sft.jsonl", CURE_MED), write_rows(tmp_path / "rl.jsonl", bare)]

    assert check_data(files).across_stages == (("sft", "rl", 1),)


def test_a_benchmark_without_questions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row has a question"):
        read_benchmarks([write_rows(tmp_path / "x.jsonl", {"text": "x"})])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="the folder holds no benchmark"):
        read_benchmarks([tmp_path / "empty"])
