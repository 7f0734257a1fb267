"""What the fourteen languages say around an option letter: "answer", "option", "correct", "is", "not", "or", "because".

The tables are in `words_latin` and `words_other`. Phrases stand there as they are written; `app.answers.patterns`
brings them into the reader's one form (lower case, no accents) and adds word boundaries.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language's words: in each field several phrases with bars between them.

    - ``questions``: how the next question is headed.
    - ``answers``: nouns that name the answer. ``options``: nouns that name an option; with one of ``correct`` before or
      behind it such a noun names the answer, too.
    - ``links``: what may stand between that noun and the letter, beside ``options`` and ``correct``.
    - ``copulas``: "is" before what it names. ``final_copulas``: "is" behind it.
    - ``after``: what may follow a letter or an option's text in a statement: "is", "because". ``after_letter``: what
      may follow a letter, but would make an option's text another thing ("with", "for").
    - ``praises``: "is correct", "is the right answer" behind an option. Regular expressions on the reader's form.
    - ``choices``: the opening of a statement that needs no more than a letter: "I choose", "therefore".
    - ``wrong``, ``negations``: words that take a statement back.
    - ``against``: what makes it unlikely that a sentence recommends what it names: "avoid".
    - ``joins``: "and", "or".
    - ``corrections``: a new start: "wait", "no,". ``conclusions``: "therefore", "finally".
    - ``conditions``: "if". ``exceptions``: "except".
    """

    questions: str
    answers: str
    options: str
    correct: str
    links: str
    copulas: str
    final_copulas: str
    after: str
    after_letter: str
    praises: tuple[str, ...]
    choices: str
    wrong: str
    against: str
    negations: str
    joins: str
    corrections: str
    conclusions: str
    conditions: str
    exceptions: str
