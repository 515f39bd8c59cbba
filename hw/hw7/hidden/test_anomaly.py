"""NaN where it is harder to find: of two causes, after many nodes, in walks of walks, in an optimizer's step."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.hw7.anomaly import Detector, kind_of
from hw.hw7.recorder import Node
from hw.hw7.tests.checks import Net, double, function_of, leaf, square
from hw.hw7.tests.test_anomaly import INF, NAN, caught, logarithm, root, told
from hw.testing import hint, same
from needle import ops, optim
from needle.listening import listeners, listening


@hint("Any shape, any dtype, also none at all.")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.zeros((0, 3)), ""),
        (np.full((2, 2, 2), -INF, dtype="float32"), "Inf"),
        (np.array([[1.0, 2.0], [3.0, NAN]], dtype="float32")[:, ::-1], "NaN"),
        (np.array([1e200]) * 1e100, ""),
        (np.array([3e38, 3e38], dtype="float32"), ""),
        (np.array([INF, 0.0, -INF]), "Inf"),
        ((), ""),
        ((np.array([1]), np.array([NAN])), "NaN"),
        ((np.array([NAN]), np.array([INF])), "NaN"),
        ((np.array([INF]), np.array([2])), "Inf"),
    ],
)
def test_kinds(data, expected):
    same(kind_of(data), expected, of="the kind", given={"data": data})


@hint("Of several bad inputs the first leads back.")
@pytest.mark.parametrize(("inputs", "expected"), [((1, 2), 1), ((2, 1), 2), ((3, 2), 2)])
def test_the_first_bad_input(inputs, expected):
    detector = Detector()
    detector.nodes = {n: Node(n) for n in (1, 2, 3)} | {4: Node(4, "EWiseAdd", inputs)}
    detector.bad = {1: "Inf", 2: "NaN", 4: "NaN"}
    same(detector.origin(4), expected, of="the origin of #4", given={"inputs of #4": inputs, "bad": "#1, #2, #4"})


@hint("Only the first NaN stops it; nobody listens any more afterwards.")
def test_the_program_stops():
    done = []

    def program():
        x = leaf(2, value=-1.0)
        done.append("before")
        logarithm(x)
        done.append("after")

    _, detector = caught(program)
    same(done, ["before"], of="what was done")
    same(detector in listeners, False, of="whether it still listens")


@hint("What is no share of the walk does not stop it, what is does: 0 * inf in a gradient.")
def test_a_nan_in_a_walk():
    def program():
        x = leaf(2, value=0.0)
        square(root(x)).sum().backward()

    error, _ = caught(program)
    same(told(error)[:4], ["NaN", "backward", "PowerScalar", "root"], of="kind, direction, op and function")
    same([error.origin.walk, error.position], [1, 0], of="the walk of the origin, and the position")


@hint("The share for the second input is the second's: the position is told.")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_the_position(lazy):
    class Bad(ops.EWiseMul):
        def gradient(self, out_grad, node):
            return out_grad, out_grad / 0.0

    def program():
        x, y = leaf(2), leaf(2)
        Bad()(x, y).sum().backward()
        y.grad.numpy()

    error, _ = caught(program, inf=True, lazy=lazy)
    same(told(error), ["Inf", "backward", "Bad", "program", "DivScalar"], of="what stopped it")
    same(error.position, 1, of="the position")


@hint("A gradient may hand on a Tensor that no op has made; it is looked at, too.")
def test_a_share_without_an_op():
    class Outside(ops.EWiseMul):
        def gradient(self, out_grad, node):
            return ndl.Tensor(np.full(2, NAN), requires_grad=False), None

    def program():
        x = leaf(2)
        Outside()(x, x).sum().backward()

    error, _ = caught(program)
    same(told(error), ["NaN", "backward", "Outside", "program", ""], of="what stopped it")


@hint("A share that was handed to two inputs stops at the first.")
def test_the_same_share_twice():
    detector, x = Detector(), leaf(2)
    y = double(x)
    share = leaf(2, requires_grad=False)
    detector.share(x, share, y, 0)
    detector.share(x, share, y, 1)
    detector.share(x, None, y, 1)
    consumer, position = detector.handed[detector.number(share)]
    same([consumer == detector.number(y), position], [True, 0], of="whether y is the consumer; the position")
    same(len(detector.handed), 1, of="how many shares were handed on")


@hint("NaN that was there before is not new.")
def test_updates_of_bad_data():
    x = ndl.Tensor([NAN, 1.0])

    def program():
        x.data = ndl.Tensor([1.0, NAN], requires_grad=False)
        x.data = ndl.Tensor([1.0, 1.0], requires_grad=False)
        double(x)

    error, detector = caught(program)
    same(told(error), None, of="what stopped it")
    same(len(detector.bad), 0, of="how many bad nodes it knows at last")


@hint("An Inf that was there does not excuse a NaN.")
def test_inf_becomes_nan():
    x = ndl.Tensor([INF, 1.0])

    def program():
        x.data = ndl.Tensor([1.0, NAN], requires_grad=False)

    error, _ = caught(program)
    same(told(error), ["NaN", "update", "", None, ""], of="what stopped it")


@hint("A leaf is looked at each time that it is used: its data may have been mended in place.")
def test_mended_data():
    x = ndl.Tensor([NAN, 1.0])

    def program():
        ops.greater(x, x)
        x.cached_data[0] = 0.0
        y = logarithm(x)
        double(y) - y

    error, detector = caught(program)
    expected = ["NaN", "forward", "EWiseAdd", "program", "Log"]
    same(told(error), expected, of="kind, direction, op, function, op of the origin")
    same(detector.number(x) in detector.bad, False, of="whether the leaf is bad")


@hint("The step that writes NaN into a weight is an update, in the user's line.")
def test_a_step():
    net = Net()
    opt = optim.SGD(net.parameters(), lr=1.0)

    def program():
        net(leaf(1, 3)).sum().backward()
        net.layers[1].weight.grad = ndl.Tensor(np.full((4, 2), NAN), requires_grad=False)
        opt.step()

    error, _ = caught(program)
    same(function_of(error.node.changed), "program", of="the function that changed it")
    same(
        [error.kind, error.direction, error.node.name], ["NaN", "update", "layers.1.weight"], of="kind, direction, name"
    )


@hint("A walk that ends by an error has ended.")
def test_a_walk_that_fails():
    class Fails(ops.EWiseMul):
        def gradient(self, out_grad, node):
            raise KeyError

    x = leaf(2)
    with listening(Detector()) as recorder:
        y = Fails()(x, x)
        try:
            y.sum().backward()
        except KeyError:
            z = double(x)
    same(recorder.nodes[recorder.number(z)].walk, 0, of="the walk of a node that was made after the error")
    same([recorder.walks, len(recorder.here.walks)], [1, 0], of="how many walks began, and how many are under way")


@hint("The second derivative is a walk of its own; nodes of the first walk may be consumers in it.")
def test_second_derivatives():
    def program():
        x = leaf(1, value=0.0)
        y = x**1.5
        y.sum().backward()
        x.grad.sum().backward()

    error, _ = caught(program, inf=True)
    same([error.kind, error.direction, error.node.walk], ["Inf", "backward", 1], of="kind, direction, walk of the node")
    same(error.origin.walk, 2, of="the walk of the origin")
