"""Scorers: each gives one metric of one generation, by name and version."""
