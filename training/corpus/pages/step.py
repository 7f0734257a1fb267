"""Books to `.mmd`: the pages of PDFs by a model that reads pictures, everything else as it is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from app.errors import InputError
from training.corpus.calls import Caller, CallError, in_order
from training.corpus.config import CorpusConfig, Model
from training.corpus.models import identity, open_caller, window
from training.corpus.pages.documents import PDF, marked, read_pages
from training.corpus.pages.pdf import Pdf
from training.corpus.pages.recognition import page_messages, read_page
from training.corpus.step import TOKENS_PER_CHARACTER, Expected, Size, Step
from training.corpus.unit import SourceError, Work

_PURPOSE: Final = "recognise"
# Of a page of a printed book and of its paragraphs, about.
_PAGE_CHARACTERS: Final = 1800
_BLOCK_CHARACTERS: Final = 225
_REGION_TOKENS: Final = 400  # the places of its regions
_PICTURE_TOKENS: Final = 900  # of an A4 page for DeepSeek-OCR: an overview and 2 x 3 tiles
_AHEAD: Final = 4  # pages that are drawn already while as many as the endpoint takes are being read


class PagesStep(Step):
    """Reads books. Every page of the output, empty or failed ones too, ends with its mark: page numbers are the PDF's.

    A page with nothing on it is not asked about. One that could not be read is a reject, and stays empty.
    """

    name: ClassVar[str] = "pages"
    suffix: ClassVar[str] = ".mmd"

    def __init__(self, config: CorpusConfig) -> None:
        self._section = config.pages

    def settings(self) -> Mapping[str, Any]:
        """The model, its prompt, and how pages are drawn."""
        drawn = self._section.model_dump(include={"prompt", "dpi", "max_side"})
        return {"model": identity(self._section.model), **drawn}

    def size(self, source: Path) -> Size:
        """Pages that are to be read of a PDF; of any other book its characters, since none of its pages is."""
        try:
            if source.suffix.lower() != PDF:
                return Size(0, sum(map(len, read_pages(source))))
            with Pdf(source) as pdf:
                return Size(len(pdf))
        except SourceError:
            return Size(0)

    def expect(self, size: Size) -> Expected:
        """One call for each page of a PDF, as if none were empty; other books cost nothing."""
        prompt = _PICTURE_TOKENS + len(self._section.prompt) * TOKENS_PER_CHARACTER
        completion = _PAGE_CHARACTERS * TOKENS_PER_CHARACTER + _REGION_TOKENS
        chars = size.chars + size.items * _PAGE_CHARACTERS
        calls = {_PURPOSE: size.items} if size.items else {}
        return Expected(Size(chars / _BLOCK_CHARACTERS, chars), calls, size.items * prompt, size.items * completion)

    async def run(self, source: Path, work: Work) -> None:
        """As of `Step.run`.

        Raises:
            InputError: a PDF, and no model that could read it.
        """
        if source.suffix.lower() == PDF:
            await self._recognise(source, work)
        else:
            self._take(source, work)

    def _take(self, source: Path, work: Work) -> None:
        pages = read_pages(source)
        flow = work.flow("pages", "pages")
        for number, page in enumerate(pages, 1):
            flow.into += 1
            if page:
                flow.out += 1
            else:
                flow.left["empty"] += 1
            work.keep_text(marked(page))
            work.progress(number, len(pages))

    async def _recognise(self, source: Path, work: Work) -> None:
        model = self._section.model
        if model is None:
            raise InputError(
                "a PDF, and no model to read its pages",
                file=source,
                remedy="name one in the corpus's YAML file under pages.model (base_url, model)",
            )
        flow = work.flow("pages", "pages")
        # Greedy replies do not change with the seed: a second one would only cost as much again.
        attempts = 1 if model.temperature == 0 else 2
        with Pdf(source) as pdf:
            async with open_caller(model, "ocr", work, attempts) as caller:
                reader = _Reader(pdf, caller, self._section.dpi, self._section.max_side, self._section.prompt, model)
                async for number, page in in_order(range(1, len(pdf) + 1), reader.read, window([model])):
                    flow.into += 1
                    text = ""
                    if isinstance(page, CallError):
                        work.reject(flow, f"{work.unit.id}-page{number:05d}", page, {"page": number})
                    elif page:
                        flow.out += 1
                        text = page
                    else:
                        flow.left["empty" if page is None else "no text"] += 1
                    work.keep_text(marked(text))
                    work.progress(number, len(pdf))


class _Reader:
    """Reads single pages; holds few of their pictures at a time, however many pages wait for their turn."""

    def __init__(self, pdf: Pdf, caller: Caller, dpi: int, max_side: int, prompt: str, model: Model) -> None:
        self._pdf, self._caller = pdf, caller
        self._dpi, self._max_side, self._prompt = dpi, max_side, prompt
        self._pictures = asyncio.Semaphore(model.concurrency + _AHEAD)

    async def read(self, number: int) -> str | CallError | None:
        """A page's text; None for an empty page, the fault for one that could not be read."""
        async with self._pictures:
            try:
                picture = await asyncio.to_thread(self._draw, number)
                if picture is None:
                    return None
                return await self._caller.ask_text(_PURPOSE, page_messages(picture, self._prompt), read_page)
            except CallError as error:
                return error

    def _draw(self, number: int) -> str | None:
        picture = self._pdf.draw(number, self._dpi, self._max_side)
        return None if picture.is_empty else picture.data_url()
