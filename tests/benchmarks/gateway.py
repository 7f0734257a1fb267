"""The gateway beside the bare backend: streams of 32 tokens at concurrency 1, 8 and 32, in turns, in one run.

    python tests/benchmarks/gateway.py
    python tests/benchmarks/gateway.py --no-vllm --rounds 3 --litellm .venv-litellm/bin/python

Backends: a stand-in that writes a whole answer at once; the same with 5 ms between two events; vLLM with random
models of two sizes. The gateway is `himed-serve` as it is installed: one process, with a key. Clients, backend and
gateway are processes of their own that share this machine's cores.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateway_processes import Server, gateway, litellm, real_vllm, run_load, stand_in

_CONCURRENCIES = (1, 8, 32)
# Hidden size and layers. The goals are for a backend that has a model to compute. With a toy of 128x2 a stream costs
# vLLM and its client 17 ms of CPU: on two cores any proxy takes its own milliseconds from them.
_MODELS = ("512x8", "1024x8")
_LEAST_RATIO, _MOST_CPU_MS, _MOST_LATER_MS = 0.95, 6.0, 5.0  # with vLLM


@dataclass
class Figures:
    """What the rounds of one server at one concurrency gave."""

    per_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)  # of the server's process, a request
    first_ms: list[list[float]] = field(default_factory=list)
    failed: int = 0

    def first_medians(self) -> list[float]:
        """The median time to the first event in each round."""
        return [statistics.median(times) for times in self.first_ms]

    def first_p99(self) -> float:
        """The 99th percentile over all rounds."""
        times = sorted(time for round in self.first_ms for time in round)
        return times[min(len(times) - 1, int(0.99 * len(times)))]


async def measure(server: Server, concurrency: int, seconds: float, figures: Figures) -> None:
    """One round of one server."""
    before = server.cpu_ms() if server.pid else 0.0
    result = json.loads(await run_load(server, concurrency, seconds))
    if not result["requests"]:
        raise SystemExit(f"{server.name} answers nothing: {result['failure']}")
    if result["failed"]:
        print(f"{server.name}: {result['failed']} failed: {result['failure']!r}", file=sys.stderr)
    figures.per_s.append(result["requests"] / result["seconds"])
    figures.cpu_ms.append((server.cpu_ms() - before) / result["requests"] if server.pid else 0.0)
    figures.first_ms.append(result["first_ms"])
    figures.failed += result["failed"]


async def compare(servers: list[Server], options: argparse.Namespace) -> dict[tuple[str, int], Figures]:
    """All servers at all concurrencies, in an order that turns from round to round."""
    table = {(server.name, count): Figures() for server in servers for count in options.open}
    for server in servers:
        await measure(server, 8, 1.0, Figures())  # warms up
    for number in range(options.rounds):
        turned = servers[number % len(servers) :] + servers[: number % len(servers)]
        for count in options.open:
            for server in turned:
                await measure(server, count, options.seconds, table[server.name, count])
    return table


def print_table(title: str, servers: list[Server], table: dict[tuple[str, int], Figures]) -> None:
    """One line for each server and concurrency; ratios and delays are medians over the rounds' own."""
    print(f"\n{title}")
    print(
        "open  server       requests/s   of bare   CPU ms/request   first event ms: median    later      p99   failed"
    )
    for count in sorted({count for _, count in table}):
        bare = table["bare", count]
        for server in servers:
            own = table[server.name, count]
            ratio = statistics.median(a / b for a, b in zip(own.per_s, bare.per_s, strict=True))
            later = statistics.median(a - b for a, b in zip(own.first_medians(), bare.first_medians(), strict=True))
            cpu = f"{statistics.median(own.cpu_ms):14.2f}" if server.pid else f"{'-':>14}"
            print(
                f"{count:4}  {server.name:11} {statistics.median(own.per_s):11.1f} {ratio:9.3f} {cpu}"
                f" {statistics.median(own.first_medians()):24.2f} {later:8.2f} {own.first_p99():8.1f} {own.failed:8}"
            )
    sys.stdout.flush()


def print_goals(table: dict[tuple[str, int], Figures]) -> bool:
    """The goals with vLLM, as far as they were measured. Returns whether all are met."""
    met = True

    def judge(said: str, figure: float, goal: str, reached: bool) -> None:
        nonlocal met
        met = met and reached
        print(f"{said}: {figure:.3f} (goal: {goal}): {'met' if reached else 'MISSED'}")

    print()
    if ("bare", 32) in table:
        bare, own = (table[name, 32] for name in ("bare", "himed-serve"))
        ratio = statistics.median(a / b for a, b in zip(own.per_s, bare.per_s, strict=True))
        judge("requests/s of bare vLLM's at 32 open", ratio, f"at least {_LEAST_RATIO}", ratio >= _LEAST_RATIO)
        cpu = statistics.median(own.cpu_ms)
        judge("CPU ms a request at 32 open", cpu, f"at most {_MOST_CPU_MS:g}", cpu <= _MOST_CPU_MS)
    if ("bare", 1) in table:
        bare, own = (table[name, 1] for name in ("bare", "himed-serve"))
        later = statistics.median(a - b for a, b in zip(own.first_medians(), bare.first_medians(), strict=True))
        judge("first event later at 1 open, ms", later, f"at most {_MOST_LATER_MS:g}", later <= _MOST_LATER_MS)
    return met


async def run(options: argparse.Namespace) -> bool:
    """Measure with each backend. Returns whether the goals are met."""
    met = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backends = [("at once", 0.0), ("5 ms between events", 5.0)] if options.stand_in else []
        for title, gap_ms in backends:
            with stand_in(gap_ms) as bare:
                await _beside(bare, f"Stand-in backend, {title}", options, folder)
        for model in options.models if options.vllm else ():
            hidden, layers = map(int, model.split("x"))
            async with real_vllm(folder, hidden, layers) as bare:
                table = await _beside(bare, f"vLLM, random model of {layers} layers of {hidden}", options, folder)
            met = print_goals(table) and met
    return met


async def _beside(
    bare: Server, title: str, options: argparse.Namespace, folder: Path
) -> dict[tuple[str, int], Figures]:
    async with AsyncExitStack() as stack:
        servers = [bare, stack.enter_context(gateway(bare, folder))]
        if options.litellm:
            servers.append(stack.enter_context(litellm(options.litellm, bare, folder)))
        load = os.getloadavg()[0]
        table = await compare(servers, options)
        print_table(f"{title} ({options.rounds} rounds; load of the machine before: {load:.1f})", servers, table)
        return table


def main() -> None:
    """Measure, print the tables; exit status 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", action=argparse.BooleanOptionalAction, default=True, help="measure with vLLM too")
    parser.add_argument("--stand-in", action=argparse.BooleanOptionalAction, default=True, help="and with a stand-in")
    parser.add_argument("--models", nargs="+", default=_MODELS, help="HIDDENxLAYERS of vLLM's random models")
    parser.add_argument("--open", nargs="+", type=int, default=_CONCURRENCIES, help="streams at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=9.0, help="length of one measurement [9]; vLLM ends few streams in less"
    )
    parser.add_argument("--litellm", type=Path, help="Python of an environment with litellm[proxy], to measure too")
    sys.exit(0 if asyncio.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
