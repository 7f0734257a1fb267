"""What is read of a request's body, what is refused, and what its backends are sent."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.endpoint import Sampling
from server.backends import Address, BackendGroup
from server.call import Call, Path, read_call, read_object
from server.catalog import Catalog, ServedModel
from server.config import AutoConfig, LimitsConfig
from server.errors import ApiError

_CATALOG = Catalog([ServedModel("m", None, "plain", (), Sampling(), BackendGroup())], AutoConfig())
_HERE = Address("m/0", "http://h/v1", names=(("m", "m"),))
_ELSEWHERE = Address("m/1", "http://h/v1", names=(("m", "other/name"),))
_NO_USAGE = Address("m/2", "http://h/v1", names=(("m", "m"),), stream_usage=False)
_ADDED = {"stream_options": {"include_usage": True}}


def _read(raw: bytes, *, path: Path = "/chat/completions", **limits: int) -> Call:
    return read_call(raw, path, "id", _CATALOG, LimitsConfig(**limits))  # type: ignore[arg-type]


def _call(path: Path = "/chat/completions", limits: dict[str, int] | None = None, **body: Any) -> Call:
    return _read(orjson.dumps({"model": "m"} | body), path=path, **(limits or {}))


def _refused(raw: bytes, **limits: int) -> ApiError:
    with pytest.raises(ApiError) as caught:
        _read(raw, **limits)
    assert caught.value.status in (400, 404)
    return caught.value


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates are no text.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)
_OTHER_FIELDS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
        lambda name: name not in ("model", "n", "best_of", "stream", "stream_options")
    ),
    _JSON,
    max_size=4,
)


def test_a_body_that_needs_no_change_is_sent_as_it_came() -> None:
    raw = b' {\n "model" : "m", "seed":1.50, "messages":[ {"role":"user","content":"\\u0915"} ] }\n'
    assert _read(raw).bytes_for(_HERE) is raw


@given(_OTHER_FIELDS)
def test_what_is_changed_leaves_the_rest_as_it_is(others: dict[str, Any]) -> None:
    call = _call(**others, stream=True)
    assert orjson.loads(call.bytes_for(_HERE)) == call.body | _ADDED
    assert orjson.loads(call.bytes_for(_ELSEWHERE)) == call.body | _ADDED | {"model": "other/name"}
    assert call.bytes_for(_NO_USAGE) is call.raw


def test_new_fields_go_before_the_others_which_stay_as_they_were_written() -> None:
    raw = b'\t{ "model":"m","stream":true, "seed":1e2,"x":"\\u0915" }'
    assert _read(raw).bytes_for(_HERE) == b'{"stream_options":{"include_usage":true},' + raw[2:]


def test_a_model_has_another_name_at_a_backend() -> None:
    call = _call(messages=[])
    assert orjson.loads(call.bytes_for(_ELSEWHERE)) == {"model": "other/name", "messages": []}
    assert call.bytes_for(_HERE) is call.raw


def test_auto_becomes_the_name_of_a_model() -> None:
    call = _read(b'{"model":"auto","messages":[]}')
    assert call.model.name == "m"
    assert orjson.loads(call.bytes_for(_HERE)) == {"model": "m", "messages": []}


@pytest.mark.parametrize(
    ("more", "adds"),
    [
        ({}, True),
        ({"n": 1}, True),
        ({"stream_options": None}, True),
        ({"stream_options": {}}, True),
        ({"stream_options": {"include_usage": False}}, True),
        ({"stream_options": {"include_usage": True}}, False),
        ({"stream_options": {"include_usage": False, "continuous_usage_stats": True}}, False),
        ({"stream_options": [1]}, False),
        ({"stream_options": "x"}, False),
        ({"n": 2}, False),
        ({"stream": False}, False),
        ({"stream": "yes"}, False),
    ],
)
def test_a_streams_tokens_are_asked_for_where_that_changes_nothing_else(more: dict[str, Any], adds: bool) -> None:
    call = _call(**({"stream": True} | more))
    assert call.adds_usage(_HERE) == adds
    sent = orjson.loads(call.bytes_for(_HERE))
    assert sent == call.body | (_ADDED if adds else {})
    assert not call.adds_usage(_NO_USAGE)


def test_a_token_limit_is_set_where_none_was_asked_for() -> None:
    limits = {"max_tokens": 100}
    call = _call(limits=limits, messages=[])
    assert orjson.loads(call.bytes_for(_HERE)) == {"model": "m", "messages": [], "max_tokens": 100}
    assert orjson.loads(_call(limits=limits, max_tokens=None).bytes_for(_HERE))["max_tokens"] == 100
    assert orjson.loads(_call("/completions", limits, max_completion_tokens=5).bytes_for(_HERE))["max_tokens"] == 100


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_tokens_up_to_the_limit_pass_untouched(field: str) -> None:
    call = _call(limits={"max_tokens": 100}, **{field: 100})
    assert call.bytes_for(_HERE) is call.raw


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", "n", "best_of"])
@pytest.mark.parametrize("value", [101, 101.0, 1e300, 2**64, "101", "5"])
def test_more_than_is_allowed_is_refused(field: str, value: Any) -> None:
    raw = b'{"model":"m","%b":%b}' % (
        field.encode(),
        str(value).encode() if not isinstance(value, str) else b'"%b"' % value.encode(),
    )
    error = _refused(raw, max_tokens=100, choices=100)
    assert (error.status, error.param) == (400, field)
    assert error.type == "invalid_request_error"


@pytest.mark.parametrize("value", [0, -1, True, None, [7], {}])
def test_counts_that_are_none_are_the_backends_to_judge(value: Any) -> None:
    call = _call(n=value, limits={"choices": 4})
    assert call.bytes_for(_HERE) is call.raw


def test_the_last_of_a_field_given_twice_counts_as_it_does_for_vllm() -> None:
    assert _refused(b'{"model":"m","n":1,"n":99}', choices=4).param == "n"
    call = _read(b'{"model":"gone","model":"m","n":99,"n":1}', choices=4)
    assert call.model.name == "m"
    assert call.bytes_for(_HERE) is call.raw
    assert orjson.loads(call.bytes_for(_ELSEWHERE)) == {"model": "other/name", "n": 1}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"model":"m"',
        b'{"model":"m"}x',
        b"[]",
        b'"m"',
        b"null",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"model":"m"}',
        b'{"model":"m","x":NaN}',
        b'{"model":"m","x":Infinity}',
        b'{"model":"m","x":"\\ud800"}',
        b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    error = _refused(raw)
    assert error.code == "invalid_json"
    assert len(error.message) < 200


@pytest.mark.parametrize("name", [b"", b'"model":null', b'"model":""', b'"model":3', b'"model":["m"]', b'"Model":"m"'])
def test_a_request_without_a_model_is_refused(name: bytes) -> None:
    assert _refused(b"{" + name + b"}").param == "model"


def test_a_model_that_is_not_served_is_named_with_those_that_are() -> None:
    error = _refused(orjson.dumps({"model": "x" * 10_000}))
    assert (error.status, error.code) == (404, "model_not_found")
    assert error.message.endswith("there are: m, auto")
    assert len(error.message) < 400


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ApiError):
        assert isinstance(read_object(raw), dict)


@pytest.mark.parametrize(
    ("prompt", "count"), [("a", 1), ([1, 2, 3], 1), (["a", "b"], 2), ([[1, 2], [3]], 2), (["a"], 1), ([], 1), (None, 1)]
)
def test_prompts_count_as_choices(prompt: Any, count: int) -> None:
    _call("/completions", {"choices": count}, prompt=prompt)
    if count > 1:
        refused = _refused(orjson.dumps({"model": "m", "prompt": prompt}), choices=count - 1)
        assert refused.param == "prompt"
        _refused(orjson.dumps({"model": "m", "prompt": prompt, "n": 2}), choices=2 * count - 1)


def test_tokens_are_not_counted_for_us_in_a_stream_of_several_prompts() -> None:
    one, two = (_call("/completions", prompt=prompt, stream=True) for prompt in (["a"], ["a", "b"]))
    assert (one.adds_usage(_HERE), two.adds_usage(_HERE)) == (True, False)


def test_a_body_that_is_too_deep_to_be_written_anew_is_refused() -> None:
    raw = b'{"model":"m","x":' + b"[" * 400 + b"]" * 400 + b"}"
    assert _read(raw).bytes_for(_HERE) is raw
    with pytest.raises(ApiError, match="nested too deeply"):
        _read(raw).bytes_for(_ELSEWHERE)
