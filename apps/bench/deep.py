"""Long chains: whether building, differentiating and freeing a graph of n nodes takes time in proportion to n."""

from __future__ import annotations

from collections.abc import Iterator

from apps.bench.runner import Benchmark, Case, Report, Row, Settings, run_cases

LENGTHS = (1_000, 10_000, 100_000)
PEERS = ("torch",)


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Every length; the time is per node, so equal lines mean linear time."""
    lengths = LENGTHS[:2] if settings.quick else LENGTHS
    cases = [Case(f"{length:,} nodes", "deep", {"length": length}, amount=length) for length in lengths]
    return run_cases("deep", cases, PEERS, settings, report)


BENCHMARK = Benchmark("deep", "time per node: build, backward and free a chain of `y + 1`", "s", PEERS, run)
