"""Are two short answers the same but for their form? Used to score and to reward."""

import unicodedata

import regex

# Punctuation and symbols go; marks stay: they are the vowel signs of Hindi and the tones of Yoruba.
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]+")


def normalise_answer(text: str) -> str:
    """NFKC, case-folded, without punctuation and symbols, white space folded; combining marks are kept."""
    return " ".join(_PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text)).casefold().split())
