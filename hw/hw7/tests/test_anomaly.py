"""The first NaN."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.hw7.anomaly import AnomalyError, Detector, kind_of
from hw.hw7.recorder import Node
from hw.hw7.tests.checks import double, function_of, leaf, square
from hw.testing import hint, same
from needle.listening import listening

NAN, INF = float("nan"), float("inf")


@hint("NaN counts more than Inf; -inf is an Inf; whole numbers are neither.")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.array([1.0, NAN]), "NaN"),
        (np.array([[INF], [1.0]]), "Inf"),
        (np.array([-INF]), "Inf"),
        (np.array([INF, NAN]), "NaN"),
        (np.array([1e30, -1e30]), ""),
        (np.array([1, 2]), ""),
        (np.array([True]), ""),
        (np.array(NAN), "NaN"),
        (None, ""),
        ((np.array([1.0]), np.array([NAN])), "NaN"),
        ((np.array([INF]), np.array([1.0])), "Inf"),
        ((np.array([INF]), np.array([NAN])), "NaN"),
    ],
    ids=["nan", "inf", "-inf", "both", "large", "int", "bool", "scalar", "none", "tuple", "tuple, inf", "tuple, both"],
)
def test_kind_of(data, expected):
    same(kind_of(data), expected, of="the kind", given={"data": data})


def caught(program, inf=False, lazy=False):
    """The error that stopped a program, and the detector."""
    detector, error = Detector(inf), None
    try:
        with np.errstate(all="ignore"), listening(detector):
            if lazy:
                with ndl.lazy_mode():
                    program()
            else:
                program()
    except AnomalyError as raised:
        error = raised
    return error, detector


def told(error):
    """What is compared of an error: kind, direction, op and function of the node, op of the origin."""
    if error is None:
        return None
    return [error.kind, error.direction, error.node.op, function_of(error.node.line), error.origin.op]


def logarithm(x):
    """The logarithm of a negative number is NaN, that of 0 is -inf."""
    return ndl.log(x)


@hint("The node's own data are looked at when it is computed.")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_forward(lazy):
    def program():
        x = leaf(2, value=-1.0)
        y = logarithm(x)
        double(y).numpy()

    error, detector = caught(program, lazy=lazy)
    expected = ["NaN", "forward", "Log", "logarithm", "Log"]
    same(told(error), expected, of="kind, direction, op, function, op of the origin")
    same(len(detector.bad), 1, of="how many bad nodes it knows")


@hint("A program without NaN goes through, whatever Inf there is on its way.")
@pytest.mark.parametrize("inf", [False, True])
def test_inf(inf):
    def program():
        x = leaf(2, value=0.0)
        ndl.exp(logarithm(x))

    expected = ["Inf", "forward", "Log", "logarithm", "Log"] if inf else None
    error, detector = caught(program, inf)
    same(told(error), expected, of="what stopped it")
    same(list(detector.bad.values()), ["Inf"], of="the kinds of the nodes in `bad`")


@hint("While an input of the node is in `bad`, go to the first such input.")
@pytest.mark.parametrize(
    ("bad", "start", "expected"),
    [
        ({3: "NaN"}, 3, 3),
        ({2: "Inf", 3: "NaN"}, 3, 2),
        ({1: "Inf", 2: "Inf", 3: "NaN"}, 3, 1),
        ({4: "NaN", 1: "Inf"}, 4, 4),
    ],
    ids=["itself", "its input", "a leaf", "not bad between"],
)
def test_origin(bad, start, expected):
    detector = Detector()
    given = {1: (), 2: (1,), 3: (2, 2), 4: (3,)}
    detector.nodes = {n: Node(n, "EWiseMul" if x else "", x) for n, x in given.items()}
    detector.bad = dict(bad)
    same(detector.origin(start), expected, of=f"the origin of #{start}", given={"inputs": given, "bad": bad})


@hint("inf - inf: the NaN comes from the Inf before it.")
def test_the_origin_of_a_nan():
    def program():
        y = logarithm(leaf(2, value=0.0))
        square(y) - square(y)

    error, _ = caught(program)
    expected = ["NaN", "forward", "EWiseAdd", "program", "Log"]
    same(told(error), expected, of="kind, direction, op, function, op of the origin")
    same(error.origin.number, 2, of="the number of the origin")


@hint("Leaves were computed by nobody; look at them when they are used.")
def test_bad_data():
    def program():
        double(ndl.Tensor([1.0, NAN]))

    error, _ = caught(program)
    expected = ["NaN", "forward", "EWiseAdd", "double", ""]
    same(told(error), expected, of="kind, direction, op, function, op of the origin")
    same(error.origin.number, 1, of="the number of the origin")


def root(x):
    """Its derivative is infinite at 0."""
    return x**0.5


@hint("In a walk what is handed on is looked at; `node` is the consumer, whose gradient is to blame.")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_backward(lazy):
    def program():
        x = leaf(2, value=0.0)
        root(x).sum().backward()
        x.grad.numpy()

    error, _ = caught(program, inf=True, lazy=lazy)
    same(told(error)[:4], ["Inf", "backward", "PowerScalar", "root"], of="kind, direction, op and function")
    same(error.position, 0, of="the position of the input that the share is for")
    same(error.origin.walk, 1, of="the walk in which the origin was made")


@hint("What a gradient computes on the way may be bad; only what it hands on counts.")
def test_on_the_way():
    class Masked(ndl.ops.EWiseMul):
        def gradient(self, out_grad, node):
            logarithm(out_grad * -1.0)
            return out_grad, out_grad

    def program():
        x = leaf(2)
        Masked()(x, x).sum().backward()

    error, detector = caught(program)
    same(told(error), None, of="what stopped it")
    same(list(detector.bad.values()), ["NaN"], of="the kinds of the nodes in `bad`")


@hint("New data are looked at when they are given; Inf among them counts with inf=True alone.")
@pytest.mark.parametrize(
    ("value", "inf", "expected"),
    [(NAN, False, ["NaN", "update"]), (INF, True, ["Inf", "update"]), (INF, False, None), (2.0, True, None)],
)
def test_update(value, inf, expected):
    x = leaf(2)

    def program():
        x.data = ndl.Tensor([1.0, value], requires_grad=False)

    error, detector = caught(program, inf)
    found = None if error is None else [error.kind, error.direction]
    same(found, expected, of="kind and direction", given={"new element": value})
    number = detector.number(x)
    numbers = None if error is None else [error.node.number, error.origin.number]
    same(numbers, None if expected is None else [number, number], of="the numbers of node and origin")
    same(number in detector.bad, value != 2.0, of="whether it is in `bad`")
    same(function_of(detector.nodes[number].changed), "program", of="the function that changed it")


@hint("It tells function and source of the line: see AnomalyError.")
def test_what_it_says():
    def program():
        double(logarithm(leaf(2, value=-1.0)))

    error, _ = caught(program)
    expected = "NaN in the forward: #2 (2,) = Log, made in logarithm: return ndl.log(x)"
    same(str(error), expected, of="the text of the error")
