"""vLLM's side of the parsers, without a server: registration, deltas, token counts, the end of reasoning."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.formats import Format, cure_med_completion, himed_completion
from server.reasoning import register, server_options

COMPLETIONS: dict[Format, str] = {
    "himed": himed_completion("पहले लक्षण देखें।\n\nFever and rash.", "उत्तर: A"),
    "cure-med": cure_med_completion("<step1>First the symptoms.</step1>", "उत्तर: D"),
}
FORMATS = pytest.mark.parametrize("format", COMPLETIONS)


def test_the_package_starts_fast() -> None:
    check = (
        "import sys, server.reasoning, server.reasoning.splitter\n"
        "assert not {'torch', 'transformers', 'vllm', 'fastapi'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_plain_model_needs_no_options() -> None:
    assert server_options("plain") == ()
    assert server_options("himed")[:2] == ("--reasoning-parser", "himed")


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_checkpoint)


def new_parser(format: Format, tokenizer: Any) -> Any:
    pytest.importorskip("vllm")
    from vllm.reasoning import ReasoningParserManager

    register()
    return ReasoningParserManager.get_reasoning_parser(format)(tokenizer, model_config=None)


def streamed(format: Format, tokenizer: Any, pieces: list[str]) -> tuple[str, str]:
    """Reasoning and content as vLLM's server reads them from a stream's pieces."""
    pytest.importorskip("vllm")
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.parser import ParserManager

    register()
    request = ChatCompletionRequest(model="m", messages=[{"role": "user", "content": "x"}], stream=True)
    parser = ParserManager.get_parser(reasoning_parser_name=format)(tokenizer)
    deltas = [
        parser.parse_delta(piece, [], request, [1] if place == 0 else None, finished=place == len(pieces) - 1)
        for place, piece in enumerate(pieces)
    ]
    told = [delta for delta in deltas if delta is not None]
    return "".join(delta.reasoning or "" for delta in told), "".join(delta.content or "" for delta in told)


@FORMATS
def test_deltas_hold_what_was_set_and_nothing_else(format: Format, tokenizer: Any) -> None:
    parser = new_parser(format, tokenizer)
    assert parser.extract_reasoning_streaming("", "", "D", [], [], []) is None
    assert parser.extract_reasoning_streaming("", "", "\n", [], [], []) is None
    assert parser.finish_streaming().model_dump(exclude_unset=True) == {"content": "D\n"}
    parser = new_parser(format, tokenizer)
    delta = parser.extract_reasoning_streaming("", "", "[1", [], [], [])
    assert delta.model_dump(exclude_unset=True) == {"content": "[1"}


@FORMATS
@pytest.mark.parametrize(
    "text", [' {"a": "<answer>b</answer>"}', "[1]", '<tool_call>{"name": "f"}', "<tool", " <", "", "  ", "D\n"]
)
def test_json_and_plain_answers_are_left_as_they_are(format: Format, tokenizer: Any, text: str) -> None:
    assert new_parser(format, tokenizer).extract_reasoning(text, None) == (None, text)
    for pieces in ([text], [*text, ""]):
        assert streamed(format, tokenizer, pieces) == ("", text)


@FORMATS
def test_vllm_splits_a_stream(format: Format, tokenizer: Any) -> None:
    whole = new_parser(format, tokenizer).extract_reasoning(COMPLETIONS[format], None)
    assert all(whole)
    for pieces in ([COMPLETIONS[format]], list(COMPLETIONS[format])):
        assert streamed(format, tokenizer, pieces) == whole


@pytest.mark.parametrize(
    ("format", "text", "parts"),
    [
        ("himed", "Consider A first.\n\n## Response\n\nC", ("Consider A first.", "C")),
        ("cure-med", "I think B because of X.\n</thinking>\n<answer>B</answer>", ("I think B because of X.", "B")),
    ],
)
def test_reasoning_that_was_not_opened_is_no_content(
    format: Format, text: str, parts: tuple[str, str], tokenizer: Any
) -> None:
    assert new_parser(format, tokenizer).extract_reasoning(text, None) == parts
    for pieces in ([text], list(text)):
        assert streamed(format, tokenizer, pieces) == parts


@FORMATS
def test_only_reasoning_leaves_the_content_empty(format: Format, tokenizer: Any) -> None:
    cut = COMPLETIONS[format][:22]
    reasoning, content = new_parser(format, tokenizer).extract_reasoning(cut, None)
    assert reasoning
    assert content is None


@FORMATS
def test_tokens_are_counted_alike_at_once_and_as_they_come(format: Format, tokenizer: Any) -> None:
    text = COMPLETIONS[format]
    ids = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
    parser = new_parser(format, tokenizer)
    counts = [parser.count_reasoning_tokens(ids[:length]) for length in range(1, len(ids) + 1)]
    assert counts[-1] == new_parser(format, tokenizer).count_reasoning_tokens(tuple(ids))
    assert counts == sorted(counts)
    content = parser.extract_content_ids(ids)
    assert len(ids) - len(content) == counts[-1]
    assert "उत्तर" in tokenizer.decode(content)
    assert "लक्षण" not in tokenizer.decode(content)
    assert "step1" not in tokenizer.decode(content)
    assert new_parser(format, tokenizer).count_reasoning_tokens(tokenizer.encode("उत्तर: A")) == 0


@FORMATS
def test_reasoning_ends_with_its_marker_and_not_with_one_in_the_prompt(format: Format, tokenizer: Any) -> None:
    parser = new_parser(format, tokenizer)
    prompt = tokenizer.encode(f"Write {COMPLETIONS[format]}")
    output = tokenizer.encode(COMPLETIONS[format], add_special_tokens=False)
    assert not parser.is_reasoning_end(prompt)
    ends = [
        parser.is_reasoning_end_streaming(prompt + output[: length + 1], [output[length]])
        for length in range(len(output))
    ]
    first = tokenizer.decode(output[: ends.index(True) + 1])
    assert first.rstrip("\n").endswith({"himed": "## Response", "cure-med": "</thinking>"}[format])
