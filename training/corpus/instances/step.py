"""The step from passages to instances."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from app.errors import InputError
from app.languages import get_language
from training.corpus import models
from training.corpus.calls import response_format
from training.corpus.config import CorpusConfig, InstancesSection, Model
from training.corpus.instances import cure_med, himed, prompts, refers
from training.corpus.instances.checks import VERSION
from training.corpus.instances.lines import count_lines
from training.corpus.instances.passage import read_passages
from training.corpus.instances.shapes import LEVELS, items_shape, questions_shape, suit_shape
from training.corpus.step import TOKENS_PER_CHARACTER, Expected, Size, Step
from training.corpus.unit import SourceError, Work

# For estimates. Lengths are those of the releases' instances; how much suits a passage is a guess.
_SUITING: Final = 0.6  # of the subjects and of the kinds
_KEPT: Final = 0.8  # of the items
_TOKENS_PER_ENGLISH_CHARACTER: Final = 0.25
_HIMED_ITEM_CHARS: Final = 480
_CURE_MED_ITEM_CHARS: Final = 1700  # most of them English
_SUIT_TOKENS: Final = 60


class InstancesStep(Step):
    """Passages to instances, in the style that the configuration names.

    Raises:
        InputError: the configuration names no writer.
    """

    name = "instances"

    def __init__(self, config: CorpusConfig) -> None:
        if config.writer is None:
            raise InputError("no model writes the instances", field="writer", remedy="name one in the corpus's file")
        self._writer: Model = config.writer
        self._settings: InstancesSection = config.instances

    def settings(self) -> Mapping[str, Any]:
        """Of the style's own keys alone: the other's may change."""
        settings = self._settings
        common = {
            "style": settings.style,
            "writer": models.identity(self._writer),
            "max_calls": settings.max_calls,
            "attempts": settings.attempts,
            "rules": VERSION,
            "references": refers.PHRASES,
        }
        own: dict[str, Any]
        if settings.style == "cure-med":
            own = {
                "questions": settings.questions,
                "languages": settings.languages,
                "max_answer_chars": cure_med.MAX_ANSWER_CHARS,
                "min_steps": cure_med.MIN_STEPS,
                "asked": [
                    cure_med.messages_of("", get_language(code), settings.questions) for code in settings.languages
                ],
            }
            shapes = [questions_shape(settings.questions)]
        else:
            own = {
                "subjects": settings.subjects,
                "kinds": settings.kinds,
                "system": settings.system,
                "suit": prompts.suit_messages("", settings.subjects, settings.kinds),
                "asked": [prompts.items_messages("", subject, settings.kinds) for subject in settings.subjects],
            }
            shapes = [suit_shape(settings.subjects, settings.kinds), items_shape(settings.kinds)]
        return common | own | {"shapes": [response_format(shape) for shape in shapes]}

    async def run(self, source: Path, work: Work) -> None:
        """See `Step.run`."""
        settings, window = self._settings, models.window([self._writer])
        total = count_lines(source)
        async with models.open_caller(self._writer, "writer", work, settings.attempts) as caller:
            with closing(read_passages(source)) as passages:
                if settings.style == "cure-med":
                    await cure_med.write_cure_med(passages, total, work, cure_med.Writer(settings, caller), window)
                else:
                    await himed.write_himed(passages, total, work, himed.Writer(settings, caller), window)

    def size(self, source: Path) -> Size:
        """Passages and their characters."""
        items = chars = 0
        try:
            for passage in read_passages(source):
                items, chars = items + 1, chars + len(passage.text)
        except SourceError:
            return Size(0)
        return Size(items, chars)

    def expect(self, size: Size) -> Expected:
        """Without further tries; an instance's characters include its passage's."""
        if not size.items:
            return Expected(Size(0))
        return self._expect_cure_med(size) if self._settings.style == "cure-med" else self._expect_himed(size)

    def _expect_himed(self, size: Size) -> Expected:
        settings = self._settings
        subjects, kinds = _SUITING * len(settings.subjects), _SUITING * len(settings.kinds)
        calls = {"suit": size.items, "write": size.items * subjects}
        asked = [prompts.items_messages("", subject, settings.kinds) for subject in settings.subjects]
        suit = prompts.suit_messages("", settings.subjects, settings.kinds)
        instructions = size.items * (_tokens(suit) + _SUITING * sum(map(_tokens, asked)))
        items = size.items * subjects * kinds * len(LEVELS) * _KEPT
        return Expected(
            _instances(size, items, _HIMED_ITEM_CHARS),
            calls,
            instructions + size.chars * TOKENS_PER_CHARACTER * (1 + subjects),
            calls["suit"] * _SUIT_TOKENS + items * _HIMED_ITEM_CHARS * TOKENS_PER_CHARACTER,
        )

    def _expect_cure_med(self, size: Size) -> Expected:
        settings = self._settings
        calls = size.items * len(settings.languages)
        asked = self._cure_med_messages()
        items = calls * settings.questions * _KEPT
        return Expected(
            _instances(size, items, _CURE_MED_ITEM_CHARS),
            {"write": calls},
            size.items * sum(map(_tokens, asked)) + size.chars * TOKENS_PER_CHARACTER * len(settings.languages),
            items * _CURE_MED_ITEM_CHARS * _TOKENS_PER_ENGLISH_CHARACTER,
        )

    def _cure_med_messages(self) -> list[Any]:
        settings = self._settings
        return [cure_med.messages_of("", get_language(code), settings.questions) for code in settings.languages]


def _instances(size: Size, items: float, chars: int) -> Size:
    return Size(items, items * (chars + size.chars / size.items))


def _tokens(messages: list[Any]) -> float:
    return _TOKENS_PER_ENGLISH_CHARACTER * sum(len(message["content"]) for message in messages)
