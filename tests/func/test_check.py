"""`check_grads` passes what is right; of what is not it names the operator, the argument, the entry, both numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle.func import check_grads

V = np.array([[0.5, -1.0, 2.0], [1.0, 0.3, -0.2]])


def test_what_is_right_passes_to_any_order():
    check_grads(lambda x, w: ndl.tanh(x @ w).sum(axes=0), (V, V.T))
    check_grads(lambda x: ndl.sin(x) * ndl.exp(-x), (V,), order=3)
    check_grads(lambda d: {"a": d["x"] ** 2, "b": [d["x"].sum() / d["y"]]}, ({"x": V, "y": 2.0},))
    check_grads(ndl.ops.MatMul(), (V, V.T))
    check_grads(lambda x, i: x[i], (V, ndl.Tensor([0, 1, 0], dtype="int64")), modes=("rev",))


class HalfRight(ndl.TensorOp):
    """a b^2, whose gradient forgets a factor for b."""

    def compute(self, a: Any, b: Any) -> Any:
        return a * b * b

    def gradient(self, out_grad: Any, node: Any) -> Any:
        a, b = node.inputs
        return out_grad * b * b, out_grad * a * b


class OnceRight(ndl.TensorOp):
    """a^3, whose gradient is right but cannot be differentiated."""

    def compute(self, a: Any) -> Any:
        return a**3

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad * (3 * node.inputs[0].detach() ** 2)


class ForwardWrong(ndl.TensorOp):
    """2 a, whose tangent is 3 da."""

    def compute(self, a: Any) -> Any:
        return a * 2

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad * 2

    def jvp(self, tangents: Any, node: Any) -> Any:
        return tangents[0] * 3


class Swapped(ndl.TensorTupleOp):
    """(a, b), whose gradient gives each the other's."""

    def compute(self, a: Any, b: Any) -> Any:
        return a, b

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad[1], out_grad[0]


def message_of(f: Any, args: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as error:
        check_grads(f, args, **options)
    return str(error.value)


def test_a_wrong_gradient_is_named_with_its_argument_entry_and_both_numbers():
    message = message_of(HalfRight(), (V, 2 * V), modes=("rev",))
    assert message.startswith("check_grads: HalfRight: by reverse mode, the derivative of order 1 of entry [0, 0]")
    assert "by entry [0, 0] of argument 1 is 0.5; central differences give 1" in message


def test_the_operator_at_fault_is_found_within_a_function():
    def model(x: Any) -> Any:
        hidden = ndl.tanh(x) + 1
        return ndl.exp(HalfRight()(hidden, hidden * 2) * 0.1).sum()

    message = message_of(model, (V,))
    assert "operator HalfRight(): by forward mode" in message and "of argument 1 is" in message
    assert message.endswith("(found while checking model)")


def test_a_gradient_that_cannot_be_differentiated_is_found_in_the_second_order():
    check_grads(lambda x: OnceRight()(x), (V,), order=1)
    message = message_of(lambda x: OnceRight()(x).sum(), (V,), modes=("rev",))
    assert "operator OnceRight(): by reverse over reverse mode, the derivative of order 2" in message


def test_a_wrong_forward_rule_is_found_by_forward_mode_alone():
    check_grads(ForwardWrong(), (V,), modes=("rev",), order=1)
    message = message_of(ForwardWrong(), (V,), modes=("fwd",))
    assert message.startswith("check_grads: ForwardWrong: by forward mode, the derivative of order 1 of entry [0, 0]")
    assert "is 3; central differences give 2" in message


def test_an_operator_of_tuples_is_checked_too():
    message = message_of(lambda x: Swapped()(x, x * 2)[0] * 1, (V,), order=1)
    assert "operator Swapped(): by forward mode" in message


def test_what_is_wrong_between_operators_is_said_to_be():
    def forgetful(x: Any) -> Any:
        return x * x.detach()

    message = message_of(forgetful, (V,))
    assert "check_grads: forgetful: by forward mode" in message
    assert message.endswith("(each operator that it uses is right by itself)")


def test_modes_and_order_are_checked():
    for options in ({"modes": ("forward",)}, {"modes": ()}, {"order": 0}):
        with pytest.raises(ValueError, match="modes are 'fwd' and 'rev', order at least 1"):
            check_grads(ndl.sin, (V,), **options)
