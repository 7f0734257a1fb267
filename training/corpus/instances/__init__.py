"""Passages to instances: HiMed's items by subject, kind and level, or CURE-Med's open questions in many languages."""

from training.corpus.instances.step import InstancesStep

__all__ = ["InstancesStep"]
