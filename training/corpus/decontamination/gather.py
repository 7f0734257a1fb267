"""All that is found out about rows and items before anything is decided."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import InputError
from app.questions import QUESTION_FIELDS
from app.rows import RowError
from training.corpus.decontamination.compare import compare, lots, own_count, own_signatures, start_compare
from training.corpus.decontamination.hashing import Numbers
from training.corpus.decontamination.minhash import BANDS, OWN_BANDS, Bands, Bytes, Sieve
from training.corpus.decontamination.ngrams import ItemGrams, own_words, share_hits
from training.corpus.decontamination.normalise import Texts, read_texts
from training.corpus.decontamination.progress import Show
from training.corpus.decontamination.rows import parse_row
from training.corpus.decontamination.rules import Rules
from training.corpus.decontamination.scan import scan, scan_texts, start_scan
from training.corpus.decontamination.sources import Sources
from training.corpus.decontamination.store import Rows, RowsSoFar, StoredTexts, TextStore
from training.corpus.decontamination.workers import in_order

_ITEM: Final = 1
_WHOLE: Final = 2
_STEM: Final = 4
_CONTEXT: Final = 8
_TEXTS_AT_ONCE: Final = 2000
_SOMETHING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Hits:
    """Items whose runs of words stand in a row, in order of rows.

    Attributes:
        hits: how many of the item's runs stand in the row; ``of`` is how many of it count.
        own: how many of the item's own words these hold; looked at only where the hits are enough by the rules.
    """

    rows: Numbers
    items: Numbers
    hits: Numbers
    of: Numbers
    own: Numbers


class Near(NamedTuple):
    """A near text, the similarity, and the smaller share of the two texts' own words that stands in the other."""

    text: int
    similarity: float
    own: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """Rows, items, and what they share.

    Attributes:
        near: of each text its near ones.
        own: of each text of an item (with ``passages`` of each question), how many of its words are no boilerplate.
        texts: how many different texts there are.
        limit: a run of four words in more questions is boilerplate.
        compared: pairs of texts that were compared exactly.
        boilerplate_only: pairs that are near only by their boilerplate.
    """

    rows: Rows
    items: Rows
    near: Mapping[int, Sequence[Near]]
    own: Mapping[int, int]
    hits: Hits
    texts: int
    limit: int
    compared: int
    boilerplate_only: int


def gather(
    corpus: Sources,
    benchmarks: Sources,
    folder: Path,
    rules: Rules,
    processes: int,
    show: Show,
    *,
    passages: bool = False,
) -> Gathered:
    """Read everything once, and compare what may be near.

    Args:
        folder: for the texts, some hundred bytes of disk a row; empty.
        passages: also compare the passages' own texts, and rows with rows by their stems.

    Raises:
        InputError: a file cannot be read as a whole, or a benchmark has no question.
    """
    store = TextStore(folder)
    try:
        items, grams = _read_items(benchmarks, store, rules, folder)
        hit_rows, hit_runs = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        rows = RowsSoFar()
        given = (folder / "grams.npy" if grams is not None else None, rules.gram, passages)
        with show.stage("reading", corpus.size) as advance:
            for scanned in in_order(scan, corpus.chunks(advance), processes, start_scan, given):
                hit_rows.append((scanned.hit_rows + rows.n).astype(np.int32))
                hit_runs.append(scanned.hit_runs.astype(np.int32))
                rows.add(scanned, store.add(scanned))
        texts = len(store)
        limit = store.boilerplate.limit(rules.boilerplate_share, rules.boilerplate_least)
        bands, kept = store.close(limit)
    finally:
        store.abandon()
    known, asked = rows.close(), items.close()
    kinds = _kinds(known, asked, texts, passages)
    pairs = _candidates(bands, kept, kinds, folder, rules, processes, show)
    del bands, kept
    near, only = _near(pairs, folder, rules, processes, show)
    stored = StoredTexts(folder)
    own = _own(stored, np.flatnonzero(kinds & np.uint8(_ITEM | (_WHOLE if passages else 0))))
    hits = _hits(np.concatenate(hit_rows), np.concatenate(hit_runs), grams, stored.boilerplate, rules, len(asked))
    return Gathered(known, asked, near, own, hits, texts, limit, len(pairs), only)


def _candidates(
    bands: Bands, kept: Bytes, kinds: NDArray[np.uint8], folder: Path, rules: Rules, processes: int, show: Show
) -> Numbers:
    """The pairs of texts that may be near, by their signatures and by those of their own words."""
    sieve, texts = Sieve(kept, rules.threshold, _wanted(kinds)), len(kept)
    is_item = (kinds & _ITEM) > 0
    with show.stage("sieving", BANDS) as advance:
        for band in bands.T:
            sieve.add_band(band, is_item)
            advance(1)
    own_bands = np.zeros((texts, OWN_BANDS), np.uint32)
    some_texts = [range(at, min(at + _TEXTS_AT_ONCE, texts)) for at in range(0, texts, _TEXTS_AT_ONCE)]
    with show.stage("own words", texts) as advance:
        found = in_order(own_signatures, some_texts, processes, start_compare, (folder, rules.threshold))
        for numbers, some in zip(some_texts, found, strict=True):
            own_bands[numbers.start : numbers.stop] = some
            advance(len(numbers))
        for band in own_bands.T:
            sieve.add_own_band(band)
    return sieve.pairs()


def _near(pairs: Numbers, folder: Path, rules: Rules, processes: int, show: Show) -> tuple[dict[int, list[Near]], int]:
    """Of each text its near ones, and how many pairs are near by boilerplate alone."""
    near: dict[int, list[Near]] = defaultdict(list)
    only = 0
    with show.stage("comparing", len(pairs)) as advance:
        for found in in_order(compare, lots(pairs), processes, start_compare, (folder, rules.threshold)):
            close = found.similarity >= rules.threshold
            needed = np.where(found.short, rules.own_short, rules.own)
            passed = close & (found.own >= np.maximum(needed, _SOMETHING))
            only += int((close & ~passed).sum())
            columns = (found.pairs[passed, 0], found.pairs[passed, 1], found.similarity[passed], found.own[passed])
            for one, other, similarity, own in zip(*(column.tolist() for column in columns), strict=True):
                near[one].append(Near(other, similarity, own))
                near[other].append(Near(one, similarity, own))
            advance(len(found.pairs))
    return near, only


def _read_items(
    benchmarks: Sources, store: TextStore, rules: Rules, folder: Path
) -> tuple[RowsSoFar, ItemGrams | None]:
    rows, texts = RowsSoFar(), []
    for some in benchmarks.chunks(lambda _: None):
        for row in some:
            try:
                texts.append(read_texts(parse_row(row)))
            except RowError:
                texts.append(Texts(""))  # the evaluator sets such a row aside: no item asks its question
    for source in benchmarks.files:
        if not any(text.stem for text in texts[source.first : source.first + source.rows]):
            remedy = f"a benchmark has one of {', '.join(QUESTION_FIELDS)}"
            raise InputError("no row has a question", file=source.path, remedy=remedy)
    for begin in range(0, len(texts), _TEXTS_AT_ONCE):
        scanned = scan_texts(texts[begin : begin + _TEXTS_AT_ONCE], {})
        rows.add(scanned, store.add(scanned))
    if not texts:
        return rows, None
    grams = ItemGrams.build(texts, rules.gram).without_common(rules.boilerplate_least)
    np.save(folder / "grams.npy", grams.hashes)
    return rows, grams


def _kinds(rows: Rows, items: Rows, texts: int, passages: bool) -> NDArray[np.uint8]:
    kinds = np.zeros(texts + 1, np.uint8)  # the last one is that of no text
    for column, kind in (
        (items.whole, _ITEM),
        (items.stem, _ITEM),
        (rows.stem, _WHOLE if passages else _STEM),
        (rows.whole, _WHOLE),
        (rows.context, _CONTEXT),
    ):
        different = np.zeros(texts + 1, bool)
        different[column] = True
        kinds[different] |= kind
    return kinds[:-1]


def _wanted(kinds: NDArray[np.uint8]) -> Callable[[Numbers, Numbers], NDArray[np.bool_]]:
    """Items against rows by whatever they have; rows against rows by their wholes, passages by their texts."""

    def wanted(one: Numbers, other: Numbers) -> NDArray[np.bool_]:
        first, second = kinds[one], kinds[other]
        of_row = np.uint8(_WHOLE | _STEM)
        across = ((first & _ITEM) > 0) & ((second & of_row) > 0) | ((second & _ITEM) > 0) & ((first & of_row) > 0)
        return across | ((first & second & np.uint8(_WHOLE | _CONTEXT)) > 0)

    return wanted


def _own(stored: StoredTexts, texts: Numbers) -> dict[int, int]:
    own: dict[int, int] = {}
    for begin in range(0, len(texts), _TEXTS_AT_ONCE):
        some = texts[begin : begin + _TEXTS_AT_ONCE].tolist()
        counts = own_count([stored[text] for text in some], stored.boilerplate)
        own |= dict(zip(some, map(int, counts), strict=True))
    return own


def _hits(
    rows: Numbers,
    runs: Numbers,
    grams: ItemGrams | None,
    boilerplate: NDArray[np.bool_],
    rules: Rules,
    items: int,
) -> Hits:
    if grams is None:
        nothing = np.zeros(0, np.int64)
        return Hits(nothing, nothing, nothing, nothing, nothing)
    counted = grams.countable(boilerplate)
    of = grams.per_item(counted, items)
    rows, runs = rows.astype(np.int64), runs.astype(np.int64)
    row, item, hits = share_hits(rows, runs, grams, counted, items)
    enough = np.flatnonzero((hits >= rules.gram_share * of[item]) & (hits >= rules.gram_least))
    held = np.zeros(len(row), np.int64)
    if len(enough):
        own = own_words(grams.words, boilerplate)
        for place in enough:
            first, last = np.searchsorted(rows, row[place], "left"), np.searchsorted(rows, row[place], "right")
            held[place] = grams.own_held(int(item[place]), runs[first:last], counted, own)
    return Hits(row, item, hits, of[item], held)
