"""The design's table of bad input, row by row: what a user who makes a mistake gets.

Data files, checkpoints, downloads and Ctrl-C have their rows tested next to their code, in tests/data and tests/apps;
zero-size arrays, NaN and Inf in tests/ops/test_values.py, too.
"""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle.backend_selection import BACKEND
from tests.autograd.graphs import live_values, nd_only, tensor

NUMPYS_WORDS = BACKEND == "np"

A, B, V, S = (tensor(np.ones(shape)) for shape in ((2, 3), (4, 5), (3,), ()))

SHAPES = {
    "a + b": (lambda: A + B, r"add: shapes \(2, 3\), \(4, 5\) do not broadcast"),
    "a - b": (lambda: A - B, r"add: shapes \(2, 3\), \(4, 5\)"),
    "a * b": (lambda: A * B, r"multiply: shapes \(2, 3\), \(4, 5\)"),
    "a / b": (lambda: A / B, r"divide: shapes \(2, 3\), \(4, 5\)"),
    "a ** b": (lambda: A**B, r"power: shapes \(2, 3\), \(4, 5\)"),
    "maximum": (lambda: ndl.maximum(A, B), r"maximum: shapes \(2, 3\), \(4, 5\)"),
    "greater": (lambda: ndl.greater(A, B), r"Greater: shapes \(2, 3\), \(4, 5\)"),
    "where": (lambda: ndl.where(A, B, B), r"where: shapes \(2, 3\), \(4, 5\)"),
    "an op object": (lambda: ndl.ops.EWiseMul()(A, V), r"EWiseMul: shapes \(2, 3\) and \(3,\) differ.*broadcast"),
    "a @ b": (lambda: A @ B, r"matmul: .*\(2, 3\) and \(4, 5\)"),
    "batches": (
        lambda: tensor(np.ones((2, 2, 3))) @ tensor(np.ones((3, 3, 4))),
        r"matmul: .*\(2, 2, 3\) and \(3, 3, 4\)",
    ),
    "reshape": (lambda: A.reshape((4,)), r"reshape: .*\(2, 3\).*\(4,\)"),
    "broadcast_to": (lambda: A.broadcast_to((2, 4)), r"broadcast_to: .*\(2, 3\).*\(2, 4\)"),
    "transpose": (lambda: V.transpose(), r"transpose: .*\(3,\)"),
    "stack": (lambda: ndl.stack([A, B]), r"stack: .*\(2, 3\), \(4, 5\)"),
    "concatenate": (lambda: ndl.concatenate([A, B]), r"concatenate: .*\(2, 3\), \(4, 5\)"),
    "stack of nothing": (lambda: ndl.stack([]), "stack: needs at least one"),
    "concatenate of nothing": (lambda: ndl.concatenate([]), "concatenate: needs at least one"),
    "permute": (lambda: ndl.permute(A, (0, 0)), r"permute: \(0, 0\).*\(2, 3\)"),
    "item": (lambda: A.item(), r"item: .*\(2, 3\)"),
    "out_grad": (lambda: (A * 2).backward(B), r"backward: out_grad has shape \(4, 5\).*\(2, 3\)"),
    "a layer": (lambda: ndl.nn.Linear(4, 2)(A), r"Linear: .*4.*\(2, 3\)"),
}

#: Where NumPy itself complains under NEEDLE_BACKEND=np, in its own words.
NUMPYS = {"a @ b", "batches", "reshape", "broadcast_to"}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_do_not_fit_are_a_value_error_at_the_call_that_names_op_and_operands(name, mode):
    call, said = SHAPES[name]
    with pytest.raises(ValueError, match=None if NUMPYS_WORDS and name in NUMPYS else said):
        call()


DTYPES = {
    "Exp": (lambda: ndl.exp(np.ones(3)), "Exp: input 0 must be a Tensor, not .*ndarray"),
    "a scalar": (lambda: ndl.add_scalar(A, None), "add_scalar: the scalar must be a number .*None"),
    "a vector for a scalar": (lambda: ndl.power_scalar(A, np.ones(2)), "power_scalar: the scalar must be a number or"),
    "a + None": (lambda: A + None, "Tensor.*NoneType"),
    "a + text": (lambda: A + "1", "Tensor.*str"),
    "Tensor(None)": (lambda: ndl.Tensor(None), "cannot make an array of numbers from NoneType"),
    "Tensor(text)": (lambda: ndl.Tensor("1"), "cannot make an array of numbers from str"),
    "an unknown dtype": (lambda: ndl.Tensor([1.0], dtype="float33"), "float33"),
    "a cast": (lambda: A.astype("float33").numpy(), "float33"),
    "data of another dtype": (lambda: setattr(tensor([1.0]), "data", tensor([1.0], "float64")), "float32.*float64"),
    "data that is no tensor": (lambda: setattr(tensor([1.0]), "data", np.ones(1)), "takes a Tensor, not ndarray"),
    "out_grad": (lambda: (A * 2).backward(np.ones((2, 3))), "out_grad must be a Tensor, not ndarray"),
    "minus of bool": (lambda: (-tensor([True], "bool")).numpy(), "negative"),
}


@pytest.mark.parametrize("name", DTYPES)
def test_types_that_do_not_fit_are_a_type_error_at_the_call(name, mode):
    call, said = DTYPES[name]
    with pytest.raises(TypeError, match=said):
        call()


@nd_only
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda a, b: a + b, "EWiseAdd|add"),
        (lambda a, b: a @ b, "MatMul|matmul"),
        (lambda a, b: ndl.where(a, a, b), "Where|where"),
        (lambda a, b: ndl.where(b, a, a), "Where|where"),
        (lambda a, b: ndl.stack([a, b]), "MakeTensorTuple|stack"),
        (lambda a, b: ndl.concatenate([a, b]), "Concatenate|concatenate"),
        (lambda a, b: (a * 2).backward(b), "backward"),
    ],
)
def test_devices_that_do_not_fit_are_a_value_error_that_names_both(call, name, mode):
    a, b = tensor(np.ones((2, 2)), device=ndl.cpu()), tensor(np.ones((2, 2)), device=ndl.cpu_numpy())
    with pytest.raises(ValueError, match=rf"({name}).*(cpu\(\).*cpu_numpy\(\)|cpu_numpy\(\).*cpu\(\))"):
        call(a, b)


INDICES = {
    "a[2]": (lambda a: a[2], IndexError, "index 2 is out of bounds for axis 0"),
    "a[-3]": (lambda a: a[-3], IndexError, "index -3 is out of bounds for axis 0"),
    "a[0, 3]": (lambda a: a[0, 3], IndexError, "index 3 is out of bounds for axis 1"),
    "a[0, 0, 0]": (lambda a: a[0, 0, 0], IndexError, "too many indices"),
    "an array": (lambda a: a[np.array([0, 9])], IndexError, "index 9 is out of bounds"),
    "fractions": (lambda a: a[np.array([0.5])], IndexError, "whole numbers"),
    "a float": (lambda a: a[1.5], IndexError, "integers"),
    "text": (lambda a: a["x"], IndexError, "integers"),
    "a mask": (lambda a: a[np.array([True, False, True])], IndexError, "boolean index"),
    "two ellipses": (lambda a: a[..., ...], IndexError, "ellipsis"),
    "a step of 0": (lambda a: a[::0], ValueError, "step cannot be zero"),
    "an element of a tuple": (lambda a: ndl.make_tuple(a)[1], IndexError, "index 1 is out of range for a tuple of 1"),
    "a class": (lambda a: ndl.init.one_hot(3, np.array([3])), IndexError, "one_hot: index 3"),
    "sum": (lambda a: a.sum(2), np.exceptions.AxisError, "summation: axis 2 is out of bounds"),
    "sum twice": (lambda a: a.sum((0, -2)), ValueError, "summation: an axis stands twice"),
    "mean": (lambda a: a.mean(-3), np.exceptions.AxisError, "mean: axis -3"),
    "max": (lambda a: a.max((0, 7)), np.exceptions.AxisError, "max: axis 7"),
    "logsumexp": (lambda a: ndl.logsumexp(a, 5), np.exceptions.AxisError, "logsumexp: axis 5"),
    "softmax": (lambda a: ndl.softmax(a, 5), np.exceptions.AxisError, "axis 5"),
    "transpose": (lambda a: a.transpose((0, 2)), np.exceptions.AxisError, "transpose: axis 2"),
    "transpose of three axes": (lambda a: a.transpose((0, 1, 2)), ValueError, "transpose swaps two axes"),
    "flip": (lambda a: ndl.flip(a, 2), np.exceptions.AxisError, "flip: axis 2"),
    "split": (lambda a: ndl.split(a, 2), np.exceptions.AxisError, "split: axis 2"),
    "stack": (lambda a: ndl.stack([a, a], 3), np.exceptions.AxisError, "axis 3 is out of bounds"),
    "concatenate": (lambda a: ndl.concatenate([a, a], 2), np.exceptions.AxisError, "concatenate: axis 2"),
    "dilation": (lambda a: ndl.dilate(a, (0,), -1), ValueError, "dilation is -1"),
    "clip": (lambda a: ndl.clip(a, 2, 1), ValueError, "clip: low is 2 and high 1"),
    "a negative extent": (lambda a: ndl.init.zeros(2, -1), ValueError, "-1"),
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_axis_or_slice_outside_is_the_error_that_numpy_gives(name, mode):
    call, error, said = INDICES[name]
    with pytest.raises(error, match=said):
        call(tensor(np.ones((2, 3))))


def test_zero_size_and_0d_arrays_nan_and_inf_work_as_in_numpy(device, mode):
    for x in (np.zeros((0, 3)), np.array(2.0), np.array([np.nan, np.inf, -np.inf, 1.0])):
        t = tensor(x, dtype="float64", device=device)
        y = (t * t + 1).sum()
        np.testing.assert_array_equal(y.numpy(), (x * x + 1).sum())
        y.backward()
        np.testing.assert_array_equal(t.grad.numpy(), 2 * x)


def test_more_memory_than_there_is_is_a_memory_error_and_the_process_lives_on(device):
    for call in (
        lambda: ndl.init.zeros(2**46, device=device),
        lambda: tensor([1.0], device=device).broadcast_to((2**46,)) * 2,
        lambda: ndl.stack([tensor(1.0, device=device).broadcast_to((2**45,))] * 2),
        lambda: (
            tensor([[1.0]], device=device).broadcast_to((2**23, 1))
            @ tensor([[1.0]], device=device).broadcast_to((1, 2**23))
        ),
    ):
        with pytest.raises(MemoryError):
            call()
    assert (tensor([1.0], device=device) + 1).numpy().tolist() == [2]


@nd_only
def test_in_lazy_mode_more_memory_than_there_is_is_noticed_when_it_is_needed():
    with ndl.lazy_mode():
        y = tensor([1.0]).broadcast_to((2**46,)) * 2
        assert y.shape == (2**46,)
        with pytest.raises(MemoryError):
            y.numpy()
        assert (tensor([1.0]) + 1).numpy().tolist() == [2]


def test_a_mistake_leaves_nothing_behind():
    before = live_values()
    for call, _ in SHAPES.values():
        with pytest.raises(ValueError):
            call()
    assert live_values() == before


def test_an_exception_in_the_middle_of_backward_leaves_the_graph_as_it_was():
    class Fails(ndl.TensorOp):
        ready = False

        def compute(self, a):
            return a

        def gradient(self, out_grad, node):
            if not self.ready:
                raise ArithmeticError("not ready")
            return out_grad

    x = tensor([1.0, 2.0])
    y = Fails()(x * x) * 3
    with pytest.raises(ArithmeticError, match="not ready"):
        y.backward()
    Fails.ready = True
    y.backward()
    assert x.grad.numpy().tolist() == [6, 12]
