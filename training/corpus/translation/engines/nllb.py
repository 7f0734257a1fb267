"""NLLB-200 from a folder: the parts that transformers and CTranslate2 have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

from app.checkpoint import checkpoint_revision
from app.errors import InputError
from training.corpus.translation.config import Nllb
from training.corpus.translation.engines.base import Failed, batch_by_length, split_clauses

_MORE_BEAMS: Final = 2  # with every further attempt
_TOKENIZER_FILES: Final = ("tokenizer.json", "sentencepiece.bpe.model")


class NllbEngine(ABC):
    """A translation model in this process.

    The first attempt translates a segment whole, a later one its clauses (where it has several), with more beams. What
    is longer than the model reads is never cut: its clauses are translated, or it stays missing.
    """

    keeps: ClassVar[bool] = False
    window: ClassVar[int] = 1

    def __init__(self, settings: Nllb) -> None:
        self._settings = settings
        self._tokenizer = open_tokenizer(settings)

    @abstractmethod
    def _generate(self, tokens: list[list[int]], beam: int) -> list[list[int] | None]:
        """The ids of the translations, without special ones; None for one that was cut off."""

    def batches(self, segments: Sequence[str], attempt: int) -> list[list[str]]:
        """Batches of at most ``batch_tokens``, the longest segments first."""
        lengths = [len(ids) for ids in self._encode(segments)] if segments else []
        return [[segments[place] for place in batch] for batch in batch_by_length(lengths, self._settings.batch_tokens)]

    async def translate(self, segments: Sequence[str], attempt: int = 0) -> list[str | Failed]:
        """As of `Engine.translate`."""
        beam = self._settings.beam + _MORE_BEAMS * attempt
        encoded = self._encode(segments)
        parts = [
            split_clauses(segment) if attempt or len(ids) > self._settings.max_source else [segment]
            for segment, ids in zip(segments, encoded, strict=True)
        ]
        flat = [part for segment_parts in parts for part in segment_parts]
        said = iter(self._translate_flat(flat, beam))
        translations: list[str | Failed] = []
        for segment_parts in parts:
            found = [next(said) for _ in segment_parts]
            failed = next((each for each in found if isinstance(each, Failed)), None)
            translations.append(failed or " ".join(each for each in found if isinstance(each, str)))
        return translations

    def _translate_flat(self, texts: Sequence[str], beam: int) -> list[str | Failed]:
        encoded = self._encode(texts)
        results: list[str | Failed] = [Failed("too long for the model")] * len(texts)
        fitting = [place for place, ids in enumerate(encoded) if len(ids) <= self._settings.max_source]
        for batch in batch_by_length([len(encoded[place]) for place in fitting], self._settings.batch_tokens):
            places = [fitting[each] for each in batch]
            for place, ids in zip(places, self._generate([encoded[place] for place in places], beam), strict=True):
                results[place] = (
                    Failed("cut off", f"at {self._settings.max_target} tokens")
                    if ids is None
                    else self._tokenizer.decode(ids, skip_special_tokens=True).strip()
                )
        return results

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self._tokenizer(list(texts), add_special_tokens=True)["input_ids"] if texts else []


def open_tokenizer(settings: Nllb) -> Any:
    """The model's tokenizer, set to its source language.

    Raises:
        InputError: there is none, or it lacks a language.
    """
    from transformers import AutoTokenizer

    folder = settings.tokenizer or settings.path
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise InputError(
            "no tokenizer", file=folder, remedy="copy the checkpoint's tokenizer files there, or name their folder"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, src_lang=settings.source, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"the tokenizer cannot be read ({error})", file=folder, remedy="copy it again") from None
    for code in (settings.source, settings.target):
        if tokenizer.convert_tokens_to_ids(code) in (None, tokenizer.unk_token_id):
            raise InputError(f"the tokenizer has no language {code}", file=folder, remedy="use NLLB's, as eng_Latn")
    return tokenizer


def model_identity(settings: Nllb) -> dict[str, Any]:
    """What of a model its translations depend on: its files, its languages and how it searches; no path, no speed."""
    folders = {"model": settings.path} | ({"tokenizer": settings.tokenizer} if settings.tokenizer else {})
    options = settings.model_dump(mode="json", include={"source", "target", "beam", "max_source", "max_target"})
    return {name: _revision(folder) for name, folder in folders.items()} | options | {"precision": settings.precision}


@cache
def _revision(folder: Path) -> str:
    if not folder.is_dir():
        raise InputError("no such folder", file=folder, remedy="name the translation model's folder")
    return checkpoint_revision(folder)
