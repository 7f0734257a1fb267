"""vLLM's reasoning parsers for the two formats: whole outputs by `parse_completion`, streams by `Splitter`.

The formats' markers are plain text of several tokens, so that text is read, not token ids. An output that begins with
JSON or a tool call passes untouched: under a schema a model may write its tags into strings.

In a stream, vLLM looks for tool calls only after a parser has declared the reasoning ended, and from then on passes all
text on unread, closing tags included. So these parsers do that for untouched outputs alone, as those of named and
required tools are. A tool call behind reasoning, which neither format has, is found in whole outputs only.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from vllm.entrypoints.generate.base.protocol import DeltaMessage
from vllm.reasoning import ReasoningParser

from app.answers import parse_completion
from app.formats import RESPONSE_HEADING, THINKING_CLOSE, Format
from server.reasoning.splitter import Splitter

_UNTOUCHED: Final = ("{", "[", "<tool_call>")  # the last is Qwen's, which CURE-Med began as
_COUNTED_AT_ONCE = 32  # tokens
_MARKER_TOKENS = 32  # more than a marker has
_REASONING_ENDS: Final[dict[Format, re.Pattern[str]]] = {
    "himed": re.compile(rf"^{RESPONSE_HEADING}[ \t]*\n", re.IGNORECASE | re.MULTILINE),
    "cure-med": re.compile(THINKING_CLOSE, re.IGNORECASE),
}


class ReasoningTokens:
    """Counts the tokens before the answer, markers included, in an output that may grow."""

    def __init__(self, format: Format, tokenizer: Any) -> None:
        self._format, self._tokenizer = format, tokenizer
        self._ahead, self._behind = Splitter(format), Splitter(format)
        self._counted = 0
        self._reasoned = False

    def count(self, token_ids: Sequence[int]) -> int:
        """The count for an output that begins with that of the last call; 0 where there is no reasoning."""
        while self._counted < len(token_ids) and not self._ahead.answering:
            piece = token_ids[self._counted : self._counted + _COUNTED_AT_ONCE]
            text = self._decode(piece)
            reasoning, answer = self._ahead.feed(text)
            self._reasoned |= bool(reasoning)
            if answer:
                self._counted += self._before_answer(piece)
            else:
                self._counted += len(piece)
                self._behind.feed(text)
        return self._counted if self._reasoned else 0

    def _before_answer(self, token_ids: Sequence[int]) -> int:
        """How many of the tokens, in which the answer begins, come before it."""
        begins = (at for at, token in enumerate(token_ids) if self._behind.feed(self._decode([token]))[1])
        return next(begins, len(token_ids))

    def _decode(self, token_ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=True))


class FormatParser(ReasoningParser):  # type: ignore[misc]
    """What both parsers do; one object reads one choice."""

    # It keeps its own state: vLLM then hands over what is new instead of the text so far, and asks for what is left at
    # the end (`finish_streaming`).
    engine_based_streaming = True
    format: ClassVar[Format]

    def __init__(self, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(tokenizer, *args, **kwargs)
        self._splitter = Splitter(self.format)
        self._opening: str | None = ""  # until it is known whether it is to be left untouched
        self._untouched = False
        self._tokens = ReasoningTokens(self.format, tokenizer)
        self._prompt_length: int | None = None

    def extract_reasoning(self, model_output: str, request: object) -> tuple[str | None, str | None]:
        """Reasoning and content of a whole output, None where there is none."""
        if model_output.lstrip().startswith(_UNTOUCHED):
            return None, model_output
        completion = parse_completion(model_output, self.format)
        if (completion.answer or "") == model_output.strip():
            return None, model_output  # no marker: not a blank less
        return completion.reasoning, completion.answer

    def extract_reasoning_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
    ) -> DeltaMessage | None:
        """What a delta adds; None while it may still become a marker."""
        if self._opening is not None:
            delta_text = self._opening + delta_text
            begun = delta_text.lstrip()
            self._untouched = begun.startswith(_UNTOUCHED)
            undecided = not self._untouched and any(start.startswith(begun) for start in _UNTOUCHED)
            self._opening = delta_text if undecided else None
            if undecided:
                return None
            if self._untouched:
                return _delta("", delta_text)
        return _delta(*self._splitter.feed(delta_text))

    def finish_streaming(self) -> DeltaMessage | None:
        """What was held back, when the output has ended."""
        held = self._splitter.feed(self._opening or "")
        rest = self._splitter.finish()
        return _delta(held[0] + rest[0], held[1] + rest[1])

    def has_engine_confirmed_reasoning_end(self) -> bool:
        """Whether nothing more is to be read."""
        return self._untouched

    def is_reasoning_end(self, input_ids: Sequence[int]) -> bool:
        """Asked of prompts only. They may name the markers, and open nothing."""
        return False

    def is_reasoning_end_streaming(self, input_ids: Sequence[int], delta_ids: Iterable[int]) -> bool:
        """Whether the reasoning ends with the last tokens: from there on a server without the option of
        `server_options` keeps to a request's structure."""
        new = len(list(delta_ids))
        before = len(input_ids) - new
        if self._prompt_length is None:
            self._prompt_length = before
        start = max(self._prompt_length, before - _MARKER_TOKENS)
        text = self.model_tokenizer.decode(list(input_ids[start:]), skip_special_tokens=True)
        return _REASONING_ENDS[self.format].search(text) is not None

    def extract_content_ids(self, input_ids: list[int]) -> list[int]:
        """The tokens of the answer."""
        return input_ids[ReasoningTokens(self.format, self.model_tokenizer).count(input_ids) :]

    def count_reasoning_tokens(self, token_ids: Sequence[int]) -> int:
        """The tokens before the answer, markers included; of an output that may grow from call to call."""
        return self._tokens.count(token_ids)


class HimedParser(FormatParser):
    """HiMed's headings."""

    format = "himed"


class CureMedParser(FormatParser):
    """CURE-Med's tags."""

    format = "cure-med"


def _delta(reasoning: str, content: str) -> DeltaMessage | None:
    # vLLM writes down what was set, and nothing else.
    fields = {name: text for name, text in (("reasoning", reasoning), ("content", content)) if text}
    return DeltaMessage(**fields) if fields else None
