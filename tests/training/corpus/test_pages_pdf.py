"""Pages of PDFs as pictures."""

import io
from pathlib import Path

import numpy as np
import pytest
from make_pdf import make_pdf
from PIL import Image

from training.corpus.calls import CallError
from training.corpus.pages.pdf import Pdf
from training.corpus.unit import SourceError


def write(folder: Path, data: bytes) -> Path:
    file = folder / "book.pdf"
    file.write_bytes(data)
    return file


def scan(folder: Path, pixels: np.ndarray) -> Path:
    file = folder / "scan.pdf"
    Image.fromarray(pixels).save(file, "PDF", resolution=200, quality=75)
    return file


def test_a_page_is_drawn_at_the_resolution_asked_for_as_png(tmp_path: Path) -> None:
    with Pdf(write(tmp_path, make_pdf(["Hello", "World"]))) as pdf:
        assert len(pdf) == 2
        first, again, other = pdf.draw(1, 144, 4096), pdf.draw(1, 144, 4096), pdf.draw(2, 144, 4096)
    assert first.png() == again.png() != other.png()
    image = Image.open(io.BytesIO(first.png()))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (600, 800))
    assert image.getextrema() == ((0, 255), (0, 255), (0, 255))


@pytest.mark.parametrize(
    ("points", "size"),
    [((300, 400), (375, 500)), ((1e6, 5e5), (500, 250)), ((1e7, 3), (500, 1)), ((0, 0), (386, 500))],
)
def test_no_page_is_drawn_larger_than_it_may_be(
    points: tuple[float, float], size: tuple[int, int], tmp_path: Path
) -> None:
    with Pdf(write(tmp_path, make_pdf(["Hello"], points=points))) as pdf:
        assert pdf.draw(1, 144, 500).image.size == size


@pytest.mark.parametrize("dpi", [36, 72, 144, 300])
def test_a_page_number_alone_is_something(dpi: int, tmp_path: Path) -> None:
    with Pdf(write(tmp_path, make_pdf(["", "7"], points=(595, 842)))) as pdf:
        assert pdf.draw(1, dpi, 4096).is_empty
        assert not pdf.draw(2, dpi, 4096).is_empty


def test_a_page_too_large_to_be_seen_is_not_called_empty(tmp_path: Path) -> None:
    with Pdf(write(tmp_path, make_pdf(["Hello"], points=(14400, 14400)))) as pdf:
        assert not pdf.draw(1, 144, 4096).is_empty


def test_the_grain_of_scanned_paper_is_nothing_and_print_on_it_is_something(tmp_path: Path) -> None:
    paper = np.random.default_rng(0).normal(235, 8, (2200, 1700, 3)).clip(0, 255).astype(np.uint8)
    with Pdf(scan(tmp_path, paper)) as pdf:
        assert pdf.draw(1, 144, 4096).is_empty
    paper[1000:1022, 800:804] = 60  # an "l" of 8 points
    with Pdf(scan(tmp_path, paper)) as pdf:
        assert not pdf.draw(1, 144, 4096).is_empty


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (make_pdf(["Hello"], encrypted=True), "is encrypted; save it without a password"),
        (make_pdf(["Hello"] * 3)[:700], "is no PDF, or a broken one"),
        (make_pdf([]), "is no PDF, or a broken one"),
        (b"", "is no PDF, or a broken one"),
        (b"<html>no</html>", "is no PDF, or a broken one"),
    ],
)
def test_a_pdf_that_cannot_be_read_is_named(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"book\.pdf: {words}"):
        Pdf(write(tmp_path, data))


def test_a_page_that_cannot_be_read_keeps_its_place(tmp_path: Path) -> None:
    data = make_pdf(["one", "two", "three"]).replace(b"4 0 R 6 0 R 8 0 R", b"4 0 R 99 0 R 8 0 R")
    with Pdf(write(tmp_path, data)) as pdf:
        assert len(pdf) == 3
        with pytest.raises(CallError, match="unreadable page"):
            pdf.draw(2, 72, 400)
        third = pdf.draw(3, 72, 400).png()
    with Pdf(write(tmp_path, make_pdf(["three"]))) as pdf:
        assert third == pdf.draw(1, 72, 400).png()


def test_a_scan_that_cannot_be_decoded_is_no_empty_page(tmp_path: Path) -> None:
    file = scan(tmp_path, np.zeros((400, 300, 3), np.uint8))
    data = file.read_bytes()
    start = data.index(b"stream\n", data.index(b"/DCTDecode")) + 7
    file.write_bytes(data[:start] + bytes(300) + data[start + 300 :])
    with Pdf(file) as pdf, pytest.raises(CallError, match="unreadable page: an image on it cannot be decoded"):
        pdf.draw(1, 144, 4096)


def test_a_long_book_is_opened_anew_on_the_way(tmp_path: Path) -> None:
    with Pdf(write(tmp_path, make_pdf(["one", "two"]))) as pdf:
        first = pdf.draw(1, 72, 400).png()
        for _ in range(70):
            pdf.draw(2, 72, 400)
        assert pdf.draw(1, 72, 400).png() == first


def test_a_closed_pdf_draws_nothing(tmp_path: Path) -> None:
    with Pdf(write(tmp_path, make_pdf(["one"]))) as pdf:
        pass
    with pytest.raises(ValueError, match="is closed"):
        pdf.draw(1, 72, 400)


def test_a_pdf_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read; check that it is there") as gone:
        Pdf(tmp_path / "gone.pdf")
    assert gone.value.again
