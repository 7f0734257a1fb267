"""English prompts, reasoning and golds to Hindi, with the lexicon's terms."""

from training.corpus.translation.config import Nllb, TranslateSection
from training.corpus.translation.gold import Gold, parse_gold
from training.corpus.translation.prompt import Prompt, parse_prompt
from training.corpus.translation.step import TranslateStep, find_sources

__all__ = [
    "Gold",
    "Nllb",
    "Prompt",
    "TranslateSection",
    "TranslateStep",
    "find_sources",
    "parse_gold",
    "parse_prompt",
]
