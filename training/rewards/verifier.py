"""The R1 reward model on transformers: P(True) of responses beside their references."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import InputError
from training.rewards.template import LABELS, MAX_LENGTH, pair_text

if TYPE_CHECKING:
    import torch


class RewardModel:
    """A sequence classifier with the labels False and True, from a local folder.

    Attributes:
        device: where it computes.
        max_length: longest text in tokens; a longer pair is never cut, it has no probability.
        batch_size: pairs per forward pass.
    """

    def __init__(
        self, folder: Path, *, device: str | None = None, max_length: int = MAX_LENGTH, batch_size: int = 16
    ) -> None:
        """Load the model: bfloat16 on a GPU, float32 on a CPU.

        Args:
            folder: a checkpoint with safetensors weights and its tokenizer; code in it is never run.
            device: ``cpu``, ``cuda``, ``cuda:1``; None is this process's GPU where there is one.
            max_length: longest text in tokens.
            batch_size: pairs per forward pass.

        Raises:
            InputError: the folder holds no such model, or a number is not positive.
        """
        import torch

        if max_length < 1 or batch_size < 1:
            raise InputError(f"max_length is {max_length}, batch_size is {batch_size}", remedy="use 1 or more")
        self.max_length, self.batch_size = max_length, batch_size
        self.device = torch.device(device) if device else _own_device()
        self._tokenizer, self._model = _load(folder, self.device)
        self._true = LABELS.index("True")

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """P(True) of each (response, reference), from 0 to 1; None where the pair is longer than ``max_length``."""
        import torch

        if not pairs:
            return []
        rows = self._tokenizer([pair_text(response, reference) for response, reference in pairs])["input_ids"]
        found: list[float | None] = [None] * len(rows)
        with torch.inference_mode():
            for batch in self._batches(rows):
                padded = self._tokenizer.pad(
                    {"input_ids": [rows[row] for row in batch]}, padding_side="right", return_tensors="pt"
                ).to(self.device)
                logits = self._model(**padded).logits.float()  # batch × 2
                for row, probability in zip(batch, logits.softmax(-1)[:, self._true].tolist(), strict=True):
                    found[row] = probability
        return found

    def _batches(self, rows: list[list[int]]) -> Iterator[list[int]]:
        """Row numbers in batches of like length, so that little is padded; the longest first, to fail early."""
        fitting = [row for row, tokens in enumerate(rows) if len(tokens) <= self.max_length]
        fitting.sort(key=lambda row: len(rows[row]), reverse=True)
        for start in range(0, len(fitting), self.batch_size):
            yield fitting[start : start + self.batch_size]


def _own_device() -> "torch.device":
    import torch

    # The launcher has chosen a GPU for each process.
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def _load(folder: Path, device: "torch.device") -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise InputError("no reward model here", file=folder, remedy="name the folder that holds its config.json")
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **local)
        if tuple(config.id2label.get(index) for index in range(config.num_labels)) != LABELS:
            raise InputError(
                f"the labels are {', '.join(map(str, config.id2label.values()))}",
                file=folder / "config.json",
                field="id2label",
                remedy=f"a reward model has the labels {' and '.join(LABELS)} in this order",
            )
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **local,
        )
    except (OSError, ValueError) as error:  # how transformers reports missing, broken and foreign files
        raise InputError(f"the reward model cannot be loaded ({error})", file=folder, remedy="train it again") from None
    if report["missing_keys"]:
        # transformers fills these with random numbers and only warns.
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise InputError(f"the weights lack {missing}", file=folder, remedy="name a trained reward model")
    if tokenizer.pad_token_id is None or model.config.pad_token_id != tokenizer.pad_token_id:
        # The model reads its verdict off the last token that is no padding.
        raise InputError(
            "model and tokenizer do not name the same padding token",
            file=folder / "config.json",
            field="pad_token_id",
            remedy="set the tokenizer's pad token in both",
        )
    return tokenizer, model.to(device).eval()
