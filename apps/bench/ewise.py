"""Elementwise work on matrices of 10^3, 10^5 and 10^7 elements: in the cache, around it, and far outside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apps.bench.runner import Benchmark, Case, Report, Row, Settings, run_cases

SHAPES = {"10^3": (25, 40), "10^5": (250, 400), "10^7": (2500, 4000)}
FUNCTIONS = ("add", "mul", "exp", "tanh", "relu", "bias", "transposed")
PEERS = ("torch", "jax", "numpy")


def operands(function: str, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """X of (rows, columns) and the other operand: as large, one row (``bias``), or (columns, rows) (``transposed``)."""
    rng = np.random.default_rng(0)
    other = {"bias": (1, columns), "transposed": (columns, rows)}.get(function, (rows, columns))
    return rng.uniform(-1, 1, (rows, columns)).astype(np.float32), rng.uniform(-1, 1, other).astype(np.float32)


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Every function at every size."""
    cases = [
        Case(f"{function} {size}", "ewise", {"function": function, "rows": rows, "columns": columns})
        for size, (rows, columns) in SHAPES.items()
        for function in FUNCTIONS
    ]
    return run_cases("ewise", cases, PEERS, settings, report)


BENCHMARK = Benchmark("ewise", "elementwise, with a new array for the result; transposed: X + Y^T", "s", PEERS, run)
