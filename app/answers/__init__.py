"""Reading completions: their reasoning and answer by format, and the option letter that an answer names."""

from app.answers.choice import Choice, ChoiceTier, extract_choice
from app.answers.completion import Completion, parse_completion

__all__ = ["Choice", "ChoiceTier", "Completion", "extract_choice", "parse_completion"]
