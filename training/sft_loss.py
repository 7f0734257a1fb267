"""The SFT loss on completions alone: no logits are computed for positions that nobody is asked about."""

from typing import Any, Final

from training.stage.monitor import count_tokens

# Logits that are held at once, in 32 bits 1 GiB. Above, TRL's own loss computes them in chunks, twice.
MOST_LOGITS: Final = 2**28
IGNORED: Final = -100  # the label of a token that is not learnt


class CompletionLoss:
    """A mixin before TRL's `SFTTrainer`.

    The output layer is applied only to positions where some row of the batch has a completion's token next: with a
    small model and long prompts it would else take a third of a step. The loss is TRL's, the sum over the completions'
    tokens divided by their number.
    """

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean negative log-likelihood of the completions' tokens; TRL's own where the logits are too many."""
        from torch.nn.functional import cross_entropy

        trainer: Any = self
        labels = inputs["labels"]  # batch x length
        positions = (labels[:, 1:] != IGNORED).any(0).nonzero().squeeze(1)
        vocabulary = trainer.model.config.vocab_size
        if return_outputs or len(labels) * len(positions) * vocabulary > MOST_LOGITS:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        given = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**given, use_cache=False, logits_to_keep=positions).logits.float()
        targets = labels[:, positions + 1]
        known = targets != IGNORED
        asked = known.sum() if num_items_in_batch is None else num_items_in_batch
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        loss = loss / max(int(asked), 1)
        if trainer.args.average_tokens_across_devices and num_items_in_batch is not None:
            # The number is that of all processes, whose gradients are averaged.
            loss = loss * trainer.accelerator.num_processes
        self._count((logits.argmax(-1) == targets)[known], count_tokens(inputs)[0])
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
