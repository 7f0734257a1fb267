"""Books that are text already."""

from pathlib import Path

import pytest

from training.corpus.pages.documents import marked, read_pages, split_pages
from training.corpus.passages.blocks import PAGE_MARK, parse_mmd
from training.corpus.unit import SourceError

LEAFLET = """<!doctype html><html lang="hi"><head><meta charset="utf-8"><title>मधुमेह | साइट</title>
<script>track()</script></head><body>
<nav><ul><li><a href="/">होम</a></li><li><a href="/b">रोग सूची</a></li></ul></nav>
<main><article><h1>मधुमेह क्या है?</h1><p>मधुमेह में रक्त में शर्करा का स्तर बहुत अधिक हो जाता है। इंसुलिन शर्करा को
कोशिकाओं तक पहुँचाता है, और उसकी कमी से यह रोग होता है।</p>
<h2>लक्षण</h2><ul><li>अधिक प्यास लगना</li><li>वजन घटना</li></ul>
<p>उपवास में शर्करा &lt; 100 mg/dl *सामान्य* है।</p>
<table><tr><th>जाँच</th><th>मधुमेह</th></tr><tr><td>HbA1c</td><td>&lt; 6.5 %</td></tr></table></article></main>
<footer><p>© 2024 साइट। सर्वाधिकार सुरक्षित। &lt;--- Page Split ---&gt;</p></footer></body></html>"""


def write(folder: Path, name: str, data: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file


def test_a_web_page_keeps_headings_lists_and_tables_and_drops_what_stands_around(tmp_path: Path) -> None:
    (page,) = read_pages(write(tmp_path, "a.html", LEAFLET))
    found = [(block.kind, block.text.replace("| \n", "|\n").strip()) for block in parse_mmd(page)]
    assert ("heading", "## लक्षण") in found
    assert ("list_item", "- अधिक प्यास लगना") in found
    assert ("paragraph", "उपवास में शर्करा < 100 mg/dl *सामान्य* है।") in found
    assert ("table", "| जाँच | मधुमेह |\n|---|---|\n| HbA1c | < 6.5 % |") in found
    assert not any(word in page for word in ("होम", "track", "सर्वाधिकार", "\\"))


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="utf-8">', "utf-8"),
        ("", "utf-8"),
        ("", "utf-8-sig"),
        ("", "utf-16"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">', "cp1252"),
        ("<meta charset=iso-8859-1>", "cp1252"),
    ],
)
def test_a_web_page_is_read_in_its_encoding(head: str, encoding: str, tmp_path: Path) -> None:
    html = f"<html><head>{head}</head><body><h1>Café</h1><p>It’s “safe” for naïve patients.</p></body></html>"
    (page,) = read_pages(write(tmp_path, "a.htm", html.encode(encoding)))
    assert "It’s “safe” for naïve patients." in page


def test_an_xhtml_page_is_read(tmp_path: Path) -> None:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml">'
    assert read_pages(write(tmp_path, "a.HTML", f"{head}<body><p>दवा लें।</p></body></html>")) == ["दवा लें।"]


def test_a_page_mark_in_a_web_page_is_none(tmp_path: Path) -> None:
    html = "<html><body><p>पहला भाग।</p><p>&lt;--- Page Split ---&gt;</p><p>दूसरा भाग।</p></body></html>"
    (page,) = read_pages(write(tmp_path, "a.html", html))
    assert PAGE_MARK not in page
    assert "पहला भाग।" in page
    assert "दूसरा भाग।" in page


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.mmd", "A.TXT"])
def test_text_is_one_page_without_byte_order_mark_and_carriage_returns(name: str, tmp_path: Path) -> None:
    assert read_pages(write(tmp_path, name, b"\xef\xbb\xbf" + "क\r\nख\rग\n".encode())) == ["क\nख\nग"]


def test_pages_that_are_marked_keep_their_numbers_and_are_written_as_they_were(tmp_path: Path) -> None:
    text = f"# एक\n\nपाठ\n{PAGE_MARK}\n{PAGE_MARK}\n  तीन\n{PAGE_MARK}\n"
    pages = read_pages(write(tmp_path, "a.mmd", text))
    assert pages == ["# एक\n\nपाठ", "", "  तीन"]
    assert "".join(map(marked, pages)) == text


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        (f"a{PAGE_MARK}b", ["a", "b"]),
        (f"a\n{PAGE_MARK}\n \n", ["a"]),
        (f"{PAGE_MARK}\n\n{PAGE_MARK}b", ["", "", "b"]),
    ],
)
def test_what_stands_behind_the_last_mark_is_a_page_if_it_is_text(text: str, pages: list[str]) -> None:
    assert split_pages(text) == pages


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.mmd", "ठीक".encode() + b"\xff", "is no UTF-8 at byte 10; save it as UTF-8"),
        ("a.txt", "क".encode("utf-16"), "is no UTF-8 at byte 1"),
        ("a.md", b"a\0b", "holds zero bytes"),
        ("a.txt", f" \n{PAGE_MARK}\n", "holds no text"),
        ("a.html", "<html><head><title>t</title></head><body><script>1</script></body></html>", "holds no text"),
        ("a.html", b"", "holds no text"),
        ("a.html", b"<p>\xff</p>", "cannot be read as utf-8"),
        ("a.html", b"<meta charset=klingon><p>x</p>", "says that its encoding is klingon"),
        ("a.html", b"<meta charset=rot13><p>x</p>", "cannot be read as rot-13"),
    ],
)
def test_a_book_that_cannot_be_read_is_named(name: str, data: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        read_pages(write(tmp_path, name, data))
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


def test_a_book_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file") as gone:
        read_pages(tmp_path / "gone.txt")
    assert gone.value.again
