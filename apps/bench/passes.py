"""What compiling brings: a training step eagerly, as it was recorded, and with one pass after the other.

``python -m apps.bench --only mlp --passes``. Each step of this ladder works in a process of its own, and they take
turns, so that the gain over the one before is the median of paired ratios.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from apps.bench import mlp
from apps.bench.ladder import LadderTable, climb
from apps.bench.runner import Benchmark, Case, Report, Row, Settings, start
from apps.bench.table import digits, show


def names() -> list[str]:
    """The passes, in the order in which they run."""
    from needle.compiled.passes import PASSES

    return [one.__name__ for one in PASSES]


def cases(case: Case) -> list[Case]:
    """The work of `case` eagerly (no passes at all), recorded (none of them), and with the first 1, 2, ... passes."""
    every = [(case.name + " eager", None), (case.name + " recorded", 0)]
    every += [(f"{case.name} + {name}", count) for count, name in enumerate(names(), 1)]
    return [
        replace(case, name=name, work="with_passes", arguments={"of": case.work, "count": count, **case.arguments})
        for name, count in every
    ]


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """W1 to W4."""
    with ExitStack() as stack:
        workers = start(["needle"] * (len(names()) + 2), settings, stack, report)
        for case in mlp.CASES:
            steps = cases(case)
            yield from climb(steps, workers, [None] * len(steps), settings, report)


class PassesTable(LadderTable):
    """Time and gain."""

    def head(self) -> list[str]:
        """Title and names of the columns."""
        return ["", f"{self.benchmark.name}: {self.benchmark.title}", f"{'':{self.names}} {'time':>8}  {'gain':>6}"]

    def line(self, row: Row) -> str:
        """One step; the first has no gain."""
        gain = "".join(digits(pair.ratio) for pair in row.pairs.values())
        return f"{row.case:{self.names}} {show(row.value, row.amount, self.benchmark.unit):>8}  {gain:>6}"


BENCHMARK = Benchmark("passes", "one training step with the first passes; gain over the line before", "s", (), run)
