"""Checkpoints: nests, statistics, bytes alive, what does not need a gradient, all kinds of derivatives."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import random
from hw.hw5.tests.checks import Alive, constant, values
from hw.testing import hint, same
from needle import nn
from needle.autograd import Tensor


@hint("A checkpoint within a checkpoint: what the inner one captures, the outer one has to find, too.")
@pytest.mark.parametrize("depth", [2, 3])
def test_nested(depth):
    calls = []
    w = Tensor([2.0, 3.0])

    def f(x):
        calls.append(1)
        return x * x * w

    wrapped = f
    for _ in range(depth):
        wrapped = ndl.checkpoint(wrapped)
    x = Tensor([5.0, 7.0])
    wrapped(x).backward()
    same([values(x.grad), values(w.grad)], [[20.0, 42.0], [25.0, 49.0]], of="the gradients by x and w of x x w")
    same(len(calls), depth + 1, of=f"how often f was called, {depth} checkpoints deep")


@hint("Running statistics see a batch once; recalling(draws) says so to whoever asks.")
@pytest.mark.parametrize("steps", [1, 3])
def test_running_statistics(steps):
    plain, wrapped = nn.BatchNorm1d(2, dtype="float64"), nn.BatchNorm1d(2, dtype="float64")
    f = ndl.checkpoint(wrapped)
    for step in range(steps):
        x = random(4, 2, seed=step)
        plain(constant(x))
        f(Tensor(x)).sum().backward()
    same(wrapped.running_mean, plain.running_mean.numpy(), of=f"the running mean after {steps} steps")
    same(wrapped.running_var, plain.running_var.numpy(), of=f"the running variance after {steps} steps")


class Bytes:
    """Counts the bytes of the arrays that it was shown and that are alive."""

    def __init__(self) -> None:
        self.seen = {}

    def __call__(self, tensor):
        array = tensor.cached_data
        self.seen[id(array)] = weakref.ref(array), array.nbytes
        return tensor

    def alive(self):
        gc.collect()
        return sum(size for array, size in self.seen.values() if array() is not None)


@hint("A chain of n blocks in k checkpoints holds k activations between them, and no other.")
@pytest.mark.parametrize("every", [1, 4, 16])
def test_bytes(every):
    size, layers = Bytes(), 16
    x = Tensor(np.ones((8, 8)) * 0.1)

    def block(x):
        for _ in range(every):
            x = size(ndl.tanh(x))
        return x

    y = x
    for _ in range(layers // every):
        y = ndl.checkpoint(block)(y)
    kept = layers // every
    same(size.alive(), 8 * 64 * kept, of=f"bytes alive in a chain of {layers} layers, {every} in each checkpoint")
    y.sum().backward(create_graph=False)
    derivative, value = np.ones((8, 8)), np.full((8, 8), 0.1)
    for _ in range(layers):
        value = np.tanh(value)
        derivative = derivative * (1 - value**2)
    same(x.grad, derivative, of="x.grad")
    del y
    same(size.alive(), 0, of="bytes alive afterwards")


@hint("The second time is over when its gradients are there: nothing of it stays.")
@pytest.mark.parametrize("create_graph", [True, False])
def test_what_is_kept_after_the_walk(create_graph):
    alive = Alive()

    def f(x):
        for _ in range(5):
            x = alive(x * 1.5)
        return x * 2

    x = Tensor([1.0])
    y = ndl.checkpoint(f)(x)
    y.backward(create_graph=create_graph)
    same(x.grad, [2 * 1.5**5], of="x.grad")
    x.grad = None
    del y
    same(alive.count(), 0, of="how many nodes of both computations are alive, without output and gradient")


@hint("What was made within is not captured, even where a graph was wanted: within.made.")
@pytest.mark.parametrize("steps", [2, 5])
def test_a_graph_within(steps):
    alive, w = Alive(), Tensor([1.5])

    def f(x):
        with ndl.enable_grad():
            for _ in range(steps):
                x = alive(x * w)
        return x * 2

    x = Tensor([1.0])
    y = ndl.checkpoint(f)(x)
    same(alive.count(), 0, of=f"how many of {steps} nodes are alive that were made within enable_grad")
    y.backward()
    same(x.grad, [2 * 1.5**steps], of="x.grad")
    same(w.grad, [2 * steps * 1.5 ** (steps - 1)], of="w.grad")


@hint("Without anything that requires a gradient, nothing is computed again.")
@pytest.mark.parametrize("mode", ["a constant", "no_grad"])
def test_nothing_to_differentiate(mode):
    calls = []

    def f(x):
        calls.append(1)
        return x * x

    if mode == "a constant":
        y = ndl.checkpoint(f)(constant([3.0]))
    else:
        with ndl.no_grad():
            y = ndl.checkpoint(f)(Tensor([3.0]))
    same(y, [9.0], of="f(3)")
    same([y.requires_grad, len(calls)], [False, 1], of="whether it requires a gradient; and the number of calls")
    x = Tensor([3.0])
    ndl.checkpoint(f)(x).backward()
    same(x.grad, [6.0], of="x.grad, elsewhere")


@hint("A parameter alone may require a gradient; and the arguments need not.")
def test_only_what_is_captured_moves():
    w, x = Tensor([2.0, 3.0]), constant([5.0, 7.0])
    y = ndl.checkpoint(lambda x: x * w)(x)
    same(y.requires_grad, True, of="whether the output requires a gradient")
    y.backward()
    same(w.grad, [5.0, 7.0], of="w.grad")
    same(x.grad, None, of="x.grad")


@hint("A node of the outer graph may be captured, not only a leaf; its own graph is not computed again.")
def test_a_captured_node():
    w, x = Tensor([2.0]), Tensor([3.0])
    squared = w * w
    y = ndl.checkpoint(lambda x: x * squared)(x)
    (y + squared).backward()
    same([values(w.grad), values(x.grad)], [[16.0], [4.0]], of="the gradients by w and x of x w^2 + w^2")


@hint("What comes out may be an argument, or something captured, as it is.")
def test_what_is_handed_through():
    w, x = Tensor([2.0]), Tensor([3.0])
    a, b, c = ndl.checkpoint(lambda x: (x, w, x * w))(x)
    (a * 1 + b * 10 + c * 100).backward()
    same([values(x.grad), values(w.grad)], [[201.0], [310.0]], of="the gradients by x and w of x + 10 w + 100 x w")


@hint("Forward mode, and forward over reverse, go through a checkpoint as through anything else.")
@pytest.mark.parametrize("how", ["reverse over reverse", "float32"])
def test_derivatives(how):
    a = random(3)
    if how == "float32":
        x = Tensor(a, dtype="float32")
        ndl.checkpoint(lambda x: ndl.exp(x) * x)(x).backward()
        same(x.grad, np.exp(a) * (1 + a), of="x.grad, in float32", dtype="float32", rtol=1e-3)
        return
    w = Tensor(np.array([1.0, 2.0, 3.0]))
    x = Tensor(a)
    ndl.checkpoint(lambda x: x * x * x * w)(x).backward()
    x.grad.sum().backward()
    same(x.grad, 6 * a * w.numpy(), of="the second derivative of w x^3 by x", given={"x": a})
    same(w.grad, 3 * a * a, of="the mixed one, by x and w", given={"x": a})


@hint("The parameter may be used by several checkpoints; each hands over its share.")
def test_shared_parameters():
    w, x = Tensor([2.0]), Tensor([3.0])
    step = ndl.checkpoint(lambda x: x * w)
    step(step(step(x))).backward()
    same([values(w.grad), values(x.grad)], [[36.0], [8.0]], of="the gradients by w and x of x w^3")
