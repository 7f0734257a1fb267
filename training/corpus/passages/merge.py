"""Neighbouring blocks on one subject become one passage."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.corpus.passages.blocks import Block, is_list_item

# Texts to one vector each, shape (texts, dimensions), of any length.
Embed = Callable[[Sequence[str]], NDArray[np.floating]]


def merge_similar(blocks: Sequence[Block], embed: Embed, threshold: float = 0.65, max_chars: int = 2000) -> list[Block]:
    """Join neighbours whose vectors have a cosine of at least ``threshold``, from the last pair to the first.

    Each pair is judged by its own two vectors, whatever was joined before. A list item is joined with nothing, so that
    none grows over it.

    Args:
        blocks: in the order of the book.
        embed: called once, with all the texts; a vector of zeros resembles nothing.
        threshold: least cosine, in [-1, 1].
        max_chars: longest joined text in characters, its line ends included.
    """
    if len(blocks) < 2:
        return list(blocks)
    similarity = _neighbours(embed([block.text for block in blocks]))
    merged = [blocks[-1]]  # the last one first
    for block, cosine in zip(reversed(blocks[:-1]), reversed(similarity), strict=True):
        behind = merged[-1]
        length = len(block.text) + 1 + len(behind.text)
        apart = is_list_item(block.text) or is_list_item(behind.text)
        if cosine >= threshold and length <= max_chars and not apart:
            merged[-1] = _joined(block, behind)
        else:
            merged.append(block)
    return merged[::-1]


def _neighbours(vectors: NDArray[np.floating]) -> list[float]:
    """The cosine of each vector with the next; NaN where one has no direction."""
    values = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(values, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.einsum("ij,ij->i", values[:-1], values[1:]) / (lengths[:-1] * lengths[1:])
    return [float(cosine) for cosine in cosines]


def _joined(first: Block, second: Block) -> Block:
    pages = tuple(sorted({*first.pages, *second.pages}))
    return replace(first, text=f"{first.text}\n{second.text}", page=pages[0], more_pages=pages[1:])
