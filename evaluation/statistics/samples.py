"""Several samples of one item: the majority's answer, and the chance that one of k is right."""

from collections import Counter
from collections.abc import Iterable
from math import comb


def majority_vote(letters: Iterable[str | None]) -> str | None:
    """The letter that most samples chose; None when no letter leads.

    None is a reply without a readable choice and has no vote, so one letter among unreadable replies wins; two
    letters that share the lead are no majority. Wang et al. (2022), "Self-consistency improves chain of thought
    reasoning in language models", arXiv:2203.11171.
    """
    votes = Counter(letter for letter in letters if letter is not None).most_common(2)
    if not votes or (len(votes) == 2 and votes[0][1] == votes[1][1]):
        return None
    return votes[0][0]


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that at least one of ``k`` samples is right, from ``n`` samples of which ``c`` are right.

    The unbiased estimator 1 - C(n-c, k) / C(n, k) of Chen et al. (2021), "Evaluating large language models trained on
    code", arXiv:2107.03374.

    Raises:
        ValueError: not 0 <= c <= n, or not 1 <= k <= n.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {c} right in {n}")
    return 1 - comb(n - c, k) / comb(n, k)
