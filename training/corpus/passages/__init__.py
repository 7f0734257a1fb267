"""Recognised books to passages that instances can be written from."""

from training.corpus.passages.blocks import Block, parse_mmd
from training.corpus.passages.clean import clean_text
from training.corpus.passages.combine import combine, pick
from training.corpus.passages.merge import merge_similar
from training.corpus.passages.passage import Flags, Passage
from training.corpus.passages.step import PassagesStep

__all__ = ["Block", "Flags", "Passage", "PassagesStep", "clean_text", "combine", "merge_similar", "parse_mmd", "pick"]
