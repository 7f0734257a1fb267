"""The pages of a PDF as pictures, drawn one at a time."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from training.corpus.calls import CallError
from training.corpus.unit import SourceError

if TYPE_CHECKING:
    from PIL import Image

_POINTS_PER_INCH: Final = 72
_NO_FILE: Final = 2  # FPDF_ERR_FILE
_NEEDS_PASSWORD: Final = 4  # FPDF_ERR_PASSWORD
_UNKNOWN_LOCK: Final = 5  # FPDF_ERR_SECURITY: encrypted in a way that PDFium does not know
# A page is empty where its lightest and darkest spots (of about a 300th of its short side, which evens out the grain of
# scanned paper) are this close, of 255. Print as small as a page number is 100 and more apart.
_SPOTS: Final = 300
_EMPTY_BELOW: Final = 32
_LEGIBLE_DPI: Final = 36  # print cannot be seen below
# PDFium keeps what it has read of a document, the scans of all the pages that were drawn, until it is closed.
_FRESH_AFTER: Final = 32
_LITTLE_COMPRESSION: Final = 1  # of PNG's 9: four times as fast as the usual 6, and a fifth larger

# PDFium keeps its state for the whole process and is not made for threads.
_pdfium = Lock()


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as drawn.

    Attributes:
        image: in RGB.
        is_empty: whether there is nothing on it, not even small print; a picture or a shadow of the scanner is
            something. False where the page is so large that its print may not show.
    """

    image: "Image.Image"
    is_empty: bool

    def png(self) -> bytes:
        """As a PNG file: the same page gives the same bytes."""
        file = io.BytesIO()
        self.image.save(file, "PNG", compress_level=_LITTLE_COMPRESSION)
        return file.getvalue()

    def data_url(self) -> str:
        """As what goes into a request's ``image_url``."""
        return f"data:image/png;base64,{base64.b64encode(self.png()).decode()}"


class Pdf:
    """An open PDF. Any thread may draw its pages; PDFium does one after the other.

    Raises:
        SourceError: it is encrypted, broken or no PDF.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        with _pdfium:
            self._document: Any = self._open()
            self._pages = len(self._document)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _pdfium:
            self._close()

    def __len__(self) -> int:
        return self._pages

    def draw(self, number: int, dpi: int, max_side: int) -> Picture:
        """A page's picture.

        Args:
            number: of the page, from 1.
            dpi: pixels per inch.
            max_side: longest side in pixels; a page that would be larger is drawn at fewer pixels per inch.

        Raises:
            CallError: the page is broken.
            SourceError: the file can no longer be read.
        """
        import pypdfium2

        with _pdfium:
            if self._document is None:
                raise ValueError(f"{self._file} is closed")
            if self._drawn >= _FRESH_AFTER:
                self._close()
                self._document = self._open()
            self._drawn += 1
            try:
                page = self._document[number - 1]
            except pypdfium2.PdfiumError as error:
                raise CallError("unreadable page", str(error)) from None
            try:
                return _draw(page, dpi, max_side)
            finally:
                page.close()

    def _open(self) -> Any:
        import pypdfium2

        try:
            self._drawn = 0
            return pypdfium2.PdfDocument(self._file)
        except FileNotFoundError:
            raise self._fault(_NO_FILE) from None
        except pypdfium2.PdfiumError as error:
            raise self._fault(error.err_code) from None

    def _close(self) -> None:
        document, self._document = self._document, None
        if document is not None:
            document.close()

    def _fault(self, code: int | None) -> SourceError:
        if code == _NO_FILE:
            remedy = "check that it is there and may be read"
            return SourceError("cannot be read", file=self._file, remedy=remedy, again=True)
        if code in (_NEEDS_PASSWORD, _UNKNOWN_LOCK):
            return SourceError("is encrypted", file=self._file, remedy="save it without a password")
        return SourceError("is no PDF, or a broken one", file=self._file, remedy="fetch it again, or take it away")


def _draw(page: Any, dpi: int, max_side: int) -> Picture:
    # Half a pixel less, since PDFium's side is rounded up.
    scale = min(dpi / _POINTS_PER_INCH, (max_side - 0.5) / max(page.get_size()))
    bitmap = page.render(scale=scale, rev_byteorder=True)
    try:
        image = bitmap.to_pil().convert("RGB")  # a copy: the bitmap's memory goes
    finally:
        bitmap.close()
    is_empty = scale * _POINTS_PER_INCH >= _LEGIBLE_DPI and _shows_nothing(image)
    if is_empty and not _images_are_whole(page):
        raise CallError("unreadable page", "an image on it cannot be decoded")
    return Picture(image, is_empty)


def _shows_nothing(image: "Image.Image") -> bool:
    factor = max(1, min(image.size) // _SPOTS)
    lows_and_highs = image.convert("L").reduce(factor).getextrema()
    low, high = (float(value) for value in lows_and_highs if not isinstance(value, tuple))
    return high - low < _EMPTY_BELOW


def _images_are_whole(page: Any) -> bool:
    """PDFium leaves an image that it cannot decode white: the page would pass for an empty one."""
    import pypdfium2
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    try:
        for image in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE]):
            image.get_bitmap().close()
    except pypdfium2.PdfiumError:
        return False
    return True
