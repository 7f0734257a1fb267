"""Is it in the language? For the targets in Latin letters: the detector's ranking, then the function words."""

import re

from app.consistency.detector import rank
from app.consistency.latin_words import WORD, fold, function_words, is_english_clause, is_list
from app.consistency.other_scripts import other_script_pieces
from app.consistency.pieces import Kind, Piece
from app.consistency.sentences import split_sentences
from app.consistency.words import ENGLISH_CLAUSE, ENGLISH_ONLY, LATIN_SCRIPT

# A gloss in brackets is neutral while it is a term: few letters.
_GLOSS = re.compile(r"[(\[（][^()\[\]（）]{1,60}[)\]）]")
# Under these a sentence is only ever judged together with the others.
_MIN_WORDS, _MIN_LETTERS = 4, 12
# Leads of one language over another as `rank` scales them. On sentences of real answers in the seven other languages
# the target leads by 0.3 or more in 99 of 100, and foreign sentences trail by 5 to 28; names alone lie between.
_CLEAR_LEAD, _WEAK_LEAD = 4.0, 1.0
# English words without a function word are a term below this number.
_NAME_WORDS = 9
# An English clause inside another language's sentence: so many words, such a share of them function words.
_CLAUSE_WORDS, _CLAUSE_SHARE = 5, 0.3


def judge(text: str, language: str) -> list[Piece]:
    """The pieces of ``text`` for a target language (ISO 639-1) in Latin letters."""
    pieces: list[Piece] = []
    short: list[tuple[int, int]] = []
    for start, end in split_sentences(text):
        sentence = text[start:end]
        matches = list(WORD.finditer(sentence))
        if not sentence.isascii():
            pieces += other_script_pieces(sentence, start, "Latn", alone=len(matches) < 3)
        if not matches:
            continue
        first, last = start + matches[0].start(), start + matches[-1].end()
        if len(matches) < _MIN_WORDS:
            short.append((first, last))
        else:
            pieces += _judge_sentence(text, first, last, language)
    if short and not any(piece.kind != "neutral" for piece in pieces):
        pieces += _judge_together(text, short, language)
    return pieces


def _judge_together(text: str, spans: list[tuple[int, int]], language: str) -> list[Piece]:
    """Short sentences and list entries, none of which tells alone."""
    together = ". ".join(text[start:end] for start, end in spans)
    kind, guess, letters = _kind(together, language)
    return [Piece(spans[0][0], spans[-1][1], letters, kind, guess)]


def _judge_sentence(text: str, start: int, end: int, language: str) -> list[Piece]:
    kind, guess, letters = _kind(text[start:end], language)
    clauses = [] if kind == "foreign" or language == "en" else _english_clauses(text, start, end, language)
    outside = max(0, letters - sum(clause.letters for clause in clauses))
    return [Piece(start, end, outside, kind, guess), *clauses]


def _kind(sentence: str, language: str) -> tuple[Kind, str | None, int]:
    """What a sentence is, the guess if it is foreign, and how many letters it has."""
    prose = _GLOSS.sub(" ", sentence)
    words = WORD.findall(prose)
    letters = sum(map(len, words))
    longer = [word for word in words if len(word) > 1]
    if letters < _MIN_LETTERS or len(longer) < _MIN_WORDS:
        return "neutral", None, letters
    scores, likeliest = rank(prose)
    folded = fold(words)
    own = function_words(folded, language)
    if likeliest == language:
        lead = scores[language] - max(score for name, score in scores.items() if name != language)
        return ("target" if own or lead >= _WEAK_LEAD else "neutral"), None, letters
    if _is_foreign(prose, longer, own, likeliest, scores[likeliest] - scores[language]):
        return "foreign", likeliest, letters
    return ("target" if own else "neutral"), None, letters


def _is_foreign(prose: str, words: list[str], own: int, likeliest: str, lead: float) -> bool:
    """Whether words are in the likeliest language, given its lead over the target and the target's function words."""
    if likeliest == "la":
        return False
    if likeliest == "en":
        clause = is_english_clause(words, link_words=7) or (len(words) >= _NAME_WORDS and not is_list(prose, words))
        return clause and (lead >= _CLEAR_LEAD or (lead >= _WEAK_LEAD and function_words(fold(words), "en") > own))
    if is_list(prose, words):
        return False
    if likeliest in LATIN_SCRIPT:
        other = function_words(fold(words), likeliest)
        return lead >= _CLEAR_LEAD or (lead >= _WEAK_LEAD and other > own)
    return lead >= _CLEAR_LEAD and len(words) > _MIN_WORDS + 1


def _english_clauses(text: str, start: int, end: int, language: str) -> list[Piece]:
    """Clauses of English in a sentence of another language, by words that are English and nothing else."""
    matches = list(WORD.finditer(text, start, end))
    words = [match[0].lower() for match in matches]
    signs = [index for index, word in enumerate(words) if word in ENGLISH_ONLY]
    if len(signs) < 2:
        return []
    own = LATIN_SCRIPT[language]
    pieces = []
    # A word of the target, or with a letter that English lacks, ends a stretch.
    barriers = [i for i, word in enumerate(words) if not word.isascii() or (word in own and word not in ENGLISH_ONLY)]
    for low, high in zip([-1, *barriers], [*barriers, len(words)], strict=True):
        inside = [index for index in signs if low < index < high]
        if len(inside) < 2 or not any(words[index] in ENGLISH_CLAUSE for index in inside):
            continue
        # Words before the first sign may be of either language.
        clause = words[inside[0] : high]
        if len(clause) >= _CLAUSE_WORDS and function_words(clause, "en") >= _CLAUSE_SHARE * len(clause):
            start, end = matches[inside[0]].start(), matches[high - 1].end()
            pieces.append(Piece(start, end, sum(map(len, clause)), "foreign", "en"))
    return pieces
