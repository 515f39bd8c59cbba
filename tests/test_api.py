"""The interface that course code relies on: its conventions, each as its own test.

Names and signatures are in `test_api_signatures`; what each function computes is tested next to its code.
"""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
import needle.nn as nn
from needle.backend_selection import BACKEND
from tests.autograd.graphs import nd_only, np_only, tensor

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


def test_the_parameters_of_the_tensors_methods_that_take_them_apart():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.reshape((4,)).shape == x.reshape(4).shape == (4,)
    assert x.transpose().numpy().tolist() == x.transpose((0, 1)).numpy().tolist() == [[1, 3], [2, 4]]


def test_requires_grad_is_assignable():
    x = tensor([1.0])
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_integer_tensors_are_differentiable_twice():
    x, y = ndl.Tensor([6]), ndl.Tensor([0])
    assert x.dtype == ("float32" if BACKEND == "nd" else "int64") and x.requires_grad
    (x * x + x * y).backward()
    by_x, by_y = x.grad, y.grad
    assert by_x.numpy().tolist() == [12] and by_y.numpy().tolist() == [6]
    by_x.backward()
    assert x.grad.numpy().tolist() == [2] and y.grad.numpy().tolist() == [1]
    by_y.backward()
    assert x.grad.numpy().tolist() == [1]


def test_gradients_of_variables_can_be_computed_by_name():
    a, b = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    ndl.autograd.compute_gradient_of_variables(a * b, tensor([1.0, 10.0]))
    assert a.grad.numpy().tolist() == [3, 40] and b.grad.numpy().tolist() == [1, 20]


def test_data_may_be_nudged_in_place_for_a_difference_quotient(mode):
    x = tensor([[0.5, -1.0], [2.0, 3.0]], dtype="float64")
    out = ndl.tanh(x)
    (gradient,) = out.op.gradient_as_tuple(ndl.init.ones(2, 2, dtype="float64"), out)
    expected, elements = gradient.numpy(), x.realize_cached_data().flat
    for position in range(4):
        elements[position] += 1e-5
        above = ndl.tanh(x).numpy()
        elements[position] -= 2e-5
        below = ndl.tanh(x).numpy()
        elements[position] += 1e-5
        assert (above - below).sum() / 2e-5 == pytest.approx(expected.flat[position], rel=1e-6)


def test_a_scalar_operand_may_be_a_one_element_array():
    x = tensor([1.0, 2.0])
    for scalar in (np.array([3.0]), np.array(3.0), np.float32(3)):
        results = [x + scalar, x - scalar, x * scalar, x / scalar, x**scalar, ndl.power_scalar(x, scalar=scalar)]
        assert [type(result.op).__name__ for result in results] == [
            *("AddScalar", "AddScalar", "MulScalar", "DivScalar", "PowerScalar", "PowerScalar")
        ]
        for result in (*results, scalar + x, scalar - x, scalar * x, scalar / x, scalar**x):
            assert result.shape == (2,) and result.dtype == "float32"
        assert (x - scalar).numpy().tolist() == [-2, -1] and (scalar - x).numpy().tolist() == [2, 1]


def test_stacking_answers_with_a_tuple_of_gradients():
    out = ndl.stack([tensor([1.0]), tensor([2.0])], axis=0)
    (gradient,) = out.op.gradient_as_tuple(ndl.init.ones(2, 1), out)
    assert isinstance(gradient, ndl.TensorTuple) and gradient.shape == ((1,), (1,))


def test_the_counter_counts_live_values():
    before = ndl.autograd.TENSOR_COUNTER
    kept = [tensor([1.0]), ndl.make_tuple(tensor([1.0]))]
    assert before < ndl.autograd.TENSOR_COUNTER
    del kept
    assert before == ndl.autograd.TENSOR_COUNTER


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


# Initializers, modules, optimizers, data ------------------------------------------------------------------------------


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
        for mask in (a == a, a >= 2, a > 1, a <= 1, a < 2, a != a):
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
