"""The search finds what comparing all pairs by hand finds; hashes agree with the runs that they stand for."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from training.corpus.decontamination.compare import own_count, own_runs
from training.corpus.decontamination.gather import Gathered, gather
from training.corpus.decontamination.hashing import character_runs, words_of
from training.corpus.decontamination.minhash import GRAM, Sieve, signatures
from training.corpus.decontamination.ngrams import Boilerplate, ItemGrams, boilerplate_runs, share_hits
from training.corpus.decontamination.normalise import Texts
from training.corpus.decontamination.progress import Show
from training.corpus.decontamination.rules import Rules
from training.corpus.decontamination.sources import Sources, find_sources
from training.corpus.decontamination.workers import in_order

WORDS = "रोगी बुखार दर्द दवा हृदय रक्त कफ वात पित्त निदान उपचार लक्षण यकृत त्वचा शोथ ज्वर".split()


def grams(text: str) -> set[str]:
    text = f" {text} ".replace("\n", " ").ljust(GRAM)
    return {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}


def variants(chance: random.Random, n: int) -> list[str]:
    """Texts of which many are changed copies of others."""
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(6, 25))) for _ in range(n // 3)]
    while len(texts) < n:
        words = chance.choice(texts).split()
        for _ in range(chance.randrange(1, 5)):
            words[chance.randrange(len(words))] = chance.choice(WORDS)
        texts.append(" ".join(words))
    return sorted(set(texts), key=lambda text: chance.random())


@pytest.mark.parametrize("size", [1, 4, 5])
def test_equal_runs_have_equal_hashes_and_others_do_not(size: int) -> None:
    texts = ["", "क", "कखगघ", "कखगघङ चछ", "x\ny z", "चछ"]

    runs = character_runs(texts, size)

    padded = [f" {text} ".replace("\n", " ").ljust(size) for text in texts]
    expected = [(i, text[at : at + size]) for i, text in enumerate(padded) for at in range(len(text) - size + 1)]
    assert runs.owner.tolist() == [i for i, _ in expected]
    assert len({(run, h) for (_, run), h in zip(expected, runs.hashes.tolist(), strict=True)}) == len(
        {run for _, run in expected}
    )
    assert len(set(runs.hashes.tolist())) == len({run for _, run in expected})


def test_word_runs_end_with_their_line_and_text() -> None:
    texts = ["a b c\nd e", "", "a b c", "c\n\nd e f"]

    runs, starts = words_of(texts).runs(3)

    assert runs.owner.tolist() == [0, 2, 3]
    assert starts.tolist() == [0, 5, 9]
    assert runs.hashes[0] == runs.hashes[1] != runs.hashes[2]


def test_lots_of_texts_have_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a b\nc", "", "d", "a b c d", ""] * 5
    whole, _ = words_of(texts).runs(2)

    monkeypatch.setattr("training.corpus.decontamination.hashing._TEXTS_AT_ONCE", 2)
    parts, _ = words_of(texts).runs(2)

    assert (whole.hashes.tolist(), whole.owner.tolist()) == (parts.hashes.tolist(), parts.owner.tolist())


def near_by_hand(texts: list[str], threshold: float) -> dict[tuple[int, int], float]:
    sets = [grams(text) for text in texts]
    found = {}
    for one, other in itertools.combinations(range(len(texts)), 2):
        similarity = len(sets[one] & sets[other]) / len(sets[one] | sets[other])
        if similarity >= threshold:
            found[one, other] = similarity
    return found


def test_near_pairs_are_those_of_comparing_all() -> None:
    texts = variants(random.Random(3), 600)
    bands, kept = signatures(texts)
    sieve = Sieve(kept, 0.7, lambda one, other: np.ones(len(one), bool))

    for band in bands.T:
        sieve.add_band(band, np.zeros(len(texts), bool))

    found = {tuple(pair) for pair in sieve.pairs().tolist()}
    expected = near_by_hand(texts, 0.7)
    assert len(expected) > 150
    assert len(expected.keys() - found) <= 0.002 * len(expected)
    assert len(found) < 0.2 * len(texts) ** 2 / 2  # and it is no comparison of all


def test_in_a_crowd_items_are_compared_with_all_and_others_by_their_own_words() -> None:
    frame = "पारंपरिक चिकित्सा के ग्रंथों में वर्णित {} के प्रमुख लक्षण कौन से हैं और उनका उपचार किस प्रकार किया जाता है"
    texts = [frame.format(chr(0x915 + i % 30) + chr(0x915 + i // 30) * 2) for i in range(300)]
    bands, kept = signatures(texts)
    sieve = Sieve(kept, 0.7, lambda one, other: np.ones(len(one), bool))
    items = np.zeros(len(texts), bool)
    items[7] = True

    sieve.add_band(np.ones(300, np.uint32), items)

    pairs = sieve.pairs()
    assert len(bands) == 300
    assert len(pairs) > 250
    assert (pairs == 7).any(axis=1).all()


def test_a_crowd_of_the_same_own_words_stays_bounded() -> None:
    kept = np.zeros((5000, 128), np.uint8)
    sieve = Sieve(kept, 0.7, lambda one, other: np.ones(len(one), bool))

    sieve.add_own_band(np.ones(5000, np.uint32))

    assert len(sieve.pairs()) == sum(5000 - d for d in range(1, 201))


def gathered(tmp_path: Path, lines: list[str], items: list[str], rules: Rules) -> Gathered:
    tmp_path.mkdir(exist_ok=True)
    for name, texts in (("corpus", lines), ("bench", items)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f'{{"question": "{text}"}}\n' for text in texts))
    work = tmp_path / "work"
    work.mkdir()
    corpus, _ = find_sources([tmp_path / "corpus.jsonl"])
    benchmarks = find_sources([tmp_path / "bench.jsonl"])[0] if items else Sources([])
    return gather(corpus, benchmarks, work, rules, 1, Show(False))


def test_the_whole_search_finds_what_comparing_all_pairs_finds(tmp_path: Path) -> None:
    texts = variants(random.Random(8), 400)
    rules = Rules(own=0.0, boilerplate_least=10_000)

    found = gathered(tmp_path, texts, [], rules).near

    pairs = {(one, other): s for one, near in found.items() for other, s, _ in near if one < other}
    expected = near_by_hand(texts, 0.7)
    assert len(expected) > 100
    assert pairs == pytest.approx(expected)


def test_boilerplate_is_what_many_questions_share() -> None:
    frame = "नीचे दिए गए विकल्पों में से सही उत्तर चुनें {} का सही कारण क्या है"
    texts = [frame.format(f"शब्द{i} रोग{i} दोष{i}") for i in range(30)]
    boilerplate = Boilerplate()
    runs, offsets = boilerplate_runs(texts)
    assert np.diff(offsets).tolist() == [len(set(runs[offsets[0] : offsets[1]].tolist()))] * 30
    boilerplate.add(runs, 30)
    table = boilerplate.table(boilerplate.limit(0.0005, 20))

    assert own_runs(texts[:2], table) == [[" शब्द0 रोग0 दोष0 "], [" शब्द1 रोग1 दोष1 "]]
    assert own_count(texts[:3], table).tolist() == [3, 3, 3]
    assert own_count(["नीचे दिए गए विकल्पों में से सही उत्तर चुनें"], table).tolist() == [0]
    # Two words that many begin with are boilerplate as well, but not inside a text.
    assert own_runs(["नीचे दिए ज्वर नीचे दिए", "ज्वर\nनीचे दिए"], table) == [[" ज्वर नीचे दिए "], [" ज्वर "]]


def test_word_runs_of_items_are_counted_in_rows() -> None:
    items = [Texts("a b c d e f g h i j", ("k l m n o p q r s",)), Texts("a b c d e f g h x y"), Texts("z")]

    grams = ItemGrams.build(items, 8)

    counted = np.ones(len(grams.hashes), bool)
    assert grams.per_item(counted, 3).tolist() == [5, 3, 0]
    assert grams.without_common(1).per_item(np.ones(4 + 2, bool), 3).tolist() == [4, 2, 0]
    runs, _ = words_of(["a b c d e f g h i", "k l m n o p q r s"]).runs(8)
    places = np.searchsorted(grams.hashes, runs.hashes)
    rows, item, hits = share_hits(runs.owner, places, grams, counted, 3)
    assert list(zip(rows.tolist(), item.tolist(), hits.tolist(), strict=True)) == [(0, 0, 2), (0, 1, 1), (1, 0, 2)]


def double(task: int) -> int:
    return 2 * task


def nothing() -> None:
    return


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order_and_tasks_are_read_as_they_are_needed(processes: int) -> None:
    taken = []

    def tasks() -> "itertools.count[int]":
        for task in range(50):
            taken.append(task)
            yield task

    results = in_order(double, tasks(), processes, nothing, ())

    assert next(results) == 0
    assert len(taken) <= 2 * processes + 1
    assert list(results) == [2 * task for task in range(1, 50)]
