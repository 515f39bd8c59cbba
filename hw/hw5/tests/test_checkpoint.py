"""Checkpoints: the same derivatives, with less memory."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import numerical, random
from hw.hw5.tests.checks import Alive, constant, values
from hw.testing import hint, raises, same
from needle import nn
from needle.autograd import Tensor


def wavy(x):
    """tanh(sin(x) x), on Tensors or arrays."""
    return np.tanh(np.sin(x) * x) if isinstance(x, np.ndarray) else ndl.tanh(ndl.sin(x) * x)


def gradients(y, out_grad, *leaves):
    """The gradients of the leaves after a walk back from y."""
    y.backward(constant(out_grad))
    return [values(leaf.grad) for leaf in leaves]


@hint("_without_graph: f of alias(x), for each x. _gradients_of_again: f once more, with a graph, and its gradients.")
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_one_argument(shape):
    x, u = random(*shape), random(*shape, seed=1)
    leaf = Tensor(x)
    y = ndl.checkpoint(wavy)(leaf)
    same(y, wavy(x), of="f(x)", given={"x": x})
    same(gradients(y, u, leaf)[0], numerical(wavy, u, x)[0], of="x.grad", given={"x": x, "out_grad": u})


@hint("The gradients come in the order of [*xs, *captured]: one for each new node.")
@pytest.mark.parametrize("which", ["a b b", "b", "a + a"])
def test_two_arguments(which):
    a, b, u = random(3), random(3, seed=1), random(3, seed=2)
    f, by_a, by_b = {
        "a b b": (lambda a, b: a * b * b, u * b * b, 2 * u * a * b),
        "b": (lambda a, b: b * 1, None, u),
        "a + a": (lambda a, b: a + a, 2 * u, None),
    }[which]
    x, y = Tensor(a), Tensor(b)
    found = gradients(ndl.checkpoint(f)(x, y), u, x, y)
    same(found, [by_a, by_b], of=f"a.grad and b.grad for {which}", given={"a": a, "b": b, "out_grad": u})


@hint("Within a checkpoint no graph is kept: keeping_graph(False). Arguments and outputs alone stay.")
@pytest.mark.parametrize("steps", [1, 10])
def test_what_is_kept(steps):
    def alive_after(wrap):
        alive = Alive()

        def f(x):
            for _ in range(steps):
                x = alive(ndl.tanh(x))
            return x * 2

        y = wrap(f)(Tensor(random(4)))
        return alive.count() if y.requires_grad else None

    found = [alive_after(ndl.checkpoint), alive_after(lambda f: f)]
    of = f"how many of {steps} nodes between argument and output are alive, with and without checkpoint"
    same(found, [0, steps], of=of)


@hint("Already while it is computed, each node is let go when the next one is there: keeping_graph(False).")
@pytest.mark.parametrize("steps", [2, 6])
def test_the_peak(steps):
    counts, alive = [], Alive()

    def f(x):
        for _ in range(steps):
            x = alive(ndl.tanh(x))
            counts.append(alive.count())
        return x * 2

    x = Tensor(random(4))
    y = ndl.checkpoint(f)(x)
    same(max(counts), 1, of=f"how many of {steps} nodes in a row are alive at most, while they are computed")
    y.sum().backward()
    same(max(counts), steps, of="how many, with the second time, when they are needed")


@hint("A Tensor may be several arguments: each has its own new node, and its own gradient.")
@pytest.mark.parametrize("count", [2, 3])
def test_the_same_tensor_several_times(count):
    a, u = random(2), random(2, seed=1)
    x = Tensor(a)
    y = ndl.checkpoint(lambda *xs: xs[0] * xs[1] * (xs[2] if count == 3 else x))(*[x] * count)
    same(gradients(y, u, x)[0], 3 * a * a * u, of=f"x.grad for x x x, of which {count} are arguments", given={"x": a})


@hint("Once forward, once more when the gradient is taken, and only then.")
@pytest.mark.parametrize("backward", [0, 1, 2])
def test_how_often_it_is_computed(backward):
    calls = []

    def f(x):
        calls.append(1)
        return x * x

    x = Tensor([2.0, 3.0])
    y = ndl.checkpoint(f)(x)
    for _ in range(backward):
        y.backward()
    same(len(calls), 1 + backward, of=f"how often f was called, with {backward} walks back")
    same(x.grad, None if backward == 0 else [4.0, 6.0], of="x.grad")


@hint("The walk back ends at new nodes, alias(x, requires_grad=True): what is behind x is the business of others.")
@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_in_the_middle_of_a_graph(blocks):
    calls = []

    def block(x):
        calls.append(1)
        return ndl.tanh(x) * 2

    x = random(3)
    leaf = Tensor(x)
    y = leaf * 3
    for _ in range(blocks):
        y = ndl.checkpoint(block)(y)
    (y * y).sum().backward()

    def whole(x):
        y = x * 3
        for _ in range(blocks):
            y = np.tanh(y) * 2
        return np.sum(y * y)

    same(leaf.grad, numerical(whole, 1.0, x)[0], of=f"x.grad through {blocks} checkpoints in a row", given={"x": x})
    same(len(calls), 2 * blocks, of="how often a block was computed")


@hint("_Within.make notes what the function uses besides its arguments: inputs that were not made within it.")
@pytest.mark.parametrize("times", [1, 2])
def test_captured_tensors(times):
    x, w, u = random(3), random(3, seed=1), random(3, seed=2)
    leaf, parameter, fixed = Tensor(x), Tensor(w), constant([2.0, 3.0, 4.0])

    def f(x):
        y = x * parameter * fixed
        return y if times == 1 else y * parameter

    found = gradients(ndl.checkpoint(f)(leaf), u, leaf, parameter, fixed)
    c = fixed.numpy()
    by_x, by_w = (u * w * c, u * x * c) if times == 1 else (u * w * w * c, 2 * u * x * w * c)
    same(found[:2], [by_x, by_w], of="x.grad and w.grad", given={"x": x, "w": w, "out_grad": u})
    same(found[2], None, of="the gradient of a constant that it uses")


@hint("An input that was made within the function is not captured: self.made.")
@pytest.mark.parametrize("wrapped", ["the function", "a module"])
def test_a_network(wrapped):
    np.random.seed(0)
    network = nn.Sequential(nn.Linear(3, 4, dtype="float64"), nn.Tanh(), nn.Linear(4, 2, dtype="float64"))
    x, u = random(5, 3), random(5, 2, seed=1)
    arrays = [p.numpy() for p in network.parameters()]
    f = ndl.checkpoint(network if wrapped == "a module" else lambda x: network(x))
    leaf = Tensor(x)
    found = gradients(f(leaf), u, leaf, *network.parameters())

    def whole(x, w, b, v, c):
        return np.tanh(x @ w + b) @ v + c

    same(found, numerical(whole, u, x, *arrays), of=f"the gradients of x and all parameters, with {wrapped} wrapped")


@hint("The same random numbers the second time: remembering(draws) first, recalling(draws) then.")
@pytest.mark.parametrize("p", [0.3, 0.8])
def test_random_draws(p):
    np.random.seed(1)
    dropout = nn.Dropout(p)
    x = Tensor(np.ones((6, 6)))
    y = ndl.checkpoint(dropout)(x)
    following = np.random.rand()
    y.backward()
    same(x.grad, y.numpy(), of=f"x.grad of dropout(x) at x = 1, which is the mask: that of the output (p = {p})")
    np.random.seed(1)
    dropout(x)
    same(following, np.random.rand(), of="the next random number after the forward pass")


@hint(
    "within looks on while the function is computed: interpreting(within). It checks constants before the second time."
)
@pytest.mark.parametrize("replaced", [True, False])
def test_constants_that_change(replaced):
    fixed = constant([2.0, 3.0])
    x = Tensor([1.0, 1.0])
    y = ndl.checkpoint(lambda x: x * x * fixed)(x)
    if replaced:
        fixed.data = constant([7.0, 7.0])
        with raises(RuntimeError, of="the walk back after a constant of the checkpoint got other data"):
            y.backward()
    else:
        y.backward()
        same(x.grad, [4.0, 6.0], of="x.grad for x x c")


@hint("Structures, several outputs: function gives their tensors as a list, and how to put them together.")
def test_structures():
    a, b = random(2), random(2, seed=1)
    x, y = Tensor(a), Tensor(b)
    found = ndl.checkpoint(lambda pair, scale: {"product": pair[0] * pair[1] * scale, "rest": [pair[0] * 1]})(
        (x, y), scale=3.0
    )
    same([values(found["product"]), values(found["rest"][0])], [3 * a * b, a], of="the outputs")
    (found["product"] * 2 + found["rest"][0]).backward()
    same([values(x.grad), values(y.grad)], [6 * b + 1, 6 * a], of="the gradients", given={"a": a, "b": b})


@hint("The gradient is a graph by itself: gradients(...) of what was computed again, which is part of it.")
def test_second_derivatives():
    a = random(3)
    x = Tensor(a)
    ndl.checkpoint(lambda x: x * x * x)(x).backward()
    first = x.grad
    same(first, 3 * a * a, of="the first derivative of x^3", given={"x": a})
    first.backward()
    same(x.grad, 6 * a, of="the second", given={"x": a})
