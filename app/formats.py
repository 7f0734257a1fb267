"""The completion formats and their markers, defined once: prompts ask for them, answers reads them, rewards check them.

``plain`` has no markers. ``himed`` is HiMed-8B's ``## Thinking`` and ``## Response`` headings. ``cure-med`` is
CURE-Med's ``<thinking>`` block of ``<step1>…</step1>`` steps and its ``<answer>`` block.
"""

from typing import Final, Literal, get_args

Format = Literal["plain", "himed", "cure-med"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

THINKING_HEADING: Final = "## Thinking"
RESPONSE_HEADING: Final = "## Response"

THINKING_TAG: Final = "thinking"
ANSWER_TAG: Final = "answer"
STEP_TAG: Final = "step"  # numbered: step1, step2, …

THINKING_OPEN: Final = f"<{THINKING_TAG}>"
THINKING_CLOSE: Final = f"</{THINKING_TAG}>"
ANSWER_OPEN: Final = f"<{ANSWER_TAG}>"
ANSWER_CLOSE: Final = f"</{ANSWER_TAG}>"


def himed_completion(reasoning: str, answer: str) -> str:
    """A completion in HiMed's format."""
    return f"{THINKING_HEADING}\n\n{reasoning}\n\n{RESPONSE_HEADING}\n\n{answer}"


def cure_med_completion(reasoning: str, answer: str) -> str:
    """A completion in CURE-Med's format; the reasoning already holds its step tags."""
    return f"{THINKING_OPEN}{reasoning}{THINKING_CLOSE}\n{ANSWER_OPEN}{answer}{ANSWER_CLOSE}"
