"""What a demanding user tried: wrong numbers that must not come back, and messages that say what would be right."""

from __future__ import annotations

import collections
import functools
import gc
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from tests.func.functions import constant


def test_a_function_that_gives_a_tuple_tensor_moves_forward_and_in_batches():
    x, one = constant([1.0, 2.0]), constant([1.0, 1.0])
    tangents = ndl.jvp(lambda x: ndl.split(x * x), (x,), (one,))[1]
    assert [t.item() for t in tangents] == [2, 4]
    by_t = ndl.jacobian(lambda t: ndl.split(ndl.stack([t * t, t])))(constant(2.0))
    assert [d.item() for d in by_t] == [4, 1]
    first, second = ndl.vmap(ndl.split)(constant([[1.0, 2.0], [3.0, 4.0]]))
    assert first.numpy().tolist() == [1, 3] and second.numpy().tolist() == [2, 4]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ndl.checkpoint(lambda a: ndl.sin(a) * x)(x),
        lambda x: ndl.checkpoint(lambda a, *, b: ndl.sin(a) * b)(x, b=x),
        lambda x: ndl.checkpoint(lambda a: ndl.checkpoint(lambda c: ndl.sin(c) * a)(x) * 1)(x),
        lambda x: ndl.vmap(lambda y: ndl.checkpoint(lambda a: ndl.sin(a) * y)(y))(x.reshape((1,)))[0],
    ],
    ids=["closure", "keyword", "nested", "batch"],
)
def test_a_checkpoint_may_get_a_tensor_twice(f):
    expected = np.cos(0.5) * 0.5 + np.sin(0.5)
    assert np.isclose(ndl.grad(f)(constant(0.5)).item(), expected, rtol=1e-12)
    x = ndl.Tensor(0.5, dtype="float64")
    f(x).backward()
    assert np.isclose(x.grad.item(), expected, rtol=1e-12)


def test_a_checkpoint_does_not_compute_again_with_other_data():
    w, c = ndl.Tensor(0.5), ndl.Tensor([2.0], requires_grad=False)
    y = ndl.checkpoint(lambda x: (x * x * c).sum())(w)
    c.data = ndl.Tensor([100.0])
    with pytest.raises(RuntimeError, match=r"checkpoint: a tensor of shape \(1,\) that <lambda> uses was replaced"):
        y.backward()


class Net(nn.Module):
    """A module that keeps others in several ways."""

    def __init__(self, keep: Any) -> None:
        super().__init__()
        self.block = nn.Linear(2, 2)
        self.fast = keep(self)

    def plain(self, x: Any) -> Any:
        return self.block(x)

    def forward(self, x: Any) -> Any:
        return self.fast(x)


@pytest.mark.parametrize(
    "keep", [lambda net: ndl.checkpoint(net.block), lambda net: net.plain], ids=["module", "method"]
)
def test_a_module_that_keeps_its_parts_in_other_forms_has_the_gradient_that_backward_gives(keep):
    net, x = Net(keep), ndl.Tensor(np.ones((1, 2)), requires_grad=False)
    net(x).sum().backward()
    given = ndl.grad(lambda net: net(x).sum())(net)
    np.testing.assert_array_equal(given.block.bias.numpy(), net.block.bias.grad.numpy())
    assert given.block.bias.numpy().all()


def test_a_module_that_hides_its_parts_in_a_closure_is_an_error_and_not_a_zero():
    net = Net(lambda net: functools.partial(lambda block, x: block(x), net.block))
    with pytest.raises(ValueError, match=r"uses the parameter block.weight of a module .* in another way"):
        ndl.grad(lambda net: net(ndl.Tensor(np.ones((1, 2)))).sum())(net)


def test_a_checkpointed_module_is_a_module():
    block = nn.Linear(2, 2)
    model = nn.Sequential(ndl.checkpoint(block), nn.ReLU())
    assert set(model.parameters()) == set(block.parameters())
    assert model.named_parameters()[0][0] == "modules.0.module.weight"
    assert not model.eval().modules[0].module.training


def test_vectors_are_no_matrices_in_a_batch_either():
    a = constant(np.arange(9.0).reshape(3, 3))
    for axes in ((0, 0), (0, None), (None, 0)):
        with pytest.raises(ValueError, match="matmul: both operands need two axes or more"):
            ndl.vmap(lambda a, b: a @ b, axes)(a, a)
    np.testing.assert_array_equal(ndl.vmap(ndl.dot)(a, a).numpy(), (a.numpy() ** 2).sum(axis=1))


def test_dicts_are_matched_by_key_and_other_structures_must_be_alike():
    p, q, one, zero = (constant(x) for x in (1.0, 2.0, 1.0, 0.0))
    pullback = ndl.vjp(lambda x: {"p": x * x, "q": x * 10}, q)[1]
    assert pullback({"q": one, "p": zero})[0].item() == 10
    weigh = lambda d: d["p"] * 10 + d["q"]  # noqa: E731
    assert ndl.jvp(weigh, ({"p": p, "q": q},), ({"q": one, "p": zero},))[1].item() == 1
    same = ndl.tree_map(lambda a, b: a - b, {"p": p, "q": q}, {"q": q, "p": p})
    assert {key: x.item() for key, x in same.items()} == {"p": 0, "q": 0}
    for other in ([p, q], {"p": p}, {"p": p, "r": q}, p):
        with pytest.raises(ValueError, match=r"there must be one tensor for each tensor: a dict of \['p', 'q'\], got"):
            ndl.tree_map(lambda a, b: a, {"p": p, "q": q}, other)
    with pytest.raises(ValueError, match="there must be one tangent for each primal: 2, got 1"):
        ndl.jvp(lambda xs: xs[0], ([p, q],), ([one],))


def test_dicts_stay_what_they_are():
    given = ndl.grad(lambda d: d["a"] * 1)(collections.OrderedDict(a=constant(1.0)))
    assert type(given) is collections.OrderedDict


def test_a_custom_gradient_refuses_tensors_by_keyword_and_takes_structures_back():
    @ndl.custom_gradient
    def square(x: Any) -> Any:
        return x * x, lambda g: g * 2 * x

    with pytest.raises(TypeError, match="square takes tensors by position"):
        ndl.grad(lambda x: square(x=x))(3.0)
    both = ndl.custom_gradient(lambda d: (d["a"] * d["b"], lambda g: {"a": g * 5, "b": [g * 7]}))
    assert [g.item() for g in ndl.grad(lambda a, b: both({"a": a, "b": b}), (0, 1))(1.0, 1.0)] == [5, 7]


def test_stop_gradient_stops_a_module():
    x = ndl.Tensor(np.ones((1, 2)), requires_grad=False)
    given = ndl.grad(lambda m: (ndl.stop_gradient(m)(x) * m.bias).sum())(nn.Linear(2, 1))
    assert not given.weight.numpy().any() and given.bias.numpy().any()


def test_an_argument_stands_only_once_in_argnums():
    for argnums in ((0, 0), (0, -2)):
        with pytest.raises(ValueError, match="an argument stands there twice"):
            ndl.grad(lambda a, b: a * b, argnums)(2.0, 3.0)
    assert ndl.grad(lambda a: a * a, np.int64(0))(2.0).item() == 4
    with pytest.raises(TypeError, match="argnums must be an int or a tuple of ints, not '1'"):
        ndl.grad(lambda a: a, "1")(2.0)


@pytest.mark.parametrize(
    "inner",
    [
        lambda w: ndl.grad(lambda x: w * w * x * x)(3.0),
        lambda w: ndl.jvp(lambda x: ndl.vjp(lambda z: w * z * z, x)[0], (3.0,), (1.0,))[1],
        lambda w: ndl.checkpoint(lambda x: w * x * x)(3.0),
    ],
    ids=["grad", "jvp of vjp", "checkpoint"],
)
def test_a_loop_over_a_derivative_at_a_constant_keeps_no_graph(inner):
    w = constant(2.0)

    def steps(n: int) -> int:
        nonlocal w
        for _ in range(n):
            w = w - 0.001 * ndl.grad(inner)(w)
        gc.collect()
        return len([x for x in gc.get_objects() if isinstance(x, ndl.Value)])

    before = steps(5)
    assert steps(50) <= before and not w.requires_grad


def test_check_grads_does_not_blame_a_checkpoint():
    class Wrong(ndl.TensorOp):
        def compute(self, a: Any) -> Any:
            return a * a

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return out_grad * node.inputs[0]

    with pytest.raises(AssertionError, match=r"operator Wrong\(\)"):
        ndl.check_grads(lambda x: Wrong()(ndl.checkpoint(ndl.sin)(x)), (constant([0.5]),), modes=("rev",))


def test_jacobians_of_and_by_modules_are_dicts_by_name():
    x, model = ndl.Tensor(np.ones((1, 2)), requires_grad=False), nn.Linear(2, 1)
    whole = ndl.hessian(lambda m: (m(x) * m(x)).sum())(model)
    np.testing.assert_array_equal(whole["weight"]["bias"].numpy(), np.full((2, 1, 1, 1), 2))
    again = ndl.jacrev(ndl.grad(lambda m: (m(x) * m(x)).sum()))(model)
    np.testing.assert_array_equal(again["bias"]["weight"].numpy(), np.full((1, 1, 2, 1), 2))


def test_a_tape_gives_none_for_a_parameter_that_is_not_reached():
    model = nn.Linear(2, 1)
    with ndl.GradientTape(persistent=True) as tape:
        y = (model.weight * model.weight).sum()
    assert tape.gradient(y, model).bias is None
    assert not tape.gradient(y, model, unconnected_gradients="zero").bias.numpy().any()


def test_tapes_in_several_threads_may_watch_one_tensor():
    from concurrent.futures import ThreadPoolExecutor

    x = constant(2.0)

    def work(_: int) -> float:
        with ndl.GradientTape() as tape:
            tape.watch(x)
            y = x * x * x
        return tape.gradient(y, x).item()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(200))) == {12.0}


def test_a_step_by_tree_map_gives_a_module_that_can_be_trained():
    x, model = ndl.Tensor(np.ones((1, 2)), requires_grad=False), nn.Linear(2, 1)
    with ndl.no_grad():
        for _ in range(50):
            gradients = ndl.grad(lambda m: (m(x) ** 2).sum())(model)
            model = ndl.tree_map(lambda p, g: p - 0.1 * g, model, gradients)
    assert abs(model(x).item()) < 1e-3
    assert all(p.is_leaf() and p.requires_grad for p in model.parameters())


def test_flags_and_arrays_may_stand_beside_tensors():
    assert ndl.checkpoint(lambda x, flag: x * 2 if flag else x)(ndl.Tensor(1.0), True).item() == 2
    assert ndl.vmap(lambda x, name: x * len(name), (0, None))(constant([1.0, 2.0]), "abc").numpy().tolist() == [3, 6]
    given = ndl.functional_call(nn.Linear(2, 1), {"weight": np.ones((2, 1)), "bias": [[0.0]]}, constant([[1.0, 2.0]]))
    assert given.item() == 3
    assert np.isclose(ndl.logaddexp(1.0, 2.0).item(), np.logaddexp(1, 2))


def test_more_messages_say_what_would_be_right():
    x = constant([1.0, 2.0])
    with pytest.raises(TypeError, match="hvp: primals must be a tuple with one entry for each argument, not Tensor"):
        ndl.hvp(lambda a: a, x, x)
    with pytest.raises(TypeError, match="derivative: x must be a number or a tensor, not NoneType"):
        ndl.derivative(lambda a: a, None)
    with pytest.raises(TypeError, match="out_axes must be one int"):
        ndl.vmap(lambda a: (a, a), 0, (0, 0))(x)
    with pytest.raises(TypeError, match="jacobian: the target must be a Tensor, not list"):
        ndl.GradientTape().jacobian([x], x)
    with pytest.raises(RuntimeError, match=r"within vmap a tensor stands for one example .* running statistics"):
        ndl.vmap(nn.BatchNorm1d(2))(constant(np.ones((2, 3, 2)), "float32"))
