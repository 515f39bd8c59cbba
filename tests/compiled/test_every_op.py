"""Every operator, compiled: value, gradient and the gradient's gradient are the eager ones, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import recording
from needle.backend_selection import BACKEND
from tests.ops.cases import CASES, Case, operator_classes

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")


#: Operators that NumPy computes on the host.
HOST_OPERATORS = {
    kind.__name__ for kind in operator_classes() if kind.__module__ in ("needle.ops.linalg", "needle.ops.sorting")
}


def twice_differentiated(case: Case) -> Any:
    """A function of a case's leaves: its outputs, their gradient, and the gradient of the squared gradient."""

    def function(*leaves: ndl.Tensor) -> list[ndl.Tensor]:
        value = case.function(*leaves)
        outputs = list(value) if isinstance(value, ndl.TensorTuple) else [value]
        total = sum(((x * x).sum() for x in outputs[1:]), (outputs[0] * outputs[0]).sum())
        if not total.requires_grad:
            return outputs
        total.backward()
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        if not gradients:
            return outputs
        again = sum(((g * g).sum() for g in gradients[1:]), (gradients[0] * gradients[0]).sum())
        if again.requires_grad:
            again.backward()
        return [*outputs, *gradients, *[leaf.grad for leaf in leaves if leaf.grad is not None]]

    return function


class Reads:
    """A recorder that only notes whether values are read on the host."""

    def __init__(self) -> None:
        self.values = False

    def each_time(self, action: Any) -> Any:
        return action()

    def module_called(self, module: Any) -> None:
        pass

    def value_read(self, what: str) -> None:
        self.values = True


def reads_values(case: Case) -> bool:
    """Whether the function of `case` reads values on the host."""
    recording.active.recorder = reads = Reads()
    try:
        twice_differentiated(case)(*case.leaves())
    finally:
        recording.active.recorder = None
    return reads.values


def seen(results: list[list[ndl.Tensor]]) -> list[list[Any]]:
    """All bits of the results of several cases."""
    return [[(x.shape, x.dtype, x.numpy().tobytes()) for x in result] for result in results]


@pytest.mark.parametrize("op", sorted({case.op.__name__ for case in CASES}))
def test_is_the_eager_one(op):
    """All cases of an operator are compiled as one function."""
    with np.errstate(all="ignore"):
        cases = [case for case in CASES if case.op.__name__ == op and not reads_values(case)]
        functions = [twice_differentiated(case) for case in cases]
        counts = [len(case.arrays) for case in cases]

        def all_of_them(*leaves: ndl.Tensor) -> list[list[ndl.Tensor]]:
            given = iter(leaves)
            return [function(*[next(given) for _ in range(n)]) for function, n in zip(functions, counts)]

        compiled = ndl.compile(all_of_them)
        expected = seen([function(*case.leaves()) for function, case in zip(functions, cases)])
        for _ in range(3 if cases else 0):
            given = seen(compiled(*[leaf for case in cases for leaf in case.leaves()]))
            for case, one, other in zip(cases, given, expected, strict=True):
                assert one == other, str(case)
    assert len(compiled.programs) == bool(cases)


@pytest.mark.parametrize("case", [case for case in CASES if case.op.__name__ in HOST_OPERATORS][::7], ids=str)
def test_what_numpy_computes_on_the_host_is_refused(case):
    """A replay could not repeat it."""
    assert reads_values(case)
    with np.errstate(all="ignore"), pytest.raises(ndl.CompileError, match="reads values while function is being comp"):
        ndl.compile(twice_differentiated(case))(*case.leaves())


def test_only_linear_algebra_and_sorting_compute_on_the_host():
    with np.errstate(all="ignore"):
        on_host = {case.op.__name__ for case in CASES if case.name != "solve" and reads_values(case)}
    assert on_host == HOST_OPERATORS
