"""Reverse mode: where gradients arrive, what they replace, what is kept and what is freed."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

import needle as ndl
from needle.autograd import TensorTuple, find_topo_sort
from tests.autograd.graphs import live_values, op_names, tensor


class TestTopologicalOrder:
    def test_inputs_come_first_in_the_order_of_inputs_each_node_once(self):
        a, b = tensor([1.0]), tensor([2.0])
        c = a * b
        d = b + c
        e = d * c
        assert find_topo_sort([e]) == [b, a, c, d, e] and c.inputs == (a, b)

    def test_depth_first_follows_the_first_input_to_its_end(self):
        a, b = tensor([1.0]), tensor([2.0])
        left = ndl.negate(ndl.negate(a))
        right = b * 2
        root = right + left
        assert find_topo_sort([root]) == [b, right, a, left.inputs[0], left, root]

    def test_several_roots_are_visited_in_the_given_order(self):
        a, b = tensor([1.0]), tensor([2.0])
        c, d = a * 2, b * 3
        assert find_topo_sort([d, c, d, a]) == [b, d, a, c]

    def test_a_leaf_alone(self):
        a = tensor([1.0])
        assert find_topo_sort([a]) == [a] and find_topo_sort([]) == []


class TestWhereGradientsArrive:
    def test_at_leaves_that_require_them_and_nowhere_else(self, mode):
        x, w, c = tensor([1.0, 2.0]), tensor([3.0, 4.0]), tensor([5.0, 6.0], requires_grad=False)
        h = x * w
        y = (h + c).sum()
        y.backward()
        assert x.grad.numpy().tolist() == [3, 4] and w.grad.numpy().tolist() == [1, 2]
        assert c.grad is None and h.grad is None and y.grad is None

    def test_the_shares_of_all_uses_add_up(self, mode):
        x = tensor([2.0])
        ((x * x) * x + 5 * x).backward()
        assert x.grad.numpy().tolist() == [3 * 4 + 5]

    def test_a_node_used_by_many_is_visited_once(self, mode):
        """60 doublings: 2^60 paths, 60 nodes."""
        x = tensor(1.0, dtype="float64")
        y = x
        for _ in range(60):
            y = y + y
        y.backward()
        assert x.grad.item() == 2.0**60

    def test_a_node_that_retains_its_gradient_keeps_it(self, mode):
        x = tensor([1.0, 2.0])
        h = (x * 3).retain_grad()
        (h * h).sum().backward()
        assert h.grad.numpy().tolist() == [6, 12] and x.grad.numpy().tolist() == [18, 36]

    def test_a_leaf_is_its_own_output(self):
        x = tensor([1.0, 2.0])
        x.backward()
        assert x.grad.numpy().tolist() == [1, 1]

    def test_out_grad_weights_the_output(self, mode):
        x = tensor([1.0, 2.0])
        (x * x).backward(tensor([10.0, 1.0]))
        assert x.grad.numpy().tolist() == [20, 4]

    def test_out_grad_is_ones_of_the_outputs_shape_dtype_and_device_by_default(self, device):
        x = tensor([[1.0, 2.0]], dtype="float64", device=device)
        (x * x).backward()
        assert x.grad.numpy().tolist() == [[2, 4]] and x.grad.dtype == "float64" and x.grad.device == device

    def test_out_grad_of_another_shape_is_refused(self):
        x = tensor([1.0, 2.0])
        with pytest.raises(ValueError, match=r"out_grad has shape \(\) .*the tensor \(2,\)"):
            (x * x).backward(tensor(1.0))

    def test_out_grad_that_is_no_tensor_is_refused(self):
        x = tensor([1.0, 2.0])
        with pytest.raises(TypeError, match="out_grad must be a Tensor, not ndarray"):
            (x * x).backward(np.ones(2))

    def test_a_later_backward_replaces_the_gradient(self, mode):
        x = tensor([1.0])
        (x * 2).backward()
        first = x.grad
        (x * 5).backward()
        assert x.grad is not first and x.grad.numpy().tolist() == [5] and first.numpy().tolist() == [2]

    def test_an_input_without_a_gradient_is_passed_by(self, mode):
        x = tensor([1.0, -2.0])
        (ndl.greater(x * 2, 0) * x).sum().backward()
        assert x.grad.numpy().tolist() == [1, 0]

    def test_nothing_to_differentiate_is_an_error(self):
        for y in (tensor([1.0], requires_grad=False) * 2, (tensor([1.0]) * 2).detach()):
            with pytest.raises(RuntimeError, match="does not require a gradient"):
                y.backward()

    def test_detached_tensors_stop_it(self, mode):
        x = tensor([3.0])
        (x * x.detach()).backward()
        assert x.grad.numpy().tolist() == [3]

    def test_requires_grad_can_be_switched_on_a_leaf(self):
        x, y = tensor([2.0]), tensor([3.0], requires_grad=False)
        x.requires_grad, y.requires_grad = False, True
        (x * y).backward()
        assert x.grad is None and y.grad.numpy().tolist() == [2]

    def test_tuples_pass_gradients_to_each_of_their_elements(self, mode):
        x, y = tensor([1.0, 2.0]), tensor([3.0, 4.0])
        pair = ndl.make_tuple(x * 2, y)
        (pair[0] * pair[1] + pair[1]).sum().backward()
        assert x.grad.numpy().tolist() == [6, 8] and y.grad.numpy().tolist() == [3, 5]

    def test_a_tuple_can_be_a_leaf(self):
        pair = TensorTuple.make_const(tuple(tensor([v]).cached_data for v in (2.0, 3.0)), requires_grad=True)
        (pair[0] * pair[1]).backward()
        assert [g.tolist() for g in pair.grad.numpy()] == [[3.0], [2.0]]


class TestGradientsOfGradients:
    def test_a_gradient_is_a_tensor_with_a_graph(self, mode):
        x = tensor([2.0, 3.0])
        (x * x * x).sum().backward()
        first = x.grad
        assert isinstance(first, ndl.Tensor) and first.requires_grad and first.op is not None
        first.backward()
        assert x.grad.numpy().tolist() == [12, 18]
        x.grad.backward()
        assert x.grad.numpy().tolist() == [6, 6]

    def test_through_a_network_they_are_the_hessian(self, mode):
        """For f = sum(tanh(W x)), the Hessian in x is W^T diag(-2 t (1 - t^2)) W."""
        w = np.random.default_rng(0).standard_normal((3, 2))
        x = tensor([[0.3], [-0.4]], dtype="float64")
        ndl.tanh(tensor(w, dtype="float64") @ x).sum().backward()
        gradient = x.grad
        t = np.tanh(w @ x.numpy())[:, 0]
        rows = []
        for i in range(2):
            gradient.backward(tensor(np.eye(2)[:, i : i + 1], dtype="float64"))
            rows.append(x.grad.numpy()[:, 0])
        np.testing.assert_allclose(rows, w.T @ np.diag(-2 * t * (1 - t**2)) @ w, rtol=1e-12)

    def test_of_a_linear_function_lead_to_its_weights(self):
        x, w = tensor([1.0, 2.0]), tensor([3.0, 4.0])
        (x * w).sum().backward()
        x.grad.backward()
        assert w.grad.numpy().tolist() == [1, 1]


class TestWithoutAGraph:
    def test_gradients_are_plain_data(self, mode):
        x = tensor([1.0, 2.0])
        h = (x * 3).retain_grad()
        ndl.exp(h * x).sum().backward(create_graph=False)
        for gradient in (x.grad, h.grad):
            assert not gradient.requires_grad
            gradient.numpy()
            assert gradient.op is None and gradient.inputs == ()
        np.testing.assert_allclose(h.grad.numpy(), np.exp([3.0, 12.0]) * [1, 2], rtol=1e-6)
        np.testing.assert_allclose(x.grad.numpy(), np.exp([3.0, 12.0]) * [6, 12], rtol=1e-6)

    def test_they_equal_those_with_a_graph(self, mode):
        x = tensor(np.linspace(-1, 1, 6).reshape(2, 3), dtype="float64")
        w = tensor(np.linspace(1, 2, 12).reshape(3, 4), dtype="float64")
        results = []
        for create_graph in (True, False):
            ndl.logsoftmax(ndl.relu(x @ w) * 3).sum().backward(create_graph=create_graph)
            results.append((x.grad.numpy(), w.grad.numpy()))
        for with_graph, without in zip(*results):
            np.testing.assert_array_equal(with_graph, without)

    def test_the_outputs_value_stays_readable(self, mode):
        x = tensor([1.0, 2.0])
        loss = (x * x).sum()
        loss.backward(create_graph=False)
        assert loss.item() == 5 and x.grad.numpy().tolist() == [2, 4]

    def test_activations_are_freed_although_the_output_is_kept(self):
        x = tensor([1.0, 2.0])
        h = ndl.exp(x)
        activation = weakref.ref(h)
        loss = (h * h).sum()
        del h
        loss.backward(create_graph=False)
        assert activation() is None

    def test_data_of_activations_is_freed_although_the_output_is_kept(self):
        x = tensor([1.0, 2.0])
        h = ndl.exp(x)
        data = weakref.ref(h.cached_data)
        loss = ndl.log(h)
        del h
        assert data() is not None
        loss.backward(create_graph=False)
        assert data() is None

    def test_they_are_freed_on_the_way_not_at_the_end(self):
        """When the walk is at the first node of a chain, the data of all but a few later ones is gone."""
        alive = []

        class Watch(ndl.TensorOp):
            def compute(self, a):
                return a

            def gradient(self, out_grad, node):
                alive.append(sum(reference() is not None for reference in activations))
                return out_grad

        h = Watch()(tensor([1.0]))
        activations = []
        for _ in range(50):
            h = ndl.sin(h)
            activations.append(weakref.ref(h))
        h.backward(create_graph=False)
        assert alive[0] <= 3

    def test_with_a_graph_everything_stays(self):
        x = tensor([1.0, 2.0])
        loss = (x * x).sum()
        loss.backward()
        loss.backward()
        assert x.grad.numpy().tolist() == [2, 4]

    def test_a_second_backward_says_that_the_graph_was_freed(self):
        x = tensor([1.0, 2.0])
        h = x * x
        loss, other = h.sum(), (h * 2).sum()
        loss.backward(create_graph=False)
        for again in (loss, other, h):
            with pytest.raises(RuntimeError, match=r"freed by an earlier backward\(create_graph=False\)"):
                again.backward()

    def test_no_values_are_left_over(self):
        x = tensor([1.0, 2.0])
        counts = []
        for _ in range(3):
            loss = (ndl.exp(x) * x).sum()
            loss.backward(create_graph=False)
            del loss
            counts.append(live_values())
        assert counts[0] == counts[1] == counts[2]


class TestAStudentsOwnReverseMode:
    """`backward` goes through `needle.autograd.compute_gradient_of_variables`, whoever wrote it."""

    @pytest.fixture(params=["naive", "skipping None"])
    def own(self, request, monkeypatch):
        calls = []

        def compute_gradient_of_variables(output_tensor, out_grad):
            calls.append(output_tensor)
            shares = {output_tensor: [out_grad]}
            for node in reversed(find_topo_sort([output_tensor])):
                node.grad = ndl.autograd.sum_node_list(shares.get(node, [None]))
                if node.is_leaf() or (request.param == "skipping None" and node.grad is None):
                    continue
                for x, gradient in zip(node.inputs, node.op.gradient_as_tuple(node.grad, node)):
                    if request.param == "naive" or gradient is not None:
                        shares.setdefault(x, []).append(gradient)

        monkeypatch.setattr(ndl.autograd, "compute_gradient_of_variables", compute_gradient_of_variables)
        return calls

    def test_is_what_backward_runs(self, own, mode):
        x, w = tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]])
        y = (x @ w + (x * x).sum()).sum()
        y.backward()
        assert own == [y]
        assert x.grad.numpy().tolist() == [[5, 8]] and w.grad.numpy().tolist() == [[1], [2]]
        x.grad.backward()
        assert x.grad.numpy().tolist() == [[2, 2]]

    def test_gives_plain_gradients_without_a_graph(self, own, mode):
        x = tensor([1.0, 2.0])
        (x * x).sum().backward(create_graph=False)
        assert not x.grad.requires_grad and x.grad.numpy().tolist() == [2, 4]

    def test_meets_constants_that_several_products_share(self, own):
        data = tensor([[1.0, 2.0]], requires_grad=False)
        u, v = tensor([[1.0], [1.0]]), tensor([[2.0], [2.0]])
        (data @ u + data @ v).backward()
        assert u.grad.numpy().tolist() == v.grad.numpy().tolist() == [[1], [2]]

    def test_has_the_shapes_of_its_gradients_checked(self, own):
        class Wrong(ndl.TensorOp):
            def compute(self, a):
                return a * 2

            def gradient(self, out_grad, node):
                return (out_grad * 2).sum()

        with pytest.raises(ValueError, match=r"Wrong\.gradient"):
            Wrong()(tensor([1.0, 2.0])).backward()


class TestAStudentsOwnOp:
    """An op with only `compute` and `gradient` works eagerly, lazily, and under a second derivative."""

    class Cube(ndl.TensorOp):
        def compute(self, a):
            return a * a * a

        def gradient(self, out_grad, node):
            return out_grad * 3 * node.inputs[0] * node.inputs[0]

    class Halves(ndl.TensorTupleOp):
        def compute(self, a):
            middle = a.shape[0] // 2
            return a[:middle], a[middle:]

        def gradient(self, out_grad, node):
            return ndl.concatenate([out_grad[0], out_grad[1]], 0)

    def test_gives_one_tensor(self, device, mode):
        x = tensor([1.0, 2.0], device=device)
        y = self.Cube()(x)
        assert y.shape == (2,) and y.dtype == "float32" and y.device == device
        y.backward()
        assert y.numpy().tolist() == [1, 8] and x.grad.numpy().tolist() == [3, 12]
        x.grad.backward()
        assert x.grad.numpy().tolist() == [6, 12]

    def test_gives_a_tuple(self, device, mode):
        x = tensor([1.0, 2.0, 3.0, 4.0, 5.0], device=device)
        low, high = self.Halves()(x)
        assert (low.shape, high.shape) == ((2,), (3,))
        (low.sum() * 10 + (high * high).sum()).backward()
        assert x.grad.numpy().tolist() == [10, 10, 6, 8, 10]

    def test_appears_in_the_graph_under_its_name(self):
        assert op_names(self.Cube()(tensor([1.0])) * 2) == ["Cube", "MulScalar"]

    def test_an_error_in_its_compute_comes_through_unchanged(self, mode):
        class Broken(ndl.TensorOp):
            def compute(self, a):
                return a.nonexistent

        with pytest.raises(AttributeError, match="nonexistent"):
            Broken()(tensor([1.0])).numpy()
