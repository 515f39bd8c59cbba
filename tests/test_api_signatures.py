"""The interface that course code relies on: every name, and how it may be called.

A signature has the documented parameters in the documented places, with the documented defaults; it may have more,
which then have defaults. What follows from calling is in `test_api`, and next to the code.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import pytest

import needle as ndl
import needle.nn as nn

APPS = Path(__file__).parent.parent / "apps"

SCALAR_OPS = ["add_scalar", "mul_scalar", "divide_scalar", "power_scalar"]
TENSOR_OPTIONS = "device=None, dtype='float32', requires_grad=False"

SIGNATURES = {
    "Tensor": "array, *, device=None, dtype=None, requires_grad=True",
    "Tensor.backward": "self, out_grad=None",
    "Tensor.sum": "self, axes=None",
    "Tensor.matmul": "self, other",
    "Tensor.reshape": "self, shape",
    "Tensor.broadcast_to": "self, shape",
    "Tensor.transpose": "self, axes=None",
    "Tensor.make_const": "data, requires_grad=False",
    "Tensor.make_from_op": "op, inputs",
    "TensorTuple.make_const": "data, requires_grad=False",
    "Op.gradient": "self, out_grad, node",
    "Op.gradient_as_tuple": "self, out_grad, node",
    "autograd.find_topo_sort": "node_list",
    "autograd.compute_gradient_of_variables": "output_tensor, out_grad",
    **dict.fromkeys(SCALAR_OPS, "a, scalar"),
    **dict.fromkeys(["add", "multiply", "power", "divide", "matmul"], "a, b"),
    **dict.fromkeys(["negate", "log", "exp", "tanh", "relu", "logsoftmax"], "a"),
    "transpose": "a, axes=None",
    "reshape": "a, shape",
    "broadcast_to": "a, shape",
    "summation": "a, axes=None",
    "logsumexp": "a, axes=None",
    "tuple_get_item": "value, index",
    "fused_add_scalars": "a, c0, c1",
    "stack": "args, axis",
    "split": "a, axis",
    "flip": "a, axes",
    "dilate": "a, axes, dilation",
    "undilate": "a, axes, dilation",
    "init.rand": f"*shape, low=0.0, high=1.0, {TENSOR_OPTIONS}",
    "init.randn": f"*shape, mean=0.0, std=1.0, {TENSOR_OPTIONS}",
    "init.constant": f"*shape, c=1.0, {TENSOR_OPTIONS}",
    "init.ones": f"*shape, {TENSOR_OPTIONS}",
    "init.zeros": f"*shape, {TENSOR_OPTIONS}",
    "init.randb": "*shape, p=0.5, device=None, dtype='bool', requires_grad=False",
    "init.one_hot": f"n, i, *, {TENSOR_OPTIONS}",
    "init.ones_like": f"array, *, {TENSOR_OPTIONS}",
    "init.zeros_like": f"array, *, {TENSOR_OPTIONS}",
    "init.xavier_uniform": "fan_in, fan_out, gain=1.0",
    "init.xavier_normal": "fan_in, fan_out, gain=1.0",
    "init.kaiming_uniform": "fan_in, fan_out, shape=None, nonlinearity='relu'",
    "init.kaiming_normal": "fan_in, fan_out, shape=None, nonlinearity='relu'",
    "nn.Linear": "in_features, out_features, bias=True, device=None, dtype='float32'",
    "nn.Sequential": "*modules",
    "nn.Residual": "fn",
    "nn.Dropout": "p=0.5",
    "nn.LayerNorm1d": "dim, eps=1e-5, device=None, dtype='float32'",
    "nn.BatchNorm1d": "dim, eps=1e-5, momentum=0.1, device=None, dtype='float32'",
    "nn.BatchNorm2d": "dim, eps=1e-5, momentum=0.1, device=None, dtype='float32'",
    "optim.Optimizer": "params",
    "optim.SGD": "params, lr=0.01, momentum=0.0, weight_decay=0.0",
    "optim.SGD.clip_grad_norm": "self, max_norm=0.25",
    "optim.Adam": "params, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0",
    "data.Dataset": "transforms=None",
    "data.DataLoader": "dataset, batch_size=1, shuffle=False",
    "data.NDArrayDataset": "*arrays",
    "data.MNISTDataset": "image_filename, label_filename, transforms=None",
    "data.RandomFlipHorizontal": "p=0.5",
    "data.RandomCrop": "padding=3",
}


def named(path: str, start: Any = ndl) -> Any:
    """What `path`, as in ``"optim.SGD"``, names in `start`."""
    for name in path.split("."):
        start = getattr(start, name)
    return start


def assert_signature(function: Any, documented: str) -> None:
    """Check that `function` can be called in every way that the documented parameters allow."""
    expected = inspect.signature(eval(f"lambda {documented}: None")).parameters
    parameters = inspect.signature(function).parameters
    positions = [name for name, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    for place, (name, parameter) in enumerate(expected.items()):
        if parameter.kind is parameter.VAR_POSITIONAL:
            assert any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
            continue
        assert name in parameters, f"no parameter {name!r}"
        if parameter.default is not parameter.empty:
            assert parameters[name].default == parameter.default, f"the default of {name!r}"
        if parameter.kind is not parameter.KEYWORD_ONLY:
            assert positions[place] == name, f"parameter {name!r} stands elsewhere"
    for name, parameter in parameters.items():
        optional = parameter.default is not parameter.empty or parameter.kind in (2, 4)
        assert name in expected or optional, f"parameter {name!r} is not documented and has no default"


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    assert_signature(named(name), SIGNATURES[name])


OP_CLASSES = [
    *(
        "EWiseAdd",
        "AddScalar",
        "EWiseMul",
        "MulScalar",
        "EWisePow",
        "PowerScalar",
        "EWiseDiv",
        "DivScalar",
        "Transpose",
    ),
    *("Reshape", "BroadcastTo", "Summation", "MatMul", "Negate", "Log", "Exp", "ReLU", "Tanh", "LogSumExp"),
    *("Transpose", "LogSoftmax", "Stack", "Split", "Flip", "Dilate", "UnDilate"),
]


@pytest.mark.parametrize("name", OP_CLASSES)
def test_op_classes_have_the_courses_names(name):
    assert issubclass(getattr(ndl.ops, name), ndl.Op)


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name.islower() and "." not in name] + ["make_tuple"])
def test_operators_are_named_in_needle_and_in_needle_ops(name):
    assert getattr(ndl, name) is getattr(ndl.ops, name)


def test_autograd_holds_the_classes_of_the_graph():
    for name in ("Tensor", "TensorTuple", "Value", "Op", "TensorOp", "TensorTupleOp"):
        assert getattr(ndl.autograd, name) is getattr(ndl, name)


def test_modules_named_without_parameters():
    for name in ("Identity", "Flatten", "ReLU", "Sigmoid", "Tanh", "SoftmaxLoss"):
        assert isinstance(getattr(nn, name)(), nn.Module)


def test_needle_has_a_version():
    assert ndl.__version__.count(".") == 2


def test_signatures_of_arrays():
    nd = pytest.importorskip("needle.backend_ndarray")
    for name, documented in {
        "NDArray": "other, device=None",
        "NDArray.make": "shape, strides=None, device=None, handle=None, offset=0",
        "NDArray.sum": "self, axis=None, keepdims=False",
        "NDArray.max": "self, axis=None, keepdims=False",
        "NDArray.process_slice": "self, sl, dim",
        "NDArray.broadcast_to": "self, shape",
        "NDArray.permute": "self, axes",
        "NDArray.flip": "self, axes",
        "NDArray.pad": "self, axes",
        "NDArray.reshape": "self, new_shape",
        "NDArray.to": "self, device",
        "NDArray.fill": "self, value",
        "array": "a, dtype='float32', device=None",
        "empty": "shape, dtype='float32', device=None",
        "full": "shape, fill_value, dtype='float32', device=None",
    }.items():
        assert_signature(named(name, nd), documented)


@pytest.fixture
def apps(monkeypatch):
    """The folder of applications on ``sys.path``, where course code puts it."""
    monkeypatch.syspath_prepend(str(APPS))


@pytest.mark.parametrize(
    ("module", "function", "documented"),
    [
        ("simple_ml", "parse_mnist", "image_filename, label_filename"),
        ("simple_ml", "softmax_loss", "Z, y_one_hot"),
        ("simple_ml", "nn_epoch", "X, y, W1, W2, lr=0.1, batch=100"),
        ("simple_ml", "loss_err", "h, y"),
        ("mlp_resnet", "ResidualBlock", "dim, hidden_dim, norm=nn.BatchNorm1d, drop_prob=0.1"),
        (
            "mlp_resnet",
            "MLPResNet",
            "dim, hidden_dim=100, num_blocks=3, num_classes=10, norm=nn.BatchNorm1d, drop_prob=0.1",
        ),
        ("mlp_resnet", "epoch", "dataloader, model, opt=None"),
        (
            "mlp_resnet",
            "train_mnist",
            "batch_size=100, epochs=10, optimizer=ndl.optim.Adam, lr=0.001, weight_decay=0.001, hidden_dim=100, "
            "data_dir='data'",
        ),
    ],
)
def test_applications(module, function, documented, apps):
    __import__(module)
    assert_signature(getattr(sys.modules[module], function), documented)
