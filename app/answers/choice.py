"""The option that an answer names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.answers.claims import Claim, Denial, bare, find_claims
from app.answers.patterns import patterns
from app.answers.reader import Reader
from app.answers.text import normalise, option_key

ChoiceTier = Literal["boxed", "stated", "bare", "option text", "quoted", "no such option", "ambiguous", "absent"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The option's letter, None where the text names none or more than one, and how it was found.

    - ``boxed``: in ``\\boxed{…}``
    - ``stated``: "Answer: D", "विकल्प D सही है"
    - ``bare``: a first or last line that is no more than the option, or that leads with it
    - ``option text``: the option's text stands where its letter would
    - ``quoted``: the last sentence ends on one option's text ("The most likely cause is …"); the weakest
    - ``no such option``: a letter that is not among the options
    - ``ambiguous``: several options, or one that is taken back
    - ``absent``: no statement that can be read
    """

    letter: str | None
    tier: ChoiceTier


def extract_choice(text: str, options: Mapping[str, str]) -> Choice:
    """Reads which of the options, letters to texts, the text names as its answer. The letter is a key of ``options``.

    The final statement decides, in any of the fourteen languages. A statement replaces an earlier, different one if it
    says so ("wait", "therefore", "final") or if it is a plain "the answer is …" with other sentences between the two;
    otherwise the two are ambiguous. Nothing is guessed: no closest option, no first letter seen.
    """
    if text in options and not any(option_key(option) == text for option in options.values()):
        return Choice(text, "bare")  # what a model that was asked for a letter mostly says, without a pattern
    reader, boxes = _reader(normalise(text), options)
    if equal := reader.equal(0, len(reader.text)):
        # The whole text is an option's text. It may look like another option's letter: then nobody can tell.
        letters = equal.union(*(claim.letters for claim in bare(reader, by_text=False) if len(claim.letters) == 1))
        return _choice(letters, "option text", options)
    found = list(find_claims(reader, boxes))
    claims = sorted((one for one in found if isinstance(one, Claim)), key=lambda claim: (claim.end, claim.start))
    denials = [one for one in found if isinstance(one, Denial)]
    return _decide(reader.low, _of_this_question(reader.low, claims), denials, options)


def _choice(letters: frozenset[str], tier: ChoiceTier, options: Mapping[str, str]) -> Choice:
    if len(letters) != 1:
        return Choice(None, "ambiguous" if letters else "absent")
    (letter,) = letters
    return Choice(letter, tier) if letter in options else Choice(None, "no such option")


def _decide(low: str, claims: list[Claim], denials: list[Denial], options: Mapping[str, str]) -> Choice:
    if not claims or not claims[-1].letters:
        return Choice(None, "absent")
    last = claims[-1]
    # The nearest other claim decides: what replaces it replaces the ones before it, too.
    other = next((one for one in reversed(claims) if one.letters and one.letters != last.letters), None)
    if other and not _replaces(low, other, last):
        return Choice(None, "ambiguous")
    if _taken_back(low, denials, last):
        return Choice(None, "ambiguous")
    tiers: set[ChoiceTier] = {one.tier for one in claims if one.letters == last.letters and one.end > last.start}
    tier = next(tier for tier in ("boxed", "stated", "bare", "option text", "quoted") if tier in tiers)
    return _choice(last.letters, tier, options)


def _taken_back(low: str, denials: list[Denial], last: Claim) -> bool:
    """Whether a later denial takes the last claim back.

    "Answer: D. Option D is wrong" answers a question for the wrong statement, unless a "wait" or "but" stands between.
    """
    later = [denial.start for denial in denials if denial.start >= last.start and denial.letters & last.letters]
    if not later:
        return False
    return not last.firm or bool(patterns().corrected.search(low, last.end, max(later)))


_SENTENCE_END = re.compile(r"[.!?।॥።。\n]")
_SENTENCE_LENGTH = 10  # characters that make a sentence between two claims


def _replaces(low: str, earlier: Claim, last: Claim) -> bool:
    if earlier.end > last.start:
        return False
    if patterns().renewed.search(low, earlier.end, last.end):
        return True
    ends = [end.start() for end in _SENTENCE_END.finditer(low, earlier.end - 1, last.start)]
    return last.firm and len(ends) > 1 and ends[-1] - ends[0] > _SENTENCE_LENGTH


def _of_this_question(low: str, claims: list[Claim]) -> list[Claim]:
    """The claims without those on a next question, with which a model that does not stop goes on."""
    if not claims:
        return claims
    heading = patterns().next_question.search(low, claims[0].end)
    return [claim for claim in claims if not heading or claim.end <= heading.start()]


_BOX = re.compile(r"\\(?:boxed|fbox)\s?")
_BOX_LENGTH = 400  # a box without an end is one up to the end of its line, or this many characters


def _reader(text: str, options: Mapping[str, str]) -> tuple[Reader, list[tuple[int, int]]]:
    """A reader of the text with its boxes unpacked, and where their contents stand."""
    parts, boxes, place, length = [], [], 0, 0
    for box in _BOX.finditer(text):
        if box.start() < place:
            continue
        end = _box_end(text, box.end())
        content = _BOX.sub(" ", text[box.end() : end]).replace("{", " ").replace("}", " ").strip()
        before = text[place : box.start()]
        parts += [before, content]
        length += len(before)
        boxes.append((length, length + len(content)))
        length += len(content)
        place = end
    return Reader("".join([*parts, text[place:]]), options), boxes


def _box_end(text: str, start: int) -> int:
    if text[start : start + 1] != "{":
        return min(start + 1, len(text))
    depth = 0
    for place in range(start, min(start + _BOX_LENGTH, len(text))):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place + 1
        if text[place] == "\n":
            return place
    return min(start + _BOX_LENGTH, len(text))
