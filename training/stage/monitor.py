"""What a trainer logs beside its loss: tokens per second, the share of the GPU's peak, memory."""

import resource
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

GIB: Final = 2**30

# Dense bfloat16 peak in FLOP/s by a part of the device's name, from NVIDIA's data sheets; the first that fits counts.
PEAKS: Final = (
    ("H200", 989e12),
    ("H100 PCIe", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989e12),
    ("B200", 2250e12),
    ("A100", 312e12),
    ("L40S", 362e12),
    ("A10", 125e12),
)


def peak_flops(device_name: str) -> float | None:
    """The device's dense bfloat16 peak in FLOP/s; None for one that is not known."""
    return next((peak for name, peak in PEAKS if name in device_name), None)


def flops_per_token(total: int, trained: int, layers: int, hidden: int, length: float) -> float:
    """Floating-point operations of the forward and backward pass over one token.

    2 per weight forward, 2 per weight for the gradient of the activations, and 2 per trained weight for its own: 6 N
    where all are trained (PaLM, arXiv:2204.02311, appendix B). Attention adds 12 x layers x hidden x length; of
    causal attention half of this is masked, which the formula counts all the same. Recomputation is not counted.

    Args:
        total: weights.
        trained: weights that are trained; few with LoRA.
        layers: transformer blocks.
        hidden: width of the residual stream.
        length: mean length of a row in tokens, over which attention goes.
    """
    return 4.0 * total + 2.0 * trained + 12.0 * layers * hidden * length


def count_weights(model: "torch.nn.Module") -> tuple[int, int]:
    """Weights in all and trained ones; under DeepSpeed's stage 3 a process holds only a part of each."""
    sizes = [(int(getattr(p, "ds_numel", p.numel())), p.requires_grad) for p in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


class Monitored:
    """A mixin before a `transformers.Trainer`: adds the figures above to every line that it logs.

    ``tokens_per_second`` counts the tokens of all processes without padding, over the time since the last line without
    evaluations and saves. ``share_of_peak`` is there where the GPU's peak is known.
    """

    _tokens: int = 0
    _rows: int = 0
    _since: float | None = None

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """One forward and backward pass; the first one starts the clock."""
        if self._since is None:
            self._restart_clock()
        return super().training_step(*args, **kwargs)  # type: ignore[misc]

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The trainer's loss; counts what it is taken over."""
        if model.training:
            tokens, rows = count_tokens(inputs)
            self._tokens += tokens
            self._rows += rows
        return super().compute_loss(model, inputs, *args, **kwargs)  # type: ignore[misc]

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log the trainer's own figures and these."""
        if "loss" in logs and self._since is not None:
            logs |= self._figures()
            self._restart_clock()
        super().log(logs, *args, **kwargs)  # type: ignore[misc]

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        super()._maybe_log_save_evaluate(*args, **kwargs)  # type: ignore[misc]
        if self.control.should_save or self.control.should_evaluate:  # type: ignore[attr-defined]
            self._restart_clock()  # an evaluation is no training

    def _restart_clock(self) -> None:
        self._tokens, self._rows, self._since = 0, 0, time.perf_counter()

    def _figures(self) -> dict[str, float]:
        import torch

        trainer: Any = self
        seconds = time.perf_counter() - (self._since or 0.0)
        local = torch.tensor([self._tokens, self._rows], dtype=torch.float64, device=trainer.args.device)
        tokens, rows = trainer.accelerator.reduce(local, reduction="sum").tolist()
        rate = tokens / seconds
        figures = {"tokens_per_second": rate, "memory_gib": _memory()}
        if torch.cuda.is_available() and rows and (peak := peak_flops(torch.cuda.get_device_name())):
            total, trained = count_weights(trainer.model)
            config = trainer.model.config
            work = flops_per_token(total, trained, config.num_hidden_layers, config.hidden_size, tokens / rows)
            figures["share_of_peak"] = rate * work / (peak * trainer.accelerator.num_processes)
        return figures


def count_tokens(inputs: Any) -> tuple[int, int]:
    """Tokens without padding, and rows, of a trainer's batch; rows that were laid end to end begin at position 0."""
    if "prompt_ids" in inputs:  # GRPO: prompts and completions apart
        masks = inputs["prompt_mask"], inputs["completion_mask"]
        return int(sum(mask.sum() for mask in masks)), len(inputs["prompt_ids"])
    if "position_ids" in inputs and "attention_mask" not in inputs:
        return int(inputs["input_ids"].numel()), int((inputs["position_ids"] == 0).sum())
    return int(inputs["attention_mask"].sum()), len(inputs["input_ids"])


def _memory() -> float:
    """The most memory that this process has used, in GiB: the GPU's, without one the host's."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated() / GIB)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
