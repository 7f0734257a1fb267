"""The SFT loss on completions alone: no logits are computed for positions that nobody is asked about."""

from typing import Any, Final

# Logits that are held at once, in 32 bits 1 GiB. Above, TRL's own loss computes them in chunks, twice.
MOST_LOGITS: Final = 2**28


class CompletionLoss:
    """A mixin before TRL's `SFTTrainer`, for rows that are laid end to end.

    The output layer is applied to the positions before a completion's tokens only: with a small model and long prompts
    it would else take a third of a step. The loss is TRL's, the sum over those tokens divided by their number.
    """

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean negative log-likelihood of the completions' tokens; TRL's own where the rows are padded or many."""
        trainer: Any = self
        positions = _asked(inputs)
        if return_outputs or positions is None or len(positions) * model.config.vocab_size > MOST_LOGITS:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        from torch.nn.functional import cross_entropy

        labels = inputs["labels"][0]
        given = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**given, use_cache=False, logits_to_keep=positions).logits[0].float()
        targets = labels[positions + 1]
        asked = len(positions) if num_items_in_batch is None else num_items_in_batch
        loss = cross_entropy(logits, targets, reduction="sum") / max(int(asked), 1)
        if trainer.args.average_tokens_across_devices and num_items_in_batch is not None:
            # The number is that of all processes, whose gradients are averaged.
            loss = loss * trainer.accelerator.num_processes
        self._count(logits.argmax(-1) == targets, inputs["input_ids"].numel())
        return loss

    def _count(self, right: Any, tokens: int) -> None:
        """Log what TRL's loss would have logged."""
        import torch

        trainer: Any = self
        mode = "train" if trainer.model.training else "eval"
        local = torch.tensor([right.sum(), right.numel(), tokens], dtype=torch.float64, device=right.device)
        correct, asked, seen = trainer.accelerator.reduce(local, reduction="sum").tolist()
        trainer._metrics[mode]["mean_token_accuracy"].append(correct / asked if asked else 0.0)
        if mode == "train":
            trainer._total_train_tokens += int(seen)
        trainer._metrics[mode]["num_tokens"] = [trainer._total_train_tokens]


def _asked(inputs: Any) -> Any:
    """The positions whose next token is part of a completion; None for padded rows."""
    labels = inputs["labels"]
    if "attention_mask" in inputs or len(labels) != 1:
        return None
    return (labels[0, 1:] != -100).nonzero().squeeze(1)
