"""Benchmarks: items, loaders and the ones that himed knows by name."""
