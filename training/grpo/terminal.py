"""The figures of a GRPO step that the terminal shows; TensorBoard and the trainer's state have all of them."""

from typing import Any, Final

from transformers import ProgressCallback

_SHOWN: Final = frozenset(
    {
        "loss",
        "reward",
        "kl",
        "grad_norm",
        "learning_rate",
        "completions/mean_length",
        "completions/clipped_ratio",
        "tokens_per_second",
        "share_of_peak",
        "memory_gib",
        "time/step",
        "epoch",
    }
)
_SHOWN_GROUPS: Final = ("reward/", "weight/", "guard/", "train_")


class ShortProgress(ProgressCallback):  # type: ignore[misc]
    """transformers' progress bar, with the figures that say how a run fares in place of forty."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Write a line of figures above the bar."""
        shown = {name: value for name, value in logs.items() if _is_shown(name.removeprefix("eval_"))}
        super().on_log(args, state, control, logs=shown, **kwargs)


def _is_shown(name: str) -> bool:
    return name in _SHOWN or name.startswith(_SHOWN_GROUPS)
