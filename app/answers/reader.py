"""Reads what stands at one place of a text: an option's text, one or more option letters, or neither."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import pairwise

from app.answers.letters import LETTER_NAMES, NUMBERING
from app.answers.patterns import patterns
from app.answers.text import UNSPACED, WORD, option_key, trim

_WINDOW = 400  # characters: how far a list of options is looked for, so that reading stays linear in the text


@dataclass(frozen=True, slots=True)
class Key:
    """An option's text in the reader's form, in lower case and in its own case, and its letter."""

    low: str
    cased: str
    letter: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The options that a place names, where that ends, and whether it names them by their text."""

    letters: frozenset[str]
    end: int
    by_text: bool


UNREADABLE: frozenset[str] = frozenset()
SEPARATOR = re.compile(r"\s?(?:\.(?!\d)|[(\[)\]}।:]|—|(?<=\s)-\s|-(?![\s\d]))\s?[\"']*")

_CLOSE = re.compile(r"\s?[)\]}]")
_SPACED = re.compile(rf"(?![{UNSPACED}])[{WORD}]")
_LOWER_WORD = re.compile(r"\.\s?(?!(?:this|it|because|the|since|as|that|which|explanation|reason|option)\b)([a-z]{2,})")
_SENTENCE_END = re.compile(r"[ ]?(?:\Z|[\n.,;:!)\]}\"'।])")


class Reader:
    """One normalised text and its options, a mapping of letters A to Z to their texts.

    ``text`` has the case of the text, ``low`` is its lower case; both have the same places.
    """

    def __init__(self, text: str, options: Mapping[str, str]) -> None:
        self._patterns = patterns()
        if self._patterns.option_lower.search(text):
            text = self._patterns.option_lower.sub(lambda match: match[0].upper(), text)
        self.text, self.low = text, text.lower()
        self._order = tuple(options)
        self._letters = {letter.strip().upper(): letter for letter in options}
        keys = [Key(cased.lower(), cased, letter) for letter, text in options.items() if (cased := option_key(text))]
        self.keys = sorted(keys, key=lambda key: -len(key.low))

    def equal(self, start: int, end: int) -> frozenset[str]:
        """The options whose text is all that stands between two places; several where options have one text."""
        cased = trim(self.text[start:end])
        low = cased.lower()
        found = [key for key in self.keys if key.low == low]
        exact = [key for key in found if key.cased == cased]
        return frozenset(key.letter for key in exact or found)

    def option_at(self, place: int) -> tuple[frozenset[str], int] | None:
        """The options of the longest option text at the place, and where it ends."""
        found: list[Key] = []
        for key in self.keys:
            if found and len(key.low) < len(found[0].low):
                break
            if self.low.startswith(key.low, place):
                end = place + len(key.low)
                if not (_SPACED.match(self.low, end) and _SPACED.match(self.low, end - 1)):
                    found.append(key)
        if not found:
            return None
        exact = [key for key in found if self.text.startswith(key.cased, place)]
        return frozenset(key.letter for key in exact or found), place + len(found[0].low)

    def stated_option_at(self, place: int) -> tuple[frozenset[str], int] | None:
        """Like `option_at`, where the statement ends behind the text: "aspirin." but not "aspirin with heparin"."""
        option = self.option_at(place)
        return option if option and self._patterns.after_text.match(self.text, option[1]) else None

    def letters_in(self, group: re.Match[str]) -> frozenset[str]:
        """The options of a letter group; a letter that is no option stays as it is."""
        first = group["first"]
        letters = {self._letter(first)}
        end = group.end()
        if end - group.start() > len(first) + 1:  # more than a closing bracket
            pattern = self._patterns.lower_letter if "a" <= first <= "z" else self._patterns.letter
            for match in pattern.finditer(self.text, group.start() + len(first), end):
                letters.add(self._letter(match[0]))
            if pattern is self._patterns.lower_letter:  # "d, o sea": some words have one letter
                return frozenset(letters & set(self._order)) or frozenset(letters)
        return frozenset(letters)

    def first_letter(self, group: re.Match[str]) -> frozenset[str]:
        """The option of a letter group's first letter."""
        return frozenset({self._letter(group["first"])})

    def _letter(self, name: str) -> str:
        if name in NUMBERING:
            place = NUMBERING[name]
            return self._order[place] if place < len(self._order) else "?"
        latin = LETTER_NAMES.get(name, name.upper())
        return self._letters.get(latin, latin)

    def may_follow(self, letters: frozenset[str], end: int) -> bool:
        """Whether a full stop and a lower-case word behind a letter fit its option: "C. diff" is no option C."""
        word = _LOWER_WORD.match(self.text, end)
        return not word or any(key.letter in letters and word[1] in key.low.split() for key in self.keys)

    def read(self, place: int, *, lower: bool) -> Reading | None:
        """What a statement names at the place, None where that is no option. ``lower``: "d" counts as a letter, too."""
        option = self.stated_option_at(place)
        if openers := self._patterns.openers.match(self.text, place):
            place = openers.end()
        option = option or self.stated_option_at(place)
        group = self._patterns.upper_group.match(self.text, place)
        is_lower = group is None and lower
        if is_lower:
            group = self._patterns.lower_group.match(self.text, place)
        if option and (not group or option[1] > group.end()):
            return self._with_bracketed(*option)
        if not group:
            return None
        if own := self.own_text_end(group):
            return Reading(frozenset({self._letter(group["first"])}), own, False)
        letters = self.letters_in(group) | (option[0] if option else UNREADABLE)
        return self._if_it_ends(letters, group.end(), is_lower=is_lower)

    def own_text_end(self, group: re.Match[str]) -> int | None:
        """Where the text of the group's first letter ends if it follows: "B—A and C" where B is "A and C"."""
        option = self.option_at(self.behind_first(group)[0])
        return option[1] if option and self._letter(group["first"]) in option[0] else None

    def behind_first(self, group: re.Match[str]) -> tuple[int, str]:
        """Where the text of the group's first letter may begin, and the sign that leads there, "" for a blank."""
        end = group.end("first")
        close = _CLOSE.match(self.text, end)
        after = close.end() if close else end
        blank = after + self.text.startswith(" ", after)
        separator = SEPARATOR.match(self.text, after)
        if separator and not self.option_at(blank):  # a text may begin with a sign of its own: "B) (ii) only"
            return separator.end(), separator[0].strip(" \"'")
        return blank, close[0].strip() if close else ""

    def _with_bracketed(self, letters: frozenset[str], end: int) -> Reading:
        """An option's text, with the letter behind it where there is one: "Aspirin (B)"."""
        if self.text.startswith(" (", end) and (group := self._patterns.upper_group.match(self.text, end + 2)):
            return Reading(letters | self.letters_in(group), group.end(), True)
        return Reading(letters, end, True)

    def _if_it_ends(self, letters: frozenset[str], end: int, *, is_lower: bool) -> Reading | None:
        """The letters, if what follows may follow a letter, and the option whose text follows where it is another."""
        if self._patterns.join.match(self.low, end):
            return Reading(UNREADABLE, end, False)
        separator = SEPARATOR.match(self.text, end)
        place = separator.end() if separator else end + self.text.startswith(" ", end)
        following = self.option_at(place)
        if following and following[0] & letters:
            return Reading(letters, following[1], False)
        if following and separator and self.stated_option_at(place):
            return Reading(letters | following[0], following[1], False)
        ends = _SENTENCE_END.match(self.text, end) if is_lower else self._patterns.after_letter.match(self.low, end)
        return Reading(letters, end, False) if ends and self.may_follow(letters, end) else None

    def behind_links(self, place: int) -> int:
        """Where the words and signs that lead from "answer" to what it is have an end.

        An option's text may begin with such a word ("right ventricle"), so it is looked for before each of them.
        """
        place += self.text.startswith((" ", "\n"), place)
        for _ in range(8):
            link = self._patterns.link.match(self.low, place)
            if not link or self.stated_option_at(place):
                break
            place = link.end()
        return place

    def marked(self, start: int, end: int) -> frozenset[str]:
        """The options whose letters stand as items of a list ("B)", "C.") between two places."""
        markers = self._patterns.marker.finditer(self.text, start, end)
        return frozenset(self._letter(marker[1]) for marker in markers) & frozenset(self._order)

    def lists_options(self, place: int) -> bool:
        """Whether options with their texts stand at the place, on this line or the next: "A) aspirin B) heparin"."""
        return self._next_listed(place) is not None

    def list_goes_on(self, letters: frozenset[str], place: int) -> bool:
        """Whether the next option in a list stands behind the one of these letters: it is an item, not an answer."""
        return self._is_next(letters, self._next_listed(place))

    def follows_in_list(self, letters: frozenset[str], start: int) -> bool:
        """Whether the line before the one that starts here is the option before the one of these letters."""
        if not self.text.startswith("\n", start - 1):
            return False
        marker = self._patterns.marker.match(self.text, self.text.rfind("\n", 0, start - 1) + 1)
        return marker is not None and any(self._is_next({self._letter(marker[1])}, letter) for letter in letters)

    def _is_next(self, letters: Set[str], letter: str | None) -> bool:
        return any(pair[0] in letters and pair[1] == letter for pair in pairwise(self._order))

    def _next_listed(self, place: int) -> str | None:
        limit = min(place + _WINDOW, len(self.text))
        line_end = self.text.find("\n", place, limit)
        end = self.text.find("\n", line_end + 1, limit) if line_end >= 0 else -1
        for marker in self._patterns.marker.finditer(self.text, place, end if end >= 0 else limit):
            option = self.option_at(marker.end())
            if option and self._letter(marker[1]) in option[0]:
                return self._letter(marker[1])
        return None
