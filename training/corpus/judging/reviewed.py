"""The rows of tables that people have filled in."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from app.errors import InputError
from app.options import fold_space
from training.corpus.judging.sheet import read_sheet

Verdict = Literal["ok", "wrong", "unsure"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)

CORRECTIONS: Final = ("corrected_question", "corrected_reasoning", "corrected_answer")
EDITABLE: Final = ("verdict", *CORRECTIONS, "comment", "reviewer")
READ_ONLY: Final = (
    "passage", "question", "reasoning", "answer", "back_translated_question", "back_translated_answer",
)  # fmt: skip

# What a program makes of a text that it took for a formula: #NAME?, #REF!, #N/A, Err:508.
_PROGRAMS_ERROR = re.compile(r"#\S+[!?]|#N/?[AV]|Err:[0-9]+")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A row of a table.

    Attributes:
        file, row: where it stands.
        id: of the instance.
        verdict: None for an instance that nobody has reviewed.
        corrections: by column; only those that were filled in.
        comment, reviewer: "" for none.
        shown: digests of the texts that are only for reading, by column.
    """

    file: Path
    row: int
    id: str
    verdict: Verdict | None
    corrections: Mapping[str, str]
    comment: str
    reviewer: str
    shown: Mapping[str, bytes]

    def fault(self, field: str, problem: str, remedy: str) -> InputError:
        """An error about the row."""
        return InputError(problem, file=self.file, row=self.row, field=field, remedy=remedy)

    def check_unchanged(self, texts: Mapping[str, str]) -> None:
        """Compare what the table showed with the instance; white space may differ, which programs change.

        Raises:
            InputError: another text.
        """
        for column, digest in self.shown.items():
            if _digest(texts[column]) != digest:
                raise self.fault(
                    column,
                    f"the text of {self.id} is another than the instance's",
                    "undo the change, and write corrections into the columns for them",
                )


def read_reviews(files: Sequence[Path]) -> dict[str, Reviewed]:
    """The rows of all tables by id. One that only one of them has a verdict for is taken from there.

    Raises:
        InputError: a table cannot be read, an id stands twice in one or has two verdicts, or a row is filled in wrong.
    """
    found: dict[str, Reviewed] = {}
    for file in files:
        here: set[str] = set()
        for number, cells in read_sheet(file, ("id", *READ_ONLY, *EDITABLE)):
            review = _review(file, number, cells)
            other = found.get(review.id)
            if review.id in here:
                raise review.fault("id", f"the id {review.id} stands twice", "keep one of the rows")
            here.add(review.id)
            if other is not None and review.verdict is not None and other.verdict is not None:
                problem = f"{review.id} has a verdict in {other.file}, row {other.row}, too"
                raise review.fault("verdict", problem, "agree on one and empty the other")
            if other is None or review.verdict is not None:
                found[review.id] = review
    return found


def _review(file: Path, number: int, cells: Mapping[str, str]) -> Reviewed:
    # Programs end the lines inside of a cell in several ways.
    filled = {name: "\n".join(cells[name].replace("\r\n", "\n").split("\r")).strip() for name in EDITABLE}
    verdict = next((known for known in VERDICTS if known == filled["verdict"].casefold()), None)
    review = Reviewed(
        file=file,
        row=number,
        id=cells["id"].strip(),
        verdict=verdict,
        corrections={name: filled[name] for name in CORRECTIONS if filled[name]},
        comment=filled["comment"],
        reviewer=filled["reviewer"],
        shown={name: _digest(cells[name]) for name in READ_ONLY},
    )
    if not review.id:
        raise review.fault("id", "the id is missing", "put back the one that stood there")
    if filled["verdict"] and verdict is None:
        raise review.fault(
            "verdict", f"{filled['verdict']!r} is no verdict", f"write {', '.join(VERDICTS)}, or leave it empty"
        )
    if verdict is None and (review.corrections or review.comment):
        raise review.fault("verdict", "there is a correction or comment but no verdict", f"write {', '.join(VERDICTS)}")
    if verdict in ("wrong", "unsure") and review.corrections:
        raise review.fault(
            "verdict",
            f"a correction goes with ok, not with {verdict}",
            "write ok if the instance is right with it, or remove it",
        )
    for column, text in review.corrections.items():
        if _PROGRAMS_ERROR.fullmatch(text):
            raise review.fault(column, f"{text} is a spreadsheet's error", "write the text again, with ' before it")
    return review


def _digest(text: str) -> bytes:
    return hashlib.blake2b(fold_space(text).encode(), digest_size=16).digest()
