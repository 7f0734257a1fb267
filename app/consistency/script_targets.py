"""Is it in the language? For the targets that do not use Latin letters: the script first, then the relatives."""

from app.consistency.detector import rank
from app.consistency.latin_words import ROMANISED_HINDI, WORD, clause_language, is_list, sentence_language
from app.consistency.other_scripts import other_script_pieces
from app.consistency.pieces import Piece
from app.consistency.relatives import LANGUAGE_WITHIN_SCRIPT
from app.consistency.scripts import latin_runs, letters
from app.consistency.sentences import split_sentences

# Words of three letters and more from which the detector is asked about a Latin sentence without function words.
_UNTELLING_WORDS = 5


def judge(text: str, language: str, script: str) -> list[Piece]:
    """The pieces of ``text`` for a target language (ISO 639-1) with a script (ISO 15924) other than Latin."""
    within = LANGUAGE_WITHIN_SCRIPT.get(language)
    pieces: list[Piece] = []
    for start, end in split_sentences(text):
        sentence = text[start:end]
        count = sum(map(len, letters(script).findall(sentence)))
        pieces += other_script_pieces(sentence, start, script, alone=count == 0)
        if not count:
            pieces += _latin_sentence(sentence, start)
            continue
        found = within(sentence, count) if within else language
        if found is not None and found != language:
            pieces.append(Piece(start, end, count, "foreign", found))
            continue
        pieces.append(Piece(start, end, count, "target" if found else "neutral"))
        pieces += _latin_clauses(sentence, start, script)
    return pieces


def _latin_clauses(sentence: str, offset: int, script: str) -> list[Piece]:
    pieces = []
    for match in latin_runs(script).finditer(sentence):
        before = sentence[max(0, match.start() - 3) : match.start()].rstrip("\"'“‘ ")
        bracketed = before.endswith(("(", "（", "["))
        if guess := clause_language(match[0], bracketed=bracketed):
            size = sum(map(len, WORD.findall(match[0])))
            guess = _refined(guess, match[0])
            pieces.append(Piece(offset + match.start(), offset + match.end(), size, "foreign", guess))
    return pieces


def _latin_sentence(sentence: str, offset: int) -> list[Piece]:
    """A sentence with no letter of the target's script."""
    matches = list(WORD.finditer(sentence))
    if not matches:
        return []
    size = sum(len(match[0]) for match in matches)
    start, end = offset + matches[0].start(), offset + matches[-1].end()
    if guess := sentence_language(sentence):
        return [Piece(start, end, size, "foreign", _refined(guess, sentence))]
    if guess := _untelling_language(sentence):
        return [Piece(start, end, size, "foreign", guess)]
    return [Piece(start, end, size, "neutral")]


def _refined(guess: str, sentence: str) -> str:
    """The detector's guess for a sentence that is foreign by its function words, which two languages may share."""
    if guess == ROMANISED_HINDI:
        return guess
    likeliest = rank(sentence)[1]
    return guess if likeliest == "la" else likeliest


def _untelling_language(sentence: str) -> str | None:
    """The detector's word on a sentence without function words; to it names are English or Latin."""
    # Chemical formulas are capitals inside: CH3COOH.
    words = [word for word in WORD.findall(sentence) if len(word) > 2 and word[1:].islower()]
    if len(words) < _UNTELLING_WORDS or is_list(sentence, words):
        return None
    likeliest = rank(sentence)[1]
    return None if likeliest in ("en", "la") else likeliest
