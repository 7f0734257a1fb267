"""Books that are text already: recognised ones, Markdown, plain text, and web pages."""

import codecs
import re
from pathlib import Path
from typing import Final

from training.corpus.passages.blocks import PAGE_MARK
from training.corpus.unit import SourceError

PDF: Final = ".pdf"
WEB_PAGES: Final = (".html", ".htm")
TEXTS: Final = (".mmd", ".md", ".txt")
SUFFIXES: Final = (PDF, *TEXTS, *WEB_PAGES)
"""What a book's file name ends in, in lower case."""

_HEAD: Final = 2048  # bytes of a web page in which it says its encoding
_CHARSET = re.compile(rb"""<\?xml[^>]*encoding=["']([\w.:-]+)|<meta[^>]*charset=["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML_HEAD = re.compile(r"\A\s*<\?xml[^>]*\?>")
# What browsers take these for, whatever they are called.
_AS_BROWSERS: Final = {"iso8859-1": "cp1252", "ascii": "cp1252", "utf-16": "utf-8"}
# What trafilatura writes so that Markdown shows it as it is ("\< 100 mg"); in the passages it would stay.
_ESCAPED = re.compile(r"\\([*_`~\[\]<])|^( {0,3})\\(?=[-+>#])|^( {0,3}[0-9]{1,9})\\(?=[.)])", re.MULTILINE)


def read_pages(file: Path) -> list[str]:
    """The pages of a book that is no PDF; only what has page marks has more than one.

    Raises:
        SourceError: it cannot be read, or holds no text.
    """
    pages = [_web_page(file)] if file.suffix.lower() in WEB_PAGES else split_pages(_text(file))
    if not any(page.strip() for page in pages):
        raise SourceError("holds no text", file=file, remedy="take it away")
    return pages


def split_pages(text: str) -> list[str]:
    """The pages between the marks, without the blank lines around them; behind the last mark only where text is."""
    *pages, last = text.split(PAGE_MARK)
    return [_without_edges(page) for page in ([*pages, last] if last.strip() else pages)]


def marked(page: str) -> str:
    """A page with its mark, as it stands in the step's output."""
    return f"{page}\n{PAGE_MARK}\n" if page else f"{PAGE_MARK}\n"


def without_marks(text: str) -> str:
    """One page's text: a mark in it would shift the numbers of all the pages behind it."""
    return _without_edges(text.replace(PAGE_MARK, "\n\n"))


def _without_edges(text: str) -> str:
    return text.strip("\n") if text.strip() else ""


def _text(file: Path) -> str:
    try:
        text = _read(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"is no UTF-8 at byte {error.start + 1}", file=file, remedy="save it as UTF-8") from None
    return _checked(file, text)


def _web_page(file: Path) -> str:
    import trafilatura

    html = _XML_HEAD.sub("", _checked(file, _decode(file, _read(file))))
    text = trafilatura.extract(html, output_format="markdown", include_comments=False)
    return without_marks(_ESCAPED.sub(r"\1\2\3", text or ""))


def _decode(file: Path, raw: bytes) -> str:
    encoding = _encoding(file, raw)
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except (UnicodeError, LookupError) as error:  # LookupError: "rot13" is an encoding to Python, but none of text
        raise SourceError(
            f"cannot be read as {encoding} ({error})",
            file=file,
            remedy='save it as UTF-8, or name its encoding in <meta charset="…">',
        ) from None


def _encoding(file: Path, raw: bytes) -> str:
    """By the byte order mark, else as the page says, else UTF-8; never a guess."""
    if raw.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    said = _CHARSET.search(raw[:_HEAD])
    if said is None:
        return "utf-8"
    encoding = (said[1] or said[2]).decode()
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise SourceError(
            f"says that its encoding is {encoding}, which is none", file=file, remedy="save it as UTF-8"
        ) from None
    return _AS_BROWSERS.get(name, name)


def _checked(file: Path, text: str) -> str:
    if "\0" in text:
        raise SourceError("is no text: it holds zero bytes", file=file, remedy="take it away")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror})",
            file=file,
            remedy="check that it is there and may be read",
            again=True,
        ) from None
