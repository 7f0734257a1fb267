"""The demo's training data, held-out benchmarks and base model, built from the facts in `facts.jsonl`."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import orjson

from app.errors import InputError
from app.files import write_whole
from app.formats import (
    ANSWER_CLOSE,
    ANSWER_OPEN,
    STEP_TAG,
    THINKING_CLOSE,
    THINKING_OPEN,
    Format,
    cure_med_completion,
    himed_completion,
)
from app.languages import get_language
from app.options import LETTERS
from app.prompts import build_messages
from training.curriculum import TIERS, build_curriculum
from training.data import load_examples, load_rl_prompts, load_triples
from training.demo.facts import FACTS_FILE, OPTIONS, Fact, cure_med_facts, himed_facts
from training.demo.triples import make_triples
from training.rewards.template import pair_text
from training.tiny import build_tiny_checkpoint

DATA: Final = "data"
BASE: Final = "base"
CURRICULUM: Final = "curriculum"
LEXICON: Final = "lexicon.csv"
MARKER: Final = "settings.json"

# The sets of options for a fact, of which the first has its right letter at a turn.
Deal = Callable[[Fact, int], list[dict[str, str]]]

_BUILDER: Final = "himed demo data"
_VERSION: Final = 3  # raise it when the same facts and seed build other files
_LANGUAGES: Final = "languages"
_MIDDLE: Final = "\0"  # stands for what differs
_ROLES: Final = ("system", "user", "assistant")
# Renderings of a fact: no two files of one system share one.
_LA, _RC, _RL = 6, 6, 4
_SFT, _SFT_HELD_OUT, _CURE_MED_RL = 6, 1, 4
_HIMED_HELD_OUT, _CURE_MED_HELD_OUT = 3, 3


def build_demo(folder: Path, seed: int = 0) -> None:
    """Build ``folder/data`` and ``folder/base``, or keep what the same facts and seed built before.

    The same facts and seed give the same files, byte for byte, with the same package versions. ``data`` holds:

    - ``la.jsonl``, ``rc.jsonl``, ``triples.jsonl``, ``rl_prompts.jsonl`` and ``lexicon.csv`` for HiMed's stages;
    - ``sft.jsonl``, ``sft_held_out.jsonl`` and ``curriculum/high.jsonl``, ``medium.jsonl`` and ``low.jsonl`` for
      CURE-Med's;
    - the benchmarks ``held_out_himed.jsonl`` and ``held_out_cure_med.jsonl``: the same questions with other options.

    Args:
        folder: made if need be; other things in it are left alone.
        seed: of the renderings and of the base model's weights.

    Raises:
        InputError: one of the two folders holds something else, or cannot be written.
    """
    data = folder / DATA
    _build_data(data, seed)
    build_tiny_checkpoint(
        folder / BASE,
        _texts(data),
        phrases=_phrases(),
        seed=seed,
        vocab_size=4096,
        hidden=128,
        layers=4,
        max_length=1024,
        initializer_range=0.08,  # about 1 over the root of the width: from 0.02 it learns several times more slowly
        dtype="float32",
    )


def _build_data(data: Path, seed: int) -> None:
    target = data.resolve()
    settings = {
        "builder": f"{_BUILDER} {_VERSION}",
        "seed": seed,
        "facts_sha256": hashlib.sha256(FACTS_FILE.read_bytes()).hexdigest(),
    }
    built = _read_marker(target)
    if built == settings:
        return
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a build that was killed
        partial.mkdir(parents=True)
        _write_himed(partial, seed)
        _write_cure_med(partial, seed)
        write_whole(partial / MARKER, json.dumps(settings, indent=2) + "\n")
        if built is not None:
            shutil.rmtree(target)
        partial.replace(target)  # over nothing or an empty folder
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=data, remedy="name another folder") from None


def _read_marker(folder: Path) -> dict[str, Any] | None:
    """The settings that built the folder; None if it is empty or absent."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        settings = orjson.loads((folder / MARKER).read_bytes())
        if str(settings["builder"]).startswith(_BUILDER):
            return dict(settings)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # somebody else's folder, which is never overwritten
    raise InputError("the folder holds something else", file=folder, remedy="name another folder")


def _write_himed(folder: Path, seed: int) -> None:
    facts = himed_facts()
    _write_rows(folder / "la.jsonl", _himed_rows(facts, _trained(_LA, 0, seed)))
    _write_rows(folder / "rc.jsonl", _himed_rows(facts, _trained(_RC, _LA, seed)))
    _write_rows(folder / "triples.jsonl", _triple_rows(facts, _LA + _RC, seed))
    _write_rows(folder / "rl_prompts.jsonl", _himed_rows(facts, _prompted(_RL, seed)))
    _write_rows(folder / "held_out_himed.jsonl", _benchmark_rows(facts, _HIMED_HELD_OUT, seed))
    shutil.copyfile(FACTS_FILE.with_name(LEXICON), folder / LEXICON)


def _write_cure_med(folder: Path, seed: int) -> None:
    facts = cure_med_facts()
    rows = chain(_open_rows(facts), _cure_med_rows(facts, _trained(_SFT, 0, seed)))
    _write_rows(folder / "sft.jsonl", rows)
    _write_rows(folder / "sft_held_out.jsonl", _cure_med_rows(facts, _trained(_SFT_HELD_OUT, _SFT, seed)))
    _write_rows(folder / "held_out_cure_med.jsonl", _benchmark_rows(facts, _CURE_MED_HELD_OUT, seed))
    sources = folder / _LANGUAGES
    sources.mkdir()
    for code in sorted({fact.language for fact in facts}):
        of_language = [fact for fact in facts if fact.language == code]
        dealt = _cure_med_rows(of_language, _prompted(_CURE_MED_RL, seed))
        _write_rows(sources / f"{get_language(code).english}.jsonl", dealt)
    build_curriculum(sources, folder / CURRICULUM, seed=seed)


def _trained(count: int, skip: int, seed: int) -> Deal:
    return lambda fact, turn: fact.trained_options(count, skip=skip, turn=turn, seed=seed)


def _prompted(count: int, seed: int) -> Deal:
    return lambda fact, turn: fact.prompted_options(count, turn=turn, seed=seed)


def _himed_rows(facts: Sequence[Fact], deal: Deal) -> Iterator[dict[str, object]]:
    """Rows of the layout ``himed-west``. They say that they are no MCQ: the answer is a sentence, not a letter."""
    for turn, fact in enumerate(facts):
        for options in deal(fact, turn):
            yield {
                "prompt": fact.render(options),
                "Complex_CoT": fact.reasoning,
                "ground_truth": fact.sentence,
                "type": "QA",
                "source": fact.source,
            }


def _cure_med_rows(facts: Sequence[Fact], deal: Deal) -> Iterator[dict[str, object]]:
    """Rows of the layout ``cure-med`` with options."""
    for turn, fact in enumerate(facts):
        for options in deal(fact, turn):
            yield {**_cure_med_row(fact), "options": options}


def _open_rows(facts: Sequence[Fact]) -> Iterator[dict[str, object]]:
    """Each fact once without options: what is to be learnt is the answer to the question."""
    return map(_cure_med_row, facts)


def _cure_med_row(fact: Fact) -> dict[str, object]:
    """A row of the layout ``cure-med``: the first step in English, the second in the question's language."""
    steps = f"<step1>{fact.english}</step1><step2>{fact.reasoning}</step2>"
    return {
        "question": fact.question,
        "reasoning": f"{THINKING_OPEN}{steps}{THINKING_CLOSE}",
        "answer": f"{ANSWER_OPEN}{fact.sentence}{ANSWER_CLOSE}",
        "language": get_language(fact.language).english,
        "source": fact.source,
    }


def _triple_rows(facts: Sequence[Fact], skip: int, seed: int) -> Iterator[dict[str, object]]:
    """Rows of the layout ``triples``; a fact's rows have different renderings of its question."""
    numbers: dict[str, int] = {}
    for fact, response, correct in make_triples(facts, seed):
        number = numbers[fact.id] = numbers.get(fact.id, -1) + 1
        (options,) = fact.trained_options(1, skip=skip + number % 8, seed=seed)
        yield {
            "response": response,
            "reference": f"{fact.reasoning}\n\n{fact.sentence}",
            "correct": correct,
            "question": fact.render(options),
            "language": get_language(fact.language).english,
            "source": fact.source,
        }


def _benchmark_rows(facts: Sequence[Fact], count: int, seed: int) -> Iterator[dict[str, object]]:
    """Items of a benchmark, in the layout of the sample benchmark."""
    for turn, fact in enumerate(facts):
        for number, options in enumerate(fact.held_out_options(count, turn=turn, seed=seed), start=1):
            yield {
                "id": f"{fact.id}-{number}",
                "language": get_language(fact.language).english,
                "type": "MCQ",
                "question": fact.question,
                "options": options,
                "answer": next(letter for letter, text in options.items() if text == fact.answer),
                "reasoning": fact.reasoning,
                "source": fact.source,
            }


def _write_rows(file: Path, rows: Iterable[Mapping[str, object]]) -> None:
    write_whole(file, b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def _phrases() -> list[str]:
    """What all texts of a stage repeat round their content: single tokens, or most of the time would go into it.

    The chat's roles, the formats' tags and headings, CURE-Med's messages and the reward model's template.
    """
    steps = f"<{STEP_TAG}1>{_MIDDLE}</{STEP_TAG}1><{STEP_TAG}2>{_MIDDLE}</{STEP_TAG}2>"
    frames = [himed_completion(_MIDDLE, _MIDDLE), cure_med_completion(steps, _MIDDLE), pair_text(_MIDDLE, _MIDDLE)]
    found = [phrase for frame in frames for phrase in frame.split(_MIDDLE)]
    for language in sorted({fact.language for fact in cure_med_facts()}):
        for options in (None, dict.fromkeys(LETTERS[:OPTIONS], _MIDDLE)):
            messages = build_messages(_MIDDLE, format="cure-med", language=language, options=options)
            for message in messages:
                parts = message["content"].split(_MIDDLE)
                found += [parts[0], parts[-1]]
    return [*_ROLES, *dict.fromkeys(filter(None, found))]


def _texts(data: Path) -> Iterator[str]:
    """All that the demo's models read and write, as its stages load it."""
    la, _ = load_examples([data / "la.jsonl"], "la")
    rc, _ = load_examples([data / "rc.jsonl"], "rc")
    sft, _ = load_examples([data / "sft.jsonl"], "sft")
    prompts, _ = load_rl_prompts([data / "rl_prompts.jsonl", *(data / CURRICULUM / f"{tier}.jsonl" for tier in TIERS)])
    triples, _ = load_triples([data / "triples.jsonl"])
    for instance in chain(la, rc, sft, prompts, triples):
        yield from (message["content"] for message in instance.chat)
    benchmarks: Mapping[str, Format] = {"held_out_himed": "himed", "held_out_cure_med": "cure-med"}
    for name, format in benchmarks.items():
        for line in (data / f"{name}.jsonl").read_bytes().splitlines():
            item = orjson.loads(line)
            asked = build_messages(item["question"], format=format, language=item["language"], options=item["options"])
            yield from (message["content"] for message in asked)
