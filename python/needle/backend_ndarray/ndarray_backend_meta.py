"""A device without memory: arrays that have a shape and a dtype but no elements, and kernels that do nothing.

Running an operator's ``compute`` on arrays of this device goes through the same checks and the same sequence of kernel
calls as on any other, and ends with an array of the right shape and dtype: the default ``infer`` of an operator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from . import ndarray_backend_numpy as spec
from .layout import compact_strides

__device_name__ = "meta"


class Array(spec.Array):
    """The size and the dtype of a buffer that is not there."""

    __slots__ = ("_dtype", "_size")

    def __init__(self, size: int, dtype: str = "float32") -> None:
        self._size = size
        self._dtype = dtype
        self.version = 0

    @classmethod
    def borrow(cls, array: np.ndarray) -> Array:
        """Take the size and the dtype of a NumPy array."""
        return cls(array.size, str(array.dtype))

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._size

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return self._dtype

    @property
    def nbytes(self) -> int:
        """The number of bytes that the elements would take."""
        return self.size * np.dtype(self.dtype).itemsize

    def ptr(self) -> int:
        """Return 0, which is nobody's address."""
        return 0


class View(spec.View):
    """Shape, strides, offset and dtype of elements that are not there."""

    __slots__ = ()

    @classmethod
    def alloc(cls, shape: tuple[int, ...], dtype: str = "float32") -> View:
        """Make a compact (row-major) view of a new buffer."""
        return cls(Array(math.prod(shape), dtype), shape, compact_strides(shape))

    def as_numpy(self) -> NoReturn:
        """Raise TypeError: there are no values to give."""
        raise TypeError(
            f"a meta array has no values: only its shape {self.shape} and dtype {self.dtype} are known. "
            "It stands for the result of an operator while shapes are inferred, before anything is computed"
        )


def _nothing(name: str) -> Callable[..., None]:
    """Return the kernel of that name: it takes the operands, and neither reads nor writes."""

    def kernel(*operands: Any) -> None:
        pass

    kernel.__name__ = name  # which errors name
    return kernel


for _name in spec.KERNELS:
    globals()[_name] = _nothing(_name)


def to_numpy(a: View) -> NoReturn:
    """Raise TypeError: there are no values to give."""
    a.as_numpy()
