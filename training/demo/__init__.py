"""The demo: facts that the project ships, renderings of them, and a tiny model that learns them."""

from training.demo.data import build_demo
from training.demo.run import run_demo

__all__ = ["build_demo", "run_demo"]
