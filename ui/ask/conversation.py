"""A conversation: what was asked, and the answers."""

from dataclasses import dataclass, field

from ui.answers import LiveAnswer
from ui.gateway import Question, Turn


@dataclass(slots=True)
class Exchange:
    """A question and its answer. ``asked_in`` is the language that was chosen for it, None when it was to be found."""

    question: str
    asked_in: str | None
    model: str
    live: LiveAnswer = field(default_factory=LiveAnswer)
    rating: int | None = None


@dataclass(slots=True)
class Conversation:
    """All exchanges since the last "New", oldest first."""

    exchanges: list[Exchange] = field(default_factory=list)

    def ask(self, question: str, language: str | None, model: str) -> Question:
        """Add a question; what the gateway is to be asked."""
        turns = [Turn(each.question, each.live.answer) for each in self.exchanges if each.live.answer.strip()]
        self.exchanges.append(Exchange(question, language, model))
        return Question(question, language=language, model=model, history=turns)

    def take_last(self) -> Exchange | None:
        """Take the last exchange out, to ask it again or otherwise; None where there is none."""
        return self.exchanges.pop() if self.exchanges else None
