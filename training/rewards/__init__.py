"""Rewards: small classes that TRL's GRPO calls as reward functions.

- ``schedule``: the weights of task and scaffold over training.
- ``scaffold``: the share of Hindi in a completion (HiMed's DSR-RL).
- ``template``, ``verifier``, ``task``: the R1 reward model's text, its probabilities, and the reward made of them.
- ``decaying``: DSR-RL's reward: task and scaffold, weighed by the schedule at the trainer's step.
- ``judge``, ``judge_cache``, ``composite``: CURE-Med's reward: accuracy by a judge, language and format.
- ``repetition``, ``guards``: what can go wrong with rewards, measured at every step, logged, able to stop a run.
- ``base``, ``parts``: what all of them are given, and raw rewards, weights and weighted sums for the log.

A reward is a float or None. None is unknown: TRL leaves such a completion out of its group's mean and out of the loss.
"""
