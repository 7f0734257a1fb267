"""What makes two questions the same: one normalisation for benchmarks, training data and the overlap between them."""

import hashlib
import unicodedata

# The names of a question and of its reference answer, in the releases and in CURE-Med's CSV files.
QUESTION_FIELDS = ("question", "Question", "prompt")
ANSWER_FIELDS = ("answer", "Response", "ground_truth")


def normalise_question(question: str) -> str:
    """The question in NFC and lower case, with single blanks and without white space or punctuation around it.

    Combining characters (vowel signs, the virama) are letters here: without them Hindi words would fall together.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", question).casefold())
    text = " ".join(text.split())
    start, end = 0, len(text)
    while start < end and _is_edge(text[start]):
        start += 1
    while end > start and _is_edge(text[end - 1]):
        end -= 1
    return text[start:end]


def cluster_of(question: str) -> str:
    """16 hexadecimal digits that questions share when they differ in case, white space or outer punctuation only."""
    return hashlib.sha256(normalise_question(question).encode()).hexdigest()[:16]


def _is_edge(character: str) -> bool:
    return character.isspace() or unicodedata.category(character).startswith("P")
