"""The table of a file's translations: each distinct segment once, checked, from the store where it has been before."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from app.endpoint.reply import Reply
from training.checkpoints.lineage import settings_hash
from training.corpus.calls import CallStore, in_order
from training.corpus.calls.store import call_key
from training.corpus.translation.checks import Refused, check_translation
from training.corpus.translation.engines.base import Engine, Failed

PURPOSE = "translate"

Table = dict[str, str | Failed]


async def translate_segments(
    segments: Iterable[str],
    open_engine: Callable[[], Engine],
    store: CallStore,
    identity: Mapping[str, Any],
    *,
    attempts: int,
    least_target: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """The translation of every segment, or why it has none.

    What a local engine says is kept as it was said before it is checked: a killed run loses one batch at most, and
    another run translates only what no attempt has yet been made for. A segment whose translations were all refused
    stays missing; more attempts in the settings try it again, and so does the next run where an endpoint failed.

    Args:
        segments: distinct ones.
        open_engine: called where something is to be translated.
        store: of the unit.
        identity: what the translations depend on beside the segment.
        attempts: at least 1.
        least_target: as of `check_translation`.
        progress: told how many segments are settled, and of how many.

    Raises:
        EndpointAwayError: nothing more can be done now.
    """
    pending = list(dict.fromkeys(segments))
    table: Table = {}
    keys = _Keys(identity)
    engine: Engine | None = None
    for attempt in range(attempts):
        waiting = []
        for segment in pending:
            reply = store.find(call_key(keys.request(segment, attempt)))
            if reply is None:
                waiting.append(segment)
            else:
                table[segment] = _judge(segment, _read(reply), least_target)
        progress(_settled(table), len(table) + len(waiting))
        if waiting:
            engine = engine or open_engine()
            await _translate(waiting, engine, attempt, store, keys, table, least_target, progress)
        pending = [segment for segment in pending if isinstance(table[segment], Failed)]
    return table


async def _translate(
    waiting: Sequence[str],
    engine: Engine,
    attempt: int,
    store: CallStore,
    keys: "_Keys",
    table: Table,
    least_target: float,
    progress: Callable[[int, int], None],
) -> None:
    async def ask(batch: list[str]) -> list[str | Failed]:
        return await engine.translate(batch, attempt)

    total, settled = len(table.keys() | set(waiting)), _settled(table)
    async for batch, said in in_order(engine.batches(waiting, attempt), ask, engine.window):
        for segment, text in zip(batch, said, strict=True):
            if not engine.keeps:
                request = keys.request(segment, attempt)
                store.add(call_key(request), PURPOSE, request, _write(text))
            table[segment] = _judge(segment, text, least_target)
            # It waited since it had no translation: counting the whole table after each batch would take hours.
            settled += isinstance(table[segment], str)
        progress(settled, total)


class _Keys:
    """Requests to a local engine as the store keeps them."""

    def __init__(self, identity: Mapping[str, Any]) -> None:
        self._model = settings_hash(identity)

    def request(self, segment: str, attempt: int) -> bytes:
        return orjson.dumps({"model": self._model, "segment": segment, "attempt": attempt})


def _judge(segment: str, said: str | Failed, least_target: float) -> str | Failed:
    if isinstance(said, Failed):
        return said
    try:
        return check_translation(segment, said, least_target)
    except Refused as refused:
        return Failed(refused.reason, refused.detail)


def _write(said: str | Failed) -> Reply:
    if isinstance(said, Failed):
        return Reply(said.detail, None, said.reason, None, None, 0.0)
    return Reply(said, None, "stop", None, None, 0.0)


def _read(reply: Reply) -> str | Failed:
    return reply.text if reply.finish_reason == "stop" else Failed(reply.finish_reason or "failed", reply.text)


def _settled(table: Table) -> int:
    return sum(isinstance(said, str) for said in table.values())
