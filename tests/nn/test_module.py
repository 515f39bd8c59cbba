"""The tree of modules: what is found in it, in which order, and how it is shown."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle import init, nn


def parameter(value: float = 0.0) -> nn.Parameter:
    return nn.Parameter(init.constant(2, c=value))


class Nested(nn.Module):
    """Parameters and modules in every kind of container."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.weight = parameter()
        self.items = [parameter(), (parameter(), {"deep": [nn.Linear(3, 4, bias=False)]})]
        self.table = {"a": parameter(), 7: nn.ReLU(), "none": None}
        self.number = 3
        self.name = "nested"
        self.last = nn.Sequential(nn.Linear(4, 5), nn.Residual(nn.Linear(5, 5)))


NAMES = [
    "first.weight",
    "first.bias",
    "weight",
    "items.0",
    "items.1.0",
    "items.1.1.deep.0.weight",
    "table.a",
    "last.modules.0.weight",
    "last.modules.0.bias",
    "last.modules.1.fn.weight",
    "last.modules.1.fn.bias",
]


def test_a_parameter_is_a_leaf_tensor_that_requires_a_gradient():
    p = nn.Parameter(np.zeros((2, 3)), dtype="float64")
    assert isinstance(p, ndl.Tensor) and p.is_leaf() and p.requires_grad
    assert p.shape == (2, 3) and p.dtype == "float64"
    assert nn.Parameter(init.ones(3, dtype="float64")).dtype == "float64"


def test_parameters_are_found_in_attributes_lists_tuples_and_dicts_in_order():
    module = Nested()
    assert [name for name, _ in module.named_parameters()] == NAMES
    assert module.parameters() == [p for _, p in module.named_parameters()]
    assert dict(module.named_parameters())["items.1.1.deep.0.weight"] is module.items[1][1]["deep"][0].weight
    assert module.parameters() == module.parameters()


def test_children_are_all_modules_below_each_once():
    module = Nested()
    linear, relu, sequential, residual = module.first, module.table[7], module.last, module.last.modules[1]
    assert module._children() == [
        linear,
        module.items[1][1]["deep"][0],
        relu,
        sequential,
        sequential.modules[0],
        residual,
        residual.fn,
    ]
    assert nn.ReLU()._children() == []


def test_shared_parameters_and_modules_count_once():
    shared = nn.Linear(3, 3)
    other = nn.Linear(3, 3)
    other.weight = shared.weight
    module = nn.Sequential(shared, nn.ReLU(), shared, other)
    assert [name for name, _ in module.named_parameters()] == ["modules.0.weight", "modules.0.bias", "modules.3.bias"]
    assert module.parameters() == [shared.weight, shared.bias, other.bias]
    assert len(module._children()) == 3


def test_a_module_that_refers_to_its_parent_is_walked_once():
    parent, child = nn.Sequential(), nn.Linear(2, 2)
    child.parent = parent
    parent.child = child
    assert parent.parameters() == [child.weight, child.bias]
    assert repr(parent) == (
        "Sequential(\n  (child): Linear(\n    in_features=2, out_features=2, bias=True\n    (parent): ...\n  )\n)"
    )


def test_deep_nesting_does_not_recurse():
    module = nn.Linear(1, 1)
    for _ in range(5000):
        module = nn.Residual(module)
    assert len(module.parameters()) == 2
    assert len(module._children()) == 5000
    assert not module.eval()._children()[-1].training


def test_buffers_are_tensors_that_are_not_learned():
    module = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    module.table = {"ids": ndl.Tensor([1, 2], requires_grad=False)}
    module._last_input = ndl.Tensor([1.0])
    assert [name for name, _ in module.named_buffers()] == [
        "modules.0.running_mean",
        "modules.0.running_var",
        "table.ids",
    ]
    assert len(module.parameters()) == 4


def test_train_and_eval_reach_every_module_and_give_the_module():
    module = Nested()
    everything = [module, *module._children()]
    assert all(m.training for m in everything)
    assert module.eval() is module
    assert not any(m.training for m in everything)
    assert module.train() is module
    assert all(m.training for m in everything)


def test_a_subclass_may_forget_to_call_init():
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.weight = parameter()

    assert Forgetful().training and len(Forgetful().parameters()) == 1


def test_calling_a_module_calls_forward_with_all_arguments():
    class Affine(nn.Module):
        def forward(self, x, scale, shift=0):
            return x * scale + shift

    assert Affine()(2, 3, shift=4) == 10


def test_forward_must_be_given():
    class Nothing(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no forward"):
        Nothing()(1)


def test_repr_shows_the_tree():
    block = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.1))
    module = nn.Sequential(nn.Flatten(), nn.Residual(block), nn.Linear(3, 2, bias=False))
    assert repr(module) == (
        "Sequential(\n"
        "  (modules.0): Flatten()\n"
        "  (modules.1): Residual(\n"
        "    (fn): Sequential(\n"
        "      (modules.0): Linear(in_features=3, out_features=3, bias=True)\n"
        "      (modules.1): BatchNorm1d(dim=3, eps=1e-05, momentum=0.1)\n"
        "      (modules.2): Dropout(p=0.1)\n"
        "    )\n"
        "  )\n"
        "  (modules.2): Linear(in_features=3, out_features=2, bias=False)\n"
        ")"
    )


def test_to_moves_parameters_gradients_and_buffers(device):
    module = nn.Sequential(nn.Linear(3, 2, dtype="float64"), nn.BatchNorm1d(2, dtype="float64"))
    x = ndl.Tensor(np.random.RandomState(0).randn(4, 3), dtype="float64", requires_grad=False)
    (module(x) ** 2).sum().backward()
    before = [t.numpy() for t in (*module.parameters(), *(p.grad for p in module.parameters()))]
    objects = module.parameters()
    assert module.to(device) is module
    tensors = [*module.parameters(), *(p.grad for p in module.parameters()), *dict(module.named_buffers()).values()]
    assert all(t.device == device and t.dtype == "float64" for t in tensors)
    assert module.parameters() == objects and all(p.requires_grad for p in objects)
    for tensor, expected in zip(tensors, before):
        np.testing.assert_array_equal(tensor.numpy(), expected)
    moved = ndl.Tensor(x, device=device, requires_grad=False)
    assert module(moved).device == device


def test_to_an_unavailable_device_raises_and_changes_nothing():
    module = nn.Linear(2, 2)
    with pytest.raises(Exception, match="cuda"):
        module.to(ndl.cuda())
    assert all(p.device == ndl.default_device() for p in module.parameters())


def test_sequential_applies_modules_in_order_and_residual_adds(device, mode):
    x = ndl.Tensor([[-1.0, 2.0]], device=device)
    relu, tanh = nn.ReLU(), nn.Tanh()
    np.testing.assert_allclose(nn.Sequential(relu, tanh)(x).numpy(), np.tanh([[0, 2]]), rtol=1e-6)
    np.testing.assert_allclose(nn.Sequential(tanh, relu)(x).numpy(), [[0, np.tanh(2)]], rtol=1e-6)
    np.testing.assert_allclose(nn.Residual(relu)(x).numpy(), [[-1, 4]])
    assert nn.Sequential(relu, tanh).modules == (relu, tanh)
    assert nn.Sequential()(x) is x


def test_sequential_and_residual_explain_wrong_use():
    with pytest.raises(TypeError, match=r"Sequential: give modules, as in Sequential\(a, b\); argument 0 is \["):
        nn.Sequential([nn.ReLU()])
    with pytest.raises(ValueError, match=r"Residual: fn must keep the shape \(2, 3\) .* has shape \(2, 4\)"):
        nn.Residual(nn.Linear(3, 4))(init.ones(2, 3))
