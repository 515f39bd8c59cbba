"""Fused kernels: the switch that turns them on and off, when they serve, and that they change no result."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.special

import needle as ndl
from apps.mlp_resnet import MLPResNet
from needle import nn, ops
from needle.backend_ndarray import ndarray_backend_numpy
from needle.backend_selection import BACKEND
from needle.fused import FUSED
from needle.listening import Listener, listening
from tests.conftest import WHOLE_DEVICES

pytestmark = pytest.mark.skipif(BACKEND != "nd", reason="fused kernels are those of Needle's own arrays")

# Runs in a process of its own, as the switch is read once: counts the calls of fused kernels, and prints what came out.
SCRIPT = """
import collections, hashlib, json
import numpy as np
import needle as ndl
from needle import nn, optim
from needle.backend_ndarray import ndarray_backend_numpy
from needle.backend_ndarray.device import WHOLE_STEPS

calls = collections.Counter()

def counted(name):
    kernel = getattr(ndl.cpu(), name)
    def call(*operands):
        calls[name] += 1
        return kernel(*operands)
    return call

for name in [*ndarray_backend_numpy.FUSED, *WHOLE_STEPS]:
    setattr(ndl.cpu(), name, counted(name))

def calls_of(function):
    calls.clear()
    result = function()
    return result, dict(calls)

def five_steps(make, dtype):
    "A digest of the bits of two parameters after five steps with given gradients."
    rng = np.random.RandomState(0)
    params = [nn.Parameter(rng.randn(*shape), dtype=dtype) for shape in [(300, 217), (1, 5)]]
    optimizer = make(params)
    for _ in range(5):
        for param in params:
            grad = ndl.Tensor(rng.randn(*param.shape[::-1]), dtype=dtype)
            param.grad = ndl.transpose(grad).detach()
        optimizer.step()
    digest = hashlib.sha256()
    for param in params:
        digest.update(param.numpy().tobytes())
    return digest.hexdigest()

def train(make):
    "The losses of a short training run."
    np.random.seed(0)
    x, y = ndl.Tensor(np.random.randn(64, 20)), ndl.Tensor(np.random.randint(0, 10, 64))
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 10))
    optimizer, losses = make(model.parameters()), []
    for _ in range(20):
        optimizer.reset_grad()
        loss = nn.SoftmaxLoss()(model(x), y)
        loss.backward(create_graph=False)
        optimizer.step()
        losses.append(loss.numpy().item())
    return losses

def train_normalized(norm):
    "The losses of a short training run with a normalisation, then its state and an output in evaluation."
    np.random.seed(0)
    x, y = ndl.Tensor(np.random.randn(64, 20)), ndl.Tensor(np.random.randint(0, 10, 64))
    model = nn.Sequential(nn.Linear(20, 30), norm(30), nn.ReLU(), nn.Linear(30, 10))
    optimizer, seen = optim.SGD(model.parameters(), lr=0.1), []
    for _ in range(20):
        optimizer.reset_grad()
        loss = nn.SoftmaxLoss()(model(x), y)
        loss.backward(create_graph=False)
        optimizer.step()
        seen.append(loss.numpy().item())
    state = [array.tolist() for array in model.state_dict().values()]
    model.eval()
    return seen, state, model(x).numpy().tolist()

optimizers = {
    "sgd": lambda params: optim.SGD(params, lr=0.1),
    "sgd, weight decay": lambda params: optim.SGD(params, lr=0.1, weight_decay=0.01),
    "sgd, momentum": lambda params: optim.SGD(params, lr=1, momentum=0.9),
    "sgd, both": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda params: optim.Adam(params, lr=0.01),
    "adam, weight decay": lambda params: optim.Adam(params, lr=0.01, beta1=0, eps=0.1, weight_decay=0.01),
}
print(json.dumps({
    "steps": {f"{name}, {dtype}": calls_of(lambda: five_steps(make, dtype))
              for name, make in optimizers.items() for dtype in ("float32", "float64")},
    "training": {name: calls_of(lambda: train(make)) for name, make in optimizers.items()},
    "normalized": {norm.__name__: calls_of(lambda: train_normalized(norm))
                   for norm in (nn.LayerNorm1d, nn.BatchNorm1d)},
    "softmax": calls_of(lambda: ndl.softmax(ndl.Tensor([[1.0, 2.0, 4.0]])).numpy().tolist()),
    "logsumexp": calls_of(lambda: ndl.logsumexp(ndl.Tensor([[1.0, 2.0, 4.0]])).numpy().tolist()),
    "wrapped": hasattr(optim.Adam._updated, "__wrapped__"),
}))
"""


def outcome(switch):
    """What the script prints with ``NEEDLE_FUSED=switch``."""
    environment = os.environ | {"NEEDLE_FUSED": switch, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def off():
    return outcome("0")


@pytest.fixture(scope="module")
def on():
    return outcome("1")


def calls(results):
    return [count for _, count in results.values()]


def test_the_switch_turns_all_of_them_off(off):
    assert [off["softmax"][1], off["logsumexp"][1]] == [{}, {}]
    assert calls(off["steps"]) == [{}] * 12 and calls(off["training"]) == [{}] * 6
    assert not off["wrapped"], "a method whose kernel is off is the very function that its source defines"


def test_they_are_on_by_default_one_call_for_a_step(on):
    assert [on["softmax"][1], on["logsumexp"][1]] == [{"softmax": 1}, {"logsumexp": 1}]
    kernels = ["sgd_plain_step", "sgd_plain_step", "sgd_step", "sgd_step", "adam_step", "adam_step"]
    assert calls(on["steps"]) == [{kernel: 5} for kernel in kernels for _ in range(2)]
    for kernel, count in zip(kernels, calls(on["training"])):
        assert count == {kernel: 20, "softmax_loss": 20, "softmax_loss_gradient": 20}


def test_optimizers_give_the_same_bits(on, off):
    assert {name: digest for name, (digest, _) in on["steps"].items()} == {
        name: digest for name, (digest, _) in off["steps"].items()
    }


def test_training_goes_the_same_way(on, off):
    for name, (losses, _) in on["training"].items():
        np.testing.assert_allclose(losses, off["training"][name][0], rtol=1e-5, err_msg=name)
        assert losses[-1] < losses[0]


def test_training_with_normalization_goes_the_same_way(on, off):
    for name, kernel in (("LayerNorm1d", "layer_norm"), ("BatchNorm1d", "batch_norm")):
        (fused, count), (textbook, none) = on["normalized"][name], off["normalized"][name]
        assert none == {} and count[kernel + "_gradient"] == 20 and count[kernel] >= 20
        for given, expected in zip(fused, textbook, strict=True):
            for x, y in zip(given, expected, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5, err_msg=name)


# Where the textbook definition runs nevertheless ----------------------------------------------------------------------

switched_on = pytest.mark.skipif(not FUSED, reason="NEEDLE_FUSED=0")
KERNELS = ndarray_backend_numpy.FUSED
X = np.random.RandomState(1).randn(4, 5).astype("float32")


def refuse(*operands):
    """A kernel that must not be called."""
    raise AssertionError("a fused kernel was called")


@pytest.fixture(params=WHOLE_DEVICES, ids=str)
def device(request):
    """Every device that has fused kernels."""
    return request.param


@pytest.fixture
def refused(device, monkeypatch):
    """A device with kernels that must not be called."""
    for name in KERNELS:
        monkeypatch.setattr(device, name, refuse)
    return device


@switched_on
@pytest.mark.parametrize(("of", "method"), [(nn.Dropout, "forward"), (ops.ReLU, "gradient")], ids=["dropout", "relu"])
def test_one_node_has_the_bits_of_the_several_of_the_definition(of, method, device, monkeypatch):
    def values_and_gradients():
        np.random.seed(7)
        x = ndl.Tensor(X, device=device)
        y = nn.Dropout(0.3)(x) + ndl.relu(x)
        y.backward(ndl.Tensor(X[::-1].copy(), device=device), create_graph=False)
        return y.numpy().tobytes(), x.grad.numpy().tobytes()

    fused = values_and_gradients()
    monkeypatch.setattr(of, method, getattr(of, method).__wrapped__)
    assert values_and_gradients() == fused


@switched_on
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_statistics_are_those_of_the_definition(dtype, monkeypatch):
    def statistics():
        norm = nn.BatchNorm1d(5, momentum=0.3, dtype=dtype)
        for i in range(3):
            norm(ndl.Tensor(X + i * X * X, dtype=dtype))
        return norm.running_mean.numpy(), norm.running_var.numpy()

    fused = statistics()
    monkeypatch.setattr(nn.BatchNorm1d, "forward", nn.BatchNorm1d.forward.__wrapped__)
    for given, expected in zip(fused, statistics(), strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-6 if dtype == "float32" else 1e-14)


@switched_on
def test_a_training_step_of_a_residual_network_makes_no_more_nodes_than_it_did():
    class Count(Listener):
        nodes = 0

        def made(self, node, op, inputs):
            self.nodes += 1

    model = MLPResNet(8, 6, 3, 4)
    x, y = ndl.init.rand(5, 8), ndl.Tensor(np.arange(5) % 4, requires_grad=False)
    x.requires_grad = False
    with listening(Count()) as count:
        nn.SoftmaxLoss()(model(x), y).backward(create_graph=False)
    assert 0 < count.nodes <= 140  # it was 200 before dropout, relu's adjoint and running statistics were one op each


@switched_on
def test_softmax_along_another_axis_is_that_of_the_definition(device, monkeypatch):
    monkeypatch.setattr(device, "softmax", refuse)
    x = ndl.Tensor(X, device=device)
    np.testing.assert_allclose(ndl.softmax(x, axis=0).numpy(), scipy.special.softmax(X, axis=0), rtol=1e-6)
    with pytest.raises(AssertionError, match="fused"):
        ndl.softmax(x)


@switched_on
def test_a_device_without_them_runs_the_definitions(device, monkeypatch):
    for name in KERNELS:
        monkeypatch.delattr(device, name)
    got = ndl.softmax(ndl.Tensor(X, device=device))
    np.testing.assert_allclose(got.numpy(), scipy.special.softmax(X, axis=1), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_softmax_along_every_axis(device, axis):
    x = np.random.RandomState(2).randn(3, 4, 5)
    got = ndl.softmax(ndl.Tensor(x, device=device, dtype="float64"), axis=axis).numpy()
    np.testing.assert_allclose(got, scipy.special.softmax(x, axis=axis), rtol=1e-14)


@pytest.mark.parametrize("axes", [None, 0, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_over_any_axes(device, axes, keepdims):
    x = np.random.RandomState(3).randn(3, 4, 5)
    got = ndl.logsumexp(ndl.Tensor(x, device=device, dtype="float64"), axes, keepdims).numpy()
    np.testing.assert_allclose(got, scipy.special.logsumexp(x, axis=axes, keepdims=keepdims), rtol=1e-14)


def test_operands_are_read_through_their_strides(device):
    x = ndl.Tensor(X, device=device)
    np.testing.assert_allclose(ndl.softmax(ndl.transpose(x)).numpy(), scipy.special.softmax(X.T, axis=1), rtol=1e-6)


@switched_on
@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_nothing_to_choose_from_is_said_by_the_definition(refused, shape):
    x = ndl.Tensor(np.empty(shape), device=refused)
    with pytest.raises(ValueError, match="no element"):
        ndl.logsumexp(x)


@switched_on
@pytest.mark.parametrize(
    ("optimizer", "moments"),
    [(ndl.optim.SGD, 0), (ndl.optim.SGD, 1), (ndl.optim.Adam, 2)],
    ids=["sgd", "momentum", "adam"],
)
def test_optimizers_take_dtypes_that_differ(refused, optimizer, moments):
    """As the definition does: the result is of the wider dtype."""
    made = optimizer([ndl.nn.Parameter(X, device=refused)], **({"momentum": 0.9} if moments == 1 else {}))
    made.t = 1
    w, g = (ndl.Tensor(X, device=refused, dtype=dtype).cached_data for dtype in ("float32", "float64"))
    old = [w] * moments if moments else [None]
    assert made._updated(*old, w, g)[-1].dtype == "float64"
    with pytest.raises(AssertionError, match="fused"):
        made._updated(*old, w, w)
