"""What a person in a debugger meets: few frames to the kernel, and values to look at without computing them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest

import needle as ndl
from tests.autograd.graphs import counted_computations, live_values, nd_only, op_names, tensor
from tests.conftest import WHOLE_DEVICES


def frames_at_the_kernel(user: Any, name: str) -> list[str]:
    """The functions on the stack when `user` has come to the kernel `name`, which does not count; innermost first."""
    stacks: list[list[str]] = []

    def watch(frame: FrameType, event: str, function: Any) -> None:
        called = event == "c_call" and getattr(function, "__name__", "") == name
        entered = event == "call" and frame.f_code.co_name == name and "__device_name__" in frame.f_globals
        if called or entered:
            stacks.append(list(callers(frame.f_back if entered else frame)))

    def callers(frame: FrameType) -> Iterator[str]:
        while frame.f_code is not user.__code__:
            yield frame.f_code.co_name
            frame = frame.f_back
        yield "user"

    sys.setprofile(watch)
    try:
        user()
    finally:
        sys.setprofile(None)
    (stack,) = stacks
    return stack


@nd_only
@pytest.mark.parametrize("device", WHOLE_DEVICES, ids=str)
def test_six_frames_lead_from_the_users_line_to_the_kernel(device):
    """The user's function; `Tensor.__matmul__`; the op's call; the door; `compute`; `NDArray.__matmul__`."""
    for requires_grad in (True, False):
        a, b = (tensor(np.ones((3, 3)), device=device, requires_grad=requires_grad) for _ in range(2))

        def user(a=a, b=b):
            return a @ b

        stack = frames_at_the_kernel(user, "matmul")
        assert stack[:2] == ["__matmul__", "compute"] and stack[-2:] == ["__matmul__", "user"]
        assert len(stack) <= 6, stack


def frames_entered(work: Callable[[], object]) -> int:
    """How many Python functions `work` calls."""
    events: list[str] = []
    sys.setprofile(lambda frame, event, argument: events.append(event))
    try:
        work()
    finally:
        sys.setprofile(None)
    return events.count("call") - 1


@nd_only
def test_an_operation_takes_few_frames_forward_and_backward():
    """The chain of the benchmark `overhead`: what it costs is the number of Python functions it goes through."""
    x, seed = tensor(np.ones((8, 8))), tensor(np.ones((8, 8)), requires_grad=False)
    outputs = []

    def forward():
        y = x
        for _ in range(50):
            y = y + 1.0 * y
        outputs.append(y)

    assert frames_entered(forward) <= 100 * 15
    assert frames_entered(lambda: outputs[0].backward(seed, create_graph=False)) <= 100 * 25
    np.testing.assert_array_equal(x.grad.numpy(), np.full((8, 8), 2.0**50, "float32"))


def look_at(value: Any, depth: int = 3, seen: dict[int, Any] | None = None) -> None:
    """Read every attribute of `value`, and theirs, as a debugger does that expands all it shows."""
    seen = {} if seen is None else seen
    if depth == 0 or id(value) in seen:
        return
    seen[id(value)] = value
    for name in dir(value):
        try:
            attribute = getattr(value, name)
        except Exception as error:  # a debugger shows it in place of the value
            attribute = error
        repr(attribute)
        look_at(attribute, depth - 1, seen)


def test_looking_at_a_lazy_tensor_computes_nothing_and_changes_nothing(monkeypatch):
    x, w = tensor(np.ones((2, 2))), tensor(np.ones((2, 2)))
    with ndl.lazy_mode():
        y = ndl.split(ndl.exp(x @ w), 0)[0].sum()
        y.backward()
    calls: list[str] = []
    if ndl.backend_selection.BACKEND == "nd":
        for name, kernel in list(vars(x.device).items()):
            if callable(kernel) and name.startswith(("ewise", "scalar", "reduce", "matmul", "copy", "fill", "compact")):
                monkeypatch.setattr(x.device, name, lambda *a, k=kernel, n=name: (calls.append(n), k(*a))[1])
    nodes = ndl.autograd.find_topo_sort([y, x.grad])
    before = [(dict(vars(node)), node.cached_data is None) for node in nodes]
    values = live_values()
    with counted_computations() as counts:
        look_at(y)
        look_at(x.grad)
    assert not counts and not calls
    assert [(dict(vars(node)), node.cached_data is None) for node in nodes] == before
    assert live_values() == values
    assert y.cached_data is None


def test_looking_at_a_computed_tensor_changes_nothing():
    x = tensor([1.0, 2.0])
    y = ndl.exp(x)
    before = dict(vars(y))
    look_at(y)
    assert vars(y) == before and op_names(y) == ["Exp"]


def test_a_node_leads_back_to_its_leaves():
    x = tensor([1.0])
    y = ndl.exp(x * 2) + 1
    assert y.inputs[0].inputs[0].inputs[0] is x
    assert [repr(node.op) for node in (y, y.inputs[0], y.inputs[0].inputs[0])] == [
        "AddScalar(scalar=1)",
        "Exp()",
        "MulScalar(scalar=2)",
    ]
