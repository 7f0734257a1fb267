"""Training data: the releases' files as typed instances, with everything that was left out counted and named."""

from training.data.check import check_data_command
from training.data.instances import Example, Instance, RLPrompt, Stage, Triple
from training.data.load import check_data, load_examples, load_rl_prompts, load_triples
from training.data.model import DataReport
from training.data.sieve import CountTokens
from training.data.tokens import TokenCounter

__all__ = [
    "CountTokens",
    "DataReport",
    "Example",
    "Instance",
    "RLPrompt",
    "Stage",
    "TokenCounter",
    "Triple",
    "check_data",
    "check_data_command",
    "load_examples",
    "load_rl_prompts",
    "load_triples",
]
