"""Ambiguous passages join the one before them, and known good ones are picked."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus.passages import Flags, Passage, combine, pick
from training.corpus.passages.passage import Flag, all_of, any_of

CLEAR, AMBIGUOUS, UNKNOWN = (Flags(True, True, ambiguous, False) for ambiguous in (False, True, None))
GOOD = CLEAR


def passages(*parts: tuple[str, tuple[int, ...], Flags]) -> list[Passage]:
    return [Passage(text, pages, number, flags) for number, (text, pages, flags) in enumerate(parts, 1)]


def test_runs_of_ambiguous_passages_join_the_clear_one_before_them() -> None:
    made = combine(
        passages(
            ("a", (1,), CLEAR),
            ("b", (1,), AMBIGUOUS),
            ("c", (2, 4), AMBIGUOUS),
            ("d", (4,), CLEAR),
            ("e", (5,), CLEAR),
            ("f", (5,), AMBIGUOUS),
        )
    )
    assert [(one.text, one.pages, one.number) for one in made] == [
        ("a\nb\nc", (1, 2, 4), 1),
        ("d", (4,), 4),
        ("e\nf", (5,), 5),
    ]
    assert {one.flags for one in made} == {CLEAR}


def test_a_run_without_one_before_it_stays_as_it_is() -> None:
    book = passages(("a", (1,), AMBIGUOUS), ("b", (1,), AMBIGUOUS), ("c", (2,), CLEAR), ("d", (2,), AMBIGUOUS))
    assert combine(book) == [book[0], book[1], replace(book[2], text="c\nd")]
    assert combine(book[:1]) == book[:1]
    assert combine([]) == []


def test_nothing_joins_what_may_be_ambiguous_itself() -> None:
    book = passages(("a", (1,), CLEAR), ("b", (1,), UNKNOWN), ("c", (2,), AMBIGUOUS))
    assert combine(book) == book


def test_a_run_joins_as_far_as_it_fits() -> None:
    book = passages(
        ("aaaa", (1,), CLEAR), ("bbbb", (1,), AMBIGUOUS), ("cccccc", (1,), AMBIGUOUS), ("d", (1,), AMBIGUOUS)
    )
    assert [one.text for one in combine(book, 9)] == ["aaaa\nbbbb", "cccccc", "d"]
    assert [one.text for one in combine(book, 8)] == ["aaaa", "bbbb", "cccccc", "d"]
    assert [one.text for one in combine(book, 100)] == ["aaaa\nbbbb\ncccccc\nd"]


def test_flags_of_the_whole() -> None:
    title = Flags(True, False, False, True)
    (joined,) = combine(passages(("क", (1,), title), ("ख", (1,), Flags(False, None, True, True))))
    assert joined.flags == Flags(True, None, False, True)
    (joined,) = combine(passages(("क", (1,), title), ("ख", (1,), Flags(None, True, True, False))))
    assert joined.flags == Flags(True, True, False, False)
    (joined,) = combine(passages(("क", (1,), title), ("ख", (1,), Flags(None, False, True, None))))
    assert joined.flags == Flags(True, False, False, None)


def test_the_trouble_of_a_part_is_the_wholes() -> None:
    first, second = passages(("a", (1,), CLEAR), ("b", (1,), AMBIGUOUS))
    assert combine([first, replace(second, trouble="cut off")])[0].trouble == "cut off"


@pytest.mark.parametrize(
    ("flags", "any_is", "all_are"),
    [
        ([True, None, False], True, False),
        ([None, False], None, False),
        ([None, True], True, None),
        ([True, True], True, True),
        ([False], False, False),
        ([None], None, None),
    ],
)
def test_unknown_among_flags(flags: list[Flag], any_is: Flag, all_are: Flag) -> None:
    assert any_of(flags) is any_is
    assert all_of(flags) is all_are


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"is_hindi": False, "is_medical": False}, "not Hindi"),
        ({"is_medical": False, "has_ambiguity": True}, "not medical"),
        ({"has_ambiguity": True, "is_title_or_heading": True}, "ambiguous"),
        ({"is_title_or_heading": True}, "title or heading"),
        ({"is_hindi": None, "is_medical": False}, "unknown: is_hindi"),
        ({"is_medical": None}, "unknown: is_medical"),
        ({"has_ambiguity": None}, "unknown: has_ambiguity"),
        ({"is_title_or_heading": None}, "unknown: is_title_or_heading"),
    ],
)
def test_the_first_reason_against_a_passage(changes: dict[str, Flag], reason: str | None) -> None:
    passage = Passage("x", (1,), 1, replace(GOOD, **changes))
    assert pick([passage]) == [(passage, reason)]


FLAG = st.sampled_from([True, False, None])
BOOK = st.lists(
    st.tuples(
        st.text(min_size=1, max_size=8),
        st.frozensets(st.integers(1, 9), min_size=1, max_size=3).map(lambda pages: tuple(sorted(pages))),
        st.builds(Flags, FLAG, FLAG, FLAG, FLAG),
    ),
    max_size=12,
).map(lambda parts: passages(*parts))


@given(BOOK, st.none() | st.integers(1, 30))
def test_nothing_is_lost_or_moved(book: list[Passage], max_chars: int | None) -> None:
    made = combine(book, max_chars)
    assert "\n".join(one.text for one in made) == "\n".join(one.text for one in book)
    starts = [one.number for one in made] + [len(book) + 1]
    for one, end in zip(made, starts[1:], strict=True):
        parts = book[one.number - 1 : end - 1]
        assert one.text == "\n".join(part.text for part in parts)
        assert one.pages == tuple(sorted({page for part in parts for page in part.pages}))
        assert one.flags.is_hindi is parts[0].flags.is_hindi
        assert one.flags.is_medical is any_of(part.flags.is_medical for part in parts)
        assert one.flags.has_ambiguity is all_of(part.flags.has_ambiguity for part in parts)
        assert one.flags.is_title_or_heading is all_of(part.flags.is_title_or_heading for part in parts)
        if len(parts) > 1:
            assert [part.flags.has_ambiguity for part in parts] == [False] + [True] * (len(parts) - 1)
            assert max_chars is None or len(one.text) <= max_chars


@given(BOOK)
def test_what_stays_ambiguous_had_nothing_clear_before_it(book: list[Passage]) -> None:
    for one in combine(book):
        if one.flags.has_ambiguity is True:
            before = [part.flags.has_ambiguity for part in book[: one.number - 1]]
            while before and before[-1] is True:
                before.pop()
            assert not before or before[-1] is None


@given(BOOK)
def test_only_what_is_known_to_be_good_is_picked(book: list[Passage]) -> None:
    found = pick(book)
    assert [passage for passage, _ in found] == book
    for passage, reason in found:
        assert (reason is None) == (passage.flags == GOOD)
        if reason is not None and reason.startswith("unknown: "):
            assert getattr(passage.flags, reason.removeprefix("unknown: ")) is None
    assert {field.name for field in fields(Flags)} == set(Flags().as_json())
