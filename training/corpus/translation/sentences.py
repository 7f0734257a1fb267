"""Texts as sentences to translate and what stands between them, which joined give the text again.

What a translator would spoil is never shown to it: LaTeX, links, tags, bold marks and code stand between sentences, at
the price that a sentence with a formula in it is translated in two parts. So do line ends, bullets and numbers of list
items.
"""

from dataclasses import dataclass
from typing import Final

import regex

from app.options import EPITHETS
from training.corpus.translation.numbers import is_verbatim

_BETWEEN: Final = regex.compile(
    r"""
      \$\$.+?\$\$ | \\\[.+?\\\] | \\\(.+?\\\) | \\begin\{(\w+\*?)\}.+?\\end\{\1\}   # LaTeX
    | (?<![\\$\w])\$(?=[^\s$])[^$\n]*?[^\s$\\]\$(?![\d$])
    | ```.+?``` | `[^`\n]+`                                                         # code
    | https?://[^\s<>()]+ | www\.[^\s<>()]+                                         # links
    | </?[A-Za-z][\w-]*(?:\s[^<>\n]*)?/?>                                           # tags
    | [^\S\n]*\*\*[^\S\n]* | [^\S\n]*\|[^\S\n]*                                       # bold, cells of tables
    | [^\S\n]*\n\s*                                                                 # line ends
    """,
    regex.VERBOSE | regex.DOTALL,
)
_ITEM: Final = regex.compile(r"(?:[-*+•▪◦–—>]|\#{1,6}|\(?\p{N}{1,3}[.)]|\((?:\p{L}|[ivx]{1,4})\))(?=\s)\s*|\|\s*")
_DANDA: Final = regex.compile(r"(?<=[।॥])\s*(?=[^\s।॥])")
# A point behind one of these ends no sentence.
_ABBREVIATION: Final = regex.compile(
    r"""(?<![\p{L}\p{M}\p{N}])(?:
      (?i:dr|drs|prof|mr|mrs|ms|st|vs|fig|figs|eq|ref|cf|approx|viz|resp|ca|spp?|ssp|var|subsp|inj|tab|cap|wt|ht|incl|
          e\.g|i\.e|i\.v|i\.m|s\.c|p\.o|p\.r|b\.i\.d|t\.i\.d|q\.i\.d|q\.d|o\.d|p\.r\.n|h\.s|et\ al)
      | No | Nos | (?:(?:मि|कि|से|डे|मा)\.)?(?:ग्रा|ली|मी) | डॉ | डा | प्रो | मि | श्री | श्रीमती | सं | उदा | पृ | दे | कि
      | (?:(?:ए|बी|सी|डी|ई|एफ|जी|एच|आई|जे|के|एल|एम|एन|ओ|पी|क्यू|आर|एस|टी|यू|वी|एक्स|वाई|जेड)\.)*
        (?:ए|बी|सी|डी|ई|एफ|जी|एच|आई|जे|के|एल|एम|एन|ओ|पी|क्यू|आर|एस|टी|यू|वी|एक्स|वाई|जेड)
    )\.\s*\Z""",
    regex.VERBOSE,
)
_INITIAL: Final = regex.compile(r"(?<![\p{L}\p{M}\p{N}])\p{Lu}\.\s*\Z")
_GOES_ON: Final = regex.compile(rf"\s*(?:\p{{Ll}}|(?i:{EPITHETS})\b|[,;)])")
_LETTER: Final = regex.compile(r"\p{L}")
_QUANTITY_END: Final = regex.compile(r"\d\.\s*\Z")
_DIGIT: Final = regex.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text. ``translate`` is False for what stays as it is."""

    text: str
    translate: bool


def split_text(text: str, language: str = "en") -> list[Piece]:
    """The pieces of a text in order; joined they are the text, character for character.

    Args:
        text: any text; LaTeX, code, links, tags, line ends and bullets are never in a piece to translate.
        language: ``en`` or ``hi``, whose rules for the ends of sentences hold.
    """
    pieces: list[Piece] = []
    end = 0
    for found in _BETWEEN.finditer(text):
        _add_run(pieces, text[end : found.start()], language, opens=_opens_line(pieces))
        _add(pieces, found[0], translate=False)
        end = found.end()
    _add_run(pieces, text[end:], language, opens=_opens_line(pieces))
    return pieces


def split_sentences(text: str, language: str = "en") -> list[str]:
    """The sentences of a line, with the blanks behind each."""
    from sentencex import segment

    sentences: list[str] = []
    for sentence in segment(language, text):
        for part in _cut(sentence):
            if sentences and _is_one(sentences[-1], part):
                sentences[-1] += part
            else:
                sentences.append(part)
    # Its output is checked, not trusted: text that it changes or loses stays in one piece.
    return sentences if "".join(sentences) == text else [text]


def _cut(sentence: str) -> list[str]:
    ends = [found.end() for found in _DANDA.finditer(sentence)]
    return [sentence[start:end] for start, end in zip([0, *ends], [*ends, len(sentence)], strict=True)]


def _is_one(before: str, after: str) -> bool:
    """Whether a sentence was cut in two."""
    if not before.strip() or _ABBREVIATION.search(before):
        return True
    if _INITIAL.search(before):
        return bool(_GOES_ON.match(after))
    return bool(_QUANTITY_END.search(before)) and not before[-1].isspace() and bool(_DIGIT.match(after))


def _opens_line(pieces: list[Piece]) -> bool:
    return not pieces or "\n" in pieces[-1].text


def _add_run(pieces: list[Piece], run: str, language: str, *, opens: bool) -> None:
    """Add text without line ends."""
    lead = len(run) - len(run.lstrip())
    if opens and (item := _ITEM.match(run, lead)):
        lead = item.end()
    _add(pieces, run[:lead], translate=False)
    rest = run[lead:]
    for sentence in split_sentences(rest, language) if rest else []:
        body = sentence.strip()
        start = sentence.find(body)
        _add(pieces, sentence[:start], translate=False)
        _add(pieces, body, translate=bool(_LETTER.search(body)) and not is_verbatim(body))
        _add(pieces, sentence[start + len(body) :], translate=False)


def _add(pieces: list[Piece], text: str, *, translate: bool) -> None:
    if not text:
        return
    if pieces and not translate and not pieces[-1].translate:
        pieces[-1] = Piece(pieces[-1].text + text, translate=False)
    else:
        pieces.append(Piece(text, translate))
