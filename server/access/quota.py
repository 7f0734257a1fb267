"""Whether a key may make one more request."""

from math import ceil

from server.access.principal import Principal
from server.errors import ApiError

_MINUTE_S = 60.0
_ROUNDING_S = 1e-6


def next_due(principal: Principal, open_now: int, due: float, now: float) -> float:
    """When the requests made so far, this one included, would have come had they kept to the key's rate.

    A bucket of a minute's requests that fills all the time, written as one time (the generic cell rate algorithm): each
    request moves it on by its share of a minute, and it may lie at most a minute ahead.

    Args:
        principal: whose limits.
        open_now: its open requests.
        due: what this returned for its last request, in seconds; 0 for none.
        now: by the same clock.

    Raises:
        ApiError: the key has too many open requests, or made too many in a minute (429, with the time to come back).
    """
    if principal.concurrency is not None and open_now >= principal.concurrency:
        message = f"this key may have {principal.concurrency} open requests; wait for one to end"
        raise ApiError(429, message, code="concurrency_limit", retry_after_s=1)
    if principal.per_minute is None:
        return due
    due = max(due, now) + _MINUTE_S / principal.per_minute
    wait_s = due - now - _MINUTE_S
    if wait_s > _ROUNDING_S:
        message = f"this key may make {principal.per_minute} requests a minute; try again in {ceil(wait_s)} s"
        raise ApiError(429, message, code="rate_limit_exceeded", retry_after_s=wait_s)
    return due
