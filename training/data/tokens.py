"""Lengths in tokens, with the tokenizer of a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from app.errors import InputError
from app.prompts import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TokenCounter:
    """Counts a chat's tokens as the model sees them: with the chat template's own tokens, without padding.

    Where the answer is still to come, the tokens that open it count as well.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        """Count with a tokenizer.

        Raises:
            InputError: it has no chat template.
        """
        if not tokenizer.chat_template:
            raise InputError(
                "the tokenizer has no chat template", file=tokenizer.name_or_path, remedy="name an instruct model"
            )
        self._tokenizer = tokenizer

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Load the tokenizer of a checkpoint's folder; nothing is fetched.

        Raises:
            InputError: the folder holds no tokenizer, or the tokenizer has no chat template.
        """
        from transformers import AutoTokenizer

        if not folder.is_dir():
            raise InputError("the tokenizer's folder does not exist", file=folder, remedy="name a checkpoint's folder")
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            problem = f"holds no tokenizer that can be loaded ({str(error).splitlines()[0]})"
            raise InputError(problem, file=folder, remedy="name a checkpoint's folder") from None
        return cls(tokenizer)

    def __call__(self, messages: Sequence[Message]) -> int:
        """The number of tokens."""
        opened = messages[-1]["role"] != "assistant"
        text = self._tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=opened)
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])
