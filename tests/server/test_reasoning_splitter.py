"""`Splitter`: reasoning and answer of a stream, wherever it is cut, as `parse_completion` finds them in the whole."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.answers import parse_completion
from app.formats import FORMATS, Format, cure_med_completion, himed_completion
from server.reasoning.splitter import Splitter

LONG = "Fever." * 400  # more than is held back
STEPS = "<step1>Fever.</step1>\n<step2>Rash.</step2>"


def split(text: str, format: Format, size: int | None = None) -> tuple[str, str]:
    """The joined parts of a text that comes in pieces of ``size`` characters."""
    splitter = Splitter(format)
    size = size or max(len(text), 1)
    pieces = [splitter.feed(text[start : start + size]) for start in range(0, len(text), size)]
    pieces.append(splitter.finish())
    reasoning, answer = ("".join(part) for part in zip(*pieces, strict=True))
    return reasoning, answer


def parsed(text: str, format: Format) -> tuple[str, str]:
    completion = parse_completion(text, format)
    return completion.reasoning or "", completion.answer or ""


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("plain", "## Response\n\nD"),
        ("plain", "<think>Fever and rash.</think>\n\nMeasles."),
        ("plain", "<think>Fever and rash, so the answer is D"),
        ("plain", "Write <think> to reason aloud.</think>"),
        ("himed", "## Thinking\n\nFever.\n\nRash.\n\n## Response\n\nA.\n\nB."),
        ("himed", "\n## Thinking\nFever.\n## Response\nMeasles.\n"),
        ("himed", "D"),
        ("himed", "## Thinking\n\nThe answer is D"),
        ("himed", "## Thinking\n\nFever.\n\n## Respon"),
        ("himed", "## Thinking\n\nFever.\n\n## Response"),
        ("himed", "## Thinking\n\nI end with ## Response and the answer.\n\n## Response\n\nD"),
        ("himed", "## Thinking\n\n## Response to treatment\n\nIt was good."),
        ("himed", "### thinking\nFever.\n# **RESPONSE:**\nD"),
        ("himed", "## Thinking: Fever.\n## Response: D"),
        ("himed", "## Thinking\n\n## Thinking: aloud.\n\n## Response\n\nD\n## Response: none"),
        ("himed", "## Response\n\nD\n\n## Thinking\n\nFever."),
        ("himed", "## Thinking\n\nFever.\n\n## Response\n\nD\n\n## Thinking\n\nMore"),
        ("himed", "<think>Hm, ## Response\n D</think>D"),
        ("himed", "<think>Hm.</think>## Response\nD"),
        ("cure-med", f"<thinking>{STEPS}</thinking>\n<answer>Measles.</answer>"),
        ("cure-med", f"<thinking>{STEPS}<step3>The answer is D"),
        ("cure-med", f"< Thinking >\n{STEPS}\n</THINKING><Answer>\nD\n</Answer> Done."),
        ("cure-med", "<thinking>Maybe <answer>A</answer>, but then"),
        ("cure-med", "<thinking>Maybe <answer>A"),
        ("cure-med", "<thinking>Fever.<answer>D</answer>\n"),
        ("cure-med", "<thinking>I use <answer> tags.</thinking><answer>D</answer>"),
        ("cure-med", "<thinking>Fever.</thinking>\nD"),
        ("cure-med", "<thinking>Fever.</thinking>\n<answer>Measles is"),
        ("cure-med", "<thinking>a</thinking><thinking>b</thinking><answer>B</answer>"),
        ("cure-med", "<step1>Fever.</step1>\n<step2>Rash.</step2>\nD"),
        ("cure-med", "<step1>Fever.</step1><step2>The answer"),
        ("cure-med", "<answer>D</answer>"),
        ("cure-med", "<thinking></thinking><answer>D</answer>"),
        # Reasoning that was not opened is none of the answer.
        ("himed", "Consider A first.\n\n## Response\n\nC"),
        ("himed", "Sure!\n\n## Thinking\n\nFever.\n\n## Response\n\nD"),
        ("himed", "Fever.\n\n## Thinking\n\n## Response\n\nD"),
        ("himed", "Fever.\n\n## Thinking\n"),
        ("himed", "Hm, A.</think>B"),
        ("cure-med", "I think B because of X.\n</thinking>\n<answer>B</answer>"),
        ("cure-med", "Fever, so <answer>D</answer>"),
        ("cure-med", "Sure! <thinking>Fever.</thinking><answer>D</answer>"),
        ("cure-med", "Sure! <step1>Fever.</step1> D"),
        ("cure-med", "D</answer>"),
        ("cure-med", "Hm, A.</think><answer>B</answer>"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, None])
def test_a_stream_gives_what_the_whole_text_gives(format: Format, text: str, size: int | None) -> None:
    reasoning, answer = split(text, format, size)
    assert (reasoning, answer.strip()) == parsed(text, format)


@pytest.mark.parametrize(
    ("format", "text", "reasoning", "answer"),
    [
        ("plain", "Fever.</think>Measles.", "", "Fever.\n\nMeasles."),
        ("himed", "Hm.\n## Response\nD\n## Thinking\nFever.", "Hm.", "D"),
        ("himed", f"{LONG}\n\n## Response\n\nD", "", f"{LONG}\n\nD"),
        ("himed", "## Thinking\n\nFever.\n\n## Response\n\nA\n\n## Response\n\nB", "Fever.", "A\n\nB"),
        ("himed", "<think>Hm.</think>## Thinking\n\nFever.\n\n## Response\n\nD", "Hm.\n\nFever.", "D"),
        ("himed", "## Response: A\n## Response\nB", "", "A\n\nB"),
        ("cure-med", f"{LONG}</thinking><answer>D</answer>", "", f"{LONG}\n\nD"),
        ("cure-med", "<step1>a</step1> so <step2>b</step2> D", "<step1>a</step1>\n\n<step2>b</step2>", "so\n\nD"),
        ("cure-med", "<thinking>a</thinking> So: <answer>D</answer>", "a", "So:\n\nD"),
        ("cure-med", "<thinking>a</thinking><answer>A</answer><answer>B</answer>", "a", "A\n\nB"),
        ("cure-med", "<answer>D</answer><thinking>a</thinking>", "a", "D"),
        ("cure-med", "<thinking>Or <answer>A</answer></think>B", "Or <answer>A</answer>", "B"),
    ],
)
@pytest.mark.parametrize("size", [1, None])
def test_what_a_stream_cannot_know_is_read_in_order(
    format: Format, text: str, reasoning: str, answer: str, size: int | None
) -> None:
    assert split(text, format, size) == (reasoning, answer)
    assert parsed(text, format) != (reasoning, answer)


@pytest.mark.parametrize("format", FORMATS)
def test_json_passes_untouched_and_at_once(format: Format) -> None:
    splitter = Splitter(format)
    assert splitter.feed(' {"a": "#b') == ("", ' {"a": "#b')
    assert splitter.feed("लाल <b>") == ("", "लाल <b>")
    assert splitter.feed("}\n \n") == ("", "}")
    assert splitter.finish() == ("", "\n \n")
    assert split("  \n", format) == ("", "  \n")


@pytest.mark.parametrize("format", ["himed", "cure-med"])
def test_a_text_without_markers_comes_whole_at_its_end_or_when_it_is_long(format: Format) -> None:
    splitter = Splitter(format)
    assert splitter.feed(" D") == ("", "")
    assert not splitter.answering
    assert splitter.finish() == ("", " D")
    splitter = Splitter(format)
    assert splitter.feed("x" * 2_000) == ("", "")
    assert splitter.feed("y") == ("", "x" * 2_000 + "y")
    assert splitter.feed("z\n") == ("", "z")
    assert splitter.finish() == ("", "\n")


def test_a_plain_models_text_comes_as_it_is_written() -> None:
    assert Splitter("plain").feed("Fever") == ("", "Fever")


def test_only_what_may_be_a_marker_is_held_back() -> None:
    splitter = Splitter("himed")
    assert splitter.feed("## Thinking\n\nFever. ") == ("Fever.", "")
    assert splitter.feed("Rash\n\n## Res") == (" Rash", "")
    assert splitter.feed("t helps\n#") == ("\n\n## Rest helps", "")
    assert not splitter.answering
    assert splitter.feed("# Response\nIt is <3 D") == ("", "It is <3 D")
    assert splitter.answering
    splitter = Splitter("cure-med")
    assert splitter.feed("<thinking>a < b <") == ("a < b", "")
    assert splitter.feed("3 <step1>x</step1></thin") == (" <3 <step1>x</step1>", "")
    assert splitter.feed("king>\n<answer>D</a") == ("", "D")
    assert splitter.feed("nswer>") == ("", "")


PIECES = st.lists(
    st.sampled_from(
        [
            *"<think> </think> <thinking> </thinking> <answer> </answer> <step1> </step2> D \n x # < \t".split(" "),
            *["\n## Thinking\n", "\n## Response\n", "## Response: ", "## ", "**", ":", " ", "Response", "\n"],
        ]
    ),
    max_size=20,
).map("".join)


@given(text=PIECES, format=st.sampled_from(FORMATS), cuts=st.lists(st.integers(1, 9), min_size=1))
@example(text="<thinking><answer>A</answer>  , but", format="cure-med", cuts=[1])
@example(text="## Response:*", format="himed", cuts=[1])
def test_it_does_not_matter_where_a_stream_is_cut(text: str, format: Format, cuts: list[int]) -> None:
    splitter, start, turn = Splitter(format), 0, 0
    reasoning = answer = ""
    while start < len(text):
        size = cuts[turn % len(cuts)]
        more = splitter.feed(text[start : start + size])
        reasoning, answer = reasoning + more[0], answer + more[1]
        start, turn = start + size, turn + 1
    more = splitter.finish()
    assert (reasoning + more[0], answer + more[1]) == split(text, format)


@given(text=PIECES, format=st.sampled_from(FORMATS))
def test_a_well_formed_text_is_split_alike(text: str, format: Format) -> None:
    if parse_completion(text, format).well_formed and (format != "plain" or "think>" not in text):
        reasoning, answer = split(text, format)
        assert (reasoning, answer.strip()) == parsed(text, format)


WORDS = st.text(st.characters(categories=("L", "N", "P", "Z"), exclude_characters="<>#"), min_size=1).filter(str.strip)


@given(reasoning=WORDS, answer=WORDS, size=st.integers(1, 30))
def test_what_the_formats_write_is_split_again(reasoning: str, answer: str, size: int) -> None:
    expected = (reasoning.strip(), answer.strip())
    assert split(himed_completion(reasoning, answer), "himed", size) == expected
    assert split(cure_med_completion(reasoning, answer), "cure-med", size) == expected


@pytest.mark.parametrize("piece", ["<think>", "</thinking>", "<thinking><answer>", "#", "## Response\n", "<", " ", "*"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_long_run_of_markers_takes_linear_time(piece: str, format: Format) -> None:
    text = piece * (200_000 // len(piece))
    started = time.perf_counter()
    assert split(text, format, 50) == split(text, format)
    assert time.perf_counter() - started < 10
