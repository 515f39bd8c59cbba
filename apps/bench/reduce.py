"""Sums and maxima over all elements, rows and columns; softmax, logsumexp and layer norm of every row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apps.bench.runner import Benchmark, Case, Report, Row, Settings, run_cases

SHAPES = ((128, 1000), (4096, 64))
FUNCTIONS = ("sum", "max")
AXES = {"all": None, "rows": 1, "columns": 0}
ROWWISE = ("softmax", "logsumexp", "layer norm")
EPS = 1e-5
PEERS = ("torch", "jax", "numpy")


def operand(rows: int, columns: int) -> np.ndarray:
    """Standard normal numbers."""
    return np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Every function at both shapes."""
    cases = []
    for rows, columns in SHAPES:
        shape = {"rows": rows, "columns": columns}
        name = f"({rows}, {columns})"
        for function in FUNCTIONS:
            for over, axis in AXES.items():
                arguments = {"function": function, "axis": axis, **shape}
                # A sum of random signs is small beside its terms, so its relative error is large.
                cases.append(Case(f"{function} {over} {name}", "reduce", arguments, tolerance=1e-2))
        for function in ROWWISE:
            cases.append(Case(f"{function} {name}", "reduce", {"function": function, "axis": 1, **shape}))
    return run_cases("reduce", cases, PEERS, settings, report)


BENCHMARK = Benchmark("reduce", "reductions over all, over each row, over each column", "s", PEERS, run)
