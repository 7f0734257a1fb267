"""What a translation is made with."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Strict, model_validator

from app.errors import InputError
from training.corpus.config import Count, Model, Share, read_section
from training.recipe.section import Folder, Section


class Nllb(Section):
    """A translation model in a folder: NLLB-200 (M2M100 with language codes)."""

    path: Folder
    """Folder of a transformers checkpoint, or of what CTranslate2 has converted it to (model.bin)."""
    tokenizer: Folder | None = None
    """Folder of its tokenizer, where it is not in the model's."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it runs."""
    precision: Literal["default", "int8", "int8_float16", "float16", "bfloat16", "float32"] = "default"
    """What CTranslate2 computes in; int8 is the fastest on a CPU. transformers knows the last three only."""
    source: str = "eng_Latn"
    """The model's code of the source language."""
    target: str = "hin_Deva"
    """The model's code of Hindi."""
    beam: Annotated[int, Field(ge=1, le=16)] = 4
    """Beams of the search; every further attempt takes two more."""
    max_source: Count = 400
    """Longest sentence in tokens; a longer one is translated by its clauses."""
    max_target: Count = 600
    """Longest translation in tokens; one that reaches it counts as cut off."""
    batch_tokens: Count = 2048
    """Tokens of a batch, padding included."""
    inter_threads: Count = 1
    """Batches at once (CTranslate2)."""
    intra_threads: Annotated[int, Field(ge=0)] = 0
    """Threads of a batch; 0 lets the library choose."""


class TranslateSection(Section):
    """English prompts, reasoning and golds to Hindi."""

    nllb: Nllb | None = None
    """A translation model in a folder."""
    model: Model | None = None
    """An endpoint instead, which is given a glossary too."""
    lexicon: Folder | None = None
    """English-Hindi lexicon (.xlsx or .csv); without it nothing is glossed."""
    skip_terms: Annotated[tuple[str, ...], Strict(False)] = ()
    """Terms of it that are never glossed."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """How often a segment is translated until the translation can be used."""
    segments_per_call: Annotated[int, Field(ge=1, le=64)] = 8
    """Segments that an endpoint is asked for at once."""
    least_target: Share = 0.5
    """Least share of Devanagari among a translation's letters."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "TranslateSection":
        if (self.nllb is None) == (self.model is None):
            raise ValueError("give either nllb or model")
        return self


def load_settings(file: Path) -> TranslateSection:
    """Read the settings from a YAML file. Its paths are taken from the file's folder.

    Raises:
        InputError: it cannot be read, a key is unknown or a value is wrong.
    """
    section = read_section(file, TranslateSection)
    base = file.absolute().parent
    nllb = section.nllb
    if nllb is not None:
        tokenizer = nllb.tokenizer and base / nllb.tokenizer
        nllb = nllb.model_copy(update={"path": base / nllb.path, "tokenizer": tokenizer})
    return section.model_copy(update={"nllb": nllb, "lexicon": section.lexicon and base / section.lexicon})


def settings_of(nllb: Path | None, endpoint: str | None, model: str | None, lexicon: Path | None) -> TranslateSection:
    """The settings that a command line gives, the others at their defaults.

    Raises:
        InputError: neither a folder nor an endpoint with a model is given, or both.
    """
    if (nllb is None) == (endpoint is None) or (endpoint is None) != (model is None):
        raise InputError("no translator", remedy="give --nllb FOLDER, or --endpoint URL and --model NAME")
    return TranslateSection(
        nllb=Nllb(path=nllb.absolute()) if nllb else None,
        model=Model(base_url=endpoint, model=model, extra={}) if endpoint and model else None,
        lexicon=lexicon and lexicon.absolute(),
    )
