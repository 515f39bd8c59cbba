"""`vjp`, `jvp` and `linearize`: products with the Jacobian, structures in and out, and what happens to the graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import needle as ndl
from needle import nn
from tests.func.functions import X, Y, constant, f, jacobian_of_f


def test_vjp_gives_the_transposed_product(mode):
    output, pullback = ndl.vjp(f, constant(X), constant(Y))
    u = np.array([[1.0, -2.0], [0.5, 3.0]])
    to_x, to_y = pullback(constant(u))
    by_x, by_y = jacobian_of_f(X, Y)
    np.testing.assert_allclose(output.numpy(), np.sin(X) * Y, rtol=1e-15)
    np.testing.assert_allclose(to_x.numpy(), u * by_x, rtol=1e-14)
    np.testing.assert_allclose(to_y.numpy(), u * by_y, rtol=1e-14)


def test_a_pullback_may_be_called_several_times():
    _, pullback = ndl.vjp(f, constant(X), constant(Y))
    first, second = (pullback(constant(np.ones((2, 2)) * k))[0].numpy() for k in (1, 2))
    np.testing.assert_array_equal(2 * first, second)


def test_jvp_gives_the_product(mode):
    t = np.array([[1.0, -2.0], [0.5, 3.0]])
    output, tangent = ndl.jvp(f, (constant(X), constant(Y)), (constant(t), constant(2 * t)))
    by_x, by_y = jacobian_of_f(X, Y)
    np.testing.assert_allclose(output.numpy(), np.sin(X) * Y, rtol=1e-15)
    np.testing.assert_allclose(tangent.numpy(), by_x * t + by_y * 2 * t, rtol=1e-14)


def test_linearize_gives_jvp_without_computing_the_function_again(mode):
    calls = []

    def counted(x: Any, y: Any) -> Any:
        calls.append(1)
        return f(x, y)

    output, pushforward = ndl.linearize(counted, constant(X), constant(Y))
    np.testing.assert_allclose(output.numpy(), np.sin(X) * Y, rtol=1e-15)
    for t in (np.ones((2, 2)), X):
        expected = ndl.jvp(f, (constant(X), constant(Y)), (constant(t), constant(-t)))[1]
        np.testing.assert_allclose(pushforward(constant(t), constant(-t)).numpy(), expected.numpy(), rtol=1e-14)
    assert len(calls) == 1


class Pair(NamedTuple):
    first: Any
    second: Any


def nested(tree: dict[str, Any]) -> Any:
    """Takes and gives a structure of everything."""
    a, (b, c) = tree["a"], tree["rest"]
    return Pair({"sum": a + b}, [a * c, None, b * 1])


def test_structures_go_in_and_come_out():
    tree = {"a": constant(X), "rest": [constant(Y), (constant(2.0))]}
    output, pullback = ndl.vjp(nested, tree)
    assert isinstance(output, Pair) and list(output.first) == ["sum"] and output.second[1] is None
    (adjoint,) = pullback(ndl.tree_map(ndl.ones_like, output))
    assert list(adjoint) == ["a", "rest"] and isinstance(adjoint["rest"], list)
    np.testing.assert_allclose(adjoint["a"].numpy(), 1 + 2.0 + 0 * X)
    np.testing.assert_allclose(adjoint["rest"][0].numpy(), 2 + 0 * X)
    np.testing.assert_allclose(adjoint["rest"][1].numpy(), X.sum())
    _, tangent = ndl.jvp(nested, (tree,), (ndl.tree_map(ndl.ones_like, tree),))
    assert isinstance(tangent, Pair) and tangent.second[1] is None
    np.testing.assert_allclose(tangent.second[0].numpy(), 2 + X)


def test_a_module_is_a_structure_of_its_parameters():
    np.random.seed(0)
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.Tanh(), shared, nn.Sequential(nn.Linear(2, 1)))
    x = ndl.Tensor(np.random.randn(3, 2), requires_grad=False)
    gradient = ndl.grad(lambda model: (model(x) ** 2).sum())(model)
    (model(x) ** 2).sum().backward()
    assert type(gradient) is nn.Sequential and gradient.modules[0] is gradient.modules[2]
    assert [name for name, _ in gradient.named_parameters()] == [name for name, _ in model.named_parameters()]
    for parameter, of_parameter in zip(model.parameters(), gradient.parameters()):
        np.testing.assert_array_equal(parameter.grad.numpy(), of_parameter.numpy())


def test_a_functional_call_uses_other_parameters_and_leaves_the_module():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = model.state_dict()
    x = ndl.Tensor(np.ones((3, 2)), requires_grad=False)
    zeros = {name: p * 0 for name, p in model.named_parameters()}
    assert not ndl.functional_call(model, zeros, x).numpy().any()
    after = model.state_dict()
    for name in dict(model.named_parameters()):
        np.testing.assert_array_equal(before[name], after[name])
    assert (after["modules.1.running_mean"] == 0).all() and (after["modules.1.running_var"] == np.float32(0.9)).all()
    with pytest.raises(ValueError, match="no parameters"):
        ndl.functional_call(model, {"weight": x}, x)
    with pytest.raises(ValueError, match=r"modules.0.weight has shape \(2, 2\); got \(3, 2\)"):
        ndl.functional_call(model, {"modules.0.weight": x}, x)


def test_numbers_and_arrays_serve_as_tensors():
    assert ndl.grad(lambda x, y: x * y)(2.0, 5).item() == 5
    assert ndl.grad(lambda x: (x * x).sum())(np.array([1.0, 2.0])).numpy().tolist() == [2, 4]
    assert ndl.vjp(lambda x: 3.0, 2.0)[1](1.0)[0].item() == 0


def test_argnums_choose_the_arguments():
    def g(a: Any, b: Any, *, factor: float = 1.0) -> Any:
        return (a * b * b).sum() * factor

    x, y = constant([2.0]), constant([3.0])
    assert ndl.grad(g, argnums=1)(x, y).numpy() == [12]
    assert [d.numpy()[0] for d in ndl.grad(g, argnums=(1, 0))(x, y)] == [12, 9]
    assert ndl.grad(g, argnums=-1)(x, y, factor=2.0).numpy() == [24]
    with pytest.raises(ValueError, match="argnums 2: the function was called with 2 positional arguments"):
        ndl.grad(g, argnums=2)(x, y)


def test_auxiliary_outputs_pass_through():
    def g(x: Any) -> Any:
        return (x * x).sum(), {"doubled": x * 2, "name": "g"}

    x = constant([1.0, 2.0])
    (value, aux), gradient = ndl.value_and_grad(g, has_aux=True)(x)
    assert value.item() == 5 and aux["name"] == "g" and not aux["doubled"].requires_grad
    assert gradient.numpy().tolist() == [2, 4] and aux["doubled"].numpy().tolist() == [2, 4]
    again, aux = ndl.grad(g, has_aux=True)(x)
    assert again.numpy().tolist() == [2, 4] and aux["doubled"].numpy().tolist() == [2, 4]
    _, tangent, aux = ndl.jvp(g, (x,), (x,), has_aux=True)
    assert tangent.item() == 10 and aux["doubled"].numpy().tolist() == [2, 4]
    with pytest.raises(TypeError, match=r"must give a pair \(output, aux\)"):
        ndl.grad(lambda x: x.sum(), has_aux=True)(x)


def test_what_the_output_does_not_depend_on_has_gradient_zero():
    x, y = constant(X), constant(Y)
    by_x, by_y = ndl.grad(lambda x, y: x.sum(), argnums=(0, 1))(x, y)
    assert (by_x.numpy() == 1).all() and (by_y.numpy() == 0).all() and by_y.shape == Y.shape
    assert (ndl.jvp(lambda x: y * 2, (x,), (x,))[1].numpy() == 0).all()


# The graph --------------------------------------------------------------------------------------------------------


def test_results_are_plain_data_if_nothing_outside_requires_a_gradient():
    x = constant(X)
    value, gradient = ndl.value_and_grad(lambda x: (x * x).sum())(x)
    output, tangent = ndl.jvp(ndl.sin, (x,), (x,))
    for result in (value, gradient, output, tangent):
        assert not result.requires_grad and result.is_leaf()
    assert not x.requires_grad and x.grad is None


def test_results_lead_back_to_what_requires_a_gradient():
    """A gradient penalty: ``backward`` through a gradient, to an argument and to a parameter that the function uses."""
    w, x = nn.Parameter([2.0, 3.0]), ndl.Tensor([1.0, -1.0])
    penalty = (ndl.grad(lambda x: (w * x**3).sum())(x) ** 2).sum()  # sum of (3 w x^2)^2
    penalty.backward()
    np.testing.assert_allclose(w.grad.numpy(), 18 * w.numpy() * x.numpy() ** 4)
    np.testing.assert_allclose(x.grad.numpy(), 36 * w.numpy() ** 2 * x.numpy() ** 3)
    _, tangent = ndl.jvp(lambda x: w * x**2, (x,), (constant([1.0, 1.0], "float32"),))
    tangent.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * x.numpy())


def test_no_grad_outside_gives_plain_data_and_inside_constants():
    w = nn.Parameter([2.0])
    with ndl.no_grad():
        gradient = ndl.grad(lambda x: (w * x * x).sum())(constant([3.0], "float32"))
    assert gradient.numpy() == [12] and not gradient.requires_grad

    def with_constant(x: Any) -> Any:
        with ndl.no_grad():
            c = x * x
        return (c * x).sum()

    assert ndl.grad(with_constant)(3.0).item() == 9


def test_functional_derivatives_leave_grad_alone():
    w = nn.Parameter([2.0])
    w.grad = before = ndl.Tensor([7.0])
    ndl.grad(lambda x: (w * x).sum())(w)
    assert w.grad is before


def test_a_captured_tensor_does_not_move_though_it_is_the_argument_itself():
    x = constant([3.0])
    assert ndl.grad(lambda y: (x * y).sum())(x).numpy() == [3]
    assert ndl.jvp(lambda y: x * y, (x,), (constant([1.0]),))[1].numpy() == [3]


def test_a_loop_of_gradient_steps_on_constants_keeps_no_graph():
    x = constant([3.0])
    for _ in range(20):
        x = x - 0.1 * ndl.grad(lambda x: (x * x).sum())(x)
    assert x.is_leaf() and not x.requires_grad


def test_a_detached_value_has_no_derivative(mode):
    def g(x: Any) -> Any:
        return (x * ndl.stop_gradient({"x": x})["x"]).sum()

    x = constant([3.0])
    assert ndl.grad(g)(x).numpy() == [3]
    assert ndl.jvp(g, (x,), (constant([1.0]),))[1].item() == 3
    assert ndl.jvp(lambda x: x.detach() * 1, (x,), (x,))[1].numpy() == [0]


# Errors -----------------------------------------------------------------------------------------------------------


def test_errors_say_what_would_be_right():
    x = constant(X)
    with pytest.raises(TypeError, match=r"must give a scalar, not a tensor of shape \(2, 2\); ndl.jacobian"):
        ndl.grad(ndl.sin)(x)
    with pytest.raises(TypeError, match="must give a scalar, not list"):
        ndl.grad(lambda x: [x])(x)
    with pytest.raises(TypeError, match=r"vjp differentiates by: tensors, numbers, .* not str"):
        ndl.grad(lambda x: x)("three")
    with pytest.raises(TypeError, match=r"the function gives: .* not str"):
        ndl.vjp(lambda x: "three", x)
    with pytest.raises(ValueError, match=r"tangent 0 has shape \(3,\), its primal \(2, 2\)"):
        ndl.jvp(ndl.sin, (x,), (constant([1.0, 2.0, 3.0]),))
    with pytest.raises(ValueError, match="one tangent for each primal: 1, got 2"):
        ndl.jvp(ndl.sin, (x,), (x, x))
    with pytest.raises(TypeError, match="jvp: primals must be a tuple"):
        ndl.jvp(ndl.sin, x, x)
    with pytest.raises(ValueError, match=r"adjoint 0 has shape \(\), its output \(2, 2\)"):
        ndl.vjp(ndl.sin, x)[1](1.0)
    with pytest.raises(ValueError, match="x must be a scalar"):
        ndl.func.derivative(ndl.sin, x)
    with pytest.raises(ValueError, match=r"the structures hold \[1, 2\] tensors"):
        ndl.tree_map(lambda a, b: a, x, [x, x])


class Wrong(ndl.TensorOp):
    """An operator whose forward rule is not one."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def compute(self, a: Any) -> Any:
        return a * 1

    def jvp(self, tangents: Any, node: Any) -> Any:
        return self.given


def test_a_wrong_forward_rule_is_named():
    with pytest.raises(ValueError, match=r"Wrong.jvp: the tangent has shape \(3,\), but the output has shape \(2, 2\)"):
        ndl.jvp(Wrong(constant([1.0, 2.0, 3.0])), (constant(X),), (constant(X),))
    with pytest.raises(TypeError, match=r"Wrong.jvp must give a Tensor, not a float"):
        ndl.jvp(Wrong(1.0), (constant(X),), (constant(X),))


def test_the_package_offers_all_functions_of_functions_itself():
    assert sorted(ndl.FUNCTIONAL) == sorted(ndl.func.__all__)
    for name in ndl.func.__all__:
        assert getattr(ndl, name) is getattr(ndl.func, name) and name in ndl.__all__
