"""Making the operands of one array operation agree: shape, dtype and device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from . import ndarray as nd
from .device import meta
from .dtypes import as_float, promote

if TYPE_CHECKING:
    from .ndarray import NDArray


def as_number(value: Any) -> float | int | None:
    """`value` as a Python number if it is one, a NumPy scalar or an array of one element; else None."""
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
        return value.item()  # type: ignore[no-any-return]
    return None


def together(name: str, a: NDArray, b: NDArray) -> tuple[NDArray, NDArray]:
    """`a` and `b` with one shape (broadcast) and one dtype (promoted)."""
    same_device(name, a, b)
    dtype = promote(a.dtype, b.dtype)
    if a.shape != b.shape:
        shape = broadcast_shape(name, a.shape, b.shape)
        a, b = a.broadcast_to(shape), b.broadcast_to(shape)
    return a.astype(dtype), b.astype(dtype)


def broadcast_shape(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that NumPy's broadcasting gives arrays of `shapes`."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast together: compared from the right, "
            "extents must be equal or 1"
        ) from None


def matmul_operands(a: NDArray, b: NDArray) -> tuple[NDArray, NDArray]:
    """Operands of `matmul` in one dtype, with their leading axes broadcast."""
    same_device("matmul", a, b)
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"matmul: both operands need two axes or more, got shapes {a.shape} and {b.shape}")
    dtype = promote(a.dtype, b.dtype)
    if dtype == "bool":
        raise TypeError("matmul: bool arrays have no matrix product; cast them first")
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(f"matmul: the leading axes of {a.shape} and {b.shape} do not broadcast together") from None
    a, b = a.astype(dtype), b.astype(dtype)
    return a.broadcast_to((*batch, *a.shape[-2:])), b.broadcast_to((*batch, *b.shape[-2:]))


def same_device(name: str, a: NDArray, b: NDArray) -> None:
    """Raise unless both arrays are on one device."""
    if a.device != b.device:
        raise ValueError(f"{name}: operands are on different devices, {a.device} and {b.device}; move one with .to()")


def exchanged(kernel: Callable[..., None]) -> Callable[..., None]:
    """`kernel` with its two inputs exchanged, for ``array_like - array``."""

    def with_exchanged_inputs(a: Any, b: Any, out: Any) -> None:
        kernel(b, a, out)

    with_exchanged_inputs.__name__ = kernel.__name__
    return with_exchanged_inputs


@overload
def in_float(value: NDArray) -> NDArray: ...


@overload
def in_float(value: Any) -> Any: ...


def in_float(value: Any) -> Any:
    """An integer or bool array in float32, a Python number as a float; anything else as it is."""
    if isinstance(value, nd.NDArray):
        return value.astype(as_float(value.dtype))
    return float(value) if isinstance(value, int) else value


def power_operands(base: Any, exponent: Any) -> tuple[Any, Any]:
    """The operands of a power; bool counts as int64, and integers take no negative exponent."""
    both = [x.astype("int64") if isinstance(x, nd.NDArray) and x.dtype == "bool" else x for x in (base, exponent)]
    kinds = [x.dtype if isinstance(x, nd.NDArray) else type(x).__name__ for x in both]
    if not any(kind.startswith("float") for kind in kinds) and _has_negative(both[1]):
        raise ValueError("power: integers to negative integer powers are not integers; cast to float first")
    return both[0], both[1]


def _has_negative(exponent: Any) -> bool:
    """Whether an integer exponent is negative; of an array on `meta`, which has no values, nobody can tell."""
    if isinstance(exponent, nd.NDArray):
        return exponent.size > 0 and exponent.device is not meta() and exponent.min().item() < 0
    number = as_number(exponent)
    return isinstance(number, int) and number < 0


def not_bool(name: str, *operands: Any) -> None:
    """Raise if all operands are bool: NumPy defines no minus for them."""
    if all(isinstance(x, bool) or (isinstance(x, nd.NDArray) and x.dtype == "bool") for x in operands):
        raise TypeError(f"{name}: not defined for bool arrays; cast them to a number type first")
