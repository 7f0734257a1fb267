"""Instances judged by a model of another family, and by people."""

from training.corpus.judging.review import COLUMNS, export_review, import_review
from training.corpus.judging.reviewed import VERDICTS
from training.corpus.judging.scores import SCORES
from training.corpus.judging.step import JudgeStep

__all__ = ["COLUMNS", "SCORES", "VERDICTS", "JudgeStep", "export_review", "import_review"]
