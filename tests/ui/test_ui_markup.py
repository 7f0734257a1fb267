import pytest

from ui.markup import markdown, render
from ui.texts import texts

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_a_models_markdown_is_drawn_and_its_html_is_text() -> None:
    html = markdown(f"**fett** und\n\n- eins\n- zwei\n\n{HOSTILE}")
    assert "<strong>fett</strong>" in html
    assert html.count("<li>") == 2
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize(
    "text",
    [
        "[press](javascript:alert(1))",
        "![x](http://example.org/pixel.png)",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
        f"`{HOSTILE}`",
        f"```{HOSTILE}\n{HOSTILE}\n```",
        f"    {HOSTILE}",
        f"| a | b |\n| --- | --- |\n| {HOSTILE} | x |",
        '"><svg onload=alert(1)>',
    ],
)
def test_no_link_image_or_element_comes_from_a_model(text: str) -> None:
    html = markdown(text)
    assert not any(f"<{name}" in html for name in ("a ", "img", "script", "svg", "iframe", "object"))
    assert "href" not in html


def test_foreign_stretches_are_marked_through_markdown() -> None:
    text = "- यह ठीक है. **Take two tablets** daily `now`"
    begin, end = text.index("Take"), text.index("now") + 3
    html = markdown(text, [(begin, end, 'English & "more"')])
    note = "English &amp; &#34;more&#34;"
    assert f'<strong><mark title="{note}">Take two tablets</mark></strong>' in html
    assert f'<mark title="{note}"> daily </mark>' in html
    assert f'<code><mark title="{note}">now</mark></code>' in html
    assert html.count("<mark") == 3


def test_a_mark_that_is_not_drawn_takes_no_other_ones_words() -> None:
    text = "```info\ncode\n```\n\nEnglish here"
    html = markdown(text, [(3, 7, "in the fence's first line"), (text.index("English"), len(text), "English")])
    assert '<mark title="English">English here</mark>' in html
    assert html.count("<mark") == 1


def test_headings_of_a_model_stand_below_those_of_the_page() -> None:
    assert markdown("# Big\n\n#### Small") == "<h4>Big</h4>\n<h6>Small</h6>\n"


def test_marks_outside_of_the_text_or_over_each_other_are_left_out() -> None:
    assert markdown("abc", [(0, 9, "x"), (2, 2, "y")]) == "<p>abc</p>\n"
    assert markdown("abc", [(0, 2, "x"), (1, 3, "y")]) == '<p><mark title="x">ab</mark>c</p>\n'
    assert markdown("a\ue000b\ue001c", [(0, 1, "x")]) == "<p>abc</p>\n"


def test_templates_escape_every_value() -> None:
    assert "&lt;script&gt;" in render("head.html", say=texts("en"), user="<script>alert(1)</script>")
