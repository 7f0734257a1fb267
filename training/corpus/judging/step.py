"""The step ``judge``: four scores for each instance, and only those go on that reach the thresholds."""

import math
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from app.errors import InputError
from training.corpus import models
from training.corpus.calls import Caller, CallError, in_order, response_format
from training.corpus.calls.numbered import ask_each, each_of
from training.corpus.config import CorpusConfig
from training.corpus.flow import Flow
from training.corpus.instances.lines import count_lines
from training.corpus.judging import back_translation, scores
from training.corpus.judging.items import GROUP_AT_MOST, ITEM, Item, blank, groups_of, read_items
from training.corpus.step import TOKENS_PER_CHARACTER, Expected, Size, Step
from training.corpus.unit import SourceError, Work

_LEVELS: Final = 3  # of HiMed's items, per subject and kind
_TOKENS_PER_SCORED_ITEM: Final = 60.0  # the JSON of four scores
_TOKENS_PER_ENGLISH_CHARACTER: Final = 0.25


@dataclass(slots=True)
class _Judged:
    """What was found out about an item.

    Attributes:
        scores: all None where the judge gave none.
        failure: why it gave none.
        fault: why the item is not kept, for one that was judged.
        translation: question and answer in English; None where there is none.
        untranslated: why there is none.
    """

    item: Item
    scores: scores.Scores
    failure: CallError | None = None
    fault: str | None = None
    translation: dict[str, str] | None = None
    untranslated: CallError | None = None

    @property
    def kept(self) -> bool:
        return self.failure is None and self.fault is None


class JudgeStep(Step):
    """Rows of instances to the same rows with ``scores``.

    One call judges the neighbours of one passage and subject (HiMed), or of one passage and language (CURE-Med). A
    group whose reply cannot be used within the attempts is asked item by item, once each. An item without scores is a
    reject, ``unjudged``; one with a score that is missing or below its threshold is a reject by that score's name.

    Raises:
        InputError: the configuration names no judge.
    """

    name: ClassVar[str] = "judge"

    def __init__(self, config: CorpusConfig) -> None:
        section = config.judge
        if section.model is None:
            raise InputError(
                "no judge is named", field="judge.model", remedy="give it a model of another family than the writer's"
            )
        self._model = section.model
        self._thresholds = section.thresholds
        self._attempts = section.attempts
        self._translates = section.back_translation
        instances = config.instances
        self._cure_med = instances.style == "cure-med"
        self._group = instances.questions if self._cure_med else _LEVELS * max(1, len(instances.kinds))
        self._passage_chars = config.passages.max_chars

    def settings(self) -> Mapping[str, Any]:
        """The judge, its prompts and shapes, and the thresholds."""
        settings = {
            "model": models.identity(self._model),
            "thresholds": self._thresholds.model_dump(),
            "attempts": self._attempts,
            "group": GROUP_AT_MOST,
            "prompts": scores.wordings(),
            "shape": response_format(each_of(scores.ItemScores, ITEM, 1)),
            "back_translation": None,
        }
        if self._translates:
            settings["back_translation"] = {
                "prompt": back_translation.ask_translation([blank("reasoning")]),
                "shape": response_format(each_of(back_translation.ItemTranslation, ITEM, 1)),
            }
        return settings

    def size(self, source: Path) -> Size:
        """Instances, and the characters of their questions, reasoning and answers."""
        count, chars = 0, 0
        try:
            for item in read_items(source):
                count += 1
                chars += len(item.question) + len(item.reasoning) + len(item.answer)
        except SourceError:
            return Size(0)
        return Size(count, chars)

    def expect(self, size: Size) -> Expected:
        """Every group full and every passage as long as it may be, none asked twice, and every item kept."""
        groups = float(math.ceil(size.items / self._group))
        texts = size.chars * TOKENS_PER_CHARACTER
        calls = {"judge": groups}
        prompt = groups * (_instructions(scores.SYSTEM) + self._passage_chars * TOKENS_PER_CHARACTER) + texts
        completion = size.items * _TOKENS_PER_SCORED_ITEM
        if self._translates and self._cure_med:
            # Without the reasoning, which is the longer part: half of the text at most.
            calls["back_translation"] = groups
            prompt += groups * _instructions(back_translation.SYSTEM) + texts / 2
            completion += texts / 2
        return Expected(size, calls, prompt, completion)

    async def run(self, source: Path, work: Work) -> None:
        """Judge a file of instances.

        Raises:
            SourceError: a line is no instance.
            EndpointAwayError: the judge is away.
        """
        total = count_lines(source)
        flow = work.flow("judge", "items")
        translated = work.flow("back_translation", "items") if self._translates else None
        done = 0
        async with models.open_caller(self._model, "judge", work, self._attempts) as caller:
            judge = partial(self._judge, caller)
            groups = groups_of(read_items(source))
            async with aclosing(in_order(groups, judge, models.window([self._model]))) as results:
                async for group, judged in results:
                    for each in judged:
                        self._write(each, work, flow, translated)
                    done += len(group)
                    work.progress(done, total)

    async def _judge(self, caller: Caller, group: Sequence[Item]) -> list[_Judged]:
        judged = []
        answers = await ask_each(caller, "judge", group, scores.ask_scores, scores.ItemScores, ITEM)
        for item, answer in zip(group, answers, strict=True):
            if isinstance(answer, CallError):
                judged.append(_Judged(item, scores.NO_SCORES, answer))
            else:
                given = answer.by_name()
                judged.append(_Judged(item, given, fault=scores.find_fault(given, self._thresholds)))
        wanted = [each for each in judged if each.kept and back_translation.is_translated(each.item)]
        if self._translates and wanted:
            await _translate(caller, wanted)
        return judged

    def _write(self, judged: _Judged, work: Work, flow: Flow, translated: Flow | None) -> None:
        row = judged.item.row | {"scores": dict(judged.scores)}
        flow.into += 1
        if (failure := judged.failure) is not None:
            work.reject(flow, judged.item.id, CallError("unjudged", str(failure), again=failure.again), row)
        elif judged.fault is not None:
            work.reject(flow, judged.item.id, CallError(judged.fault), row)
        else:
            flow.out += 1
            if translated is not None and back_translation.is_translated(judged.item):
                row["back_translation"] = judged.translation
                translated.into += 1
                if judged.untranslated is None:
                    translated.out += 1
                else:
                    translated.left[judged.untranslated.reason] += 1
                    work.again += judged.untranslated.again
            work.keep(row)


async def _translate(caller: Caller, wanted: Sequence[_Judged]) -> None:
    answers = await ask_each(
        caller,
        "back_translation",
        [each.item for each in wanted],
        back_translation.ask_translation,
        back_translation.ItemTranslation,
        ITEM,
    )
    for each, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, CallError):
            each.untranslated = answer
        else:
            each.translation = answer.model_dump()


def _instructions(text: str) -> float:
    """Tokens of a prompt of ours."""
    return len(text) * _TOKENS_PER_ENGLISH_CHARACTER
