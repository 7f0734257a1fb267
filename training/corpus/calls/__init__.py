"""Asking models: every reply is kept before it is used, and a failure is never data."""

from training.corpus.calls.caller import Budget, Caller, CallError, EndpointAwayError
from training.corpus.calls.shapes import Shape, Unusable, response_format
from training.corpus.calls.store import CallStore, Spent
from training.corpus.calls.window import in_order

__all__ = [
    "Budget",
    "CallError",
    "CallStore",
    "Caller",
    "EndpointAwayError",
    "Shape",
    "Spent",
    "Unusable",
    "in_order",
    "response_format",
]
