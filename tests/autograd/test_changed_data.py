"""Data that is replaced or written in place between forward and backward: noticed where it matters, and only there."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle.backend_selection import BACKEND
from tests.autograd.graphs import nd_only, tensor
from tests.ops.cases import every_case


def replace(x: ndl.Tensor, value: float = 5.0) -> None:
    """Give `x` other data of the same shape."""
    x.data = tensor(np.full(x.shape, value), dtype=x.dtype, device=x.device)


def write(x: ndl.Tensor, value: float = 5.0) -> None:
    """Write into the data of `x`."""
    x.cached_data[...] = value


def write_through_a_view(x: ndl.Tensor, value: float = 5.0) -> None:
    """Write into an array that shares the memory of the data of `x`."""
    x.cached_data.reshape((-1,))[0:1] = value


def replace_by_a_view(x: ndl.Tensor, value: float = 5.0) -> None:
    """Give `x` other data in the same memory."""
    x.data = ndl.Tensor.make_const(ndl.ops.flip(x.data).realize_cached_data())


CHANGES = [replace, write, write_through_a_view, replace_by_a_view] if BACKEND == "nd" else [replace, replace_by_a_view]


@pytest.fixture(params=CHANGES, ids=lambda change: change.__name__)
def change(request):
    """Every way of changing data that can be noticed."""
    return request.param


@pytest.mark.parametrize("create_graph", [True, False])
def test_backward_refuses_to_use_an_input_that_changed(change, create_graph, device):
    a, b = tensor([1.0, 2.0], device=device), tensor([3.0, 4.0], device=device)
    y = (a * b).sum()
    change(b)
    with pytest.raises(
        RuntimeError, match=r"EWiseMul needs its input 1 \(shape \(2,\)\).*replaced or written in place"
    ):
        y.backward(create_graph=create_graph)


def test_backward_refuses_to_use_an_output_that_changed(change, device):
    y = ndl.exp(tensor([1.0, 2.0], device=device))
    change(y)
    with pytest.raises(RuntimeError, match="Exp needs its output"):
        y.backward()


def test_a_change_after_lazy_computation_is_noticed(change):
    with ndl.lazy_mode():
        a, b = tensor([1.0, 2.0]), tensor([3.0, 4.0])
        y = a * b
        y.numpy()
        change(b)
        with pytest.raises(RuntimeError, match="replaced or written in place"):
            y.backward()
            a.grad.numpy()


def test_a_change_before_lazy_computation_is_noticed(change):
    with ndl.lazy_mode():
        x = tensor([1.0, 2.0])
        y = x * 2
        change(x)
        with pytest.raises(RuntimeError, match=r"MulScalar.*input 0 \(shape \(2,\)\).*before it was computed"):
            y.numpy()


def test_a_change_between_lazy_forward_and_lazy_backward_is_noticed(change):
    with ndl.lazy_mode():
        x = tensor([1.0, 2.0])
        y = (x * x).sum()
        change(x)
        with pytest.raises(RuntimeError, match="replaced or written in place"):
            y.backward()
            x.grad.numpy()


def test_a_change_between_lazy_backward_and_its_computation_is_noticed(change):
    with ndl.lazy_mode():
        x = tensor([1.0, 2.0])
        y = (x * x).sum()
        y.backward()
        change(x)
        with pytest.raises(RuntimeError, match="replaced or written in place"):
            x.grad.numpy()


def test_a_change_of_an_intermediate_lazy_tensor_is_noticed(change):
    with ndl.lazy_mode():
        h = tensor([1.0, 2.0]) * 2
        y = h * 3
        h.numpy()
        change(h)
        with pytest.raises(RuntimeError, match="replaced or written in place"):
            y.numpy()


def test_a_change_before_the_second_derivative_is_noticed(change, mode):
    x = tensor([1.0, 2.0])
    (x * x * x).sum().backward()
    gradient = x.grad
    gradient.numpy()
    change(x)
    with pytest.raises(RuntimeError, match="replaced or written in place"):
        gradient.backward()
        x.grad.numpy()


def test_data_that_the_derivative_does_not_need_may_change(change, device, mode):
    a, b = tensor([1.0, 2.0], device=device), tensor([3.0, 4.0], device=device)
    h = a + b
    y = (ndl.reshape(h, (2, 1)) * 3 - b.reshape((2, 1))).sum()
    y.numpy()
    for x in (a, b, h):
        change(x)
    y.backward()
    assert a.grad.numpy().tolist() == [3, 3] and b.grad.numpy().tolist() == [2, 2]


def test_data_that_only_the_gradient_of_a_constant_would_need_may_change(change):
    data, w = tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]], requires_grad=False)
    y = data @ w
    change(data)
    y.backward()
    assert data.grad.numpy().tolist() == [[3, 4]]


def test_the_new_data_is_there_after_the_error(change):
    x = tensor([1.0, 2.0])
    y = x * x
    change(x)
    changed = x.numpy()
    with pytest.raises(RuntimeError):
        y.backward()
    np.testing.assert_array_equal(x.numpy(), changed)
    (x * x).backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * changed)


def test_assigning_the_same_data_is_no_change(mode):
    x = tensor([1.0, 2.0])
    y = x * x
    x.data = x.data
    y.backward()
    assert x.grad.numpy().tolist() == [2, 4]


def test_op_gradient_itself_compares_nothing(change):
    x = tensor([1.0, 2.0])
    y = x * x
    change(x)
    grads = y.op.gradient_as_tuple(tensor([1.0, 1.0]), y)
    np.testing.assert_array_equal(grads[0].numpy(), x.numpy())


def test_an_optimizers_step_between_forward_passes_is_fine(mode):
    x, w = tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]])
    for _ in range(3):
        y = ndl.relu(x @ w).sum()
        y.backward(create_graph=False)
        w.data = w.data - 0.1 * w.grad.data
    np.testing.assert_allclose(w.numpy(), [[2.7], [3.4]], rtol=1e-6)


def test_a_lazy_gradient_refuses_data_that_changed_before_the_node_was_computed():
    """`y` was recorded when `a` had no data yet; then `a` was computed, and replaced."""
    x = tensor([2.0])
    with ndl.lazy_mode():
        a = x * 1
        y = a * a
    a.numpy()
    replace(a)
    with pytest.raises(RuntimeError, match="EWiseMul needs its input"):
        y.backward()
        x.grad.numpy()


@nd_only
def test_memory_that_others_lent_can_be_used_in_lazy_mode():
    shared = ndl.backend_selection.array_api.from_dlpack(np.ones(3, dtype="float32"))
    with ndl.lazy_mode():
        assert (ndl.Tensor.make_const(shared) * 2).numpy().tolist() == [2, 2, 2]


@every_case
def test_after_any_change_backward_gives_the_old_gradient_or_an_error(case, mode):
    """For every operator and each of its inputs and outputs: never a silently wrong gradient."""

    def gradients(changed: int | None) -> list[np.ndarray] | None:
        leaves = case.leaves()
        node = case.function(*leaves)
        node.realize_cached_data()
        if changed is not None:
            replace([*leaves, *([node] if isinstance(node, ndl.Tensor) else [])][changed], value=0.7)
        try:
            output = sum(x.sum() for x in node) if isinstance(node, ndl.TensorTuple) else node
            output.backward()
            return [np.zeros(0) if x.grad is None else x.grad.numpy() for x in leaves]
        except RuntimeError as error:
            assert "replaced or written in place" in str(error)
            return None

    expected = gradients(None)
    for position in range(len(case.arrays) + (not issubclass(case.op, ndl.TensorTupleOp))):
        given = gradients(position)
        if given is not None:
            for x, y in zip(given, expected):
                np.testing.assert_array_equal(x, y)
