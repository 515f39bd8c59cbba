"""The ladder: every rung of needle's matrix product, against the rung before it and against the machine's peak.

``python -m apps.bench --only gemm --ladder``. Each rung works in a process of its own, and they take turns, so that
the gain over the rung before is the median of paired ratios, as it is against a peer. The peak is the rate of
multiply-adds on registers that `fma_peak.cpp` finds, on as many threads as the rung uses.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from apps.bench.machine import fma_peak
from apps.bench.runner import Benchmark, Case, Pair, Report, Row, Settings, Worker, disagreement, start
from apps.bench.table import Table, digits, show

# (m, k, n): a layer of a small network, a product that the second-level cache nearly holds, one that it does not.
SHAPES = ((100, 784, 100), (512, 512, 512), (1024, 1024, 1024))
BEFORE = "the rung before"


class Rung(NamedTuple):
    """A kernel of ``cpu()``, and the threads that it may use."""

    name: str
    kernel: str
    threads: int


def rungs(threads: int) -> list[Rung]:
    """From the bottom to the top; the top with one thread, and with all of them."""
    alone = [Rung(name, f"matmul_{name}", 1) for name in ("naive", "tiled", "simd", "packed")]
    return alone + [Rung(f"@, {n} thread{'s' * (n > 1)}", "matmul", n) for n in sorted({1, threads})]


def case(rung: Rung, m: int, k: int, n: int) -> Case:
    """A product by one rung; its amount is its floating point operations."""
    arguments = {"kernel": rung.kernel, "threads": rung.threads, "m": m, "k": k, "n": n}
    return Case(f"{f'{m} {k} {n}':14} {rung.name}", "rung", arguments, amount=2.0 * m * k * n)


def climb(
    cases: Sequence[Case], workers: Sequence[Worker], peaks: Sequence[float | None], settings: Settings, report: Report
) -> Iterator[Row]:
    """The rows of one shape: one case, one worker and one peak for each rung."""
    answers = [worker.prepare(case, settings.seconds) for case, worker in zip(cases, workers)]
    for case, answer in zip(cases, answers):
        if disagreement(case, answers[0], answer) is not None:
            report(f"WARNING: {case.name} and {cases[0].name} give different results")
    rounds = [[worker.measure() for worker in workers] for _ in range(settings.rounds)]
    times = [list(of_rung) for of_rung in zip(*rounds)]
    for i, (case, peak) in enumerate(zip(cases, peaks)):
        pairs = {BEFORE: Pair(times[i], times[i - 1])} if i > 0 else {}
        floor = None if peak is None else case.amount / peak
        yield Row("ladder", case.name, "needle", statistics.median(times[i]), case.amount, pairs, floor)


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Every rung, shape by shape."""
    ladder = rungs(settings.threads)
    peak = {threads: fma_peak(threads) for threads in sorted({rung.threads for rung in ladder})}
    with ExitStack() as stack:
        workers = start(["needle"] * len(ladder), settings, stack, report)
        for shape in SHAPES[:-1] if settings.quick else SHAPES:
            cases = [case(rung, *shape) for rung in ladder]
            yield from climb(cases, workers, [peak[rung.threads] for rung in ladder], settings, report)


class LadderTable(Table):
    """Rate, gain and fraction of the peak."""

    def __init__(self, benchmark: Benchmark, peers: Sequence[str]) -> None:
        super().__init__(benchmark, peers)
        self.names = 28

    def head(self) -> list[str]:
        """Title and names of the columns."""
        columns = f"{'m k n':{self.names}} {'GFLOP/s':>8}  {'gain':>6}  {'of peak':>7}"
        return ["", f"{self.benchmark.name}: {self.benchmark.title}", columns]

    def line(self, row: Row) -> str:
        """One rung; the lowest has no gain."""
        gain = digits(row.pairs[BEFORE].ratio) if BEFORE in row.pairs else ""
        fraction = "-" if row.floor is None else f"{100 * row.floor / row.value:.1f} %"
        rate = show(row.value, row.amount, self.benchmark.unit)
        return f"{row.case:{self.names}} {rate:>8}  {gain:>6}  {fraction:>7}"

    def summary(self, rows: Sequence[Row]) -> list[str]:
        """Nothing beside the lines."""
        return []


BENCHMARK = Benchmark("ladder", "C = A B in float32 by each rung; gain over the rung before", "GFLOP/s", (), run)
