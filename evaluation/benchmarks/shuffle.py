"""Shuffled options: does a model know the answer, or its place?"""

import hashlib
from dataclasses import replace

from evaluation.benchmarks.item import Item


def shuffle_options(item: Item, seed: int) -> Item:
    """The item with its options' texts in another order under the same letters; the gold letter follows its text.

    The order depends on the seed and the item's id alone, not on the items before it, so a resumed or filtered run
    shows the same options. An open question comes back as it is.
    """
    if item.options is None or item.gold is None:
        return item
    letters = list(item.options)
    sources = sorted(letters, key=lambda letter: hashlib.sha256(f"{seed}:{item.id}:{letter}".encode()).digest())
    options = {letter: item.options[source] for letter, source in zip(letters, sources, strict=True)}
    return replace(item, options=options, gold=letters[sources.index(item.gold)])
