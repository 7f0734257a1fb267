"""Evaluation: benchmarks, generation, scoring, statistics and the results database."""
