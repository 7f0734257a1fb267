"""The words of all languages as patterns over the reader's one form, built on first use, not on import.

All patterns are anchored or scan for literals and repeat only what takes at least one character, so that reading takes
time linear in the text.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ahocorasick_rs import AhoCorasick

from app.answers.lazy import LazyPattern
from app.answers.letters import LETTER_NAMES, NUMBERING
from app.answers.text import LATIN_WORD, UNSPACED, WORD, normalise
from app.answers.words_latin import LATIN_WORDS
from app.answers.words_other import OTHER_WORDS

LANGUAGE_WORDS = (*LATIN_WORDS, *OTHER_WORDS)

_SPACED_WORD = r"0-9A-Za-z_\u00C0-\u0DFF\u1200-\u1FFF"
_UNSPACED_START = re.compile(f"[{UNSPACED}]")

# Species that follow the first letter of their genus: "E. coli" is no answer "E".
_EPITHETS = (
    "coli aureus difficile diff pylori pneumoniae tuberculosis aeruginosa cereus anthracis botulinum "
    "perfringens tetani pallidum meningitidis gonorrhoeae monocytogenes cholerae vulnificus lamblia intestinalis "
    "falciparum vivax malariae ovale "
    "histolytica albicans glabrata fumigatus flavus neoformans baumannii influenzae pertussis burgdorferi typhi "
    "typhimurium epidermidis saprophyticus pyogenes agalactiae faecalis faecium mirabilis marcescens pestis "
    "enterocolitica jejuni trachomatis psittaci rickettsii burnetii henselae leprae avium fragilis melanogaster "
    "elegans cerevisiae subtilis israelii haemolyticum vaginalis gondii solium saginata granulosus lumbricoides "
    "stercoralis mansoni haematobium japonicum volvulus bancrofti donovani cruzi brucei jirovecii capsulatum "
    "dermatitidis immitis schenckii marneffei catarrhalis diphtheriae hominis ducreyi urealyticum sapiens "
    "कोलाई कोली ऑरियस पाइलोरी डिफिसाइल डिफिसिल কোলাই কোলি अल्बिकन्स फाल्सीपेरम"
).split()


# 不正解 is no 正解, and a Hangul word that ends on 답 no answer.
_GLUED = re.compile("[不\uac00-\ud7a3](?=[正答\uac00-\ud7a3])")
# Where a letter may be the subject of a sentence, beside the start of a clause and the languages' "therefore".
_BEFORE_SUBJECT = "that|and|but|only|que|कि|और|केवल|सिर्फ"
# What may stand between a letter and "not" or "wrong", beside "is" and "option".
_BEFORE_DENIAL = "seems|appears|can be|clearly|definitely|also|ही|भी|तो|が|は|가|는|은|이"
# The words of praise that are not said of a drug that merely suits.
_RIGHT = "correct|right|correcta|correcte|daidai|sahihi|doğru|đúng|सही|সঠিক|ትክክል|正しい|옳|맞|ถูกต้อง"
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cues:
    """Where a text says "answer" or "correct option" (``heads``), "therefore" (``choices``), "option" (``options``)."""

    heads: list[Span]
    choices: list[Span]
    options: list[Span]


@dataclass(frozen=True, slots=True)
class Patterns:
    """The patterns. "At" ones are matched at a place; "before" ones end there; the others search."""

    cue_words: AhoCorasick
    cue_roles: list[frozenset[str]]  # of each cue word: "head", "choice", "option"
    head: LazyPattern  # at: "answer", "correct option"
    clause_before: LazyPattern  # the start of a clause
    inside_word: LazyPattern  # at: a character that, before a cue, makes it the end of another word
    link: LazyPattern  # at: one word or sign of those that may stand between a head and its letter
    upper_group: LazyPattern  # at: letters with brackets and joins: "D", "(A) or (B)"
    lower_group: LazyPattern  # at: the same of small Latin letters
    letter: LazyPattern  # one option letter, anywhere
    lower_letter: LazyPattern
    openers: LazyPattern  # at: brackets and quotes before a letter
    option_noun: LazyPattern  # at: "Option"
    join: LazyPattern  # at: "or", "and"
    after_letter: LazyPattern  # at: what may follow the letter of a statement
    after_text: LazyPattern  # at: what may follow an option's text in a statement
    praise: LazyPattern  # at: "is correct" behind a letter
    verdict: LazyPattern  # at: "correct" behind "D:"
    wrong: LazyPattern  # at: "wrong" behind "D:"
    reason: LazyPattern  # at: ", because"
    strong_praise: LazyPattern  # "answer", "option", "correct" within praise
    denial: LazyPattern  # at: "is wrong", "is not" behind a letter
    denial_before: LazyPattern  # at: "not" between a head and its letter
    subject: LazyPattern  # before: a letter here may be the subject of praise or denial
    taken_back: LazyPattern  # before: "wrong", "if the"
    wrong_before: LazyPattern  # before: "wrong", "not" or "except" earlier in the sentence
    except_before: LazyPattern  # before: "except option"
    option_before: LazyPattern  # before: "option"
    copula_before: LazyPattern  # before: "is"
    identity_behind: LazyPattern  # at: "है।" behind a letter
    text_identity: LazyPattern  # before: "the cause is" before an option's text
    final_copula: LazyPattern  # "है।" at the end of the text
    against: LazyPattern  # "contraindicated", "avoid"
    corrected: LazyPattern  # "wait", "actually"
    renewed: LazyPattern  # "wait", "therefore": what follows replaces what stood before
    marker: LazyPattern  # "B)" of a list of options
    next_question: LazyPattern  # the heading of a next question
    option_lower: LazyPattern  # the letter of "option d"

    def cues(self, low: str) -> Cues:
        """The cues of a text in the reader's form and lower case."""
        heads: dict[int, int] = {}
        choices, options = [], []
        for number, start, end in self.cue_words.find_matches_as_indexes(low, overlapping=True):
            if start and _GLUED.match(low, start - 1):
                continue
            if start and self.inside_word.match(low, start - 1) and not _UNSPACED_START.match(low, start):
                continue
            roles = self.cue_roles[number]
            if "head" in roles and start not in heads and (head := self.head.match(low, start)):
                heads[start] = head.end()
            if end < len(low) and self.inside_word.match(low, end) and not _UNSPACED_START.match(low, end - 1):
                continue
            if "option" in roles:
                options.append((start, end))
            if "choice" in roles and self.clause_before.search(low, max(0, start - 4), start):
                choices.append((start, end + low.startswith(",", end)))
        return Cues(list(heads.items()), choices, options)


def _forms(phrases: Iterable[str]) -> list[str]:
    """Phrases in the reader's form, longest first, so that an alternation prefers the longer."""
    return sorted({normalise(phrase).lower() for phrase in phrases}, key=lambda phrase: (-len(phrase), phrase))


def _escaped(phrase: str) -> str:
    # Behind a phrase of a spaced script ends a word; in an unspaced one the next word may follow at once.
    pattern = re.escape(phrase).replace(r"\ ", r"\s")
    if not phrase[-1].isalnum() and not unicodedata.category(phrase[-1]).startswith("M"):
        return pattern
    return pattern if _UNSPACED_START.match(phrase[-1]) else pattern + f"(?![{WORD}])"


def _any(phrases: Iterable[str]) -> str:
    return "(?:" + "|".join(map(_escaped, _forms(phrases))) + ")"


def _all(field: str) -> list[str]:
    return [phrase for words in LANGUAGE_WORDS for phrase in getattr(words, field).split("|") if phrase]


def _head() -> str:
    alternatives = []
    for words in LANGUAGE_WORDS:
        options, correct = _any(words.options.split("|")), _any(words.correct.split("|"))
        alternatives += [(phrase, rf"{_escaped(phrase)}\s?{options}") for phrase in _forms(words.correct.split("|"))]
        alternatives += [(phrase, rf"{_escaped(phrase)}\s?{correct}") for phrase in _forms(words.options.split("|"))]
        alternatives += [(phrase, _escaped(phrase)) for phrase in _forms(words.answers.split("|"))]
    # The longer phrase first, one with an option noun before one without.
    alternatives.sort(key=lambda one: -len(one[0]))
    return "|".join(pattern for _, pattern in alternatives)


def _cue_words() -> tuple[list[str], list[frozenset[str]]]:
    roles: dict[str, set[str]] = {}
    for field, role in (
        ("answers", "head"),
        ("correct", "head"),
        ("options", "head"),
        ("options", "option"),
        ("choices", "choice"),
    ):
        for phrase in _forms(_all(field)):
            roles.setdefault(phrase, set()).add(role)
    return list(roles), [frozenset(role) for role in roles.values()]


def _letter(case: str, *, scan: bool = False) -> str:
    """One option letter: a Latin one of the case, or a name or numbering letter of another script.

    In a ``scan`` it must not stand at the end of a word; at a known place it may follow a particle without a blank.
    """
    epithets = "|".join(_EPITHETS)
    latin = (
        rf"{case}(?![{LATIN_WORD}])(?!'(?![dt][iu]r)[A-Za-z])(?!\.(?:[a-z]|[A-Z](?![a-z])))"
        rf"(?!(?:\.\s?|\s)(?:{epithets})(?![{WORD}]))"
    )
    names = [unicodedata.normalize("NFC", name) for name in (*LETTER_NAMES, *NUMBERING)]
    names.sort(key=len, reverse=True)
    spaced = "|".join(name for name in names if not _UNSPACED_START.match(name))
    kana = "|".join(name for name in names if "\u3040" <= name[0] <= "\u30ff")
    thai = "|".join(name for name in names if "\u0e00" <= name[0] <= "\u0e7f")
    hangul = "|".join(name for name in names if "\uac00" <= name[0] <= "\ud7a3")
    after = ("", "", "")
    if scan:
        after = (rf"(?<![{_SPACED_WORD}])(?<![A-Za-z]\.)", r"(?<![\u30a0-\u30ff])", r"(?<![\u0e00-\u0e7f])")
    return (
        rf"(?:{after[0]}(?:{latin}|(?:{spaced})(?![{WORD}])(?!\.[{WORD}])(?!(?:[.।]\s?|\s)(?:{epithets})))"
        rf"|{after[1]}(?:{kana})(?![\u30a0-\u30ff])|{after[2]}(?:{thai})(?![\u0e00-\u0e7f])"
        rf"|(?<=\()(?:{hangul})(?=\)))"
    )


def _group(letter: str, joins: str) -> str:
    close = r"(?:\s?[)\]}\"'>])*"
    # After a mere comma or dash the next letter must not open a clause ("B, I think", "D — A patient").
    by_sign = rf"\s?[,/&+、;|~—-]\s?[(\[{{\"']*{letter}(?!\s(?!(?:or|and|are|both)\b)[a-z])"
    by_word = rf"\s?,?\s?{joins}\s?[(\[{{\"']*{letter}(?!\s(?:think|believe|am|would|have|will)\b)"
    return rf"(?P<first>{letter}){close}(?:(?:{by_sign}|{by_word}){close})*"


@cache
def patterns() -> Patterns:
    """The patterns of all languages, built once and each compiled at its first use."""
    upper, lower = _letter("[A-Z]"), _letter("[a-z]")
    joins, options, after = _any(_all("joins")), _any(_all("options")), _any(_all("after"))
    after_letter = _any([*_all("after"), *_all("after_letter"), *_all("options")])
    wrong, negations = _any(_all("wrong")), _any(_all("negations"))
    links = _any([*_all("links"), *_all("options"), *_all("correct")])
    copulas = [*_all("copulas"), *_all("final_copulas")]
    before_denial = _any([*copulas, *_all("options"), *_BEFORE_DENIAL.split("|")])
    denial = rf"(?:\s?{before_denial}){{0,3}}\s?(?:{wrong}|{negations})"
    ends = rf"(?=[ ]?(?:\Z|[\n.,;:!)\]\"'।॥።、。…—]|(?<=\s)-\s|{after_letter}))(?!\s?\?)(?!{denial})(?!\sया\sनहीं)"
    praise = "|".join(dict.fromkeys(praise for words in LANGUAGE_WORDS for praise in words.praises))
    conclusions = _any([*_all("conclusions"), *_BEFORE_SUBJECT.split("|")])
    cue_words, cue_roles = _cue_words()
    start = r"(?:\A|[\n.!?।॥።。;,:、—]\s?)"
    return Patterns(
        cue_words=AhoCorasick(cue_words),
        cue_roles=cue_roles,
        head=LazyPattern(_head()),
        clause_before=LazyPattern(rf"{start}\Z"),
        inside_word=LazyPattern(f"[{WORD}]"),
        link=LazyPattern(rf"\s?(?:[\"']?\s?[:=→]|->|[—-](?!\d)|{links})\s?"),
        copula_before=LazyPattern(rf"(?<![{WORD}]){_any(_all('copulas'))}\s?(?:(?:the|la|le|el|l')\s?)?\Z"),
        text_identity=LazyPattern(
            rf"(?<![{WORD}]){_any(_all('copulas'))}\s?(?:(?:the|an?|une?|la|le|el|l')\s?)?[\"'(]*\Z"
        ),
        final_copula=LazyPattern(rf"[)\]}}\"']*\s?{_any(_all('final_copulas'))}[\s.!।॥።。]*\Z"),
        upper_group=LazyPattern(_group(upper, joins)),
        lower_group=LazyPattern(_group(lower, joins)),
        letter=LazyPattern(_letter("[A-Z]", scan=True)),
        lower_letter=LazyPattern(_letter("[a-z]", scan=True)),
        openers=LazyPattern(r"(?:[(\[{\"'\s]|<(?=[A-Z]>))*"),
        option_noun=LazyPattern(rf"(?:{options}\s?[:—-]?\s?)?"),
        after_letter=LazyPattern(rf"[ ]?(?:\Z|[\n.,;:!।॥።、。…|)\]}}\"'✅✓✔](?!\d)|—|(?<=\s)-\s|\(|{after_letter})"),
        after_text=LazyPattern(rf"[)\]}}\"']*(?:\Z|[ ]?(?:[\n.;!।॥።。](?!\d)|{after}|\({upper}\)))"),
        denial=LazyPattern(denial),
        denial_before=LazyPattern(rf"{negations}\s?{options}?\s?"),
        praise=LazyPattern(rf"(?:{praise}){ends}"),
        subject=LazyPattern(
            rf"(?:\A|[\n.!?।॥።。、,;:()\"'—]\s?|(?<![{WORD}]){options}\s?[:—-]?\s?|(?<![{WORD}]){conclusions}\s?"
            r"|ではなく、?|아니라\s)[(\[{\"']*\Z"
        ),
        taken_back=LazyPattern(
            rf"(?:(?<![{WORD}]){wrong}|(?<![{WORD}]){_any(_all('conditions'))}(?:\s[^\s.!?।,;:]+){{0,3}})\s?\Z"
        ),
        wrong_before=LazyPattern(rf"(?<![{WORD}])(?:{wrong}|{negations}|{_any(_all('exceptions'))})[^.!?।॥\n]*\Z"),
        option_before=LazyPattern(rf"(?<![{WORD}]){options}\s?[:—-]?\s?[(\[{{\"']*\Z"),
        identity_behind=LazyPattern(rf"\s?{_any(_all('final_copulas'))}(?=[ ]?(?:\Z|[\n.!।॥።。]))"),
        verdict=LazyPattern(rf"{_any(_all('correct'))}{ends}"),
        wrong=LazyPattern(wrong),
        against=LazyPattern(rf"(?<![{WORD}]){_any(_all('against'))}"),
        corrected=LazyPattern(rf"(?<![{WORD}]){_any(_all('corrections'))}"),
        reason=LazyPattern(rf"\s?[,—]?\s?{after}"),
        strong_praise=LazyPattern(_any([*_all("answers"), *_all("options"), *_RIGHT.split("|")])),
        except_before=LazyPattern(rf"(?<![{WORD}]){_any(_all('exceptions'))}\s?(?:{options})?\s?[(\[{{\"']*\Z"),
        renewed=LazyPattern(rf"(?<![{WORD}])(?:{_any([*_all('corrections'), *_all('conclusions')])})"),
        join=LazyPattern(
            rf"\s?(?:[/&+]|{_any(join for join in _all('joins') if not re.fullmatch(f'[{UNSPACED}]', join))})"
        ),
        next_question=LazyPattern(rf"\n\s?{_any(_all('questions'))}\s?\d{{0,4}}\s?[:.)]"),
        option_lower=LazyPattern(rf"(?<=option |choice |opcion )\(?[a-z](?![{LATIN_WORD}])"),
        marker=LazyPattern(rf"(?:(?<=\s)|\A)\(?({upper})(?:\)|[.:])\s?[\"']*"),
    )
