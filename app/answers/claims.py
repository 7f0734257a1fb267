"""Finds what a text says about its options: claims ("the answer is D") and denials ("A is wrong") at their places."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from app.answers.letters import NUMBERING
from app.answers.patterns import Cues, patterns
from app.answers.reader import UNREADABLE, Key, Reader

ClaimTier = Literal["boxed", "stated", "bare", "option text", "quoted"]

_BEFORE = 120  # characters before a place that are looked at, so that reading stays linear in the text
_QUESTION = re.compile(r"[^.!?।॥\n,;:()]{0,60}\?")
_SENTENCE_END = re.compile(r"[)\]}\"']*[ ]?(?:\Z|[.!।॥።。\n])")
_SENTENCE_BREAK = re.compile(r"[!?।॥።。\n]|\.(?=\s[^a-z])")
_CLAUSE_START = re.compile(r"(?:\A|[\n.!?।॥።。;])\s?[\"'(]*\Z")
_ABBREVIATION = re.compile(r"(?<![a-z])(?:vits?|gr|grp|hep|inf|imm|igs?|fig|no|st|ver|e\.g|i\.e|dr|mr|vs)\.\s?\Z")
_LONE = re.compile(r"[\s.)\]}:।,!\"'—-]*\Z")
_VERDICT_SIGN = re.compile(r"\s?(?::|—|->|→|-(?=\s))\s?")
_LINE_LETTER = re.compile(r"\n\(?([A-Z])(?:[).:]|\s|—)")
_MORE = re.compile(r"\s*\S")
# The letters that are looked at for praise: capitals, and what stands in brackets. The engine skips to these signs.
_CAPITAL = re.compile(r"[A-Z](?<![0-9A-Za-z_\u00C0-\u0DFF\u1200-\u1FFF].)(?<![A-Za-z]\..)")
_CAPITAL_FIRST = re.compile(r"[A-Z]")
_BRACKETED = re.compile(r"[(\[](?=[^\s()\[\]]{1,6}[)\]])")


@dataclass(frozen=True, slots=True)
class Claim:
    """A place where the text says that the answer is among ``letters``; none of them where it cannot be read.

    ``firm`` claims name the answer as such ("Answer: D"); the others only praise an option ("D is correct").
    """

    start: int
    end: int
    letters: frozenset[str]
    tier: ClaimTier
    firm: bool = True


@dataclass(frozen=True, slots=True)
class Denial:
    """A place where the text says that the answer is none of ``letters``."""

    start: int
    letters: frozenset[str]


def find_claims(reader: Reader, boxes: Iterable[tuple[int, int]]) -> Iterator[Claim | Denial]:
    """All claims and denials, in no order. ``boxes`` are the places of what stood in ``\\boxed{…}``.

    A single sentence that merely quotes one option is looked at only where there is nothing else.
    """
    found = False
    cues = patterns().cues(reader.low)
    for one in _find(reader, cues, boxes):
        found = found or isinstance(one, Claim)
        yield one
    if not found:
        yield from _quoted(reader)


def _find(reader: Reader, cues: Cues, boxes: Iterable[tuple[int, int]]) -> Iterator[Claim | Denial]:
    for start, end in cues.heads:
        yield from _labelled(reader, start, end)
    for start, end in cues.choices:
        yield from _chosen(reader, start, end)
    for start, end in cues.options:
        yield from _identified(reader, start, end)
    yield from _praised_letters(reader, cues)
    yield from _praised_texts(reader)
    yield from bare(reader)
    for start, end in boxes:
        yield from _boxed(reader, start, end)


def _labelled(reader: Reader, start: int, end: int) -> Iterator[Claim | Denial]:
    """ "Answer: D", "the correct option is D", "सही उत्तर D है", and their denials."""
    its = patterns()
    place = reader.behind_links(end)
    before = max(0, start - _BEFORE)
    if its.taken_back.search(reader.low, before, start):
        return
    link = reader.low[end - 1 : place]
    explicit = any(sign in link for sign in (":", "=", "\n", "→", " is "))
    denied = its.denial_before.match(reader.low, place)
    reading = reader.read(denied.end() if denied else place, lower=explicit)
    if reading is None:
        opens = explicit and _CLAUSE_START.search(reader.low, before, start)
        if opens and _MORE.match(reader.text, place) and not reader.lists_options(place):
            yield Claim(start, place, UNREADABLE, "stated")
    elif _QUESTION.match(reader.text, reading.end) or reader.list_goes_on(reading.letters, reading.end):
        return
    elif denied or _is_denied(reader, reading.end):
        yield Denial(start, reading.letters)
    else:
        yield Claim(start, reading.end, reading.letters, "option text" if reading.by_text else "stated")


def _is_denied(reader: Reader, end: int) -> bool:
    """Whether what ends here is denied: "is wrong", ": wrong"."""
    its = patterns()
    verdict = _VERDICT_SIGN.match(reader.text, end)
    return bool(its.denial.match(reader.low, end) or (verdict and its.wrong.match(reader.low, verdict.end())))


def _is_praised(reader: Reader, end: int) -> int | None:
    """Where the praise of what ends here ends: "is correct", ": correct"; None where there is none."""
    its = patterns()
    verdict = _VERDICT_SIGN.match(reader.text, end)
    praise = its.praise.match(reader.low, end) or (its.verdict.match(reader.low, verdict.end()) if verdict else None)
    return praise.end() if praise else None


def _chosen(reader: Reader, start: int, end: int) -> Iterator[Claim]:
    """ "Therefore D.", "I choose (D)": a letter or an option's text, and the sentence ends."""
    reading = reader.read(reader.behind_links(end), lower=False)
    if reading and reading.letters and _SENTENCE_END.match(reader.text, reading.end):
        yield Claim(start, reading.end, reading.letters, "option text" if reading.by_text else "stated")


def _identified(reader: Reader, start: int, end: int) -> Iterator[Claim]:
    """ "The best treatment is option B." as a sentence's end."""
    its = patterns()
    before = max(0, start - _BEFORE)
    if not its.copula_before.search(reader.low, before, start) or its.wrong_before.search(reader.low, before, start):
        return
    reading = reader.read(reader.behind_links(end), lower=False)
    if reading and reading.letters and not reading.by_text and _SENTENCE_END.match(reader.text, reading.end):
        yield Claim(start, reading.end, reading.letters, "stated", firm=False)


def _praised_letters(reader: Reader, cues: Cues) -> Iterator[Claim | Denial]:
    """ "D is correct", "विकल्प D सही है", and their denials."""
    its = patterns()
    text = _without_lettered_options(reader)
    places = {match.start() for match in _CAPITAL.finditer(text)}
    if _CAPITAL_FIRST.match(text):
        places.add(0)
    places.update(match.end() for match in _BRACKETED.finditer(text))
    for _, end in cues.options:
        if openers := its.openers.match(text, end):
            places.add(openers.end())
    place = -1
    for start in sorted(places):
        if start < place:
            continue
        if group := its.upper_group.match(text, start):
            place = group.end()
            yield from _praised_group(reader, group)


def _without_lettered_options(reader: Reader) -> str:
    """The text with the options' texts that hold letters ("A and C only") blanked out."""
    text = reader.text
    for key in reader.keys:
        if len(key.cased) > 1 and patterns().letter.search(key.cased) and key.cased in text:
            text = text.replace(key.cased, "\0" * len(key.cased))
    return text


def _praised_group(reader: Reader, group: re.Match[str]) -> Iterator[Claim | Denial]:
    its = patterns()
    start, end = group.span()
    letters = reader.letters_in(group)
    before = max(0, start - _BEFORE)
    if its.identity_behind.match(reader.low, end) and its.option_before.search(reader.low, before, start):
        if not its.wrong_before.search(reader.low, before, start):
            yield Claim(start, end, letters, "stated", firm=False)
        return
    ends = [end]
    if own := reader.own_text_end(group):  # "विकल्प C—बीज औषधि, सही है"
        ends.append(own + reader.text.startswith((",", ")"), own))
    for end in ends:
        praised, denied = _is_praised(reader, end), _is_denied(reader, end)
        if (praised or denied) and _may_be_subject(reader, before, start):
            if denied:
                yield Denial(start, letters)
            elif praised:
                yield Claim(start, praised, letters, "stated", firm=False)
        if praised or denied:
            return


def _may_be_subject(reader: Reader, before: int, start: int) -> bool:
    its = patterns()
    return bool(its.subject.search(reader.low, before, start)) and not (
        _ABBREVIATION.search(reader.low, before, start) or its.except_before.search(reader.low, before, start)
    )


def _praised_texts(reader: Reader) -> Iterator[Claim]:
    """ "Aspirin is the correct answer": praise that says "answer", "option" or "correct" behind an option's text."""
    its = patterns()
    for key in reader.keys:
        place = reader.low.find(key.low)
        while place >= 0:
            end = place + len(key.low)
            praise = its.praise.match(reader.low, end + reader.text.startswith((",", '"'), end))
            if praise and its.strong_praise.search(praise[0]):
                option = reader.option_at(place)
                if option and option[1] == end and _may_be_subject(reader, max(0, place - _BEFORE), place):
                    yield Claim(place, praise.end(), option[0], "option text", firm=False)
            place = reader.low.find(key.low, end)


def bare(reader: Reader, *, by_text: bool = True) -> Iterator[Claim]:
    """The first and the last line where they are no more than an option: "D", "(D) its text", or its text."""
    end = reader.text.find("\n")
    yield from _bare_line(reader, 0, end if end >= 0 else len(reader.text), first=True, by_text=by_text)
    if end >= 0:
        yield from _bare_line(reader, reader.text.rfind("\n") + 1, len(reader.text), first=False)


def _bare_line(reader: Reader, start: int, end: int, *, first: bool, by_text: bool = True) -> Iterator[Claim]:
    if by_text and (equal := reader.equal(start, end)):
        yield Claim(start, end, equal, "option text")
        return
    its = patterns()
    noun = its.option_noun.match(reader.low, start)
    openers = its.openers.match(reader.text, noun.end() if noun else start)
    place = openers.end() if openers else start
    group = its.upper_group.match(reader.text, place) or its.lower_group.match(reader.text, place)
    if not group or group.end() > end:
        return
    letters = reader.letters_in(group)
    if own := reader.own_text_end(group):  # its text may begin with letters: "B) A and C"
        letters = reader.first_letter(group)
    if not own and _LONE.match(reader.text, group.end(), end):
        yield Claim(start, end, letters, "bare")
    elif len(letters) == 1:
        yield from _bare_with_text(reader, start, end, group, first=first)


def _bare_with_text(reader: Reader, start: int, line_end: int, group: re.Match[str], *, first: bool) -> Iterator[Claim]:
    """ "D) its text": the text must be the option's; a first line may also explain, or name nearly the text."""
    letters = reader.first_letter(group)
    place, sign = reader.behind_first(group)
    option = reader.option_at(place)
    if reader.list_goes_on(letters, place) or reader.follows_in_list(letters, start):
        return
    if first and _goes_through_options(reader, letters, start):
        return
    if option and option[0] & letters:
        if not _is_denied(reader, option[1]) and (first or reader.stated_option_at(place)):
            yield Claim(start, min(line_end, option[1]), letters, "bare")
    elif option and sign and reader.stated_option_at(place):
        yield Claim(start, min(line_end, option[1]), letters | option[0], "bare")
    elif first and _may_lead(reader, letters, group, line_end):
        yield Claim(start, group.end("first"), letters, "bare")


def _may_lead(reader: Reader, letters: frozenset[str], group: re.Match[str], line_end: int) -> bool:
    """Whether a letter may lead an explanation, or a text that is nearly its option's."""
    name = group["first"]
    # "I." is a Roman number, "a)" and "(क)" are items within a text.
    if name == "I" or name.islower() or name in NUMBERING:
        return False
    place, sign = reader.behind_first(group)
    # A colon may introduce speech, a bracket a note, a hyphen a word's second half.
    if sign in ("", ":", "-", "(", "[") and not patterns().reason.match(reader.low, group.end()):
        return False
    if patterns().marker.match(reader.text, place) or reader.marked(place, line_end) - letters:
        return False  # "A. K. Sharma"; "A. wrong B. right"
    return reader.may_follow(letters, group.end()) and not _is_denied(reader, place)


def _goes_through_options(reader: Reader, letters: frozenset[str], start: int) -> bool:
    """Whether the line is the first of several that treat one option after the other ("A. wrong", "B. right")."""
    following = _LINE_LETTER.search(reader.text, start)
    return bool(following and following[1] > min(letters))


def _boxed(reader: Reader, start: int, end: int) -> Iterator[Claim]:
    """What stands in ``\\boxed{…}``; a box that holds no option says that the answer is none of them."""
    claims = list(_bare_line(reader, start, end, first=False))
    yield from (replace(claim, tier="boxed") for claim in claims)
    if not claims:
        yield Claim(start, end, UNREADABLE, "boxed")


def _quoted(reader: Reader) -> Iterator[Claim]:
    """ "The most likely cause is aspirin.", "कारण एस्पिरिन है।": the one option in the last sentence, at its end."""
    its = patterns()
    last = reader.low.rstrip(" \n.!।॥።。")
    start = max((match.end() for match in _SENTENCE_BREAK.finditer(last)), default=0)
    if its.wrong_before.search(reader.low, start, len(last)) or its.against.search(reader.low, start):
        return
    copula = its.final_copula.search(reader.low, max(start, len(last) - 16))
    quoted: list[tuple[int, Key]] = []
    for key in reader.keys:  # the longest first: a text within a longer one is no quotation of its own
        place = reader.low.rfind(key.low, start)
        if place >= 0 and not any(key.low in other.low and key.low != other.low for _, other in quoted):
            quoted.append((place, key))
    if len({key.low for _, key in quoted}) != 1:
        return
    place, end = quoted[0][0], quoted[0][0] + len(quoted[0][1].low)
    option = reader.option_at(place)
    named = end == len(last) and its.text_identity.search(reader.low, max(start, place - 40), place)
    if option and option[1] == end and (named or (copula and copula.start() == end)):
        yield Claim(start, end, option[0], "quoted", firm=False)
