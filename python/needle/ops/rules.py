"""What kinds of operators have in common: how a tangent goes through them, and how they are applied to a batch.

An operator is of a kind by inheritance: ``class Negate(Linear, Elementwise, TensorOp)``. The rules of a kind need only
what each operator has anyway, its ``gradient`` above all.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from ..autograd import Op, TensorTuple, sum_node_list
from ..batching import all_batched, run_batched
from ..forward import push_forward

O = TypeVar("O", bound=Op)  # noqa: E741


class Linear(Op):
    """A linear map is its own derivative: the tangent of f(a, b) is f(da, db)."""

    def jvp(self, tangents: tuple[Any, ...], node: Any) -> Any:
        """The map, applied to the tangents; an input that does not move has tangent 0."""
        from .tuples import zero_of

        return self(*[zero_of(x) if t is None else t for x, t in zip(node.inputs, tangents)])


class Multilinear(Op):
    """Linear in each input: the tangent of f(a, b) is f(da, b) + f(a, db), the product rule."""

    def jvp(self, tangents: tuple[Any, ...], node: Any) -> Any:
        """For each input that moves: the op, with its tangent in its place."""
        return sum_node_list(
            [
                self(*[tangent if i == position else x for i, x in enumerate(node.inputs)])
                for position, tangent in enumerate(tangents)
                if tangent is not None
            ]
        )


class Elementwise(Op):
    """Element i of the output depends on the elements i of the inputs alone, and on nothing else.

    Then the Jacobian by an input is diagonal, and so its own transpose: `gradient` serves for tangents, too.
    """

    def jvp(self, tangents: tuple[Any, ...], node: Any) -> Any:
        """The sum of what each input's tangent contributes."""
        shares = []
        for position, tangent in enumerate(tangents):
            if tangent is not None:
                given = self.gradient(tangent, node)
                shares.append(given[position] if isinstance(given, (tuple, list)) else given)
        return sum_node_list(shares)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Any:
        """The same op, on all elements of all examples."""
        return self(*all_batched(inputs, batched, size))


class Constant(Elementwise):
    """Piecewise constant in every element: nothing moves."""

    def gradient(self, out_grad: Any, node: Any) -> tuple[None, ...]:
        """No input has a gradient."""
        return (None,) * len(node.inputs)

    def jvp(self, tangents: tuple[Any, ...], node: Any) -> None:
        """No tangent."""


class Composite(Op):
    """An operator that can be written with simpler ones, on Tensors: that takes tangents and batches through it."""

    def definition(self, *inputs: Any) -> Any:
        """What `compute` computes, in terms of other operators."""
        raise NotImplementedError(f"{type(self).__name__} has no definition()")

    def jvp(self, tangents: tuple[Any, ...], node: Any) -> Any:
        """Forward mode, through the definition."""
        output, tangent_of = push_forward(self.definition, node.inputs, tangents)
        return tangent_of(output)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Any:
        """The definition, for all examples."""
        return run_batched(self.definition, inputs, batched, size)


class AlongAxes(Op):
    """An operator of one tensor that works along some axes, which it names, and does the same for all others."""

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Any:
        """The same op along the same axes, which are further back by one."""
        return self.behind_first_axis(example_ndim(inputs[0]))(*inputs)

    def behind_first_axis(self: O, ndim: int) -> O:
        """The same op for tensors with one axis more in front than the `ndim` that it was made for."""
        raise NotImplementedError


def changed(op: O, **attributes: Any) -> O:
    """A copy of `op` with other attributes."""
    other = copy.copy(op)
    vars(other).update(attributes)
    return other


def behind(axis: int) -> int:
    """The axis, if there is one axis more in front: one that counts from the end stays what it is."""
    return axis + 1 if axis >= 0 else axis


def example_ndim(whole: Any) -> int:
    """The number of axes of one example of a batch."""
    return len(whole.shape[0] if isinstance(whole, TensorTuple) else whole.shape) - 1


def with_axes(whole: Any, ndim: int) -> Any:
    """A batch whose examples get axes of extent 1 in front, until they have `ndim` of them."""
    from .shape import reshape

    size, *shape = whole.shape
    return reshape(whole, (size, *[1] * (ndim - len(shape)), *shape))
