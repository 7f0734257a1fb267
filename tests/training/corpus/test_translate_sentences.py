"""Sentences, and what stands between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus.translation.sentences import split_text

WORDS = st.sampled_from(
    [
        *[
            "Dr. ",
            "E. coli ",
            "i.v. ",
            "3.5 mg. ",
            "डॉ. ",
            "है। ",
            "है॥",
            "Heart",
            "$x^2$",
            "\n",
            "\n- ",
            "1. ",
            "**",
            "|",
        ],
        *[
            "\r\n",
            "<br>",
            "`",
            "```",
            "\\[x\\]",
            "\\begin{a}",
            "https://a.b/c ",
            "He left! ",
            ".",
            "$5 ",
            "\u2028",
            " ",
        ],
        *["\x1c", "é", "क्", "ि"],
    ]
)


def sentences(text: str, language: str = "en") -> list[str]:
    return [piece.text for piece in split_text(text, language) if piece.translate]


@given(st.lists(WORDS, max_size=12).map("".join) | st.text(max_size=80), st.sampled_from(["en", "hi"]))
def test_pieces_joined_are_the_text(text: str, language: str) -> None:
    pieces = split_text(text, language)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    for piece in pieces:
        if piece.translate:
            assert piece.text == piece.text.strip()
            assert "\n" not in piece.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dr. Smith saw E. coli. He gave 3.5 mg i.v. daily.", ["Dr. Smith saw E. coli.", "He gave 3.5 mg i.v. daily."]),
        ("S. aureus grows in vitro. P. vivax does not.", ["S. aureus grows in vitro.", "P. vivax does not."]),
        ("It was seen by J. Smith et al. in 1990. Then not.", ["It was seen by J. Smith et al. in 1990.", "Then not."]),
        ("It costs $5 and $10. Fine.", ["It costs $5 and $10.", "Fine."]),
        ("The value of $x^2$ is high.", ["The value of", "is high."]),
        ("See \\(a. b\\) there", ["See", "there"]),
        (
            "1. First. Second\n- **Third**: it\n\n### Head\n> quote",
            ["First.", "Second", "Third", ": it", "Head", "quote"],
        ),
        ("| a | 5 mg |\n| --- | 2 |", ["a"]),
        ("Read https://a.b/c?d=e. Now.", ["Read", "Now."]),
        ("1994", []),
        ("5-10 mg/dL", []),
        ("", []),
    ],
)
def test_english(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("डॉ. शर्मा आए। वह गए॥ क्या? हाँ।", ["डॉ. शर्मा आए।", "वह गए॥", "क्या?", "हाँ।"]),
        ("एक है।दो है।", ["एक है।", "दो है।"]),
        ("पी.एन.डी.टी. अधिनियम है। 3.5 मि.ग्रा. दें।", ["पी.एन.डी.टी. अधिनियम है।", "3.5 मि.ग्रा. दें।"]),
    ],
)
def test_hindi(text: str, found: list[str]) -> None:
    assert sentences(text, "hi") == found
