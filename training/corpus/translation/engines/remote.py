"""Translation by a model at an endpoint: several segments a call, each with its terms of the lexicon."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from app.endpoint.client import Messages
from training.corpus.calls import Caller, CallError, Shape
from training.corpus.translation.engines.base import Failed
from training.corpus.translation.terms import Glosser

INSTRUCTION: Final = """\
You translate English medical text into Hindi, in Devanagari. You are given numbered segments: questions, answer \
options or sentences of an explanation. Translate each on its own and reply with every segment's number and translation.
- Say what the segment says, and only that: no answer, no comment, no further knowledge, even where it is wrong.
- Keep every number, unit, symbol, formula and option letter (A, B, C, …) as it is written.
- Where a segment has terms, use one of the Hindi words given for a term if it fits the meaning.
- Do not add English in parentheses. Write names and abbreviations as Hindi medical texts do.
- One line for each segment."""
AGAIN: Final = "\n- Earlier translations lost or changed a number, a unit or a letter, or were not Hindi. Check each."


class Said(Shape):
    """One translation."""

    number: int
    hindi: str


class Translations(Shape):
    """All translations of a call."""

    translations: list[Said]


class RemoteEngine:
    """Asks a model; the unit's store of calls keeps what it answers.

    Args:
        caller: to the model.
        glosser: whose terms are given with the segments; None for none.
        per_call: segments of one call; further attempts take one each.
        window: calls under way at once.
    """

    keeps: Final = True

    def __init__(self, caller: Caller, glosser: Glosser | None, per_call: int, window: int) -> None:
        self._caller, self._glosser, self._per_call, self.window = caller, glosser, per_call, window

    def batches(self, segments: Sequence[str], attempt: int) -> list[list[str]]:
        """Batches by length; single segments from the second attempt on, so that one cannot spoil another."""
        size = 1 if attempt else self._per_call
        ordered = sorted(segments, key=lambda segment: (-len(segment), segment))
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    async def translate(self, segments: Sequence[str], attempt: int = 0) -> list[str | Failed]:
        """As of `Engine.translate`; a segment that the reply leaves out, or has twice, failed."""
        try:
            reply = await self._caller.ask("translate", self._messages(segments, attempt), Translations)
        except CallError as error:
            return [Failed(error.reason, error.detail, error.again)] * len(segments)
        said: dict[int, list[str]] = {}
        for each in reply.translations:
            said.setdefault(each.number, []).append(each.hindi)
        found = [said.get(number, []) for number in range(1, len(segments) + 1)]
        return [texts[0] if len(texts) == 1 else Failed("left out" if not texts else "said twice") for texts in found]

    def _messages(self, segments: Sequence[str], attempt: int) -> Messages:
        items = []
        for number, segment in enumerate(segments, start=1):
            item: dict[str, object] = {"number": number, "english": segment}
            if terms := self._terms(segment):
                item["terms"] = terms
            items.append(item)
        system = INSTRUCTION + (AGAIN if attempt else "")
        user = orjson.dumps({"segments": items}, option=orjson.OPT_INDENT_2).decode()
        if attempt > 1:
            user += f"\n(attempt {attempt + 1})"
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]

    def _terms(self, segment: str) -> Mapping[str, Sequence[str]]:
        return self._glosser.glossary(segment) if self._glosser else {}
