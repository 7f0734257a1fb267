"""Patterns that are compiled when they are first used: a model that answers "D" never needs most of them."""

import re
from collections.abc import Callable, Iterator
from functools import cached_property


class LazyPattern:
    """A regular expression with the methods of `re.Pattern` that reading needs."""

    def __init__(self, source: str) -> None:
        self._source = source

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._source)

    def match(self, text: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        """Like `re.Pattern.match`."""
        return self._compiled.match(text, start, len(text) if end is None else end)

    def search(self, text: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        """Like `re.Pattern.search`."""
        return self._compiled.search(text, start, len(text) if end is None else end)

    def finditer(self, text: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
        """Like `re.Pattern.finditer`."""
        return self._compiled.finditer(text, start, len(text) if end is None else end)

    def sub(self, replace: Callable[[re.Match[str]], str], text: str) -> str:
        """Like `re.Pattern.sub`."""
        return self._compiled.sub(replace, text)
