"""TRL's output layer at completions only: the same log-probabilities and gradients, from fewer positions."""

from pathlib import Path
from typing import Any

import pytest


def scored(model: Any, tokens: Any, labels: Any) -> tuple[Any, Any, list[int]]:
    """Log-probabilities, the gradient of the output layer, and how many positions it was applied to."""
    import torch
    from trl.trainer import utils

    sizes: list[int] = []
    apply = utils._ChunkedLogProbFunction.apply

    def counted(hidden: Any, *rest: Any) -> Any:
        sizes.append(len(hidden))
        return apply(hidden, *rest)

    model.zero_grad()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils._ChunkedLogProbFunction, "apply", counted)
        output = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), labels=labels, fused_lm_head=True)
    output.log_probs.sum().backward()
    return output.log_probs.detach(), model.lm_head.weight.grad.clone(), sizes


def test_the_figures_are_the_same_from_completions_alone(tiny_checkpoint: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    from training.grpo.trainer import scoring_completions_only

    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    add_fused_lm_head(model, 1.0)
    tokens = torch.randint(0, 500, (3, 24), generator=torch.Generator().manual_seed(0))
    labels = tokens.clone()
    labels[:, :16] = -100
    labels[1, 20:] = -100  # a shorter completion
    all_logps, all_gradient, all_sizes = scored(model, tokens, labels)
    with scoring_completions_only():
        logps, gradient, sizes = scored(model, tokens, labels)
    assert torch.allclose(logps, all_logps, atol=1e-6)
    assert torch.allclose(gradient, all_gradient, atol=1e-6)
    assert logps.abs().sum() > 0
    assert (sum(all_sizes), sum(sizes)) == (3 * 23, 8 + 4 + 8)
