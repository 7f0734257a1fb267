"""The models behind the test's book: one reads its pages, the other writes and judges, neither of them well."""

import asyncio
import hashlib
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from corpus_model import CorpusModel
from running import ScriptedBackend, completion

from training.corpus.pages.pdf import Pdf

BOOK = Path(__file__).with_name("book") / "book.pdf"
_ROLES = (("h1", "# {}"), ("h2", "## {}"), ("p", "{}"), ("li", "1. {}"))


def written_pages() -> list[str]:
    """What stands on the book's pages, as a good reader would write it down."""
    text = (BOOK.with_name("book.html")).read_text(encoding="utf-8")
    pages = []
    for section in re.findall(r"<section>(.*?)</section>", text, re.DOTALL):
        parts = re.findall(r"<(h1|h2|p|li)>(.*?)</\1>|(<table>.*?</table>)", section, re.DOTALL)
        forms = dict(_ROLES)
        pages.append("\n\n".join(table or forms[tag].format(html.unescape(words)) for tag, words, table in parts))
    return pages


@dataclass(slots=True)
class Reader:
    """Knows the pages of the book by their pictures."""

    dpi: int
    max_side: int
    asked: list[int] = field(default_factory=list)
    _pages: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with Pdf(BOOK) as pdf:
            for number in range(1, len(pdf) + 1):
                picture = pdf.draw(number, self.dpi, self.max_side).data_url()
                self._pages[hashlib.sha256(picture.encode()).hexdigest()] = number

    def read(self, body: dict[str, Any]) -> str:
        """The text of the page in a request."""
        parts = body["messages"][-1]["content"]
        (url,) = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        page = self._pages[hashlib.sha256(url.encode()).hexdigest()]
        self.asked.append(page)
        return written_pages()[page - 1]


@contextmanager
def book_models(model: CorpusModel, dpi: int, max_side: int) -> Iterator[tuple[ScriptedBackend, Reader]]:
    """A server of both: what has a picture is for the reader."""
    reader = Reader(dpi, max_side)

    async def handler(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if b"image_url" in raw:
            return web.json_response(completion(reader.read(orjson.loads(raw))))
        said = model.answer(raw)
        await asyncio.sleep(0.02 + said.stall_s)
        if said.status != 200:
            return web.json_response({"error": {"message": "overloaded"}}, status=said.status)
        return web.json_response(completion(said.text, finish=said.finish))

    with ScriptedBackend(handler) as backend:
        yield backend, reader
