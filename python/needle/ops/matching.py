"""Making operands agree: broadcasting and dtype promotion as visible nodes of the graph."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from ..autograd import TensorOp
from ..tensor import Tensor, as_number
from .rules import Elementwise


class ElementwiseOp(Elementwise, TensorOp):
    """An operator of two tensors of one shape."""

    def __call__(self, *args: Any) -> Tensor:
        """Make the node for ``op(a, b)``."""
        a, b = args
        if a.form().shape != b.form().shape:
            raise ValueError(
                f"{type(self).__name__}: shapes {a.shape} and {b.shape} differ; the op takes equal shapes, "
                "the operators and named functions (a + b, ndl.add(a, b)) broadcast"
            )
        return Tensor.make_from_op(self, args)


def match(a: Tensor, b: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """`a` and `b` in one shape and dtype, through `Cast` and `BroadcastTo` nodes; errors say the function's `name`."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        like = a if isinstance(a, Tensor) else b if isinstance(b, Tensor) else None
        a, b = as_tensor(a, like), as_tensor(b, like)
    x, y = a.form(), b.form()
    if x.dtype != y.dtype:
        a, b = promote(a, b)
    if x.shape != y.shape:
        a, b = broadcast_together(name, a, b)
    return a, b


def promote(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in the dtype that holds all: NumPy's rule, but an integer with a float gives the float's dtype."""
    from .shape import cast

    dtype = reduce(promoted_dtype, [x.dtype for x in tensors])
    return tuple(cast(x, dtype) for x in tensors)


def promoted_dtype(a: str, b: str) -> str:
    """The dtype of an operation between dtypes `a` and `b`."""
    if a == b:
        return a
    if a.startswith("float") != b.startswith("float"):
        return a if a.startswith("float") else b
    return str(np.promote_types(a, b))


def broadcast_together(name: str, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Every tensor in the shape that NumPy's broadcasting gives all of them."""
    from .shape import broadcast_to

    shapes = [x.shape for x in tensors]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"{name}: shapes {', '.join(map(str, shapes))} do not broadcast together: compared from the right, extents "
            "must be equal or 1"
        ) from None
    return tuple(x if x.shape == shape else broadcast_to(x, shape) for x in tensors)


def as_tensor(value: Any, like: Tensor | None) -> Tensor:
    """`value` as a Tensor; a number or array becomes a constant on the device of `like`."""
    if isinstance(value, Tensor):
        return value
    number = as_number(value)
    if number is None or like is None:
        return Tensor(value, device=None if like is None else like.device, requires_grad=False)
    return Tensor(number, device=like.device, dtype=weak_dtype(number, like.dtype), requires_grad=False)


def weak_dtype(number: float | int | bool, dtype: str) -> str:
    """The dtype of a Python number beside a tensor of `dtype`: the same if it can hold the number.

    Raises OverflowError for an integer that an integer dtype cannot hold.
    """
    if isinstance(number, float) and not dtype.startswith("float"):
        return "float32"
    return str(np.result_type(np.dtype(dtype), number))


def scalar_of(value: Any, name: str) -> float | int:
    """`value` as the Python number that an op keeps; errors say the function's `name`."""
    if type(value) is float or type(value) is int:
        return value
    number = as_number(value)
    if number is None:
        raise TypeError(f"{name}: the scalar must be a number or an array of one element, not {value!r}")
    return number
