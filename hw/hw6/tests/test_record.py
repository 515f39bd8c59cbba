"""Recording: from calls of kernels to a program."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.hw6.tests.machine import DEVICE, Replay, parameter, record, recording, tensor
from hw.testing import hint, raises, same
from needle import init, optim
from needle.compiled.program import Operand
from needle.compiled.recorder import CompileError

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def shown(program):
    """Operands with their layout, buffers numbered in the order in which they are met."""
    numbers = {}
    for source in program.sources:
        numbers.setdefault(source.buffer, len(numbers))
    lines = []
    for instruction in program.instructions:
        parts = []
        for x in instruction.arguments:
            if isinstance(x, Operand):
                number = numbers.setdefault(x.buffer, len(numbers))
                parts.append(f"{number}:{list(x.shape)}/{list(x.strides)}+{x.offset}")
        lines.append(f"{instruction.kernel} {' '.join(parts)}")
    return lines


def roles(program):
    """How many buffers there are of each role."""
    found = [buffer.role for buffer in program.buffers.values()]
    return {role: found.count(role) for role in ("input", "temporary", "output")}


def line_of_kernels():
    """A function whose second line calls a kernel."""
    x = tensor(X)
    return record(lambda: ndl.exp(x))


@hint("Each call is written down as it is made, then made; each buffer gets the next number when it is met first.")
def test_a_sequence():
    program = record(lambda x: ndl.exp(x) * 2, tensor(X))
    expected = ["ewise_exp 0:[2, 3]/[3, 1]+0 1:[2, 3]/[3, 1]+0", "scalar_mul 1:[2, 3]/[3, 1]+0 2:[2, 3]/[3, 1]+0"]
    same(shown(program), expected, of="the instructions for exp(x) * 2")
    same(roles(program), {"input": 1, "temporary": 1, "output": 1}, of="the roles of its buffers")
    same(program.instructions[1].arguments[1], 2, of="the number that scalar_mul gets")
    same([program.buffers[i].size for i in sorted(program.buffers)], [6, 6, 6], of="the sizes of the buffers")


@hint("The kernel has to be called, too: the function goes on computing while it is recorded.")
def test_the_function_computes():
    x = tensor(X)
    result, _ = recording(lambda x: (x + 1) * (x - 1), x)
    same(result, X * X - 1, of="(x + 1) * (x - 1), while it is recorded")


@hint("A view of known memory is an operand of the same buffer: shape, strides and offset are the view's.")
@pytest.mark.parametrize("what", ["transposed", "broadcast"])
def test_views(what):
    if what == "transposed":
        program = record(lambda x: ndl.exp(x.transpose()), tensor(X))
        expected = ["ewise_exp 0:[3, 2]/[1, 3]+0 1:[3, 2]/[2, 1]+0"]
    else:
        program = record(lambda x: ndl.exp(x.broadcast_to((2, 3))), tensor(X[:1]))
        expected = ["ewise_exp 0:[2, 3]/[0, 1]+0 1:[2, 3]/[3, 1]+0"]
    same(shown(program), expected, of=f"the instruction for exp of x, {what}")


@hint("Memory of a tensor that was there before is a captured source, with that tensor and its shape in the name.")
def test_captured_tensors():
    w = tensor(X + 1)
    program = record(lambda x: x * w * w, tensor(X))
    same([str(source) for source in program.sources], ["argument 0", "captured Tensor[2, 3]"], of="the sources")
    same([s.position for s in program.sources], [0, None], of="their positions among the arguments")
    same(program.sources[1].tensor is w, True, of="whether the source has the tensor itself")
    same(roles(program), {"input": 2, "temporary": 1, "output": 1}, of="the roles of the buffers")


@hint("An argument that is a fed number becomes its slot; the kernel itself gets the plain number.")
def test_fed_numbers():
    w = parameter(X)
    optimizer = optim.SGD([w], lr=0.5)

    def step(x):
        w.grad = x
        optimizer.step()
        return x + 0

    heard = []

    def spy(name, kernel, args):
        heard.extend(type(arg).__name__ for arg in args if isinstance(arg, float))
        return kernel(*args)

    with DEVICE.listening(spy):
        program = record(step, tensor(X))
    slots = [str(x) for i in program.instructions for x in i.arguments if type(x).__name__ == "Slot"]
    same(len(slots), 1, of="the number of slots among the arguments: one for lr")
    same(heard, ["float"], of="the types of the floats that kernels got")


@hint("What is drawn while a function is recorded is drawn again at each replay: its slot stands for the array.")
def test_random_draws():
    np.random.seed(0)
    program = record(lambda x: x + init.rand(2, 3, device=DEVICE, requires_grad=False), tensor(X))
    drawn = next(i for i in program.instructions if i.kernel == "from_numpy")
    same(type(drawn.arguments[0]).__name__, "Slot", of="what from_numpy gets")


@hint("An array that was not drawn is the same at each replay: a copy, since its owner may write to it.")
def test_arrays():
    array = np.ones((2, 3), dtype="float32")
    program = record(lambda x: x + ndl.Tensor(array, device=DEVICE, requires_grad=False), tensor(X))
    given = next(i for i in program.instructions if i.kernel == "from_numpy")
    array[:] = 7
    same(given.arguments[0], np.ones((2, 3)), of="the array that from_numpy gets, after its owner wrote to it")


@hint("Memory that is read, is no tensor's and that no instruction has written: CompileError.")
def test_memory_of_nobody():
    hidden = tensor(X).cached_data
    with raises(CompileError, of="reading an array that no tensor holds"):
        record(lambda x: x + ndl.Tensor.make_const(hidden), tensor(X))


@hint("A tensor whose data is another one than before has an effect: source, 'cached_data', the operand.")
def test_new_data():
    w = parameter(X)

    def grow(x):
        w.data = w.data + x
        return x * 1

    program = record(grow, tensor(X))
    found = [[str(program.sources[e.source]), e.attribute, e.value.buffer] for e in program.effects]
    written = next(i for i in program.instructions if i.kernel == "ewise_add").arguments[-1].buffer
    same(found, [["captured Parameter[2, 3]", "cached_data", written]], of="the effects")


@hint("A gradient that is another one than before is an effect, too.")
def test_new_gradients():
    w = parameter(X)

    def backward(x):
        loss = (w * x).sum()
        loss.backward(create_graph=False)
        return loss

    program = record(backward, tensor(X + 2))
    found = [[program.sources[e.source].tensor is w, e.attribute, e.value is None] for e in program.effects]
    same(found, [[True, "grad", False]], of="the effects: on w?, attribute, None?")
    w.grad = None
    x = tensor(X - 5)
    same(Replay(program)(x), np.sum(X * (X - 5)), of="the loss, when the program is replayed with another x")
    same(w.grad, X - 5, of="w.grad after that")


@hint("Each instruction knows the user's line: str(here()).")
def test_lines():
    program = line_of_kernels()
    same(program.instructions[0].line.partition(":")[0], "test_record.py", of="the file of the instruction's line")
