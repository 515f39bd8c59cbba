"""Element types: which there are, and which one an operation gives.

NumPy's promotion, with two rules of our own: an integer with a float gives the float's dtype, and an integer that has
to become a float becomes float32, the default.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .ndarray_backend_numpy import DTYPES

__all__ = ["DTYPES", "as_float", "check_dtype", "is_float", "mask_dtype", "promote", "scalar_dtype", "sum_dtype"]

_LIMITS = {name: (int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in ("int32", "int64", "uint8")}


@cache
def check_dtype(dtype: Any) -> str:
    """The name of `dtype` (a name, a Python type or a NumPy dtype); TypeError if Needle has no such dtype."""
    if dtype is float:  # the default float is float32, always
        return "float32"
    try:
        name = str(np.dtype(dtype))
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise TypeError(f"dtype {dtype!r} is not supported; the dtypes are {', '.join(DTYPES)}")
    return name


def is_float(dtype: str) -> bool:
    """Whether `dtype` is float32 or float64."""
    return dtype == "float32" or dtype == "float64"


@cache
def promote(a: str, b: str) -> str:
    """The dtype of an operation between arrays of dtypes `a` and `b`."""
    if is_float(a) != is_float(b):
        return a if is_float(a) else b
    return str(np.promote_types(a, b))


def as_float(dtype: str) -> str:
    """The dtype in which a function with fractional values (division, exp) computes."""
    return dtype if is_float(dtype) else "float32"


def mask_dtype(dtype: str) -> str:
    """The dtype of a comparison between arrays of `dtype`."""
    return "float64" if dtype == "float64" else "float32"


def sum_dtype(dtype: str) -> str:
    """The dtype of a sum: int64 for integers and bool."""
    return dtype if is_float(dtype) else "int64"


def scalar_dtype(dtype: str, number: float | int | bool) -> str:
    """The dtype of an operation between an array of `dtype` and a Python number, which is weak: it adapts if it can."""
    if dtype in ("float32", "float64") or isinstance(number, bool):
        return dtype
    if isinstance(number, float):
        return "float32"
    if dtype == "bool":
        return "int64"
    low, high = _LIMITS[dtype]
    if not low <= number <= high:
        raise OverflowError(f"the integer {number} does not fit into an array of dtype {dtype}")
    return dtype
