"""What translates: a model in a folder, by transformers or CTranslate2, or an endpoint."""

from training.corpus.translation.engines.base import Engine, Failed, split_clauses
from training.corpus.translation.engines.nllb import model_identity, open_nllb
from training.corpus.translation.engines.remote import RemoteEngine

__all__ = ["Engine", "Failed", "RemoteEngine", "model_identity", "open_nllb", "split_clauses"]
