"""What the tests of hw3 share: arrays on a finished device, buffers of the C++ kernels, and counting."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from needle import backend_ndarray as nd
from needle.backend_ndarray.device import simple_kernels

#: What is in a buffer that nobody has written to.
UNSET = -77.0


def array(values: Any, dtype: str = "float32") -> nd.NDArray:
    """A compact array on cpu_numpy(), whose kernels are finished; made without what is still to be written."""
    given = np.asarray(values, dtype=dtype)
    handle = nd.cpu_numpy().Array(given.size, dtype)
    handle.array[...] = given.reshape(-1)
    strides = [math.prod(given.shape[axis + 1 :]) for axis in range(given.ndim)]
    return nd.NDArray.make(given.shape, strides, nd.cpu_numpy(), handle)


def counted(*shape: int) -> np.ndarray:
    """0, 1, 2, ... in a shape."""
    return np.arange(np.prod(shape, dtype=int), dtype="float32").reshape(shape)


def window(base: nd.NDArray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> nd.NDArray:
    """A view of the buffer of `base`."""
    return base.as_strided(shape, strides, offset)


def places(shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> np.ndarray:
    """The place in the buffer of each element of a view: the definition, in NumPy."""
    found = np.full(shape, offset)
    for index, stride in zip(np.indices(shape, sparse=True), strides):
        found = found + index * stride
    return found


def copies(run: Callable[[], Any]) -> tuple[Any, int]:
    """What `run` gives, and how many kernels copied elements meanwhile."""
    calls = []

    def listener(name: str, kernel: Any, args: tuple[Any, ...]) -> Any:
        calls.append(name)
        return kernel(*args)

    with nd.cpu_numpy().listening(listener):
        result = run()
    return result, calls.count("copy")


def shares(view: nd.NDArray, base: nd.NDArray) -> bool:
    """Whether two arrays have one buffer."""
    return view._handle is base._handle


def layout(view: nd.NDArray) -> list[Any]:
    """Shape, strides and offset."""
    return [list(view.shape), list(view.strides), view.offset]


# Buffers of the C++ kernels ------------------------------------------------------------------------------------------


def buffer(values: Any) -> Any:
    """A buffer of the C++ kernels with the elements of an array."""
    elements = np.ascontiguousarray(values, dtype="float32")
    made = simple_kernels().Array(elements.size)
    simple_kernels().from_numpy(elements.reshape(-1), made)
    return made


def unset(size: int) -> Any:
    """A buffer whose elements are no zeros: a kernel finds anything in them."""
    return buffer(np.full(size, UNSET))


def elements(made: Any) -> np.ndarray:
    """All elements of a buffer."""
    return simple_kernels().to_numpy(made, (made.size,), (1,), 0)


def result_of(kernel: str, size: int, *operands: Any, after: tuple[Any, ...] = ()) -> np.ndarray:
    """What a kernel writes to a buffer of `size` elements; arrays among its operands become buffers."""
    given = [buffer(x) if isinstance(x, np.ndarray) else x for x in operands]
    out = unset(size)
    getattr(simple_kernels(), kernel)(*given, out, *after)
    return elements(out)


def behind(kernel: str, *operands: Any, after: tuple[Any, ...] = ()) -> float:
    """What stands behind a buffer of 3 elements when a kernel has written to it; `UNSET`, if it is right.

    Memory comes in pieces of 16 bytes at least, so there is room for a fourth float.
    """
    given = [buffer(x) if isinstance(x, np.ndarray) else x for x in operands]
    out = unset(3)
    fourth = ctypes.c_float.from_address(out.ptr() + 3 * 4)
    fourth.value = UNSET
    getattr(simple_kernels(), kernel)(*given, out, *after)
    return fourth.value
