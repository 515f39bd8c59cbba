"""The tree of modules."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw2.tests.checks import constant
from hw.testing import hint, same
from needle import nn


class Node(nn.Module):
    """A module that holds what it is given, as attributes."""

    def __init__(self, **held):
        super().__init__()
        for name, value in held.items():
            setattr(self, name, value)


def parameter(number):
    return nn.Parameter(np.array([float(number)]))


def numbers(parameters):
    return [float(each.numpy()[0]) for each in parameters]


@hint("The attributes of a module are vars(self), in the order in which they were set.")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_parameters_of_one_module(count):
    module = Node(**{f"p{i}": parameter(10 + i) for i in range(count)}, size=3, title="text", empty=None)
    expected = [10.0 + i for i in range(count)]
    mistakes = {"the order is reversed": expected[::-1], "nothing is found": []}
    same(numbers(module.parameters()), expected, of="the parameters of a module, in order", mistakes=mistakes)


@hint("Depth first: what a child holds comes before the attribute that stands behind the child.")
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_children(depth):
    module = Node(weight=parameter(0))
    for level in range(1, depth + 1):
        module = Node(before=parameter(level), inner=module, after=parameter(10 * level))
    expected = [*range(depth, 0, -1), 0, *(10 * level for level in range(1, depth + 1))]
    own_first = [number for level in range(depth, 0, -1) for number in (level, 10 * level)] + [0]
    mistakes = {
        "a module's own parameters come before those of its children": own_first,
        "children are not looked into": [depth, 10 * depth],
        "the order is reversed": expected[::-1],
    }
    of = f"the parameters, at depth {depth}"
    same(numbers(module.parameters()), [float(e) for e in expected], of=of, mistakes=mistakes)
    same(len(module._children()), depth, of="how many modules are in it, at any depth")


def in_list(*items):
    return Node(held=list(items))


def in_tuple(*items):
    return Node(held=tuple(items))


def in_dict(*items):
    return Node(held={f"key{i}": item for i, item in enumerate(items)})


def nested(*items):
    return Node(held=[{"a": (items[0], 3, "text")}, [], [[items[1]]], None])


@hint("Lists, tuples and dicts, also inside of each other: _held_by calls itself for each item.")
@pytest.mark.parametrize("wrap", [in_list, in_tuple, in_dict, nested], ids=lambda wrap: wrap.__name__)
def test_lists_tuples_and_dicts(wrap):
    module = wrap(Node(weight=parameter(1)), parameter(2))
    same(numbers(module.parameters()), [1.0, 2.0], of=f"the parameters of a module that holds them {wrap.__name__}")
    same(len(module._children()), 1, of="how many modules are in it")


@hint("A name is a path: attribute, key or position, attribute ..., with dots between.")
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p: Node(weight=p), "weight"),
        (lambda p: Node(inner=Node(weight=p)), "inner.weight"),
        (lambda p: Node(parts=[1, Node(weight=p)]), "parts.1.weight"),
        (lambda p: Node(heads={"left": (Node(gate=[p]),)}), "heads.left.0.gate.0"),
    ],
    ids=range(4),
)
def test_names(make, expected):
    (found,) = (name for name, _ in make(parameter(1)).named_parameters())
    mistakes = {"only the last part is there": expected.split(".")[-1], "it begins with a dot": f".{expected}"}
    same(found, expected, of="the name of the parameter", mistakes=mistakes)


@hint("What was met before is passed over; id(value) tells whether it is the same object.")
@pytest.mark.parametrize("case", ["parameter twice", "module twice", "in two modules", "equal numbers"])
def test_each_once(case):
    shared = parameter(1)
    inner = Node(weight=shared)
    module = {
        "parameter twice": Node(a=shared, b=shared, c=parameter(2)),
        "module twice": Node(parts=[inner, inner, parameter(2)]),
        "in two modules": Node(a=inner, b=Node(weight=shared), c=parameter(2)),
        "equal numbers": Node(a=parameter(1), b=parameter(1)),
    }[case]
    expected = [1.0, 1.0] if case == "equal numbers" else [1.0, 2.0]
    mistakes = {"what is shared is listed each time": [1.0, *expected], "equal is taken for the same": [1.0]}
    same(numbers(module.parameters()), expected, of=f"the parameters ({case})", mistakes=mistakes)


@hint("All modules, at any depth, in lists too, this one as well; and the module itself is given back.")
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_modes(mode):
    leaf, deep = Node(), Node()
    middle = Node(part=leaf)
    module = Node(inner=middle, others=[{"x": deep}])
    every = [module, middle, leaf, deep]
    for each in every:
        each.training = mode == "eval"
    back = getattr(module, mode)()
    expected = [mode == "train"] * 4
    mistakes = {
        "only the module itself changes": [expected[0], *([not expected[0]] * 3)],
        "the module itself is forgotten": [not expected[0], *expected[1:]],
    }
    of = f"`training` of the module, its child, the child's child, and one in a list, after {mode}()"
    same([each.training for each in every], expected, of=of, mistakes=mistakes)
    same(back is module, True, of=f"whether {mode}() gives the module")


@hint("Any Tensor is yielded by _walk; named_buffers picks those that are no Parameters.")
@pytest.mark.parametrize("where", ["attribute", "list"])
def test_buffers(where):
    buffer = constant(np.array([5.0]))
    module = Node(weight=parameter(1), seen=buffer if where == "attribute" else [buffer])
    names = [name for name, _ in module.named_buffers()]
    same(names, ["seen" if where == "attribute" else "seen.0"], of="the names of the buffers")
    same(numbers(module.parameters()), [1.0], of="the parameters")
