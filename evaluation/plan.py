"""What a run will do, resolved: items, prompts, sampling settings and the fingerprint that finds the run again."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from app.checkpoint import checkpoint_revision, trained_format
from app.endpoint import Sampling
from app.endpoint.settings import normalise_base_url
from app.errors import InputError
from app.files import check_writable
from app.formats import Format
from app.prompts import Example, build_messages, prompt_hash
from evaluation.benchmarks.item import Benchmark, Item
from evaluation.benchmarks.registry import load_benchmark
from evaluation.benchmarks.selection import ExamplePool, select
from evaluation.benchmarks.shuffle import shuffle_options
from evaluation.config import EvalConfig
from evaluation.predictions import Predictions, load_predictions

# The recipes' settings at test time. HiMed's paper does not state them: greedy, with the length of its RL completions.
DEFAULT_SAMPLING: dict[Format, Sampling] = {
    "plain": Sampling(temperature=0.0, max_tokens=1024),
    "himed": Sampling(temperature=0.0, max_tokens=1280),
    "cure-med": Sampling(temperature=0.6, top_p=0.95, top_k=20, repetition_penalty=1.2, max_tokens=1024),
}


@dataclass(frozen=True)
class Plan:
    """A resolved evaluation. ``items`` are the selected ones, with their options as they will be shown."""

    config: EvalConfig
    benchmark: Benchmark
    items: tuple[Item, ...]
    source: str  # model, endpoint or predictions
    model_name: str
    revision: str
    format: Format
    sampling: Sampling
    fingerprint: str
    prompt_hash: str
    predictions: Predictions | None = None

    @property
    def generations(self) -> int:
        """How many generations the run has when it is finished."""
        return len(self.items) * self.config.samples

    @property
    def settings(self) -> dict[str, Any]:
        """The resolved configuration, as it is stored with the run."""
        settings = self.config.model_dump(mode="json", exclude={"db", "json_file", "new", "dry_run"})
        if self.predictions is not None:
            rows = {"set_aside": self.predictions.invalid, "unread_verdicts": self.predictions.unread}
            settings |= {name: [asdict(row) for row in found] for name, found in rows.items()}
        return settings | {"format": self.format, "sampling": self.sampling.model_dump(exclude_defaults=True)}

    @cached_property
    def _examples(self) -> ExamplePool:
        return ExamplePool(self.benchmark, seed=self.config.seed)

    def messages(self, item: Item) -> list[dict[str, str]]:
        """The prompt of an item.

        Raises:
            InputError: the benchmark has too few examples.
        """
        examples: Iterable[Item] = self._examples.draw(self.config.few_shot, item)
        if (seed := self.config.shuffle_options) is not None:
            examples = [shuffle_options(example, seed) for example in examples]
        messages = build_messages(
            item.question,
            format=self.format,
            language=item.language,
            options=item.options,
            examples=[_as_example(example) for example in examples],
        )
        return [dict(message) for message in messages]  # type: ignore[arg-type]

    def seed_of(self, item: Item, sample: int) -> int:
        """A request's seed: of the run's seed, the item and the sample number alone, so that a resume repeats it."""
        digest = hashlib.sha256(f"{self.config.seed}:{item.id}:{sample}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1


def make_plan(config: EvalConfig, data_dir: Path | None) -> Plan:
    """Load the benchmark, select its items and resolve every setting.

    Raises:
        InputError: the benchmark, a selection or the checkpoint cannot be used.
    """
    if config.json_file is not None:
        check_writable(config.json_file)
    benchmark = load_benchmark(config.bench, data_dir=data_dir, language=config.language, allow_hub=config.allow_hub)
    selected = select(benchmark, limit=config.limit, languages=config.languages or (), groups=config.groups)
    seed = config.shuffle_options
    items = tuple(selected if seed is None else (shuffle_options(item, seed) for item in selected))
    source, name, revision, where = _identify(config)
    format = config.format or (trained_format(config.model) if config.model else None) or "plain"
    sampling = _sampling(config, format)
    if config.model is not None:
        _check_room(config, sampling.max_tokens)
    templates = prompt_hash(format)
    decides: dict[str, Any] = {
        "benchmark": [benchmark.name, benchmark.sha256],
        "items": [item.id for item in items],
        "shuffle_options": seed,
        "source": source,
        "where": where,
        "model": name,
        "revision": revision,
        "format": format,
    }
    if source != "predictions":
        decides |= {
            "prompts": templates,
            "sampling": sampling.model_dump(),
            "samples": config.samples,
            "seed": config.seed,
            "few_shot": config.few_shot,
            "max_model_len": config.max_model_len,
            "chat_template": _hash_files(config.chat_template) if config.chat_template else None,
        }
    plan = Plan(
        config=config,
        benchmark=benchmark,
        items=items,
        source=source,
        model_name=name,
        revision=revision,
        format=format,
        sampling=sampling,
        fingerprint=hashlib.sha256(orjson.dumps(decides)).hexdigest(),
        prompt_hash=templates,
        predictions=load_predictions(config.predictions, benchmark) if config.predictions else None,
    )
    if config.few_shot:
        for kind in {item.kind for item in items}:  # found out now, and not by the first item of the kind
            plan.messages(next(item for item in items if item.kind == kind))
    return plan


def _identify(config: EvalConfig) -> tuple[str, str, str, str]:
    """Source, model name, revision, and where the model is when that tells two models of one name apart."""
    if config.model is not None:
        if not config.model.is_dir():
            raise InputError(
                "no such checkpoint folder",
                file=config.model,
                remedy="give a local folder with config.json and weights",
            )
        if not (config.model / "config.json").is_file():
            inside = config.model / "final"
            there = f"name {inside}" if (inside / "config.json").is_file() else "name the folder that holds it"
            raise InputError("no config.json: this is no checkpoint", file=config.model, remedy=there)
        return "model", config.model_name or config.model.resolve().name, checkpoint_revision(config.model), ""
    if config.predictions is not None:
        name = config.model_name or config.predictions.stem
        return "predictions", name, _hash_files(config.predictions), ""
    assert config.endpoint is not None
    assert config.served_model is not None
    return "endpoint", config.model_name or config.served_model, "", normalise_base_url(config.endpoint)


def _check_room(config: EvalConfig, max_tokens: int | None) -> None:
    """Refuse completions that cannot fit, before a run is made whose every request vLLM would refuse."""
    from app.engine import Engine, EngineSettings
    from app.engine.command import serving_length

    assert config.model is not None
    served = EngineSettings(config.model, max_model_len=config.max_model_len, chat_template=config.chat_template)
    checkpoint, _rank = Engine(served).check()
    length = serving_length(served, checkpoint)
    if length is not None and max_tokens is not None and max_tokens >= length:
        problem = f"completions of {max_tokens:,} tokens leave no room for a prompt in the model's {length:,}"
        raise InputError(problem, field="--max-tokens", remedy=f"give --max-tokens, a number well below {length:,}")


def _sampling(config: EvalConfig, format: Format) -> Sampling:
    names = ("temperature", "top_p", "top_k", "repetition_penalty", "max_tokens")
    given = {name: value for name in names if (value := getattr(config, name)) is not None}
    default = DEFAULT_SAMPLING[format].model_dump(exclude_none=True)
    if given.get("temperature") == 0:  # greedy: the format's other settings would only distort it
        default = {"max_tokens": default["max_tokens"]}
    return Sampling(**(default | given))


def _as_example(item: Item) -> Example:
    return Example(
        question=item.question, options=item.options, answer=item.gold or item.reference or "", reasoning=None
    )


def _hash_files(path: Path) -> str:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    try:
        contents = [file.read_bytes() for file in files if file.is_file() or not path.is_dir()]
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path, remedy="name a file that is there") from None
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]
