"""The tree of modules, with care: cycles, keys that are no strings, and what belongs to no tree."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw2.tests.checks import constant
from hw.hw2.tests.test_modules import Node, numbers, parameter
from hw.testing import hint, same
from needle import nn


@hint("A module may hold one that holds it: each is met once.")
@pytest.mark.parametrize("by", ["attribute", "list"])
def test_cycles(by):
    child = Node(weight=parameter(2))
    module = Node(weight=parameter(1), child=child)
    child.parent = module if by == "attribute" else [module]
    same(numbers(module.parameters()), [1.0, 2.0], of="the parameters of a module whose child knows it")
    same(len(module._children()), 1, of="how many modules are in it")
    module.eval()
    same([module.training, child.training], [False, False], of="training, after eval()")


@hint("The walk is in the order of attributes, lists, tuples and dicts, whatever kinds follow each other.")
def test_order_of_a_mixture():
    module = Node(
        first=[parameter(1), Node(a=parameter(2), b={"k": parameter(3)})],
        second=parameter(4),
        third={"x": Node(c=(parameter(5),)), 7: parameter(6)},
        fourth=Node(d=Node(e=parameter(7)), f=parameter(8)),
    )
    names = [name for name, _ in module.named_parameters()]
    expected = ["first.0", "first.1.a", "first.1.b.k", "second", "third.x.c.0", "third.7", "fourth.d.e", "fourth.f"]
    same(names, expected, of="the names of the parameters")
    same(numbers(module.parameters()), [float(i) for i in range(1, 9)], of="the parameters")


@hint("Numbers, strings, arrays, functions and sets are neither modules nor tensors, and are not looked into.")
def test_other_attributes():
    module = Node(array=np.ones(3), text="abc", function=print, nothing=None, numbers=[1, 2.5], weight=parameter(1))
    same(numbers(module.parameters()), [1.0], of="the parameters")
    same(len(module._children()), 0, of="how many modules are in it")
    same(Node().parameters(), [], of="the parameters of an empty module")


@hint("named_modules begins with the module itself, whose name is empty; then depth first.")
def test_names_of_modules():
    module = Node(a=Node(b=Node()), c=[Node(), Node(d=Node())])
    names = [name for name, _ in module.named_modules()]
    same(names, ["", "a", "a.b", "c.0", "c.1", "c.1.d"], of="the names of all modules")


@hint("What is shared has the name under which it is met first.")
def test_names_of_what_is_shared():
    shared, buffer = parameter(1), constant(np.ones(1))
    module = Node(one=Node(w=shared, s=buffer), two=Node(w=shared, own=parameter(2), s=buffer), three=shared)
    names = [name for name, _ in module.named_parameters()], [name for name, _ in module.named_buffers()]
    same(list(names), [["one.w", "two.own"], ["one.s"]], of="the names of parameters and buffers")
    state = module.state_dict()
    same(sorted(state), ["one.s", "one.w", "two.own"], of="the keys of state_dict()")


@hint("A parameter is the same object, not a copy; a change of mode reaches what was added later.")
def test_nothing_is_registered():
    weight = parameter(1)
    module = Node(layers=[Node(weight=weight)])
    same(module.parameters()[0] is weight, True, of="whether a listed parameter is the very one")
    module.layers.append(Node(weight=parameter(3)))
    same(numbers(module.parameters()), [1.0, 3.0], of="the parameters after a layer was appended")
    module.layers[1].eval()
    same([module.layers[1].training, module.training], [False, True], of="training, after eval() of one layer")
    same(isinstance(module.train(), nn.Module) and module.layers[1].training, True, of="training, after train()")
