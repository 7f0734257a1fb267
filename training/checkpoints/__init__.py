"""Checkpoints: how each was made, whether it is finished, and where a killed run goes on."""

from training.checkpoints.card import model_card
from training.checkpoints.lineage import (
    DataFile,
    Lineage,
    Metric,
    Parent,
    RecipeRecord,
    base_model,
    settings_hash,
)
from training.checkpoints.resume import newest_resumable, why_not_whole
from training.checkpoints.store import begin_checkpoint, finish_checkpoint, is_finished, lineage_chain, read_lineage

__all__ = [
    "DataFile",
    "Lineage",
    "Metric",
    "Parent",
    "RecipeRecord",
    "base_model",
    "begin_checkpoint",
    "finish_checkpoint",
    "is_finished",
    "lineage_chain",
    "model_card",
    "newest_resumable",
    "read_lineage",
    "settings_hash",
    "why_not_whole",
]
