"""What goes wrong, in plain words: from an error of the gateway to a sentence in the page's language."""

import logging

import openai

logger = logging.getLogger(__name__)

# The gateway's codes (docs/serving.md) that have words of their own; the rest goes by status.
_BY_CODE = {
    "context_length_exceeded": "too_long",
    "no_backend": "loading",
    "server_stopping": "away",
    "backend_cut": "cut",
    "backend_error": "cut",
    "timeout": "slow",
    "unknown_language": "language",
    "model_not_found": "model",
    "no_database": "no_database",
    "database_away": "database_away",
}
_BY_STATUS = {401: "key", 403: "key", 413: "too_long", 429: "busy", 502: "cut", 503: "loading", 504: "slow"}
# Parameters that hold what somebody typed: the one thing that can be wrong with it is its length.
_TEXTS = frozenset(("question", "history", "answer", "correction", "comment"))


def problem_of(error: Exception) -> str:
    """The key of the sentence that a person reads; what the gateway said word for word stays out of it.

    Any error of the openai client has one; so has a reply that is no answer.
    """
    key = _key(error)
    logger.warning("the gateway: %s (%s, code %s)", key, type(error).__name__, getattr(error, "code", None))
    return f"problem.{key}"


def _key(error: Exception) -> str:
    if isinstance(error, openai.APITimeoutError):
        return "slow"
    if isinstance(error, openai.APIConnectionError):
        return "away"
    if isinstance(error, openai.APIError):
        if (key := _BY_CODE.get(str(error.code))) is not None:
            return key
        if error.code == "invalid_request" and str(error.param).partition(".")[0] in _TEXTS:
            return "too_long"
        if isinstance(error, openai.APIStatusError):
            return _BY_STATUS.get(error.status_code, "refused" if error.status_code < 500 else "broken")
    return "broken"
