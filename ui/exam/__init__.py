"""Exam: one multiple-choice question to a model."""

from ui.exam.tab import build

__all__ = ["build"]
