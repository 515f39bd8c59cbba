"""Flat kernels lifted to views: how a device of twenty-odd small functions becomes a whole one.

**The required part of a device.** A module with the following attributes is a device. They are the kernels of the
course's third assignment: float32 only, on buffers of the module's own class ``Array`` that hold their elements in
row-major order from the first to the last. ``val`` is a Python float, ``shape`` and ``strides`` are tuples of at least
one number, strides and offset count elements. What a kernel computes is what the kernel of the same name in
`needle.backend_ndarray.ndarray_backend_numpy` does; it is never called without an element to compute.

==========================================================  ============================================================
``Array(size)``, with ``.size`` and ``.ptr()``              a buffer of `size` floats
``from_numpy(a, out)``                                      `out` <- the elements of a compact NumPy array
``to_numpy(a, shape, strides, offset)``                     a NumPy array with the elements of a view of `a`
``fill(out, val)``                                          every element of `out` <- `val`
``compact(a, out, shape, strides, offset)``                 `out` <- the elements of a view of `a`
``ewise_setitem(a, out, shape, strides, offset)``           the elements of a view of `out` <- `a`
``scalar_setitem(size, val, out, shape, strides, offset)``  the `size` elements of a view of `out` <- `val`
``ewise_NAME(a, b, out)``                                   each f(`a[i]`, `b[i]`): add, mul, div, maximum, eq, ge
``scalar_NAME(a, val, out)``                                each f(`a[i]`, `val`): add, mul, div, maximum, eq, ge, power
``ewise_NAME(a, out)``                                      each f(`a[i]`): log, exp, tanh
``matmul(a, b, out, m, n, p)``                              `out` (m, p) <- `a` (m, n) times `b` (n, p)
``reduce_NAME(a, out, reduce_size)``                        of every `reduce_size` elements of `a`: sum, max
==========================================================  ============================================================

**The rest is optional.** Any other ``ewise_`` or ``scalar_`` kernel of the interface that the module has is used, in
the same flat form; what it lacks is computed by the NumPy specification on copies in host memory. Arrays of the other
dtypes live in host memory altogether. So every operator works on every device, and a device grows kernel by kernel.
A kernel of the required part is never replaced in silence: calling one that is missing raises NotImplementedError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from . import ndarray_backend_numpy as spec
from .layout import is_row_major

Kernel = Callable[..., Any]

#: The required functions; `Array` is required too.
REQUIRED = (
    *("from_numpy", "to_numpy", "fill", "compact", "ewise_setitem", "scalar_setitem"),
    *("ewise_add", "ewise_mul", "ewise_div", "ewise_maximum", "ewise_eq", "ewise_ge"),
    *("scalar_add", "scalar_mul", "scalar_div", "scalar_maximum", "scalar_eq", "scalar_ge", "scalar_power"),
    *("ewise_log", "ewise_exp", "ewise_tanh", "matmul", "reduce_sum", "reduce_max"),
)


def lift(module: Any) -> SimpleNamespace:
    """Give `module`, which has the required part of a device, the interface of kernels on views.

    Parameters
    ----------
    module
        An extension module, a Python module or any object with the attributes listed at the top of this file.

    Returns
    -------
    SimpleNamespace
        `Array`, `View`, ``__device_name__`` and every kernel that `ndarray_backend_numpy` specifies but the fused
        ones: what those do in one pass, the device's own kernels do in several.
    """
    device_name = getattr(module, "__device_name__", "flat")
    required = {name: getattr(module, name, None) or _missing(device_name, name) for name in REQUIRED}
    flat = SimpleNamespace(Array=module.Array, **required)
    array_type = type("Array", (Array,), {"__slots__": (), "flat": flat})
    view_type = type("View", (View,), {"__slots__": (), "array_type": array_type})
    lifted: dict[str, Kernel] = {"from_numpy": _from_numpy, "fill": _fill, "copy": _copy, "matmul": _matmul}
    lifted |= {name: _reduction(getattr(flat, name)) for name in ("reduce_sum", "reduce_max")}
    for name in spec.KERNELS:
        if name.startswith(("ewise_", "scalar_")) and (kernel := getattr(flat, name, getattr(module, name, None))):
            lifted[name] = _elementwise(kernel)
    kernels = {name: _kernel(name, lifted.get(name)) for name in spec.KERNELS if name not in spec.FUSED}
    tile_size = getattr(module, "__tile_size__", 1)
    names = {"__device_name__": device_name, "__tile_size__": tile_size, "Array": array_type, "View": view_type}
    return SimpleNamespace(**names, **kernels)


def _missing(device_name: str, name: str) -> Kernel:
    def kernel(*operands: Any) -> None:
        raise NotImplementedError(
            f"device {device_name!r} has no kernel {name!r}; it belongs to the required part of a device, "
            "which needle.backend_ndarray.flat lists"
        )

    return kernel


class Array(spec.Array):
    """A flat buffer: the device's own (`buffer`) for float32, host memory (`array`) for every other dtype."""

    __slots__ = ("buffer",)
    flat: ClassVar[Any]  # the required kernels; each lifted device has its own subclass

    def __init__(self, size: int, dtype: str = "float32") -> None:
        on_device = dtype == "float32"
        super().__init__(0 if on_device else size, dtype)
        self.buffer = self.flat.Array(size) if on_device else None

    @classmethod
    def borrow(cls, array: np.ndarray) -> Array:
        """Hold the elements of a C-contiguous NumPy array: in its own memory, but for float32 as a copy."""
        borrowed = cls(array.size if array.dtype == "float32" else 0, str(array.dtype))
        if borrowed.buffer is None:
            borrowed.array, borrowed.borrowed = array.reshape(-1), True
        elif array.size:
            cls.flat.from_numpy(array.reshape(-1), borrowed.buffer)
        return borrowed

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.array.size if self.buffer is None else int(self.buffer.size)

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self.size * self.array.itemsize

    def ptr(self) -> int:
        """Return the address of the first element."""
        return super().ptr() if self.buffer is None else int(self.buffer.ptr())


class View(spec.View):
    """Shape, strides and offset over an `Array`, and the ways of its elements into flat kernels and out of them."""

    __slots__ = ()
    array_type: ClassVar[type[Array]]
    handle: Array

    @classmethod
    def alloc(cls, shape: tuple[int, ...], dtype: str = "float32") -> View:
        """Make a compact (row-major) view of a new buffer."""
        return cls(cls.array_type(math.prod(shape), dtype), shape, cls.compact_strides(shape))

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def as_numpy(self) -> np.ndarray:
        """Return a read-only NumPy array over the same memory, but for float32 over a copy of it."""
        array = self.host()._writable()
        array.flags.writeable = False
        return array

    def host(self) -> spec.View:
        """Return a view in host memory of the same elements: this one, but for float32 a compact copy."""
        if self.handle.buffer is None:
            return self
        copy = spec.View.alloc(self.shape)
        if self.size:
            elements = self.handle.flat.to_numpy(self.handle.buffer, *self.layout())
            copy._writable()[...] = np.reshape(elements, self.shape)
        return copy

    def layout(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """Return shape, strides and offset as flat kernels take them: without axes is one axis of extent 1."""
        return self.shape or (1,), self.strides or (1,), self.offset

    def is_whole(self) -> bool:
        """Return whether the buffer holds exactly the elements of this view, in row-major order."""
        return self.handle.size == self.size and is_row_major(self.shape, self.strides)

    def compact(self) -> Any:
        """Return a buffer of the device with exactly the elements of this view: a copy unless `is_whole`."""
        if self.is_whole():
            return self.handle.buffer
        buffer = self.handle.flat.Array(self.size)
        self.handle.flat.compact(self.handle.buffer, buffer, *self.layout())
        return buffer

    def store(self, compute: Callable[[Any], None]) -> None:
        """Let `compute` fill a buffer of the device with the elements of this view, and put them in their places."""
        if self.is_whole():
            compute(self.handle.buffer)
            return
        buffer = self.handle.flat.Array(self.size)
        compute(buffer)
        self.handle.flat.ewise_setitem(buffer, self.handle.buffer, *self.layout())


def _kernel(name: str, lifted: Kernel | None) -> Kernel:
    """Return the kernel on views: `lifted` from the device's own where that serves, else the specification's."""
    on_host = getattr(spec, name)
    if name == "to_numpy":
        return lambda a: on_host(a.host())

    def kernel(*operands: Any) -> None:
        views = [operand for operand in operands if isinstance(operand, View)]
        out = views[-1]
        if lifted is None or any(view.dtype != "float32" for view in views):
            _run_on_host(on_host, operands, out)
            return
        if out.size:
            lifted(*operands)
        out.handle.version += 1

    kernel.__name__ = name
    return kernel


def _run_on_host(kernel: Kernel, operands: tuple[Any, ...], out: View) -> None:
    """Run a kernel of the specification on `operands`, of which those in device memory are copied, and `out` back."""
    result = out.host()
    kernel(*(result if x is out else x.host() if isinstance(x, View) else x for x in operands))
    if result is out:
        return
    if out.size:
        out.store(lambda buffer: out.handle.flat.from_numpy(result.handle.array, buffer))
    out.handle.version += 1


# The device's own kernels, on float32 views with at least one element to compute --------------------------------------


def _from_numpy(a: np.ndarray, out: View) -> None:
    out.store(lambda buffer: out.handle.flat.from_numpy(np.ascontiguousarray(a), buffer))


def _fill(out: View, value: float) -> None:
    if out.is_whole():
        out.handle.flat.fill(out.handle.buffer, float(value))
    else:
        out.handle.flat.scalar_setitem(out.size, float(value), out.handle.buffer, *out.layout())


def _copy(a: View, out: View) -> None:
    if out.is_whole():
        out.handle.flat.compact(a.handle.buffer, out.handle.buffer, *a.layout())
    else:
        out.handle.flat.ewise_setitem(a.compact(), out.handle.buffer, *out.layout())


def _elementwise(flat_kernel: Kernel) -> Kernel:
    """Lift an ``ewise_`` or ``scalar_`` kernel."""

    def kernel(*operands: Any) -> None:
        *inputs, out = operands
        flat_inputs = [operand.compact() if isinstance(operand, View) else float(operand) for operand in inputs]
        out.store(lambda buffer: flat_kernel(*flat_inputs, buffer))

    return kernel


def _reduction(flat_kernel: Kernel) -> Kernel:
    """Lift a ``reduce_`` kernel: what is reduced must be adjacent, so the reduced axes go last."""

    def kernel(a: View, out: View) -> None:
        if not a.size:
            _fill(out, 0.0)
            return
        axes = sorted(range(len(a.shape)), key=lambda axis: a.shape[axis] != out.shape[axis])
        shape, strides = (tuple(numbers[axis] for axis in axes) for numbers in (a.shape, a.strides))
        rows = type(a)(a.handle, shape, strides, a.offset).compact()
        out.store(lambda buffer: flat_kernel(rows, buffer, a.size // out.size))

    return kernel


def _matmul(a: View, b: View, out: View) -> None:
    if not a.size:
        _fill(out, 0.0)
        return
    for matrices in zip(_matrices(a), _matrices(b), _matrices(out)):
        _product(*matrices)


def _product(a: View, b: View, out: View) -> None:
    (m, n), p = a.shape, b.shape[1]
    out.store(lambda buffer: out.handle.flat.matmul(a.compact(), b.compact(), buffer, m, n, p))


def _matrices(view: View) -> Iterator[View]:
    """Yield the matrices (the last two axes) of which `view` is a stack."""
    for index in np.ndindex(view.shape[:-2]):
        offset = view.offset + sum(i * stride for i, stride in zip(index, view.strides))
        yield type(view)(view.handle, view.shape[-2:], view.strides[-2:], offset)
