"""What it costs to begin: a whole process that only imports needle, against one that imports NumPy or PyTorch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from apps.bench.processes import run_process
from apps.bench.runner import Benchmark, Pair, Report, Row, Settings
from apps.bench.sides import SIDES

PEERS = ("torch", "numpy")


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Once unmeasured, so that the files are in the system's cache, then in turn."""
    peers = [name for name in PEERS if name in settings.peers and not SIDES[name].missing()]

    def seconds(name: str) -> float:
        return run_process(["-c", f"import {name}"], settings).seconds

    for name in ("needle", *peers):
        seconds(name)
    times: list[float] = []
    pairs = {name: Pair() for name in peers}
    for _ in range(settings.rounds):
        for name in peers:
            times.append(seconds("needle"))
            pairs[name].ours.append(times[-1])
            pairs[name].theirs.append(seconds(name))
        if not peers:
            times.append(seconds("needle"))
    yield Row("import", "import", "needle", statistics.median(times), pairs=pairs)


BENCHMARK = Benchmark("import", "whole process: `import needle` against `import ...`", "s", PEERS, run)
