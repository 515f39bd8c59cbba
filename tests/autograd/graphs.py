"""What the tests of the graph share: reading a graph, and counting what is computed."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle.backend_selection import BACKEND

nd_only = pytest.mark.skipif(BACKEND != "nd", reason="about Needle's own arrays")
np_only = pytest.mark.skipif(BACKEND != "np", reason="about plain NumPy arrays")


def tensor(values: Any, dtype: str = "float32", **options: Any) -> ndl.Tensor:
    """A leaf of the same dtype on both array libraries."""
    return ndl.Tensor(np.asarray(values, dtype=dtype), dtype=dtype, **options)


def live_values() -> int:
    """How many Values are alive, garbage in reference cycles aside."""
    gc.collect()
    return ndl.autograd.TENSOR_COUNTER


def op_names(*nodes: ndl.Value) -> list[str]:
    """The classes of the ops behind `nodes`, in topological order, without leaves."""
    return [type(node.op).__name__ for node in ndl.autograd.find_topo_sort(list(nodes)) if node.op is not None]


@contextmanager
def counted_computations() -> Iterator[Counter[str]]:
    """Within the block, count how often each op class of `needle.ops` computes; inferring shapes does not count."""
    counts: Counter[str] = Counter()
    inferring: list[ndl.Op] = []
    infer = ndl.Op.infer

    def marked(self: ndl.Op, *inputs: Any) -> Any:
        inferring.append(self)
        try:
            return infer(self, *inputs)
        finally:
            inferring.pop()

    def counting(compute: Any) -> Any:
        def counted(self: ndl.Op, *arrays: Any) -> Any:
            if not inferring:
                counts[type(self).__name__] += 1
            return compute(self, *arrays)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ndl.Op, "infer", marked)
        for kind in list(vars(ndl.ops).values()):
            if isinstance(kind, type) and issubclass(kind, ndl.Op):
                patch.setattr(kind, "compute", counting(kind.compute))
        yield counts
