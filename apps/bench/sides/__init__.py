"""The sides of a comparison: which library does the work, and in what surroundings.

Each file ``with_*.py`` beside this one writes the benchmarks' work in one library, the way its documentation
recommends. A function of such a file has the name of a piece of work (``gemm``, ``mlp``, ...), takes the arguments of a
case and gives a `Work`. What a library cannot do, or has no natural way to do, its file leaves out.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Work:
    """A piece of work, ready to be done again and again."""

    step: Callable[[], object]
    """Does the work once."""
    answer: Callable[[], np.ndarray]
    """The result, by which the sides are checked against each other. Called once, before any step."""
    finish: Callable[[], object] = _nothing
    """Waits for steps that are still under way (in a library that runs them asynchronously)."""


class Absent(Exception):  # noqa: N818 - no error: the side says that it does not take part
    """Raised where a side cannot take part; the message, if any, is the plain reason, shown to the user."""


@dataclass(frozen=True)
class Side:
    """A library as a competitor.

    Attributes
    ----------
    name
        As shown in the table and given to ``--peers``.
    module
        Python module that writes the work with this library.
    needs
        The top-level packages it imports.
    """

    name: str
    module: str
    needs: tuple[str, ...]

    def missing(self) -> list[str]:
        """The packages that are needed and not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


SIDES = {
    side.name: side
    for side in (
        Side("needle", "apps.bench.sides.with_needle", ("needle",)),
        Side("compiled", "apps.bench.sides.with_needle_compiled", ("needle",)),
        Side("torch", "apps.bench.sides.with_torch", ("torch",)),
        Side("torch.compile", "apps.bench.sides.with_torch_compile", ("torch",)),
        Side("jax", "apps.bench.sides.with_jax", ("jax", "optax")),
        Side("numpy", "apps.bench.sides.with_numpy", ("numpy",)),
    )
}
OURS = ("needle", "compiled")
PEERS = tuple(name for name in SIDES if name not in OURS)

_THREAD_VARIABLES = ("NEEDLE_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")


def environment(threads: int) -> dict[str, str]:
    """The environment in which every library uses that many threads (JAX asks for ``NPROC``) and the CPU alone.

    And in which Python keeps what it compiles: else a tree would be compiled at each import, and an installed peer not.
    """
    variables = {name: str(threads) for name in _THREAD_VARIABLES}
    if threads == 1:
        variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return {**os.environ, **variables, "JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": ""}


def keep_to_cores(threads: int) -> None:
    """Let this process run on that many cores only: a library may ignore its environment, but not this."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
