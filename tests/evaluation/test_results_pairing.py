"""What a comparison says of what it paired."""

from typing import Any, cast

import pytest

from app.tables import ModelRow, RunRow
from evaluation.results.pairing import Pairing
from evaluation.statistics import Comparison


@pytest.mark.parametrize(
    ("formats", "told"),
    [(("himed", "himed"), False), (("himed", "plain"), True)],
    ids=["alike", "apart"],
)
def test_runs_that_were_read_in_different_formats_are_told(formats: tuple[str, str], told: bool) -> None:
    a, b = (RunRow(model=ModelRow(name="m", revision="", format=one)) for one in formats)
    named = cast(Any, type("Named", (), {"a": "first", "b": "second"})())
    said = Pairing("compare", a, b, cast(Comparison, named), shared=3, only_a=1, only_b=0).describe()
    assert said.startswith("3 items paired by item; 1 only in first, 0 only in second")
    assert ("A was asked and read in the format himed, B in plain" in said) == told
