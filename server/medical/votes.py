"""The majority of several samples."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.medical.attempt import Attempt, best_of


@dataclass(frozen=True, slots=True)
class Vote:
    """What samples chose.

    Attributes:
        counts: how many name each letter, in order of their first vote.
        unread: how many name none that can be read.
        kept: the first sample with the majority's letter; where no letter can be read, the best in its language.
        confidence: the majority's share of all samples, the unread ones included; None where there is none.
    """

    counts: Mapping[str, int]
    unread: int
    kept: Attempt
    confidence: float | None


def vote(samples: Sequence[Attempt]) -> Vote:
    """Count the samples' letters. In a tie the letter whose first vote came first, by the samples' order, is taken."""
    letters = [sample.choice for sample in samples]
    counts = Counter(letter for letter in letters if letter is not None)
    if not counts:
        return Vote({}, len(samples), best_of(samples), None)
    ((choice, most),) = counts.most_common(1)  # in a tie the one that was counted first
    return Vote(dict(counts), letters.count(None), samples[letters.index(choice)], most / len(samples))
