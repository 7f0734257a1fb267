"""Multiple-choice prompts as question and options, and back into the same layout."""

import re
from dataclasses import dataclass
from typing import Final

from app.options import split_inline, split_lines

# How Hindi spells the letters of options; machine translation turns "B." into "बी।".
HINDI_LETTERS: Final = {"A": "ए", "B": "बी", "C": "सी", "D": "डी", "E": "ई", "F": "एफ", "G": "जी", "H": "एच"}

_BREAK: Final = r"(?:\n|<br ?/?>)"
_GAP: Final = r"(?:\s|<br ?/?>)*"
_LEAD: Final = re.compile(
    r"(?:\A|(?<=\s))((?:the )?(?:answer[ -])?(?:options|choices)(?: are)?\s*[:：]|(?:उत्तर\s+)?विकल्प\s*[:：])\s*\Z",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(
    rf"{_BREAK}(?:[ \t]*{_BREAK}|[ \t]*(?=(?:Answer|Please|Choose|Select|Respond|Reply|Give|Return|Explain)\b))",
    re.IGNORECASE,
)
# "A. x B. y" in running text may be a list of anything, unless what stands before it asks for an answer.
_ASKS: Final = re.compile(r"[?:।.…\-–]\s*\Z")
_NAMES: Final = {name: letter for letter, name in HINDI_LETTERS.items()}
_HINDI_LABEL: Final = re.compile(rf"(?<!\S)(?:\(?([A-H])[.)]|({'|'.join(_NAMES)})[.।)])(?=\s)")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt and its layout.

    Attributes:
        question: without its options.
        options: letter to text in the prompt's order; None for an open question.
        lead: the line that opens the options ("Answer Choices:"); empty without one.
        tail: what stands behind the last option, such as an instruction; empty without any.
        layout: what stands before, between and behind question, lead, options and tail: labels and blanks.
    """

    question: str
    options: dict[str, str] | None
    lead: str = ""
    tail: str = ""
    layout: tuple[str, ...] = ("", "", "", "")

    def render(self) -> str:
        """The prompt in its layout. For a prompt as it was parsed, exactly the text."""
        texts = [self.question, self.lead, *(self.options or {}).values(), self.tail]
        between = [gap + text for gap, text in zip(self.layout[:-1], texts, strict=True)]
        return "".join(between) + self.layout[-1]


def parse_prompt(text: str) -> Prompt:
    """Read a prompt, in English or Hindi: options as its last lines, or in running text behind what asks for them.

    Labels are ``A.``, ``A)`` or ``(A)``, in Hindi also the letters' names; ``E. coli`` is no option E.
    """
    question, options = split_lines(text)
    if options is None:
        question, options = split_inline(text)
        if options is not None and not _ASKS.search(question):
            options = None
    if options is None:
        question, options = _split_hindi(text)
    return _lay_out(text, question, options) if options else _open(text)


def _open(text: str) -> Prompt:
    question = text.strip()
    start = text.find(question)
    return Prompt(question, None, layout=(text[:start], "", "", text[start + len(question) :]))


def _lay_out(text: str, question: str, options: dict[str, str]) -> Prompt:
    parts = [rf"({_GAP})({_verbatim(question)})"]
    for letter, option in options.items():
        hindi = HINDI_LETTERS.get(letter)
        name = rf"|{hindi}[.।)]" if hindi else ""
        # Blanks only: an empty option's gap must not run into the next one's label.
        behind = _GAP if option else r"[ \t]*"
        parts.append(rf"({_GAP}(?:\({letter}\)|\(?{letter}[.)]{name}){behind})({_verbatim(option)})")
    found = re.fullmatch("".join(parts) + rf"({_GAP})", text)
    if found is None:
        return _open(text)
    pieces = list(found.groups())
    gaps, texts = pieces[0::2], pieces[1::2]
    asked, lead_gap, lead = _cut_lead(texts[0])
    last, tail_gap, tail = _cut_tail(texts[-1])
    return Prompt(
        asked,
        dict(zip(options, [*texts[1:-1], last], strict=True)),
        lead,
        tail,
        (gaps[0], lead_gap, *gaps[1:-1], tail_gap, gaps[-1]),
    )


def _verbatim(text: str) -> str:
    """A pattern of the text, whose line ends may have been written as tags."""
    return _BREAK.join(re.escape(line) for line in text.split("\n"))


def _cut_lead(question: str) -> tuple[str, str, str]:
    """A question without the line that opens the options, what stands between them, and that line."""
    lead = _LEAD.search(question)
    if lead is None:
        return question, "", ""
    asked = question[: lead.start(1)]
    return asked.rstrip(), asked[len(asked.rstrip()) :], question[lead.start(1) :]


def _cut_tail(option: str) -> tuple[str, str, str]:
    """The last option without what stands behind it, what is between them, and the rest."""
    tail = _TAIL.search(option)
    if tail is None or not option[: tail.start()].strip():
        return option, "", ""
    kept = option[: tail.start()].rstrip()
    rest = option[tail.end() :]
    start = len(option) - len(rest.lstrip())
    return kept, option[len(kept) : start], option[start:]


def _split_hindi(text: str) -> tuple[str, dict[str, str] | None]:
    """Like `split_inline` with letters' names for labels, in Hindi, behind a line that opens the options."""
    labels = list(_HINDI_LABEL.finditer(text))
    letters = "".join(label[1] or _NAMES[label[2]] for label in labels)
    if len(letters) < 2 or not "".join(HINDI_LETTERS).startswith(letters):
        return text, None
    question = text[: labels[0].start()].strip()
    if not _LEAD.search(question):
        return text, None
    ends = [label.start() for label in labels[1:]] + [len(text)]
    texts = [text[label.end() : end].strip() for label, end in zip(labels, ends, strict=True)]
    return (question, dict(zip(letters, texts, strict=True))) if all(texts) else (text, None)
