"""Two small steps: a model is asked for each line of a book, then its answers are counted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from ulid import ULID

from app.errors import InputError
from training.corpus.calls import CallError, Unusable, in_order
from training.corpus.config import Model
from training.corpus.models import open_caller
from training.corpus.run.task import RunFolder, UnitTask
from training.corpus.step import Expected, Size, Step
from training.corpus.unit import SourceError, Unit, Work


class AskStep(Step):
    """Keeps what the model says of each line; "?" is no book, "!" no input at all, "#" a fault of ours."""

    name = "ask"

    def __init__(self, model: Model) -> None:
        self.model = model

    def settings(self) -> Mapping[str, Any]:
        return {"model": self.model.model}

    def size(self, source: Path) -> Size:
        return Size(len(lines_of(source)))

    def expect(self, size: Size) -> Expected:
        return Expected(size, {"ask": size.items}, size.items * 10, size.items * 20)

    async def run(self, source: Path, work: Work) -> None:
        flow = work.flow("ask", "lines")
        lines = lines_of(source)
        if "?" in lines:
            raise SourceError("is no book", file=source, remedy="give another")
        if "!" in lines:
            raise InputError("is wrong", file=source, remedy="mend it")
        if "#" in lines:
            raise ZeroDivisionError
        async with open_caller(self.model, "writer", work) as caller:

            async def ask(line: str) -> str | CallError:
                try:
                    return await caller.ask_text("ask", [{"role": "user", "content": line}], usable)
                except CallError as error:
                    return error

            done = 0
            async for line, said in in_order(lines, ask, 4):
                flow.into += 1
                done += 1
                if isinstance(said, CallError):
                    work.reject(flow, line, said)
                else:
                    flow.out += 1
                    work.keep({"line": line, "said": said})
                work.progress(done, len(lines))


class CountStep(Step):
    """One row with the number of rows."""

    name = "count"

    def settings(self) -> Mapping[str, Any]:
        return {}

    def size(self, source: Path) -> Size:
        return Size(len(lines_of(source)))

    def expect(self, size: Size) -> Expected:
        return Expected(Size(1))

    async def run(self, source: Path, work: Work) -> None:
        work.keep({"rows": len([orjson.loads(line) for line in lines_of(source)])})


def run_here(steps: tuple[Step, ...], folder: Path, units: Sequence[Unit]) -> None:
    """All that is left for some books, by the tasks of an executor but without its processes."""
    run = RunFolder(folder / "runs" / str(ULID()))
    run.create(list(units))
    task = UnitTask(steps, folder, run)
    for rank in range(len(units)):
        task(None, rank, len(units))


def lines_of(source: Path) -> list[str]:
    return source.read_text().splitlines()


def usable(text: str) -> str:
    if text == "<FAIL>":
        raise Unusable("declined")
    return text
