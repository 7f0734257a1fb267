"""What a training stage learns from: one instance is one row that can be used."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from app.prompts import Message
from training.rewards.template import pair_text

Stage = Literal["la", "rc", "sft", "reward-model", "rl"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(ABC):
    """What all instances have.

    ``question`` is without its options (None for a triple that names none), ``language`` an ISO 639-1 code (None
    likewise), ``groups`` what the row says of type, system, subject and source, ``row`` its place in the file from 1.
    """

    stage: Stage
    question: str | None
    language: str | None
    groups: Mapping[str, str]
    file: Path
    row: int

    @property
    @abstractmethod
    def chat(self) -> list[Message]:
        """What the model reads, as messages: the measure of the instance's length."""

    @property
    @abstractmethod
    def parts(self) -> tuple[str, str]:
        """What is given and what is to be learnt, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Instance):
    """A prompt and its completion, for LA, RC and SFT."""

    messages: tuple[Message, ...]
    completion: str

    @property
    def chat(self) -> list[Message]:
        """Prompt and completion."""
        return [*self.messages, {"role": "assistant", "content": self.completion}]

    @property
    def parts(self) -> tuple[str, str]:
        """The prompt's messages one after another, and the completion."""
        return _joined(self.messages), self.completion


@dataclass(frozen=True, slots=True, kw_only=True)
class RLPrompt(Instance):
    """A prompt and the reference that its completions are rewarded against."""

    messages: tuple[Message, ...]
    answer: str
    reasoning: str | None

    @property
    def reference(self) -> str:
        """Reasoning and answer, or the answer alone where there is no reasoning."""
        return f"{self.reasoning}\n\n{self.answer}" if self.reasoning else self.answer

    @property
    def chat(self) -> list[Message]:
        """The prompt alone: the model never reads the reference."""
        return list(self.messages)

    @property
    def parts(self) -> tuple[str, str]:
        """The prompt's messages one after another, and the reference."""
        return _joined(self.messages), self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Triple(Instance):
    """A response, a reference and whether the one is correct by the other, for the reward model."""

    response: str
    reference: str
    correct: bool

    @property
    def chat(self) -> list[Message]:
        """The reward model's text, which it reads as it stands: without a chat template's own tokens."""
        return [{"role": "user", "content": pair_text(self.response, self.reference)}]

    @property
    def parts(self) -> tuple[str, str]:
        """The response and the reference."""
        return self.response, self.reference


def _joined(messages: tuple[Message, ...]) -> str:
    return "\n\n".join(message["content"] for message in messages)
