"""What a model that reads pages replies, as text."""

import pytest

from training.corpus.calls import Unusable
from training.corpus.pages.recognition import page_messages, read_page, repeated_share
from training.corpus.passages.blocks import PAGE_MARK, parse_mmd

GROUNDED = (
    "<|ref|>title<|/ref|><|det|>[[68, 69, 385, 100]]<|/det|>\n# मधुमेह  \n"
    "<|ref|>text<|/ref|><|det|>[[68, 120, 900, 300]]<|/det|>\nपहली पंक्ति\nदूसरी पंक्ति\n"
    "<|ref|>image<|/ref|><|det|>[[10, 20, 30, 40]]<|/det|>\n"
    "<|ref|>table<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7, 8]]<|/det|>\n"
    "<table><tr><td>1</td></tr></table><｜end▁of▁sentence｜>"
)
BARE = (
    "title[[68, 69, 385, 100]]\n# मधुमेह\n\ntext[[68, 120, 900, 300]]\nपहली पंक्ति\nदूसरी पंक्ति\n\nimage[[10, 20, 30, 40]]\n"
)


def blocks(reply: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse_mmd(read_page(reply))]


def test_places_of_regions_go_and_their_edges_stay() -> None:
    expected = [("heading", "# मधुमेह"), ("paragraph", "पहली पंक्ति दूसरी पंक्ति")]
    assert blocks(GROUNDED) == [*expected, ("table", "<table><tr><td>1</td></tr></table>")]
    assert blocks(BARE) == expected


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("```markdown\n# A\n\nb\n```", "# A\n\nb"),
        ("a\r\nb\n\n \n\nc\n", "a\nb\n\nc"),
        (f"a\n{PAGE_MARK}\nb", "a\n\nb"),
        ("खुराक [[2, 3]] देखें <5 mg> और x<|y", "खुराक [[2, 3]] देखें <5 mg> और x<|y"),
        ("<|ref|>text<|/ref|><|det|>[[1, 2, 3", ""),
        ("<|ref|>image<|/ref|><|det|>[[0, 0, 999, 999]]<|/det|>", ""),
    ],
)
def test_a_reply_becomes_the_text_of_one_page(reply: str, text: str) -> None:
    assert read_page(reply) == text


@pytest.mark.parametrize("reply", ["", " \n", "<｜end▁of▁sentence｜>"])
def test_a_reply_that_says_nothing_is_no_empty_page(reply: str) -> None:
    with pytest.raises(Unusable, match="empty reply"):
        read_page(reply)


PROSE = "\n".join(
    f"{n}. रोगी {n * 37 % 101} को दवा {n * 53 % 97} दिन में {n * 17 % 89} बार {n * 71 % 103} mg दें।" for n in range(60)
)


@pytest.mark.parametrize(
    "loop",
    [
        "OCR" * 40,
        "मधुमेह " * 60,
        "<td>Yes</td>" * 200,
        "यह पंक्ति बार-बार लिखी गई है और इसका कोई अंत नहीं दिखता है।\n" * 12,
        PROSE[:800] + "\nडॉक्टर से पूछें कि यह दवा आपके लिए ठीक है या नहीं है।" * 15,
    ],
)
def test_a_loop_is_no_text(loop: str) -> None:
    with pytest.raises(Unusable, match="looped"):
        read_page(loop)


@pytest.mark.parametrize(
    "page",
    [
        PROSE,
        "<table>" + "<tr><td></td><td></td><td></td></tr>" * 100 + "</table>" + PROSE[:300],
        "\n".join(f"अध्याय {n} {'.' * 60} {n * 12}" for n in range(1, 30)),
        "\n".join(f"{n}. निम्नलिखित में से कौन सा कथन सही है? रोग {n * 37 % 101}, अंग {n * 53 % 97}" for n in range(12)),
        "नहीं नहीं",
    ],
)
def test_what_repeats_in_real_pages_is_no_loop(page: str) -> None:
    assert repeated_share(page) < 0.2
    assert read_page(page) == page


def test_the_picture_goes_before_the_prompt() -> None:
    (message,) = page_messages("data:image/png;base64,AA==", "Read.")
    assert message["role"] == "user"
    assert [part["type"] for part in message["content"]] == ["image_url", "text"]
