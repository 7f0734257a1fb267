"""The one error for bad input: file, row, field and remedy in one line."""

from pathlib import Path


class InputError(Exception):
    """Bad input or configuration. Command lines print it as one line and exit with code 2.

    Reads ``FILE, row N, field 'F': problem; remedy``. Rows count from 1.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: Path | str | None = None,
        row: int | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem, self.file, self.row, self.field, self.remedy = problem, file, row, field, remedy
        place = [str(file)] if file is not None else []
        if row is not None:
            place.append(f"row {row}")
        if field is not None:
            place.append(f"field '{field}'")
        message = f"{', '.join(place)}: {problem}" if place else problem
        super().__init__(" ".join((f"{message}; {remedy}" if remedy else message).split()))
