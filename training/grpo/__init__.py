"""GRPO on TRL: DSR-RL with LoRA, and CURE-Med's curriculum stages with full weights.

- ``stage``: one stage from its data to its saved result.
- ``rewards``: the recipe's reward, built.
- ``trainer``: what is added to TRL's trainer: guards, phases of a step, tables of samples, the measure.
- ``phases``, ``table``, ``terminal``, ``measure``: those parts by themselves.
"""

from training.grpo.stage import load_prompts, train_grpo

__all__ = ["load_prompts", "train_grpo"]
