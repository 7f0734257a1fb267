"""Books to recognised text (`.mmd`) in which every page has its number."""

from training.corpus.pages.documents import SUFFIXES
from training.corpus.pages.step import PagesStep

__all__ = ["SUFFIXES", "PagesStep"]
