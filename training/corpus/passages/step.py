"""Recognised books to passages: cleaned, joined, flagged, picked, compared with their pages, and graded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from app.errors import InputError
from training.corpus.config import CorpusConfig, Model
from training.corpus.models import identity, open_caller
from training.corpus.passages import calibrate as calibration
from training.corpus.passages import flag as flagging
from training.corpus.passages import grade as grading
from training.corpus.passages import stages
from training.corpus.passages.ask import GROUP_CHARS
from training.corpus.passages.blocks import Block, parse_mmd
from training.corpus.passages.calibrate import Calibrator
from training.corpus.passages.encoder import PURPOSE as EMBED
from training.corpus.passages.encoder import encoder_identity
from training.corpus.passages.passage import Passage
from training.corpus.step import TOKENS_PER_CHARACTER, Expected, Size, Step
from training.corpus.unit import SourceError, Work

_VERSION: Final = 1  # raise it when the same settings make other passages
_PDF: Final = ".pdf"

# Guesses, until a book was done: what becomes of blocks and their characters, and what replies and pictures cost.
_JOINED: Final = 0.6  # passages left of the blocks that an encoder has joined
_PICKED: Final = 0.5  # of the passages; they hold most of the text
_PICKED_CHARS: Final = 0.8
_KEPT: Final = 0.8  # of those that are graded
_FLAG_TOKENS: Final = 45  # of one passage's flags as JSON
_GRADE_TOKENS: Final = 15
_PICTURE_TOKENS: Final = 1500  # of a page's picture


class PassagesStep(Step):
    """Makes passages of a recognised book.

    Raises:
        InputError: the configuration names no writer, no model that sees where one is wanted, or an unknown language.
    """

    name: ClassVar[str] = "passages"

    def __init__(self, config: CorpusConfig) -> None:
        self._section = config.passages
        self._writer = _named(config.writer, "writer", "flags and grades passages")
        self._vision: Model | None = None
        if self._section.calibrate:
            model = self._section.vision or config.pages.model
            self._vision = _named(model, "passages.vision", "compares passages with the pictures of their pages")
        self._dpi, self._max_side = config.pages.dpi, config.pages.max_side
        self._languages = flagging.Languages.of(config.languages)

    def settings(self) -> Mapping[str, Any]:
        """Models, prompts and thresholds."""
        section = self._section
        return {
            "version": _VERSION,
            "languages": list(self._languages.codes),
            "writer": identity(self._writer),
            "encoder": encoder_identity(section.encoder),
            "blocks_per_call": section.blocks_per_call,
            "chars_per_call": GROUP_CHARS,
            "threshold": section.threshold,
            "max_chars": section.max_chars,
            "flag": flagging.flag_prompt(self._languages),
            "calibrate": self._vision
            and {
                "model": identity(self._vision),
                "prompt": calibration.PROMPT,
                "max_change": section.max_change,
                "dpi": self._dpi,
                "max_side": self._max_side,
            },
            "grade": {"prompt": grading.PROMPT, "keep": sorted(set(section.keep))} if section.grade else None,
        }

    def size(self, source: Path) -> Size:
        """Blocks and their characters."""
        try:
            blocks = _read(source)
        except SourceError:
            return Size(0)
        return Size(len(blocks), sum(len(block.text) for block in blocks))

    def expect(self, size: Size) -> Expected:
        """A guess: how many passages a book gives is only known once they were flagged."""
        section = self._section
        blocks = Size(size.items * (_JOINED if section.encoder else 1), size.chars)
        picked = Size(blocks.items * _PICKED, blocks.chars * _PICKED_CHARS)
        calls = {flagging.PURPOSE: self._questions(blocks)}
        prompt = self._prompt_tokens(blocks, flagging.flag_prompt(self._languages))
        completion = blocks.items * _FLAG_TOKENS
        out = picked
        if section.encoder is not None and section.encoder.model is not None:
            calls[EMBED] = size.items / section.encoder.batch
            prompt += size.chars * TOKENS_PER_CHARACTER
        if self._vision:
            calls[calibration.PURPOSE] = picked.items
            text = picked.chars * TOKENS_PER_CHARACTER
            prompt += text + picked.items * (_PICTURE_TOKENS + len(calibration.PROMPT) / 4)
            completion += text
        if section.grade:
            calls[grading.PURPOSE] = self._questions(picked)
            prompt += self._prompt_tokens(picked, grading.PROMPT)
            completion += picked.items * _GRADE_TOKENS
            out = Size(picked.items * _KEPT, picked.chars * _KEPT)
        return Expected(out, calls, prompt, completion)

    def _questions(self, size: Size) -> float:
        return max(size.items / self._section.blocks_per_call, size.chars / GROUP_CHARS)

    def _prompt_tokens(self, size: Size, prompt: str) -> float:
        return size.chars * TOKENS_PER_CHARACTER + self._questions(size) * len(prompt) / 4

    async def run(self, source: Path, work: Work) -> None:
        """As of `Step.run`."""
        section = self._section
        passages = await stages.join(stages.clean(_read(source), work), section, work)
        async with open_caller(self._writer, "writer", work) as writer:
            flagged = await stages.flag(passages, writer, self._languages, section.blocks_per_call, work)
            picked = stages.pick(stages.combine(flagged, section.max_chars, work), self._languages.names, work)
            if self._vision is not None:
                picked = await self._calibrate(picked, self._vision, work)
            if section.grade:
                await stages.grade(picked, writer, section.blocks_per_call, section.keep, work)
                return
        for passage in picked:
            work.keep(passage.as_row(work.unit.id, work.unit.source.name))

    async def _calibrate(self, picked: list[Passage], vision: Model, work: Work) -> list[Passage]:
        from training.corpus.pages.pdf import Pdf  # pages import the mark of a page from here

        book = work.unit.source
        if book.suffix.lower() != _PDF:
            return stages.without_pictures(picked, work)
        with Pdf(book) as pdf:

            def picture(page: int) -> str:
                return pdf.draw(page, self._dpi, self._max_side).data_url()

            async with open_caller(vision, "ocr", work) as caller:
                return await stages.calibrate(picked, Calibrator(caller, picture, self._section.max_change), work)


def _named(model: Model | None, key: str, task: str) -> Model:
    if model is None:
        raise InputError(
            f"no model that {task}",
            field=key,
            remedy=f"name one in the corpus's YAML file under {key} (base_url, model)",
        )
    return model


def _read(source: Path) -> list[Block]:
    try:
        return parse_mmd(source.read_bytes().decode())
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror})", file=source, remedy="recognise the book again", again=True
        ) from None
    except UnicodeDecodeError as error:
        raise SourceError(f"is no UTF-8 text (byte {error.start})", file=source, remedy="recognise it again") from None
