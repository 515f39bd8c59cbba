"""Recording: slices, several tensors on one memory, gradients that go, states of optimizers."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.hw6.tests.machine import DEVICE, Compiled, Replay, parameter, record, tensor
from hw.hw6.tests.test_record import roles, shown
from hw.testing import hint, raises, same
from needle import init, nn, optim
from needle.autograd import TensorOp
from needle.compiled.recorder import CompileError

X = np.arange(12.0).reshape(3, 4)


class Part(TensorOp):
    """Rows 1 and 2, columns 1 and 2, as a view; computed with as it lies."""

    def compute(self, a):
        return a[1:3, 1:3].exp()

    def infer(self, a):
        return type(a)((2, 2), a.dtype, a.device)


@hint("The offset of a view is that in its buffer; a slice begins somewhere else.")
def test_slices():
    program = record(lambda x: Part()(x), tensor(X))
    expected = ["ewise_exp 0:[2, 2]/[4, 1]+5 1:[2, 2]/[2, 1]+0"]
    same(shown(program), expected, of="the instruction for exp of a slice")


@hint("Arguments are sources in their order, whether they are read or not.")
def test_several_arguments():
    program = record(lambda x, y, z: z * x, tensor(X), tensor(X + 1), tensor(X + 2))
    same([str(s) for s in program.sources], ["argument 0", "argument 1", "argument 2"], of="the sources")
    buffers = [x.buffer for x in program.instructions[0].inputs]
    same([program.sources[i].buffer for i in (2, 0)], buffers, of="the buffers of sources 2 and 0", varies=True)


@hint("A tensor that is an argument is not captured as well, and one that is captured twice is one source.")
def test_one_source_for_a_tensor():
    w, x = tensor(X), tensor(X)
    program = record(lambda a: (a * x + w) * w, x)
    same([str(s) for s in program.sources], ["argument 0", "captured Tensor[3, 4]"], of="the sources")
    same(roles(program)["input"], 2, of="the number of inputs")


@hint("dtype and size of a buffer are those of its handle; a captured Parameter is called so.")
def test_buffers():
    w = parameter(np.ones((2, 3)), "float64")
    program = record(lambda i: (w * 2, init.one_hot(4, i, device=DEVICE)), tensor([0, 1], "int64"))
    found = [[b.dtype, b.size] for b in (program.buffers[s.buffer] for s in program.sources)]
    same(found, [["int64", 2], ["float64", 6]], of="dtype and size of the buffers of the sources")
    same(str(program.sources[1]), "captured Parameter[2, 3]", of="the second source")
    same(program.buffers[program.sources[1].buffer].name, "captured Parameter[2, 3]", of="the name of its buffer")


@hint("A buffer is as large as its memory, which may be more or less than a view of it: handle.size.")
@pytest.mark.parametrize("what", ["broadcast", "slice"])
def test_the_size_of_memory(what):
    x = tensor(X[:1]).broadcast_to((3, 4)) if what == "broadcast" else tensor(X)[1:3, 1:3]
    program = record(lambda a: a * 2, ndl.Tensor.make_const(x.cached_data))
    source = program.sources[0]
    expected = {"broadcast": [4, [3, 4], [0, 1], 0], "slice": [12, [2, 2], [4, 1], 5]}[what]
    found = [program.buffers[source.buffer].size, list(source.shape), list(source.strides), source.offset]
    same(found, expected, of="size of the buffer; shape, strides and offset of the source")
    same(Replay(program)(ndl.Tensor.make_const(x.cached_data)), x.numpy() * 2, of="x * 2, when it is replayed")


@hint("An error says which function, and what would be right; nobody's memory is nobody's as a second operand, too.")
@pytest.mark.parametrize("position", [0, 1])
def test_memory_of_nobody(position):
    lost = tensor(X).cached_data

    def function(x):
        pair = [x, ndl.Tensor.make_const(lost)]
        return pair[position] - pair[1 - position]

    with raises(CompileError, of="reading an array that no tensor holds"):
        record(function, tensor(X))


@hint("reset_grad sets a gradient to None: that is an effect whose value is None.")
def test_a_gradient_that_goes():
    w = parameter(np.ones(3))
    w.grad = tensor(np.ones(3))

    def forget(x):
        w.grad = None
        return x * 2

    program = record(forget, tensor(np.ones(3)))
    found = [[program.sources[e.source].tensor is w, e.attribute, e.value is None] for e in program.effects]
    same(found, [[True, "grad", True]], of="the effects: on w?, attribute, None?")
    w.grad = tensor(np.ones(3))
    Replay(program)(tensor(np.ones(3)))
    same(w.grad is None, True, of="whether w.grad is None after a replay")


@hint("What is as it was before is no effect.")
def test_no_effects():
    w = parameter(np.ones(3))
    w.grad = tensor(np.ones(3))
    program = record(lambda x: x * w + w.grad, tensor(np.ones(3)))
    same(len(program.effects), 0, of="the number of effects")
    same(roles(program), {"input": 3, "temporary": 1, "output": 1}, of="the roles of the buffers")


@hint("Data and gradient of one tensor are two effects.")
def test_data_and_gradient():
    w = parameter(np.full(3, 2.0))
    optimizer = optim.SGD([w], lr=0.5)

    def step(x):
        loss = (w * x).sum()
        loss.backward(create_graph=False)
        optimizer.step()
        return loss

    program = record(step, tensor(np.ones(3)))
    found = sorted(e.attribute for e in program.effects)
    same(found, ["cached_data", "grad"], of="the attributes of the effects")
    same([str(s) for s in program.sources], ["argument 0", "captured Parameter[3]"], of="the sources")


@hint("An array that was drawn is fed anew; what is computed with fed numbers follows them.")
def test_replays_draw_and_count():
    def losses(compile_it):
        w = parameter(np.zeros(4))
        optimizer = optim.Adam([w], lr=0.1)

        def step(x):
            noise = init.rand(4, device=DEVICE, requires_grad=False)
            loss = ((w - x + noise) * (w - x + noise)).sum()
            optimizer.reset_grad()
            loss.backward(create_graph=False)
            optimizer.step()
            return loss

        np.random.seed(1)
        function = Compiled(step, ()) if compile_it else step
        return [float(function(tensor(np.ones(4))).numpy()) for _ in range(5)]

    same(losses(True), losses(False), of="five losses with noise and Adam", varies=True, rtol=0, atol=0)


@hint("Dropout draws, layers branch on their mode: a network of the library is recorded like any function.")
def test_a_network():
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(4, 5, device=DEVICE), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 2, device=DEVICE))
    function = Compiled(lambda x: model(x), ())
    x = tensor(X)
    outputs = []
    for f in (function, model):
        np.random.seed(3)
        outputs.append([f(x).numpy().copy() for _ in range(4)])
    same(outputs[0], outputs[1], of="four outputs: replayed, and without", varies=True, rtol=0, atol=0)
