"""Tells HiMed's and CURE-Med's reasoning from their answers, in vLLM's servers and in streams.

vLLM calls `register` in each of its processes (entry point group ``vllm.general_plugins``), so that
``--reasoning-parser himed`` and ``--reasoning-parser cure-med`` exist wherever this package is installed.
"""

from typing import Final

from app.formats import Format

# The parsers' names in vLLM are the formats'; `plain` needs none.
_PARSERS: Final[dict[Format, str]] = {"himed": "HimedParser", "cure-med": "CureMedParser"}


def register() -> None:
    """Make vLLM know the parsers. They are imported when one is used."""
    from vllm.reasoning import ReasoningParserManager

    for name, parser in _PARSERS.items():
        ReasoningParserManager.register_lazy_module(name, "server.reasoning.parser", parser)


def server_options(format: Format) -> tuple[str, ...]:
    """The options of a vLLM server whose model writes a format.

    vLLM holds `structured_outputs` back until the reasoning has ended, and a model that leaves its format then never
    keeps to the schema: here what a request asks for holds from its first token on.
    """
    if format not in _PARSERS:
        return ()
    return ("--reasoning-parser", format, "--structured-outputs-config.enable_in_reasoning", "true")
