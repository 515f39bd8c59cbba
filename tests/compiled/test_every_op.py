"""Every operator, compiled: value, gradient and the gradient's gradient are the eager ones, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import recording
from needle.backend_selection import BACKEND
from tests.ops.cases import Case, every_case

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")


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


@every_case
def test_is_the_eager_one(case, monkeypatch):
    """What NumPy computes on the host (sorting, linear algebra) cannot be replayed, and is refused."""
    function = twice_differentiated(case)
    compiled = ndl.compile(function)
    reads = Reads()
    with np.errstate(all="ignore"):
        monkeypatch.setattr(recording.active, "recorder", reads)
        results = function(*case.leaves())
        monkeypatch.undo()
        expected = [(x.shape, x.dtype, x.numpy().tobytes()) for x in results]
        if reads.values:
            assert case.op.__module__ in ("needle.ops.linalg", "needle.ops.sorting") or case.name == "solve"
            with pytest.raises(ndl.CompileError, match="reads values while function is being compiled"):
                compiled(*case.leaves())
            return
        for _ in range(3):
            assert [(x.shape, x.dtype, x.numpy().tobytes()) for x in compiled(*case.leaves())] == expected
    assert len(compiled.programs) == 1
