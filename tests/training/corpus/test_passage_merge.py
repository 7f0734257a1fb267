"""Neighbouring blocks that resemble each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpus.passages import Block, merge_similar

UP, RIGHT, BETWEEN = (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)  # BETWEEN has a cosine of 0.71 with both


def vectors(**by_text: tuple[float, float]) -> Any:
    def embed(texts: Sequence[str]) -> NDArray[np.floating]:
        return np.array([by_text[text.split()[-1]] for text in texts])

    return embed


def merged(blocks: list[Block], embed: Any, **settings: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(block.text, block.pages) for block in merge_similar(blocks, embed, **settings)]


def test_neighbours_are_joined_with_their_pages() -> None:
    blocks = [Block("a", 1), Block("b", 1), Block("c", 2), Block("d", 4)]
    embed = vectors(a=UP, b=RIGHT, c=RIGHT, d=RIGHT)
    assert merged(blocks, embed) == [("a", (1,)), ("b\nc\nd", (1, 2, 4))]


def test_each_pair_is_judged_by_its_own_vectors() -> None:
    blocks = [Block(text, 1) for text in "abc"]
    assert merged(blocks, vectors(a=UP, b=BETWEEN, c=RIGHT)) == [("a\nb\nc", (1,))]
    assert merged(blocks, vectors(a=UP, b=BETWEEN, c=RIGHT), threshold=0.75) == [(text, (1,)) for text in "abc"]


def test_the_threshold_itself_is_enough() -> None:
    embed = vectors(a=(1.0, 0.0), b=(3.0, 4.0))  # a cosine of 0.6 exactly
    assert merged([Block("a", 1), Block("b", 1)], embed, threshold=0.6) == [("a\nb", (1,))]


def test_the_length_is_kept_from_the_end() -> None:
    blocks = [Block(text, 1) for text in "abc"]
    embed = vectors(a=UP, b=UP, c=UP)
    assert merged(blocks, embed, max_chars=3) == [("a", (1,)), ("b\nc", (1,))]


def test_nothing_is_joined_with_or_across_a_list_item() -> None:
    blocks = [Block("a", 1), Block("- b", 1), Block("1) c", 1), Block("d", 1), Block("e", 1)]
    embed = vectors(a=UP, b=UP, c=UP, d=UP, e=UP)
    assert [text for text, _ in merged(blocks, embed)] == ["a", "- b", "1) c", "d\ne"]


def test_a_vector_without_direction_resembles_nothing() -> None:
    assert len(merged([Block("a", 1), Block("b", 1)], vectors(a=(0.0, 0.0), b=UP), threshold=-1)) == 2


def test_the_encoder_is_asked_once_and_never_for_less_than_a_pair() -> None:
    asked: list[list[str]] = []

    def embed(texts: Sequence[str]) -> NDArray[np.floating]:
        asked.append(list(texts))
        return np.ones((len(texts), 3))

    assert merge_similar([], embed) == []
    assert merge_similar([Block("a", 1)], embed) == [Block("a", 1)]
    assert asked == []
    merge_similar([Block("a", 1), Block("b", 1), Block("c", 1)], embed)
    assert asked == [["a", "b", "c"]]
