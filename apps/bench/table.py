"""The table: a line for each row as it is measured, and what the rows of a benchmark say together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from apps.bench.runner import Benchmark, Row

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def show_time(seconds: float) -> str:
    """Three digits and a unit: ``412 us``."""
    if not math.isfinite(seconds):
        return "-"
    size, unit = next((pair for pair in _UNITS if seconds >= 0.9995 * pair[0]), _UNITS[-1])
    return f"{digits(seconds / size)} {unit}"


def digits(number: float) -> str:
    """Two decimals below 10, one below 100, none above."""
    rounded = float(f"{number:.3g}")
    return f"{number:.{2 if rounded < 10 else 1 if rounded < 100 else 0}f}"


def show(value: float, amount: float, unit: str) -> str:
    """A measured value in the unit of its benchmark."""
    if unit == "GFLOP/s":
        return f"{amount / value / 1e9:.3g}"
    if unit == "MB":
        return f"{value / 1e6:.0f} MB"
    return show_time(value / amount)


class Table:
    """Lines of one width for one benchmark."""

    def __init__(self, benchmark: Benchmark, peers: Sequence[str]) -> None:
        self.benchmark = benchmark
        self.peers = [name for name in benchmark.peers if name in peers]
        self.floor = benchmark.name == "mlp"
        self.names = 11 if self.floor else 22

    def head(self) -> list[str]:
        """Title and names of the columns."""
        unit = f" [{self.benchmark.unit}]" if self.benchmark.unit == "GFLOP/s" else ""
        columns = f"{'':{self.names}} {'needle':>8}" + "".join(f"  {name:>13}" for name in self.peers)
        return ["", f"{self.benchmark.name}: {self.benchmark.title}{unit}", columns + "  floor     x" * self.floor]

    def line(self, row: Row) -> str:
        """Needle's median; each peer's, and how many times faster (smaller) needle is."""
        cells = [f"{row.case:{self.names}} {show(row.value, row.amount, self.benchmark.unit):>8}"]
        for name in self.peers:
            pair = row.pairs.get(name)
            value = "-" if pair is None else show(pair.peer, row.amount, self.benchmark.unit)
            cells.append(f"{value:>8}{'' if pair is None else digits(pair.ratio):>5}")
        if self.floor:
            cells.append("-" if row.floor is None else f"{show_time(row.floor)} {row.value / row.floor:.1f}")
        return "  ".join(cells).rstrip()

    def summary(self, rows: Sequence[Row]) -> list[str]:
        """Against each peer: the geometric mean of the ratios, and the least of them."""
        lines = []
        for name in self.peers:
            ratios = [(row.pairs[name].ratio, row.case) for row in rows if name in row.pairs]
            if len(ratios) > 1:
                mean = math.exp(sum(math.log(ratio) for ratio, _ in ratios) / len(ratios))
                least, case = min(ratios)
                lines.append(f"against {name}: geometric mean {mean:.2f}, least {least:.2f} ({' '.join(case.split())})")
        return lines
