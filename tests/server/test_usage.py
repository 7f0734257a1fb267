"""The tap on a stream: whole events pass, tokens are counted, and what only we asked for is taken out."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.usage import UsageTap

_DONE = b"data: [DONE]\n\n"
_FINGERPRINT = "vllm-0.31.0-73f3f055"
_USAGE = {"prompt_tokens": 25, "total_tokens": 29, "completion_tokens": 4}
# Texts of a model that look like what the tap looks for.
_TRICKS = [
    '"usage":{',
    '"finish_reason":"stop"',
    '"choices":[]',
    "\n\n",
    "data: [DONE]\n\n",
    '\\"usage\\":{',
    "\r\n\r\n",
]
_TEXTS = st.lists(st.one_of(st.sampled_from(_TRICKS), st.text(max_size=20)), max_size=8)


def _event(choices: list[dict[str, Any]], **more: Any) -> bytes:
    head = {"id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return b"data: " + orjson.dumps(head | more) + b"\n\n"


def _choice(text: str, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}


def _stream(texts: list[str], *, usage: bool, choices: int = 1) -> bytes:
    """A stream as vLLM 0.31.0 writes it, with a count of tokens or without."""
    fingerprint = {"system_fingerprint": _FINGERPRINT}
    events = [_event([_choice("", index=index)]) for index in range(choices)]
    events += [_event([_choice(text, index=number % choices)]) for number, text in enumerate(texts)]
    for index in range(choices):
        last = index == choices - 1 and not usage
        events.append(_event([_choice("", "stop", index)], **(fingerprint if last else {})))
    if usage:
        events.append(_event([], usage=_USAGE, **fingerprint))
    return b"".join([*events, _DONE])


@st.composite
def _cuts(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """The stream in pieces of any size."""
    places = sorted(draw(st.sets(st.integers(0, len(stream)), max_size=30)))
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def _pass(tap: UsageTap, pieces: list[bytes]) -> list[bytes]:
    return [*(tap.feed(piece) for piece in pieces), tap.close()]


@given(st.data(), _TEXTS)
def test_a_stream_whose_count_only_we_asked_for_is_as_it_would_have_been(data: st.DataObject, texts: list[str]) -> None:
    tap = UsageTap(strip=True)
    passed = _pass(tap, data.draw(_cuts(_stream(texts, usage=True))))
    assert b"".join(passed) == _stream(texts, usage=False)
    assert tap.usage == _USAGE
    assert all(not part or part.endswith(b"\n\n") for part in passed)


@pytest.mark.parametrize("usage", [True, False])
@given(st.data(), _TEXTS, st.integers(1, 3))
def test_other_streams_pass_byte_for_byte(usage: bool, data: st.DataObject, texts: list[str], choices: int) -> None:
    stream = _stream(texts, usage=usage, choices=choices)
    tap = UsageTap(strip=False)
    passed = _pass(tap, data.draw(_cuts(stream)))
    assert b"".join(passed) == stream
    assert tap.usage == (_USAGE if usage else None)
    assert all(not part or part.endswith(b"\n\n") for part in passed)


@given(st.data(), _TEXTS)
def test_a_stream_that_brings_no_count_though_we_asked_passes_byte_for_byte(
    data: st.DataObject, texts: list[str]
) -> None:
    stream = _stream(texts, usage=False)
    tap = UsageTap(strip=True)
    assert b"".join(_pass(tap, data.draw(_cuts(stream)))) == stream
    assert tap.usage is None


def test_only_the_last_event_waits_for_the_count() -> None:
    tap = UsageTap(strip=True)
    first, second, last = _event([_choice("a")]), _event([_choice("b")]), _event([_choice("", "stop")])
    assert tap.feed(first) == first
    assert tap.feed(second + last) == second
    assert tap.feed(_event([], usage=_USAGE)) == last
    assert tap.feed(_DONE) == _DONE


def test_half_an_event_waits_for_its_other_half() -> None:
    tap = UsageTap(strip=False)
    event = _event([_choice("a")])
    assert tap.feed(event[:30]) == b""
    assert tap.feed(event[30:] + event[:7]) == event
    assert tap.close() == event[:7]


def test_a_count_in_each_event_is_read_from_the_last() -> None:
    tap = UsageTap(strip=False)
    for count in range(3):
        event = _event([_choice("a")], usage={"prompt_tokens": 5, "completion_tokens": count})
        assert tap.feed(event) == event
    assert tap.usage == {"prompt_tokens": 5, "completion_tokens": 2}


def test_counts_that_come_in_one_piece_are_read_from_the_last() -> None:
    tap = UsageTap(strip=False)
    events = [_event([_choice("a")], usage={"completion_tokens": count}) for count in range(3)]
    assert tap.feed(b"".join(events)) == b"".join(events)
    assert tap.usage == {"completion_tokens": 2}


@pytest.mark.parametrize("strip", [True, False])
def test_events_that_end_in_other_lines_are_not_held(strip: bool) -> None:
    tap = UsageTap(strip=strip)
    event = _event([_choice("a")]).replace(b"\n\n", b"\r\n\r\n")
    assert tap.feed(event) == event
    assert tap.feed(event + event[:9]) == event
    assert tap.feed(event[9:]) == event
    assert tap.close() == b""


@pytest.mark.parametrize("broken", [b'data: {"usage":{"prompt\n\n', b'data: {"usage":{},\n\n', b': "usage":{\n\n'])
@pytest.mark.parametrize("strip", [True, False])
def test_what_cannot_be_read_passes(broken: bytes, strip: bool) -> None:
    tap = UsageTap(strip=strip)
    assert b"".join(_pass(tap, [broken, _DONE])) == broken + _DONE
    assert tap.usage is None


def test_events_with_blanks_in_their_json_are_counted_and_stripped_too() -> None:
    def event(**fields: Any) -> bytes:
        return b"data: " + json.dumps(fields).encode() + b"\n\n"  # json writes blanks, as servers in Python do

    first, last = event(choices=[_choice("a")]), event(choices=[_choice("", "stop")])
    tap = UsageTap(strip=True)
    passed = (
        tap.feed(first) + tap.feed(last) + tap.feed(event(choices=[], usage=_USAGE)) + tap.feed(_DONE) + tap.close()
    )
    assert passed == first + last + _DONE
    assert tap.usage == _USAGE
