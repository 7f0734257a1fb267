"""Sentences of a text, by its punctuation and new lines."""

import re

# The full stop ends a sentence before a blank, or between a small and a capital letter (a forgotten blank).
_END = re.compile(
    r"\n|[।॥።፧。！？؟۔]+[\"'”’»)\]」』]*|[.!?…]+[\"'”’»)\]]*(?=\s)|\.(?<=[^\W\d_A-Z]{2}\.)(?=[A-ZÀ-Þ][^\W\d_A-Z])"
)
_ABBREVIATION = re.compile(
    r"(?:^|(?<=[\s(\"']))(?:Drs?|Mrs?|Ms|Prof|Sra?|Srta|Dra|Mme|Mlle|St|Tab|Cap|Inj|Syr|vs?|e\.g|i\.e|cf|approx|resp|[Ff]ig|"
    r"[Nn]os?|vol|spp?|var|p\.\s?ej|ej|p\.\s?ex|ex|örn|vb|vd|BS|ThS|डॉ|प्रो|श्री|पं|सं|मि|ডা|ዶ/ር)$"
)
# E. coli, J. Smith; the number of a list.
_INITIAL = re.compile(r"(?:^|(?<=[\s(\"']))[^\W\d_]$")
_LIST_NUMBER = re.compile(r"\s*\(?\d{1,3}$")
_SMALL_LETTER = re.compile(r"\s*[^\W\d_A-ZÀ-Þ]")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, its end mark included; together they cover ``text``."""
    spans, start = [], 0
    for match in _END.finditer(text):
        if match[0] == "." and _goes_on(text, start, match.start()):
            continue
        spans.append((start, match.end()))
        start = match.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def _goes_on(text: str, start: int, stop: int) -> bool:
    """Whether the full stop at ``stop`` belongs to what stands before it, in the sentence that began at ``start``."""
    near = max(start, stop - 12)
    if _ABBREVIATION.search(text, near, stop) or _LIST_NUMBER.fullmatch(text, start, stop):
        return True
    return bool(_INITIAL.search(text, near, stop) and _SMALL_LETTER.match(text, stop + 1))
