"""The interface that course code relies on: names, signatures and conventions, each as its own test.

What a name computes is tested next to its code; here is what callers may write. A signature has the documented
parameters in the documented places; it may have more, which then have defaults.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
import needle.nn as nn
from needle.backend_selection import BACKEND
from tests.autograd.graphs import nd_only, np_only, tensor

APPS = Path(__file__).parent.parent / "apps"

# Names and signatures --------------------------------------------------------------------------------------------------

SCALAR_OPS = ["add_scalar", "mul_scalar", "divide_scalar", "power_scalar"]
TENSOR_OPTIONS = "device=None, dtype='float32', requires_grad=False"

SIGNATURES = {
    "Tensor": "array, *, device=None, dtype=None, requires_grad=True",
    "Tensor.backward": "self, out_grad=None",
    "Tensor.sum": "self, axes=None",
    "Tensor.matmul": "self, other",
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
    "init.ones_like": "array, *, device=None, requires_grad=False",
    "init.zeros_like": "array, *, device=None, requires_grad=False",
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


OP_CLASSES = """EWiseAdd AddScalar EWiseMul MulScalar EWisePow PowerScalar EWiseDiv DivScalar Transpose Reshape BroadcastTo
    Summation MatMul Negate Log Exp ReLU Tanh LogSumExp LogSoftmax Stack Split Flip Dilate UnDilate""".split()


@pytest.mark.parametrize("name", OP_CLASSES)
def test_op_classes_have_the_courses_names(name):
    assert issubclass(getattr(ndl.ops, name), ndl.Op)


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name.islower() and "." not in name] + ["make_tuple"])
def test_operators_are_named_in_needle_and_in_needle_ops(name):
    assert getattr(ndl, name) is getattr(ndl.ops, name)


def test_autograd_holds_the_classes_of_the_graph():
    for name in ("Tensor", "TensorTuple", "Value", "Op", "TensorOp", "TensorTupleOp"):
        assert getattr(ndl.autograd, name) is getattr(ndl, name)


def test_the_parameters_of_the_tensors_methods_that_take_them_apart():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.reshape((4,)).shape == x.reshape(4).shape == (4,)
    assert x.transpose().numpy().tolist() == x.transpose((0, 1)).numpy().tolist() == [[1, 3], [2, 4]]


def test_modules_named_without_parameters():
    for name in ("Identity", "Flatten", "ReLU", "Sigmoid", "Tanh", "SoftmaxLoss"):
        assert isinstance(getattr(nn, name)(), nn.Module)


def test_needle_has_a_version():
    assert ndl.__version__.count(".") == 2


# Selection ------------------------------------------------------------------------------------------------------------


def test_backend_selection_holds_the_choice():
    choice = ndl.backend_selection
    assert choice.BACKEND == BACKEND
    for name in ("array_api", "NDArray", "Device", "default_device", "cpu", "cpu_numpy", "cuda", "all_devices"):
        assert hasattr(choice, name)
    assert isinstance(tensor([1.0]).cached_data, choice.NDArray) and isinstance(tensor([1.0]).device, choice.Device)


@np_only
def test_under_np_data_are_numpy_arrays_of_the_dtype_given():
    for dtype in ("float64", "float32", "int64"):
        data = ndl.Tensor(np.ones(2, dtype)).cached_data
        assert type(data) is np.ndarray and data.dtype == dtype


@nd_only
def test_under_nd_the_backend_is_the_module_of_arrays():
    from needle import backend_ndarray as nd

    assert ndl.backend_selection.array_api is nd and ndl.backend_selection.NDArray is nd.NDArray
    assert nd.cpu() == ndl.cpu() and nd.cpu_numpy() == ndl.cpu_numpy() and not nd.cuda().enabled()


def test_the_default_device_is_the_cpu():
    assert ndl.default_device() == ndl.cpu() == ndl.Tensor([1.0]).device
    assert ndl.cpu() in ndl.all_devices() and ndl.cuda() in ndl.all_devices()
    assert ndl.cpu().enabled() and not ndl.cuda().enabled()


def test_devices_compare_by_name():
    assert ndl.cpu() == ndl.cpu() and ndl.cpu() != ndl.cuda() and len({ndl.cpu(), ndl.cpu(), ndl.cuda()}) == 2
    assert ndl.cpu() != "cpu"


def test_a_device_makes_arrays(device):
    np.random.seed(0)
    uniform, normal = device.rand(2, 3), device.randn(4)
    np.random.seed(0)
    np.testing.assert_array_equal(np.asarray(uniform), np.random.rand(2, 3).astype("float32"))
    np.testing.assert_array_equal(np.asarray(normal), np.random.randn(4).astype("float32"))
    np.testing.assert_array_equal(np.asarray(device.one_hot(3, np.array([2, 0]))), [[0, 0, 1], [1, 0, 0]])
    assert device.empty((2, 3)).shape == (2, 3)
    np.testing.assert_array_equal(np.asarray(device.full((2,), 7)), [7, 7])
    for array in (uniform, normal, device.one_hot(3, np.array([1])), device.empty((1,)), device.full((1,), 1)):
        assert isinstance(array, ndl.backend_selection.NDArray) and str(array.dtype) == "float32"


# Tensor ---------------------------------------------------------------------------------------------------------------


def test_what_a_tensor_has():
    x = tensor([[1.0, 2.0]])
    y = x * 3
    assert x.shape == (1, 2) and x.dtype == "float32" and x.device == ndl.cpu()
    assert x.grad is None and x.op is None and len(x.inputs) == 0 and x.is_leaf() and x.requires_grad
    assert y.realize_cached_data() is y.cached_data and isinstance(y.numpy(), np.ndarray)
    assert not y.is_leaf() and y.inputs[0] is x
    assert y.data.cached_data is y.cached_data and y.detach().is_leaf() and not y.data.requires_grad


def test_tensors_are_made_from_numbers_lists_arrays_and_tensors():
    array = ndl.backend_selection.array_api.array([1.0, 2.0], dtype="float32")
    for source in (3, 2.5, [1, 2], np.ones((2, 2)), array, ndl.Tensor([1.0])):
        np.testing.assert_array_equal(
            ndl.Tensor(source).numpy(), np.asarray(getattr(source, "numpy", lambda s=source: s)())
        )


def test_data_may_get_another_shape():
    x = tensor([1.0, 2.0])
    x.data = tensor(np.zeros((3, 1)))
    assert x.shape == (3, 1)


def test_requires_grad_is_assignable():
    x = tensor([1.0])
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_integer_tensors_are_differentiable_twice():
    x = ndl.Tensor([6])
    assert x.dtype == ("float32" if BACKEND == "nd" else "int64") and x.requires_grad
    (x * x).backward()
    x.grad.backward()
    assert x.grad.numpy().tolist() == [2]


def test_a_scalar_operand_may_be_a_one_element_array():
    x = tensor([1.0, 2.0])
    for scalar in (np.array([3.0]), np.array(3.0), np.float32(3)):
        assert isinstance((x * scalar).op, ndl.ops.MulScalar)
        assert isinstance(ndl.power_scalar(x, scalar=scalar).op, ndl.ops.PowerScalar)
        assert (x + scalar).numpy().tolist() == [4, 5]


def test_stacking_answers_with_a_tuple_of_gradients():
    out = ndl.stack([tensor([1.0]), tensor([2.0])], axis=0)
    (gradient,) = out.op.gradient_as_tuple(ndl.init.ones(2, 1), out)
    assert isinstance(gradient, ndl.TensorTuple) and gradient.shape == ((1,), (1,))


def test_the_counter_counts_live_values():
    before = ndl.autograd.TENSOR_COUNTER
    kept = [tensor([1.0]), ndl.make_tuple(tensor([1.0]))]
    assert ndl.autograd.TENSOR_COUNTER > before
    del kept
    assert ndl.autograd.TENSOR_COUNTER == before


# Operators ------------------------------------------------------------------------------------------------------------


def test_transpose_swaps_the_last_two_axes_by_default():
    assert ndl.transpose(tensor(np.zeros((2, 3, 4)))).shape == (2, 4, 3)
    assert ndl.transpose(tensor(np.zeros((2, 3, 4))), (0, 2)).shape == (4, 3, 2)


def test_summation_takes_none_an_int_or_a_tuple():
    x = tensor(np.ones((2, 3)))
    assert [ndl.summation(x, axes).shape for axes in (None, 0, 1, -1, (0, 1), (1,))] == [(), (3,), (2,), (2,), (), (2,)]


def test_split_removes_the_axis_and_stack_adds_one():
    parts = ndl.split(tensor(np.arange(6.0).reshape(2, 3)), 1)
    assert isinstance(parts, ndl.TensorTuple) and parts.shape == ((2,),) * 3
    assert ndl.stack(parts, 1).numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert ndl.stack([parts[0], parts[1]], 0).shape == (2, 2)


def test_dilate_puts_zeros_after_every_element():
    x = tensor([[1.0, 2.0]])
    assert ndl.dilate(x, (1,), 1).numpy().tolist() == [[1, 0, 2, 0]]
    assert ndl.dilate(x, (0, 1), 0).numpy().tolist() == [[1, 2]]
    assert ndl.undilate(ndl.dilate(x, (0, 1), 2), (0, 1), 2).numpy().tolist() == [[1, 2]]


def test_fused_add_scalars_gives_a_pair():
    assert [x.tolist() for x in ndl.fused_add_scalars(tensor([1.0]), 2.0, 3.0).numpy()] == [[3], [4]]


def test_logsoftmax_is_over_axis_1_of_two():
    z = np.array([[0.0, 1.0], [2.0, 5.0]])
    expected = z - np.log(np.exp(z).sum(1, keepdims=True))
    np.testing.assert_allclose(ndl.logsoftmax(tensor(z)).numpy(), expected, rtol=1e-5)


# Initializers, modules, optimizers, data -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "bound"),
    [("xavier_uniform", 2 * np.sqrt(6 / (30 + 20))), ("kaiming_uniform", np.sqrt(2) * np.sqrt(3 / 30))],
)
def test_uniform_initializers(function, bound):
    options = {"gain": 2} if function == "xavier_uniform" else {}
    np.random.seed(1)
    given = getattr(ndl.init, function)(30, 20, **options)
    np.random.seed(1)
    np.testing.assert_allclose(given.numpy(), (np.random.rand(30, 20) * 2 - 1) * bound, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "std"), [("xavier_normal", 2 * np.sqrt(2 / (30 + 20))), ("kaiming_normal", np.sqrt(2) / np.sqrt(30))]
)
def test_normal_initializers(function, std):
    options = {"gain": 2} if function == "xavier_normal" else {}
    np.random.seed(1)
    given = getattr(ndl.init, function)(30, 20, **options)
    np.random.seed(1)
    np.testing.assert_allclose(given.numpy(), np.random.randn(30, 20) * std, rtol=1e-5, atol=1e-6)


def test_kaiming_takes_a_shape():
    assert ndl.init.kaiming_uniform(27, 8, shape=(3, 3, 3, 8)).shape == (3, 3, 3, 8)
    assert ndl.init.kaiming_normal(27, 8, shape=(3, 3, 3, 8)).shape == (3, 3, 3, 8)


def test_initializers_take_device_and_dtype(device):
    for function in (
        ndl.init.xavier_uniform,
        ndl.init.xavier_normal,
        ndl.init.kaiming_uniform,
        ndl.init.kaiming_normal,
    ):
        w = function(3, 2, device=device, dtype="float64", requires_grad=True)
        assert (w.device, w.dtype, w.requires_grad, w.shape) == (device, "float64", True, (3, 2))


def test_a_linear_layer_draws_its_weight_before_its_bias():
    np.random.seed(5)
    layer = nn.Linear(7, 3)
    np.random.seed(5)
    weight, bias = np.random.rand(7, 3), np.random.rand(1, 3)
    np.testing.assert_allclose(layer.weight.numpy(), (2 * weight - 1) * np.sqrt(2) * np.sqrt(3 / 7), rtol=1e-5)
    np.testing.assert_allclose(layer.bias.numpy(), (2 * bias - 1) * np.sqrt(2) * np.sqrt(3 / 3), rtol=1e-5)
    assert layer.weight.shape == (7, 3) and layer.bias.shape == (1, 3)


def test_modules_find_parameters_in_attributes_lists_tuples_and_dicts():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.own = nn.Parameter([1.0])
            self.parts = [nn.Linear(1, 1), (nn.Linear(1, 1),)]
            self.named = {"last": nn.Linear(1, 1, bias=False)}

        def forward(self, x):
            return x

    net = Net()
    assert len(net.parameters()) == 1 + 2 + 2 + 1 and len(net._children()) == 3
    assert net.training
    net.eval()
    assert not any(module.training for module in (net, *net._children()))
    net.train()
    assert all(module.training for module in (net, *net._children()))
    assert net("input") == "input" and isinstance(nn.Parameter([1.0]), ndl.Tensor)


def test_sequential_holds_its_modules():
    parts = (nn.Identity(), nn.ReLU())
    assert tuple(nn.Sequential(*parts).modules) == parts


def test_normalization_layers_hold_their_parameters():
    for layer in (nn.LayerNorm1d(4), nn.BatchNorm1d(4), nn.BatchNorm2d(4)):
        assert layer.weight.numpy().tolist() == [1] * 4 and layer.bias.numpy().tolist() == [0] * 4
    assert nn.BatchNorm1d(4).running_mean.numpy().tolist() == [0] * 4
    assert nn.BatchNorm1d(4).running_var.numpy().tolist() == [1] * 4


def test_softmax_loss_takes_logits_and_class_indices():
    z, y = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]), np.array([2, 0])
    expected = np.mean(np.log(np.exp(z).sum(1)) - z[[0, 1], y])
    assert nn.SoftmaxLoss()(tensor(z), ndl.Tensor(y)).item() == pytest.approx(expected, rel=1e-5)


def test_an_optimizers_step_leaves_the_gradient_and_no_graph():
    for make in (ndl.optim.SGD, ndl.optim.Adam):
        w = nn.Parameter([1.0, 2.0])
        optimizer = make([w], lr=0.1)
        (w * w).sum().backward()
        gradient = w.grad
        optimizer.step()
        assert w.grad is gradient and gradient.numpy().tolist() == [2, 4]
        assert w.is_leaf() and w.inputs == () and w.numpy()[0] < 1
        optimizer.reset_grad()
        assert w.grad is None


def test_a_data_loader_gives_tuples_of_tensors_without_gradients():
    dataset = ndl.data.NDArrayDataset(np.arange(10.0).reshape(5, 2), np.arange(5))
    batches = list(ndl.data.DataLoader(dataset, batch_size=2))
    assert [batch[0].shape for batch in batches] == [(2, 2), (2, 2), (1, 2)]
    assert all(isinstance(x, ndl.Tensor) and not x.requires_grad for batch in batches for x in batch)
    np.random.seed(3)
    shuffled = [batch[1].numpy() for batch in ndl.data.DataLoader(dataset, batch_size=2, shuffle=True)]
    np.random.seed(3)
    np.testing.assert_array_equal(np.concatenate(shuffled), np.random.permutation(5))


# Arrays ---------------------------------------------------------------------------------------------------------------


class TestArrays:
    @pytest.fixture(autouse=True)
    def arrays(self):
        self.nd = pytest.importorskip("needle.backend_ndarray")

    def test_signatures(self):
        nd = self.nd
        for name, documented in {
            "NDArray": "other, device=None",
            "NDArray.make": "shape, strides=None, device=None, handle=None, offset=0",
            "NDArray.sum": "self, axis=None, keepdims=False",
            "NDArray.max": "self, axis=None, keepdims=False",
            "NDArray.process_slice": "self, sl, dim",
            "NDArray.broadcast_to": "self, new_shape",
            "NDArray.permute": "self, new_axes",
            "NDArray.flip": "self, axes",
            "NDArray.pad": "self, axes",
            "array": "a, dtype='float32', device=None",
            "empty": "shape, dtype='float32', device=None",
            "full": "shape, fill_value, dtype='float32', device=None",
        }.items():
            assert_signature(named(name, nd), documented)

    @pytest.mark.parametrize(
        "name", ["NDArray", "array", "empty", "full", "cpu", "cpu_numpy", "cuda", "default_device", "all_devices"]
    )
    def test_names_are_in_the_package_and_in_its_module_ndarray(self, name):
        assert getattr(self.nd, name) is getattr(self.nd.ndarray, name)

    def test_attributes_and_methods(self):
        a = self.nd.array([[1.0, 2.0], [3.0, 4.0]])
        assert (a.shape, a.strides, a.ndim, a.size, a.dtype) == ((2, 2), (2, 1), 2, 4, "float32")
        assert a.device == self.nd.default_device() and a.is_compact() and a.compact() is a
        assert a.flat.shape == (4,) and a.as_strided((4,), (1,)).numpy().tolist() == [1, 2, 3, 4]
        assert a.to(self.nd.cpu_numpy()).device == self.nd.cpu_numpy()
        a.fill(5)
        assert a.numpy().tolist() == [[5, 5], [5, 5]]
        for function in ("log", "exp", "tanh"):
            np.testing.assert_array_equal(getattr(a, function)().numpy(), getattr(self.nd, function)(a).numpy())
        assert self.nd.maximum(a, 7).numpy().max() == a.maximum(7).numpy().max() == 7

    def test_an_int_keeps_its_axis(self):
        a = self.nd.array(np.arange(6).reshape(2, 3))
        assert a[1].shape == (1, 3) and a[1, 2].shape == (1, 1) and a[:, 0].shape == (2, 1)

    def test_comparisons_give_float_zeros_and_ones(self):
        a = self.nd.array([1.0, 2.0])
        for mask in (a == a, a >= 2, a > 1, a <= 1, a < 2, a != a):  # noqa: PLR0124
            assert mask.dtype == "float32" and set(mask.numpy().tolist()) <= {0.0, 1.0}

    def test_views_have_the_buffer_of_their_array(self):
        a = self.nd.array(np.arange(6).reshape(2, 3))
        for view in (a.reshape((3, 2)), a.permute((1, 0)), a[0:1], a.broadcast_to((2, 2, 3)), a.flip((0,))):
            assert view._handle.ptr() == a._handle.ptr()
        assert (a + 0)._handle.ptr() != a._handle.ptr()

    def test_devices_expose_the_attributes_of_their_kernel_modules(self):
        for device in (self.nd.cpu(), self.nd.cpu_numpy()):
            assert callable(device.Array) and callable(device.ewise_add) and callable(device.matmul)
            assert device.Array(4).ptr() > 0

    def test_the_tiled_matrix_product(self):
        device = self.nd.cpu()
        t = device.__tile_size__
        m, n, p = 2 * t, 3 * t, t

        def tiled(x):
            rows, columns = x.shape
            blocks = x.reshape(rows // t, t, columns // t, t).transpose(0, 2, 1, 3)
            return self.nd.array(np.ascontiguousarray(blocks), device=device)

        x, y = (np.random.default_rng(0).standard_normal(shape).astype("float32") for shape in ((m, n), (n, p)))
        out = self.nd.empty((m // t, p // t, t, t), device=device)
        device.matmul_tiled(tiled(x)._handle, tiled(y)._handle, out._handle, m, n, p)
        np.testing.assert_allclose(out.numpy().transpose(0, 2, 1, 3).reshape(m, p), x @ y, rtol=1e-4, atol=1e-4)


# Applications ---------------------------------------------------------------------------------------------------------


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
            "batch_size=100, epochs=10, optimizer=ndl.optim.Adam, lr=0.001, weight_decay=0.001, hidden_dim=100, data_dir='data'",
        ),
    ],
)
def test_applications(module, function, documented, apps):
    __import__(module)
    assert_signature(getattr(sys.modules[module], function), documented)
