"""`detect_anomaly` stops at the first NaN and says the op, the line, the inputs and how it arose."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from needle.debug.anomaly import AnomalyError, detect_anomaly
from needle.debug.origins import Origin, Origins
from needle.places import Line
from tests.autograd.graphs import delicate_training_step, live_values, nd_only, replayed, tensor

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

INF, NAN = float("inf"), float("nan")


def number_of(function: Callable[..., Any], text: str) -> int:
    """The number of the line of `function` that holds `text`."""
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def found(program: Callable[[], Any], **options: Any) -> AnomalyError:
    """The error that detection raises for a program."""
    with pytest.raises(AnomalyError) as caught, detect_anomaly(**options):
        program()
    return caught.value


def const(*values: float) -> Any:
    return tensor(values, requires_grad=False)


def test_nothing_is_raised_and_no_number_changes_where_all_is_well():
    alone = delicate_training_step()
    with detect_anomaly(inf=True):
        watched = delicate_training_step()
    for a, b in zip(alone, watched, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_forward_pass_is_stopped_at_the_op_and_its_line():
    def program() -> Any:
        x = const(2.0, 0.5)
        y = x - 1
        z = ndl.log(y)
        raise AssertionError(f"the program goes on after {z}")

    error = found(program)
    assert isinstance(error, FloatingPointError)
    assert error.direction == "forward" and type(error.op).__name__ == "Log"
    assert error.line is not None and error.line.number == number_of(program, "ndl.log(y)")
    text = str(error)
    assert f"test_anomaly.py:{error.line.number} in program: z = ndl.log(y)" in text
    assert "shape (2,), float32, min -0.5, max 1; 0 NaN, 0 Inf, 0 zero of 2" in text
    assert error.why == "logarithm of a negative number: log(-0.5) at index (1,)"


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (lambda: ndl.log(const(1, -2)), "logarithm of a negative number: log(-2) at index (1,)"),
        (lambda: ndl.log(const(0)), "logarithm of 0 at index (0,), which is -inf"),
        (lambda: ndl.log1p(const(-2)), "logarithm of a negative number: log(-1) at index (0,)"),
        (lambda: ndl.sqrt(const(4, -9)), "square root of a negative number: sqrt(-9) at index (1,)"),
        (lambda: const(1, 0) / const(2, 0), "division of 0 by 0 at index (1,)"),
        (lambda: const(1, 5) / const(2, 0), "division of 5 by 0 at index (1,)"),
        (lambda: const(INF) / const(INF), "the Inf"),
        (lambda: const(0, 0) / 0, "division of 0 by 0 at index (0,)"),
        (lambda: const(3e38) + const(3e38), "overflow: 3e+38 + 3e+38 at index (0,)"),
        (lambda: const(1e30) * const(1e30), "overflow: 1e+30 * 1e+30 at index (0,)"),
        (lambda: const(-8) ** 0.5, "a negative number to a power that is no whole number: -8 ** 0.5"),
        (lambda: const(0) ** -1, "division by 0: 0 to the negative power -1"),
        (lambda: const(10) ** 60, "overflow: 10 ** 60"),
        (lambda: ndl.exp(const(1, 100)), "overflow of exp: exp(100) at index (1,) is larger than 3.4e+38"),
        (lambda: ndl.summation(const(3e38, 3e38)), "overflow: a sum in its one element"),
        (lambda: tensor([[1e30, 1]]) @ tensor([[1e30], [1]]), "overflow: a sum at index (0, 0)"),
    ],
)
def test_the_cause_of_a_bad_value_is_said(program: Any, why: str):
    if why == "the Inf":
        assert found(program, inf=True).why == "division of inf by inf at index (0,)"
    else:
        assert found(program, inf=True).why.startswith(why)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (lambda: const(INF) + const(-INF), "inf - inf: inf + -inf at index (0,)"),
        (lambda: const(INF) - const(INF), "inf - inf: inf + -inf at index (0,)"),
        (lambda: const(INF) * const(0), "0 * inf: inf * 0 at index (0,)"),
        (lambda: const(INF) * 0, "0 * inf: inf * 0 at index (0,)"),
        (lambda: ndl.sin(const(INF)), "sin of inf at index (0,), which has no value"),
        (lambda: ndl.summation(const(INF, -INF)), "inf - inf or 0 * inf within the sum"),
        (lambda: tensor([[INF, 1]]) @ tensor([[0], [1]]), "inf - inf or 0 * inf within the sum"),
    ],
)
def test_an_infinite_input_is_legitimate_until_a_nan_is_made_of_it(program: Any, why: str):
    assert found(program).why.startswith(why)


def test_masks_of_minus_infinity_are_legitimate_unless_inf_is_asked_for():
    def program() -> np.ndarray:
        return ndl.softmax(tensor([[1.0, 2.0]]) + tensor([[0.0, -INF]])).numpy()

    with detect_anomaly():
        np.testing.assert_allclose(program(), [[1.0, 0.0]])
    assert "was already in input 1, a leaf of shape (1, 2)" in found(program, inf=True).why


def test_a_nan_that_came_with_the_data_is_said_to_come_from_its_leaf():
    weight = nn.Parameter(tensor([[NAN]]))
    assert "already in input 1, a parameter of shape (1, 1)" in found(lambda: tensor([[1.0]]) @ weight).why
    assert "already in input 0, a leaf of shape (1, 1)" in found(lambda: tensor([[NAN]]) @ tensor([[1.0]])).why


def test_a_nan_that_was_computed_before_is_said_to_be_older():
    y = ndl.log(tensor([-1.0]))
    assert "which Log() made before the detection began" in found(lambda: y * 2).why


def test_the_backward_pass_is_stopped_with_the_line_of_the_forward_pass():
    def program() -> None:
        x = tensor([0.0, 4.0])
        y = ndl.sqrt(x)
        z = (y * x).sum()
        z.backward()

    error = found(program)
    assert error.direction == "backward" and type(error.op).__name__ == "EWiseDiv"
    assert error.line is not None and error.line.number == number_of(program, "ndl.sqrt(x)")
    text = str(error)
    assert "in the gradient of Sqrt()" in text and "functions.py" in text and "z.backward()" in text
    assert error.why == "division of 0 by 0 at index (0,)"


def test_a_nan_made_of_an_inf_is_traced_to_the_line_where_the_inf_arose():
    def program() -> None:
        x = const(1.0, 0.0)
        y = ndl.log(x)
        z = -y
        (z * x).numpy()

    error = found(program)
    assert error.why == "0 * inf: inf * 0 at index (1,)"
    number = number_of(program, "ndl.log")
    assert f"arose by Log(): logarithm of 0 at index (1,), which is -inf, at test_anomaly.py:{number}" in str(error)

    def backward() -> None:
        x = tensor([4.0, 0.0])
        y = ndl.sqrt(x * 0)
        y.sum().backward()

    error = found(backward)
    assert error.why == "0 * inf: inf * 0 at index (0,)" and error.direction == "backward"
    assert "arose by EWiseDiv(): division of 1 by 0 at index (0,), in the gradient of Sqrt()" in str(error)


class Root(ndl.autograd.TensorOp):
    """A student's: right, but for an adjoint of 0."""

    def compute(self, a: Any) -> Any:
        return a**0.5

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad / (node * 2)


class ByHand(ndl.autograd.TensorOp):
    """A student's, which leaves the graph."""

    def compute(self, a: Any) -> Any:
        return a * 2

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return ndl.Tensor(np.full(node.shape, NAN, dtype="float32"), dtype="float32")


def test_the_line_in_a_students_gradient_is_said_beside_that_of_the_forward_pass():
    def program() -> None:
        x = tensor([0.0, 4.0])
        y = Root()(x)
        (y * x).sum().backward(create_graph=False)

    error = found(program)
    assert error.line is not None and error.line.number == number_of(program, "Root()(x)")
    line = number_of(Root.gradient, "out_grad /")
    assert f"gradient test_anomaly.py:{line} in gradient: return out_grad / (node * 2)" in str(error)


def test_the_definition_of_a_students_compute_is_named():
    error = found(lambda: Root()(const(-1)))
    line = number_of(Root.compute, "def compute")
    assert f"Root.compute is defined at test_anomaly.py:{line}" in str(error)
    assert error.why == "the inputs are finite and without NaN; Root gave a NaN at index (0,)"


def test_an_op_that_only_has_the_name_of_a_known_one_is_reported_too():
    class Log(ndl.autograd.TensorOp):
        def compute(self, a: Any, b: Any) -> Any:
            return a / b

    assert found(lambda: Log()(const(0), const(0))).why.endswith("Log gave a NaN at index (0,)")


@pytest.mark.parametrize("attribute", [list(range(10_000)), type("Odd", (), {"__repr__": lambda self: 1 / 0})()])
def test_an_op_with_a_long_attribute_or_one_without_a_repr_fits_on_a_line(attribute: Any):
    class Halve(ndl.autograd.TensorOp):
        def __init__(self) -> None:
            self.attribute = attribute

        def compute(self, a: Any) -> Any:
            return a / 0

    line = str(found(lambda: Halve()(const(0)))).splitlines()[0]
    assert "computed by Halve(attribute=" in line and len(line) < 110


def test_a_node_recorded_before_the_detection_is_reported_without_a_line():
    with ndl.lazy_mode():
        y = ndl.log(const(-1.0))
    error = found(y.numpy)
    assert error.line is None and "recorded before the detection began" in str(error)


def test_a_share_that_no_operation_computed_is_looked_at_too():
    def program() -> None:
        y = ByHand()(tensor([1.0]))
        y.sum().backward()

    error = found(program)
    assert error.direction == "backward" and isinstance(error.op, ByHand)
    assert error.line is not None and error.line.number == number_of(program, "ByHand()")
    assert "ByHand.gradient gave a NaN that no operation of the graph computed" in error.why


@pytest.mark.parametrize("differentiate", ["backward", "grad"])
def test_a_lazy_node_is_reported_with_the_line_that_recorded_it(differentiate: str):
    def forward() -> Any:
        with ndl.lazy_mode():
            y = ndl.log(const(-1.0))
            z = y * 2
        return z.numpy()

    error = found(forward)
    assert error.line is not None and error.line.number == number_of(forward, "ndl.log")

    def loss(x: Any) -> Any:
        y = ndl.sqrt(x)
        return (y * x).sum()

    def program() -> Any:
        x = tensor([0.0])
        with ndl.lazy_mode():
            if differentiate == "backward":
                loss(x).backward()
                return x.grad.numpy()
            return ndl.grad(loss)(x).numpy()

    error = found(program)
    assert error.direction == "backward"
    assert error.line is not None and error.line.number == number_of(loss, "ndl.sqrt")


def test_an_update_that_makes_a_parameter_nan_is_stopped_at_the_optimizers_step():
    def program() -> None:
        parameter = nn.Parameter(tensor([1.0, 2.0]))
        optimizer = optim.SGD([parameter], lr=1.0)
        parameter.grad = tensor([NAN, 0.0])
        optimizer.step()

    error = found(program)
    assert error.direction == "update" and error.op is None
    assert error.line is not None and error.line.number == number_of(program, "optimizer.step()")
    assert "the gradient holds NaN or Inf" in error.why


def test_a_tuple_of_tensors_is_looked_at():
    assert "[1] shape (1,)" in str(found(lambda: ndl.ops.make_tuple(const(1.0), const(NAN))))


def test_integers_and_empty_arrays_hold_no_nan():
    with detect_anomaly(inf=True):
        indices = tensor([3, 4], dtype="int32", requires_grad=False)
        assert (indices + indices).numpy().tolist() == [6, 8]
        assert (tensor(np.zeros((0, 3))) * 2).shape == (0, 3)


def test_the_detection_keeps_no_graph_alive():
    before = live_values()
    with detect_anomaly():
        for _ in range(3):
            x = tensor(np.ones(4))
            (ndl.exp(x) * x).sum().backward()
            del x
        assert live_values() == before


def test_what_is_kept_of_nodes_that_are_gone_is_dropped():
    origins = Origins()
    kept = [tensor([1.0]) for _ in range(10)]
    for node in kept:
        origins[node] = Origin(Line("a.py", 1, "f"))
    for number in range(5000):
        origins[tensor([1.0])] = Origin(Line("a.py", number, "f"))
    assert len(origins) <= 1001
    assert all(origins.get(node) == Origin(Line("a.py", 1, "f")) for node in kept)
    assert origins.get(tensor([1.0])) is None


@nd_only
def test_a_compiled_step_names_the_op_and_its_line():
    def loss(x: Any) -> Any:
        y = ndl.log(x)
        return y.sum()

    compiled = replayed(loss, const(1.0, 2.0))
    error = found(lambda: compiled(const(1.0, -2.0)))
    assert error.line is not None and error.line.number == number_of(loss, "ndl.log")


@nd_only
def test_a_compiled_training_run_is_replayed_until_the_nan_and_then_names_the_op():
    """The failing call is made again from the parameters, moments, counters and draws that it had."""
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    optimizer = ndl.optim.Adam(model.parameters(), lr=0.01)
    eager: list[int] = []

    def step(x: Any) -> Any:
        eager.append(optimizer.t)
        loss = ndl.log(ndl.exp(model(x)).sum())
        optimizer.reset_grad()
        loss.backward(create_graph=False)
        optimizer.step()
        return loss

    compiled = ndl.compile(step)
    good, bad = const(*[[1.0, 2.0, 3.0]] * 4), const(*[[1.0, 2.0, -1e5]] * 4)

    def train() -> None:
        for i in range(20):
            compiled(bad if i == 15 else good)

    error = found(train, inf=True)
    assert len(compiled.programs) == 1 and eager == [0, 1, 15] and optimizer.t == 15
    assert isinstance(error.op, ndl.ops.Exp) and error.line.number == number_of(step, "ndl.exp")


@nd_only
@pytest.mark.parametrize("device", [ndl.cpu(), ndl.cpu_numpy()])
def test_all_devices_are_looked_at(device: Any):
    def program() -> Any:
        return ndl.log(ndl.Tensor([1.0, -2.0], device=device))

    assert found(program).why == "logarithm of a negative number: log(-2) at index (1,)"


def test_a_large_array_is_told_in_one_line():
    error = found(lambda: ndl.sqrt(tensor(np.arange(1000.0) - 999)))
    assert len(str(error)) < 700 and "min -999, max 0" in str(error)
