"""C = A B in float32, for large square matrices and for the small and skinny ones of an MLP, transposed or not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apps.bench.runner import Benchmark, Case, Report, Row, Settings, run_cases

# (m, k, n) of an (m, k) by (k, n) product.
SHAPES = (
    (128, 128, 128),
    (256, 256, 256),
    (512, 512, 512),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (100, 784, 100),
    (784, 100, 100),
    (64, 784, 256),
    (784, 64, 256),
    (128, 512, 512),
    (64, 576, 64),
)
FORMS = ("A B", "A^T B", "A B^T")
PEERS = ("torch", "jax", "numpy")


def operands(m: int, k: int, n: int, form: str) -> tuple[np.ndarray, np.ndarray]:
    """A and B as they lie in memory, row by row: (m, k) and (k, n), or their transposes where `form` says so."""
    rng = np.random.default_rng(0)
    a = rng.uniform(-1, 1, (k, m) if form == "A^T B" else (m, k))
    b = rng.uniform(-1, 1, (n, k) if form == "A B^T" else (k, n))
    return a.astype(np.float32), b.astype(np.float32)


def case(m: int, k: int, n: int, form: str = "A B") -> Case:
    """The product of these shapes as a case; its amount is its floating point operations."""
    arguments = {"m": m, "k": k, "n": n, "form": form}
    return Case(f"{form:5} {m} {k} {n}", "gemm", arguments, amount=2.0 * m * k * n)


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Every shape in every form."""
    shapes = [shape for shape in SHAPES if not settings.quick or max(shape) <= 1024]
    cases = [case(*shape, form) for shape in shapes for form in FORMS]
    return run_cases("gemm", cases, PEERS, settings, report)


BENCHMARK = Benchmark("gemm", "C = A B in float32; form and m k n", "GFLOP/s", PEERS, run)
