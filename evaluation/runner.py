"""Runs: generate, score as answers arrive, commit in batches; killed at any moment, go on where it was."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Engine as Database
from sqlalchemy import select as sql_select

from app.database import open_session
from app.endpoint import Endpoint, EndpointError, EndpointSettings, Reply
from app.errors import InputError
from app.settings import Settings
from app.tables import RunRow, VerdictRow
from evaluation.benchmarks.item import Item
from evaluation.imports import PredictionImport
from evaluation.plan import Plan
from evaluation.progress import RunProgress
from evaluation.results.records import JUDGE_SCORERS, Generation, Record, Verdict, load_records
from evaluation.results.runs import claim_run, count_stored, ensure_benchmark, ensure_model, open_run, release_run
from evaluation.results.writer import RunWriter
from evaluation.scorers import score_generation
from evaluation.scorers.base import read_attempt
from evaluation.scorers.judge import Judge, JudgeSpec

Work = TypeVar("Work")

# Statuses after which no other request of the run can succeed.
_HOPELESS = {401, 403, 404}


class RunStoppedError(InputError):
    """The endpoint cannot be used: the run stopped, and what was done is kept."""


class Runner:
    """One evaluation: finds or creates its run, does what is missing, and releases it."""

    def __init__(self, plan: Plan, settings: Settings, database: Database) -> None:
        self.plan, self.settings, self.database = plan, settings, database
        self.run, self._created = open_run(
            database,
            benchmark_id=ensure_benchmark(database, plan.benchmark),
            model_id=ensure_model(database, plan.model_name, plan.revision, plan.format),
            fingerprint=plan.fingerprint,
            source=plan.source,
            settings=plan.settings,
            prompt_hash=plan.prompt_hash,
            items=plan.items,
            samples=plan.config.samples,
            new=plan.config.new,
        )
        self.records = self._load_records()
        self._prompts: dict[str, list[dict[str, str]]] = {}

    def _load_records(self) -> list[Record]:
        with open_session(self.database) as session:
            records = load_records(session, self.run)
        if (judge := self.judge) is not None:
            # A figure never mixes two judges: from now on only this one's verdicts count.
            for scores in (generation.scores for record in records for generation in record.generations):
                for name in JUDGE_SCORERS:
                    if name in scores and scores[name].version != judge.version:
                        del scores[name]
        return records

    @property
    def done(self) -> int:
        """Generations with a text that were written to the database."""
        return sum(g.text is not None and g.id is not None for record in self.records for g in record.generations)

    @property
    def failed(self) -> list[tuple[Item, Generation]]:
        """Generations that failed for good."""
        return [(record.item, g) for record in self.records for g in record.generations if g.text is None]

    def execute(self) -> RunRow:
        """Do everything that is missing. The run is released with a true status whatever happens.

        Raises:
            InputError: another process works on the run, the endpoint cannot be used (`RunStoppedError`), or a server
                cannot be started.
            sqlalchemy.exc.OperationalError: the database stays away.
            KeyboardInterrupt: interrupted; what was done is kept.
        """
        if self.run.status == "finished" and self.done == self.plan.generations and not self.unjudged:
            return self.run
        if not self._created:
            claim_run(self.database, self.run, self.plan.settings)
            self.records = self._load_records()  # another process may have worked on it since
        status = "interrupted"
        try:
            asyncio.run(self._work())
            complete = count_stored(self.database, self.run.id) == self.plan.generations and not self.unjudged
            status = "finished" if complete else "incomplete"
        finally:
            self.run = release_run(self.database, self.run.id, status)
        return self.run

    @property
    def judge(self) -> JudgeSpec | None:
        """The judge that was asked for."""
        config = self.plan.config
        if config.judge_model is None:
            return None
        return JudgeSpec(config.judge_model, ("correct", "language") if config.judge_language else ("correct",))

    @property
    def unjudged(self) -> list[tuple[Record, Generation]]:
        """Generations without a score of the judge that was asked for."""
        if (judge := self.judge) is None:
            return []
        return [
            (record, generation)
            for record in self.records
            for generation in record.generations
            if generation.text is not None and not judge.has_judged(record.item, generation)
        ]

    async def _work(self) -> None:
        plan = self.plan
        async with RunWriter(self.database, self.run.id) as writer:
            if plan.source == "predictions":
                assert plan.predictions is not None
                source = PredictionImport(plan.predictions, plan.model_name, plan.revision, plan.format)
                await source.store(self.records, writer)
            elif missing := list(self._missing()):
                async with self._open_endpoint() as endpoint:
                    await self._generate(endpoint, writer, missing)
            await self._judge_all(writer)

    def _missing(self) -> Iterator[tuple[Record, int]]:
        for sample in range(self.plan.config.samples):
            for record in self.records:
                if not any(g.sample == sample and g.text is not None for g in record.generations):
                    yield record, sample

    @asynccontextmanager
    async def _open_endpoint(self) -> AsyncIterator[Endpoint]:
        config = self.plan.config
        if config.model is None:
            settings = EndpointSettings(
                base_url=config.endpoint or "",
                model=config.served_model or "",
                concurrency=config.concurrency,
                timeout_s=config.timeout,
                api_key=self.settings.api_key,
            )
            async with Endpoint(settings) as endpoint:
                yield endpoint
            return
        from app.engine import Engine, EngineSettings

        served = EngineSettings(
            model=config.model,
            served_model_name=self.plan.model_name,
            max_model_len=config.max_model_len,
            chat_template=config.chat_template,
            log_dir=self.settings.log_dir,
        )
        print(f"starting vLLM for {config.model} (its log goes to {self.settings.log_dir})", file=sys.stderr)
        async with Engine(served) as engine:
            settings = engine.endpoint_settings(concurrency=config.concurrency, timeout_s=config.timeout)
            try:
                async with Endpoint(settings) as endpoint:
                    yield endpoint
            except RunStoppedError:
                if engine.running:
                    raise
                raise RunStoppedError(f"vLLM ended during the run (its log is {engine.log})") from None

    async def _generate(self, endpoint: Endpoint, writer: RunWriter, missing: list[tuple[Record, int]]) -> None:
        with RunProgress("generating", self.plan.generations, self.done) as progress:
            fuse = Fuse(endpoint.settings)
            for record in self.records:
                for generation in record.generations:
                    _count_choice(progress, generation)

            async def generate(work: tuple[Record, int]) -> None:
                record, sample = work
                generation = await self._generate_one(endpoint, fuse, record, sample)
                record.generations = [g for g in record.generations if g.sample != sample] + [generation]
                record.generations.sort(key=lambda g: g.sample)
                writer.add_generation(
                    record.item.id, generation, score_generation(record.item, generation, self.plan.format)
                )
                _count_choice(progress, generation)
                progress.advance(failed=generation.text is None)

            await _for_each(missing, generate, endpoint.settings.concurrency)

    async def _generate_one(self, endpoint: Endpoint, fuse: "Fuse", record: Record, sample: int) -> Generation:
        messages = self._prompts.get(record.item.id)
        if messages is None:
            messages = self._prompts[record.item.id] = self.plan.messages(record.item)
        stored = messages if sample == 0 else None  # the others' prompt is the same
        seed = self.plan.seed_of(record.item, sample)
        try:
            reply: Reply = await endpoint.chat(messages, self.plan.sampling, seed=seed)
        except EndpointError as error:
            fuse.failed(error)
            return Generation(sample=sample, text=None, error=str(error), messages=stored)
        fuse.succeeded()
        return Generation(
            sample=sample,
            text=reply.text or "",
            reasoning=reply.reasoning,
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            latency_s=reply.latency_s,
            messages=stored,
        )

    async def _judge_all(self, writer: RunWriter) -> None:
        config, spec, pending = self.plan.config, self.judge, self.unjudged
        if spec is None or config.judge_endpoint is None or not pending:
            return
        settings = EndpointSettings(
            base_url=config.judge_endpoint,
            model=spec.model,
            concurrency=config.concurrency,
            timeout_s=config.timeout,
            api_key=self.settings.judge_api_key,
            key_variable="HIMED_JUDGE_API_KEY",
        )
        fuse = Fuse(settings)
        async with Endpoint(settings) as endpoint:
            judge = Judge(spec, endpoint, self._cached_verdicts(spec.model))
            progress = RunProgress("judging", len(pending))

            async def ask(work: tuple[Record, Generation]) -> None:
                record, generation = work
                try:
                    scores, verdicts = await judge.judge(read_attempt(record.item, generation, self.plan.format))
                except EndpointError as error:
                    fuse.failed(error)
                    progress.advance(failed=True)
                    return
                fuse.succeeded()
                writer.add_scores(generation, scores, verdicts)
                progress.advance()

            with progress:
                await _for_each(pending, ask, settings.concurrency)

    def _cached_verdicts(self, judge_model: str) -> dict[str, Verdict]:
        columns = (
            VerdictRow.judge_model,
            VerdictRow.prompt_hash,
            VerdictRow.kind,
            VerdictRow.verdict,
            VerdictRow.reply,
        )
        with open_session(self.database) as session:
            rows = session.execute(sql_select(*columns).where(VerdictRow.judge_model == judge_model))
            return {row.prompt_hash: Verdict(*row) for row in rows}  # type: ignore[arg-type]


class Fuse:
    """Stops a run whose endpoint is gone, instead of failing every item one after the other."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.limit, self.row = max(20, settings.concurrency), 0

    def succeeded(self) -> None:
        """A request went through."""
        self.row = 0

    def failed(self, error: EndpointError) -> None:
        """Count a failure.

        Raises:
            RunStoppedError: it is one that every other request would meet too, or the last of too many in a row.
        """
        self.row += 1
        if error.status in _HOPELESS or (error.retryable and self.row >= self.limit):
            raise RunStoppedError(str(error)) from None


def _count_choice(progress: RunProgress, generation: Generation) -> None:
    if (score := generation.scores.get("choice")) is not None:
        progress.count_choice(score.value)


async def _for_each(work: Sequence[Work], do: Callable[[Work], Awaitable[None]], concurrency: int) -> None:
    """Call ``do`` for each, at most ``concurrency`` at once; the first error ends the others."""
    queue: Iterable[Work] = iter(work)

    async def worker() -> None:
        for one in queue:
            await do(one)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(work))):
                group.create_task(worker())
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
