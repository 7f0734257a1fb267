"""Recognised books to passages that instances can be written from."""

from training.corpus.passages.blocks import Block, parse_mmd
from training.corpus.passages.clean import clean_text
from training.corpus.passages.merge import merge_similar

__all__ = ["Block", "clean_text", "merge_similar", "parse_mmd"]
