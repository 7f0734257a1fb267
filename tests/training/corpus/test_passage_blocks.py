"""Recognised pages to blocks."""

from training.corpus.passages import Block, parse_mmd
from training.corpus.passages.blocks import PAGE_MARK, is_list_item


def texts(mmd: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse_mmd(mmd)]


def test_a_block_has_the_number_of_its_page_behind_empty_pages() -> None:
    mmd = f"एक\n{PAGE_MARK}\n\n{PAGE_MARK}\n   \n{PAGE_MARK}\nचार\n\nऔर\n{PAGE_MARK}\n"
    assert parse_mmd(mmd) == [Block("एक", 1), Block("चार", 4), Block("और", 4)]


def test_the_last_page_may_lack_its_mark() -> None:
    assert parse_mmd(f"one{PAGE_MARK}two") == [Block("one", 1), Block("two", 2)]


def test_a_page_ends_a_paragraph() -> None:
    assert parse_mmd(f"begun\n{PAGE_MARK}\ngoes on") == [Block("begun", 1), Block("goes on", 2)]


def test_nothing_gives_no_block() -> None:
    assert parse_mmd("") == []
    assert parse_mmd(f"\n{PAGE_MARK}\n{PAGE_MARK}") == []


def test_lines_of_a_paragraph_are_joined_until_a_blank_line() -> None:
    assert texts("पहली पंक्ति\r\nदूसरी पंक्ति\r\n\r\nनया") == [
        ("paragraph", "पहली पंक्ति दूसरी पंक्ति"),
        ("paragraph", "नया"),
    ]


def test_headings_list_items_and_tables_stay_apart() -> None:
    mmd = "# शीर्षक\nपाठ\n- एक\n  और आगे\n- दो\n1) तीन\n| क | ख |\n|---|---|\n| १ | २ |\nबाद में"
    assert texts(mmd) == [
        ("heading", "# शीर्षक"),
        ("paragraph", "पाठ"),
        ("list_item", "- एक और आगे"),
        ("list_item", "- दो"),
        ("list_item", "1) तीन"),
        ("table", "| क | ख |\n|---|---|\n| १ | २ |"),
        ("paragraph", "बाद में"),
    ]


def test_a_table_of_tags_keeps_its_lines_and_what_stands_beside_it() -> None:
    mmd = "पहले <table><tr>\n\n<td>x</td></tr></table> पीछे\n<TABLE>a</TABLE><table>b</table>"
    assert texts(mmd) == [
        ("paragraph", "पहले"),
        ("table", "<table><tr>\n<td>x</td></tr></table>"),
        ("paragraph", "पीछे"),
        ("table", "<TABLE>a</TABLE><table>b</table>"),
    ]


def test_a_table_that_never_ends_ends_with_its_page() -> None:
    assert texts(f"<table><tr>\nx\n{PAGE_MARK}\nनया") == [("table", "<table><tr>\nx"), ("paragraph", "नया")]


def test_lines_of_images_alone_are_left_out() -> None:
    mmd = "पाठ\n![](images/0_0.jpg)\nआगे\n\n![a](x.png) ![b](y.png)\n\n<img src='x'>\n\nचित्र ![](z.jpg) में"
    assert texts(mmd) == [("paragraph", "पाठ आगे"), ("paragraph", "चित्र ![](z.jpg) में")]


def test_what_is_a_list_item() -> None:
    for text in ("- x", "* x", "• x", "1. x", "12) x", "(a) x", "iv) x", "क) x", "३. x", "B. fever"):
        assert is_list_item(text), text
    for text in ("E. coli", "S. aureus से", "1.5 mg", "-5 °C", "डॉ. शर्मा", "x - y", "-", "2020 में", "1234. x"):
        assert not is_list_item(text), text
