"""Between Tensors and tuples of them."""

from __future__ import annotations

from typing import Any

from ..autograd import TensorOp, TensorTuple, TensorTupleOp, Value
from ..batching import all_batched
from ..tensor import Tensor
from .matching import scalar_of
from .rules import Linear

__all__ = [
    "FusedAddScalars",
    "MakeTensorTuple",
    "TupleGetItem",
    "fused_add_scalars",
    "make_tuple",
    "tuple_get_item",
    "zero_of",
]


class MakeTensorTuple(Linear, TensorTupleOp):
    """The tuple of its inputs; each adjoint is its element of the adjoint tuple."""

    def compute(self, *arrays: Any) -> tuple[Any, ...]:
        """The arrays, as a tuple."""
        return arrays

    def gradient(self, out_grad: TensorTuple, node: TensorTuple) -> tuple[Tensor, ...]:
        """Element i of the adjoint belongs to input i."""
        return tuple(out_grad[i] for i in range(len(out_grad)))

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> TensorTuple:
        """The tuple of the batches."""
        return self(*all_batched(inputs, batched, size))


def zero_of(value: Value) -> Any:
    """Zeros in the shape of a Tensor, or a TensorTuple of them: a constant."""
    from .shape import zeros

    if isinstance(value, TensorTuple):
        return make_tuple(*[zeros(*spec) for spec in value.spec])
    return zeros(*value.spec)


def make_tuple(*tensors: Tensor) -> TensorTuple:
    """A TensorTuple of `tensors`."""
    return MakeTensorTuple()(*tensors)


class TupleGetItem(Linear, TensorOp):
    """Element `index` of a tuple; its adjoint is that element's, zeros for the others."""

    def __init__(self, index: int) -> None:
        self.index = index

    def compute(self, arrays: tuple[Any, ...]) -> Any:
        """arrays[index]."""
        return arrays[self.index]

    def gradient(self, out_grad: Tensor, node: Tensor) -> TensorTuple:
        """The adjoint at `index`, zeros elsewhere."""
        from .shape import zeros

        specs = node.inputs[0].spec
        shares = [zeros(s.shape, s.dtype, s.device) for s in specs]
        shares[self.index] = out_grad
        return make_tuple(*shares)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """The element, for all examples."""
        return self(*inputs)


def tuple_get_item(value: TensorTuple, index: int) -> Tensor:
    """Element `index` of a TensorTuple."""
    if not -len(value) <= index < len(value):
        raise IndexError(f"tuple_get_item: index {index} is out of range for a tuple of {len(value)}")
    return TupleGetItem(index % len(value))(value)


class FusedAddScalars(TensorTupleOp):
    """(a + c0, a + c1); the adjoint of a is the sum of the two."""

    def __init__(self, c0: float, c1: float) -> None:
        self.c0 = scalar_of(c0, "fused_add_scalars")
        self.c1 = scalar_of(c1, "fused_add_scalars")

    def compute(self, a: Any) -> tuple[Any, Any]:
        """(a + c0, a + c1)."""
        return a + self.c0, a + self.c1

    def gradient(self, out_grad: TensorTuple, node: TensorTuple) -> Tensor:
        """Both elements grow with a at rate 1."""
        return out_grad[0] + out_grad[1]

    def jvp(self, tangents: tuple[Any, ...], node: TensorTuple) -> TensorTuple:
        """Both elements move with a."""
        return make_tuple(tangents[0], tangents[0])

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> TensorTuple:
        """The same op, on all elements of all examples."""
        return self(*inputs)


def fused_add_scalars(a: Tensor, c0: float, c1: float) -> TensorTuple:
    """The pair (a + c0, a + c1), made by one op."""
    return FusedAddScalars(c0, c1)(a)
