"""Selections, shuffled options and few-shot examples."""

from collections import Counter
from typing import Any

import pytest

from app.errors import InputError
from app.questions import cluster_of
from evaluation.benchmarks import Benchmark, ExamplePool, load_benchmark, select, shuffle_options
from evaluation.benchmarks.item import Item


def make_item(number: int, **changes: Any) -> Item:
    question = changes.get("question", f"question {number}")
    fields: dict[str, Any] = {
        "id": f"{number:016x}",
        "row": number,
        "number": str(number),
        "kind": "mcq",
        "question": question,
        "options": {"A": "one", "B": "two", "C": "three", "D": "four"},
        "gold": "C",
        "reference": "three",
        "language": "hi",
        "cluster": cluster_of(question),
    }
    return Item(**fields | changes)


def make_benchmark(*items: Item) -> Benchmark:
    return Benchmark("tiny", "1", items)


MIXED = make_benchmark(
    make_item(1, groups={"system": "Ayurveda", "type": "MCQ"}),
    make_item(2, language="fr"),
    make_item(3, groups={"system": "Unani", "type": "MCQ"}),
    make_item(4, groups={"system": "Ayurveda", "type": "QA"}),
    make_item(5, groups={"system": "Ayurveda", "type": "MCQ"}),
)


def rows(**filters: Any) -> list[int]:
    return [item.row for item in select(MIXED, **filters)]


def test_a_selection_filters_in_file_order_and_then_limits() -> None:
    assert rows() == [1, 2, 3, 4, 5]
    assert rows(limit=2) == [1, 2]
    assert rows(limit=99) == [1, 2, 3, 4, 5]
    assert rows(languages=["French"]) == [2]
    assert rows(languages=["hi", "fr"], limit=3) == [1, 2, 3]
    assert rows(groups={"system": {"ayurveda"}}) == [1, 4, 5]
    assert rows(groups={"system": {"Ayurveda", "Unani"}, "type": {"MCQ"}}) == [1, 3, 5]
    assert rows(groups={"system": {"Ayurveda"}}, languages=["hi"], limit=2) == [1, 4]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"limit": 0}, "field 'limit': the limit 0 selects nothing; use 1 or more"),
        ({"languages": ["Thai"]}, "tiny has no item in Thai; use one of French, Hindi"),
        ({"groups": {"topic": {"x"}}}, "tiny has no group 'topic'; use one of system, type"),
        ({"groups": {"system": {"Yoga"}}}, "tiny has no system 'Yoga'; use one of Ayurveda, Unani"),
        (
            {"groups": {"system": {"Ayurveda"}}, "languages": ["fr"]},
            "no item of tiny is left by the filters; take one of them away",
        ),
    ],
)
def test_a_selection_of_what_is_not_there_lists_what_is(filters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        select(MIXED, **filters)
    assert str(caught.value) == message


def test_an_unknown_language_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown language 'Klingon'"):
        select(MIXED, languages=["Klingon"])


def test_shuffling_moves_texts_under_the_same_letters_and_the_gold_follows() -> None:
    for number in range(50):
        item = make_item(number)
        shuffled = shuffle_options(item, seed=7)

        assert item.options is not None
        assert shuffled.options is not None
        assert list(shuffled.options) == ["A", "B", "C", "D"]
        assert sorted(shuffled.options.values()) == sorted(item.options.values())
        assert shuffled.gold is not None
        assert shuffled.options[shuffled.gold] == "three"
        assert (shuffled.id, shuffled.reference) == (item.id, "three")


def test_shuffling_depends_on_seed_and_item_only_and_spreads_the_golds() -> None:
    items = [make_item(number) for number in range(2000)]

    forward = [shuffle_options(item, 1) for item in items]
    backward = [shuffle_options(item, 1) for item in reversed(items)]

    assert forward == backward[::-1]
    assert forward != [shuffle_options(item, 2) for item in items]
    golds = Counter(item.gold for item in forward)
    # 500 expected each; five standard deviations of a binomial are 97.
    assert all(abs(golds[letter] - 500) < 97 for letter in "ABCD")


def test_options_with_equal_texts_keep_one_gold() -> None:
    item = make_item(1, options={"A": "same", "B": "same", "C": "other"}, gold="B", reference="same")

    places = {shuffle_options(item, seed).gold for seed in range(30)}

    assert places == {"A", "B", "C"}


def test_an_open_item_is_left_as_it_is() -> None:
    item = make_item(1, kind="qa", options=None, gold=None)

    assert shuffle_options(item, 1) is item


def test_examples_are_of_the_same_kind_and_language_and_never_the_same_question() -> None:
    item = make_item(0, question="the same question")
    twin = make_item(1, question="The same question?")
    others = [make_item(number) for number in range(2, 8)]
    strangers = [make_item(8, language="fr"), make_item(9, kind="qa", options=None, gold=None)]
    benchmark = make_benchmark(item, twin, *others, *strangers)

    for seed in range(20):
        examples = ExamplePool(benchmark, seed=seed).draw(5, item)
        assert len({example.id for example in examples}) == 5
        assert {example.row for example in examples} <= set(range(2, 8))


def test_examples_do_not_repeat_a_question_among_themselves() -> None:
    copies = [make_item(number, question="one question") for number in range(1, 5)]
    benchmark = make_benchmark(make_item(0), *copies, make_item(9))

    for seed in range(20):
        examples = ExamplePool(benchmark, seed=seed).draw(2, benchmark.items[0])
        assert len({example.cluster for example in examples}) == 2


def test_other_languages_fill_up_what_the_own_one_lacks() -> None:
    benchmark = make_benchmark(make_item(0), make_item(1), make_item(2, language="fr"), make_item(3, language="sw"))

    examples = ExamplePool(benchmark).draw(2, benchmark.items[0])

    assert examples[0].row == 1
    assert examples[1].row in (2, 3)


def test_examples_depend_on_seed_and_item_only() -> None:
    benchmark = make_benchmark(*(make_item(number) for number in range(40)))
    first, second = benchmark.items[:2]

    assert ExamplePool(benchmark, seed=1).draw(3, first) == ExamplePool(benchmark, seed=1).draw(3, first)
    assert ExamplePool(benchmark, seed=1).draw(3, first) != ExamplePool(benchmark, seed=2).draw(3, first)
    assert ExamplePool(benchmark, seed=1).draw(3, first) != ExamplePool(benchmark, seed=1).draw(3, second)
    assert ExamplePool(benchmark).draw(0, first) == ()


def test_too_few_examples_are_an_error() -> None:
    benchmark = make_benchmark(make_item(0), make_item(1), make_item(2, kind="qa", options=None, gold=None))

    with pytest.raises(InputError) as caught:
        ExamplePool(benchmark).draw(2, benchmark.items[0])
    assert str(caught.value) == (
        "field 'few-shot': tiny has 1 examples of kind mcq beside item 0000000000000000, not 2; use 1 or fewer"
    )


def test_every_item_of_the_sample_has_three_examples() -> None:
    benchmark = load_benchmark("sample")

    for item in benchmark.items:
        examples = ExamplePool(benchmark).draw(3, item)
        assert {example.kind for example in examples} == {item.kind}
