"""What translates: a model in a folder, by transformers or CTranslate2, or an endpoint."""

from typing import Final

from app.errors import InputError
from training.corpus.translation.config import Nllb
from training.corpus.translation.engines.base import Engine, Failed, split_clauses
from training.corpus.translation.engines.nllb import NllbEngine, model_identity
from training.corpus.translation.engines.remote import RemoteEngine

__all__ = ["Engine", "Failed", "RemoteEngine", "model_identity", "open_nllb", "split_clauses"]

_CT2_FILE: Final = "model.bin"


def open_nllb(settings: Nllb) -> NllbEngine:
    """The engine for a folder: CTranslate2 where it holds a ``model.bin``, else transformers.

    Raises:
        InputError: no such folder, no model in it, no tokenizer, or one without the languages.
    """
    if not settings.path.is_dir():
        raise InputError("no such folder", file=settings.path, remedy="name the translation model's folder")
    if (settings.path / _CT2_FILE).is_file():
        from training.corpus.translation.engines.ct2 import CTranslate2Engine

        return CTranslate2Engine(settings)
    from training.corpus.translation.engines.hf import TransformersEngine

    return TransformersEngine(settings)
