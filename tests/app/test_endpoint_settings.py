"""What an endpoint is called with, and the limit and the waits between calls."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from scripted_endpoint import KEY

from app.endpoint import EndpointSettings, Sampling
from app.endpoint.errors import retry_after_s
from app.endpoint.limit import AdaptiveLimit
from app.endpoint.settings import normalise_base_url
from app.errors import InputError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        (" https://[::1]:8000/v1", "https://[::1]:8000/v1"),
        ("https://host.example/v1beta/openai/", "https://host.example/v1beta/openai"),
    ],
)
def test_a_base_url_may_come_with_or_without_v1(url: str, expected: str) -> None:
    assert normalise_base_url(url) == expected


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://host/v1", "http://", "http://host:port/v1", "http://[::1"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="no URL; write it like http"):
        EndpointSettings(url, "m")


@pytest.mark.parametrize("url", [f"http://{KEY}@host/v1", f"http://host/v1?key={KEY}"])
def test_a_key_in_the_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InputError, match="put the key into HIMED_API_KEY") as caught:
        EndpointSettings(url, "m")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": " "},
        {"concurrency": 0},
        {"max_attempts": 0},
        {"timeout_s": 0.0},
        {"max_wait_s": float("nan")},
        {"api_key": SecretStr("two\nlines")},
        {"api_key": SecretStr("कुंजी")},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        EndpointSettings(**({"base_url": "http://127.0.0.1:1", "model": "m"} | changes))


def test_an_empty_key_is_none() -> None:
    assert EndpointSettings("http://127.0.0.1:1", "m", api_key=SecretStr(" ")).api_key is None


def test_extra_fields_may_not_repeat_what_himed_sets() -> None:
    with pytest.raises(ValidationError, match="extra repeats stream, temperature"):
        Sampling(extra={"temperature": 1.0, "stream": True})


def test_retry_after_is_seconds_or_an_http_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True)
    assert retry_after_s("7") == 7
    assert retry_after_s(" 0.5 ") == 0.5
    assert retry_after_s(soon) == pytest.approx(90, abs=2)
    assert retry_after_s(past) == 0
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 -0000") == 0
    assert retry_after_s("soon") is None
    assert retry_after_s("-3") is None
    assert retry_after_s(None) is None


async def test_a_place_handed_over_in_the_moment_of_a_cancellation_is_not_lost() -> None:
    limit = AdaptiveLimit(1)
    await limit.acquire()
    waiters = [asyncio.create_task(limit.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    limit.release()  # hands over to the first waiter, which has not run yet
    waiters[0].cancel()
    waiters[1].cancel()
    await asyncio.wait_for(waiters[2], 1)
    assert limit.in_flight == 1
    limit.release()
    assert limit.in_flight == 0


async def test_failures_of_one_round_trip_halve_the_limit_once() -> None:
    limit = AdaptiveLimit(16)
    tokens = [await limit.acquire() for _ in range(16)]
    for token in tokens:
        limit.throttled(token, None)
    assert limit.current == 8
    for _ in tokens:
        limit.release()
    for _ in range(10):
        limit.throttled(await limit.acquire(), None)
        limit.release()
    assert limit.current == 1
