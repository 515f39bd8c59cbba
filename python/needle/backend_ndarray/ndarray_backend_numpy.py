"""The device interface, stated in NumPy: what every kernel of a Needle device must do.

This module is the kernel module of the device ``cpu_numpy()`` and the specification of all others. ``cpu()`` implements
the same functions in C++ (``src/``); the tests run both on the same inputs and compare.

A device stores arrays in flat buffers (`Array`). Kernels never see shapes and strides as loose arguments: they take a
`View`, which is a buffer plus shape, strides and offset, so that transposed, sliced and broadcast operands are read in
place. Every kernel has the form ``kernel(inputs..., out)`` and returns nothing, but for ``fill(out, value)`` and
``to_numpy(a)``. Shapes, dtypes and aliasing are settled by the array layer (`needle.backend_ndarray.ndarray`) before
the call:

* ``ewise_*``, ``scalar_*``, ``where``: operands and ``out`` have one shape (a broadcast axis has stride 0);
* operands of one call have one dtype; ``out`` has it too, except where a kernel says otherwise;
* no two indices of ``out`` are one element (it has no stride 0), and it shares no element with an input; only for
  ``copy``, ``ewise_*``, ``scalar_*``, ``where``, ``chain`` it may be exactly the view of an input, which
  is then overwritten;
* a Python number given for an element is one that the dtype can hold.

Every kernel that writes raises the version of its ``out`` by one, whether or not there is an element to write. Of two
zeros of different sign either may count as the larger (maximum, minimum, relu, reduce_max, ...). Casting NaN, or a
float outside the range of an integer dtype, gives any integer.

The kernels on views are what the array layer calls. A device that has only the twenty flat kernels of the course's
third assignment is lifted to this interface by `needle.backend_ndarray.flat`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from .layout import compact_strides

__device_name__ = "numpy"

DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")


class Array:
    """A flat buffer of `size` elements of one dtype, uninitialised when made.

    ``version`` counts the kernels that have written to it: it is how ``backward`` notices that data it needs was
    changed after the forward pass. ``borrowed``: it is somebody else's memory, who may write to it, too.
    """

    __slots__ = ("array", "borrowed", "version")

    def __init__(self, size: int, dtype: str = "float32") -> None:
        self.array = np.empty(size, dtype)
        self.borrowed = False
        self.version = 0

    @classmethod
    def borrow(cls, array: np.ndarray) -> Array:
        """Wrap the memory of a C-contiguous, writable NumPy array without copying it; keeps `array` alive."""
        buffer = cls.__new__(cls)
        buffer.array = array.reshape(-1)
        buffer.borrowed = True
        buffer.version = 0
        return buffer

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.array.size

    @property
    def dtype(self) -> str:
        """The name of the dtype: one of `DTYPES`."""
        return str(self.array.dtype)

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self.array.nbytes

    def ptr(self) -> int:
        """Return the address of the first element."""
        return self.array.ctypes.data


class View:
    """Shape, strides and offset (both counted in elements) over a buffer: what kernels take.

    Element ``(i, j, ...)`` is ``handle[offset + i * strides[0] + j * strides[1] + ...]``.
    """

    __slots__ = ("handle", "offset", "shape", "strides")

    def __init__(self, handle: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> None:
        self.handle = handle
        self.shape = shape
        self.strides = strides
        self.offset = offset

    @classmethod
    def alloc(cls, shape: tuple[int, ...], dtype: str = "float32") -> View:
        """Make a compact (row-major) view of a new buffer."""
        return cls(Array(math.prod(shape), dtype), shape, cls.compact_strides(shape))

    @staticmethod
    def compact_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the row-major strides of `shape`: of each axis, the product of all extents after it."""
        return compact_strides(shape)

    @property
    def dtype(self) -> str:
        """The dtype of the buffer."""
        return self.handle.dtype

    @property
    def nbytes(self) -> int:
        """The number of bytes that its elements take."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def version(self) -> int:
        """The version of the buffer."""
        return self.handle.version

    @property
    def stamp(self) -> object:
        """Equal for the same view while nobody writes to its buffer, and never otherwise."""
        return self, self.handle.version

    def as_numpy(self) -> np.ndarray:
        """Return a read-only NumPy array over the same memory, which it keeps alive. No copy."""
        array = self._writable()
        array.flags.writeable = False
        return array

    def footprint(self) -> tuple[int, int] | None:
        """Return its bytes, and the address of its buffer; None if that is somebody else's, or over twice as large."""
        buffer, nbytes = self.handle, self.nbytes
        return None if buffer.borrowed or buffer.nbytes > 2 * nbytes else (nbytes, buffer.ptr())

    def is_finite(self) -> bool:
        """Whether there are elements, float32, and all are finite."""
        return self.summary() is not None

    def summary(self) -> tuple[float, float, float, int, int] | None:
        """Return minimum, maximum, mean, zeros and size; None unless all are finite float32."""
        values = self.as_numpy()
        if values.dtype != np.float32 or values.size == 0 or not np.isfinite(values).all():
            return None
        zeros = values.size - int(np.count_nonzero(values))
        return float(values.min()), float(values.max()), float(values.mean(dtype="float64")), zeros, values.size

    def _writable(self) -> np.ndarray:
        """Return a NumPy array over the same memory; ValueError if the view leaves its buffer."""
        flat, itemsize = self.handle.array, self.handle.array.itemsize
        strides = tuple(stride * itemsize for stride in self.strides)
        array: np.ndarray = np.ndarray(self.shape, flat.dtype, flat, self.offset * itemsize, strides)
        return array


def _write(out: View, values: Any) -> None:
    """Store `values`, cast to the dtype of `out`, and raise the version of the buffer."""
    with np.errstate(all="ignore"):
        out._writable()[...] = values
    out.handle.version += 1


# Memory ---------------------------------------------------------------------------------------------------------------


def from_numpy(a: np.ndarray, out: View) -> None:
    """`out` <- a, a NumPy array of the same shape and dtype and of any strides."""
    _write(out, a)


def to_numpy(a: View) -> np.ndarray:
    """Return a new, compact, writable NumPy array with the elements of `a`."""
    return np.array(a.as_numpy(), order="C")


def fill(out: View, value: float) -> None:
    """Every element of `out` <- value, a Python number."""
    _write(out, value)


def copy(a: View, out: View) -> None:
    """`out` <- a, cast to the dtype of `out` as C casts (towards zero; anything but 0 is True)."""
    _write(out, a.as_numpy())


# Elementwise ----------------------------------------------------------------------------------------------------------


def _sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), computed from exp(-|x|) so that nothing overflows and no digit cancels."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _relu(x: Any) -> Any:
    """Return max(x, 0); a NaN stays a NaN."""
    return np.maximum(x, 0)


#: ewise_<name>(a, out): out <- f(a). neg, abs, sign and relu take every dtype but bool; the others float32 and float64.
UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "relu": _relu,
    "log": np.log,
    "exp": np.exp,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "sigmoid": _sigmoid,
}

#: ewise_<name>(a, b, out): out <- f(a, b); scalar_<name>(a, value, out): out <- f(a, value), `value` a Python number
#: that the dtype of `a` can hold. For bool, add is "or" and mul is "and" (and sub, div, power do not exist); integers
#: wrap around; div takes float32 and float64 only; power of integers takes no negative exponent; maximum and minimum
#: keep a NaN.
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "power": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
}

#: scalar_<name>(a, value, out): out <- f(value, a), for the operators that do not commute.
REVERSED: dict[str, Callable[[Any, Any], Any]] = {"rsub": np.subtract, "rdiv": np.divide, "rpower": np.power}

#: ewise_<name>(a, b, out), scalar_<name>(a, value, out): out <- 1 where the relation holds, else 0. `out` is float64
#: for float64 operands and float32 for all others.
COMPARISON: dict[str, Callable[[Any, Any], Any]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "ge": np.greater_equal,
    "gt": np.greater,
    "le": np.less_equal,
    "lt": np.less,
}


def _unary(function: Callable[[Any], Any]) -> Callable[[View, View], None]:
    def kernel(a: View, out: View) -> None:
        with np.errstate(all="ignore"):
            _write(out, function(a.as_numpy()))

    return kernel


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[View, View, View], None]:
    def kernel(a: View, b: View, out: View) -> None:
        with np.errstate(all="ignore"):
            _write(out, function(a.as_numpy(), b.as_numpy()))

    return kernel


def _scalar(function: Callable[[Any, Any], Any], *, reverse: bool = False) -> Callable[[View, Any, View], None]:
    def kernel(a: View, value: Any, out: View) -> None:
        with np.errstate(all="ignore"):
            number = np.asarray(value, dtype=a.dtype)
            _write(out, function(number, a.as_numpy()) if reverse else function(a.as_numpy(), number))

    return kernel


def _publish(name: str, kernel: Callable[..., None]) -> None:
    """Make `kernel` a function of this module."""
    kernel.__name__ = kernel.__qualname__ = name
    globals()[name] = kernel


for _name, _f in UNARY.items():
    _publish(f"ewise_{_name}", _unary(_f))
for _name, _g in (BINARY | COMPARISON).items():
    _publish(f"ewise_{_name}", _binary(_g))
    _publish(f"scalar_{_name}", _scalar(_g))
for _name, _g in REVERSED.items():
    _publish(f"scalar_{_name}", _scalar(_g, reverse=True))


def where(condition: View, a: View, b: View, out: View) -> None:
    """`out` <- a where `condition` (dtype bool) holds, b elsewhere."""
    _write(out, np.where(condition.as_numpy(), a.as_numpy(), b.as_numpy()))


# Reductions -----------------------------------------------------------------------------------------------------------


def _reduced_axes(a: View, out: View) -> tuple[int, ...]:
    """Return the axes that `out` holds with extent 1 and `a` does not."""
    return tuple(axis for axis, (n, m) in enumerate(zip(a.shape, out.shape)) if n != m)


def reduce_sum(a: View, out: View) -> None:
    """`out` <- sum of `a` over the axes where `out` has extent 1 (0 for an empty sum).

    `out` has as many axes as `a`. It has the dtype of `a` if that is a float dtype, else int64.
    """
    with np.errstate(all="ignore"):
        _write(out, np.sum(a.as_numpy(), axis=_reduced_axes(a, out), dtype=out.dtype, keepdims=True))


def reduce_max(a: View, out: View) -> None:
    """`out` <- largest element of `a` over the axes where `out` has extent 1, a NaN if there is one. Never empty."""
    _write(out, np.max(a.as_numpy(), axis=_reduced_axes(a, out), keepdims=True))


def reduce_min(a: View, out: View) -> None:
    """`out` <- smallest element of `a` over the axes where `out` has extent 1, a NaN if there is one. Never empty."""
    _write(out, np.min(a.as_numpy(), axis=_reduced_axes(a, out), keepdims=True))


def reduce_argmax(a: View, out: View) -> None:
    """`out` (int64) <- position of the first largest element (the first NaN if there is one). Never empty.

    Over several axes the position counts them in row-major order, as ``argmax`` of the reshaped array would.
    """
    axes = _reduced_axes(a, out)
    kept = [axis for axis in range(len(a.shape)) if axis not in axes]
    moved = a.as_numpy().transpose(*kept, *axes)
    flat = moved.reshape(*(a.shape[axis] for axis in kept), int(np.prod([a.shape[axis] for axis in axes])))
    _write(out, np.argmax(flat, axis=-1).reshape(out.shape))


# Matrix product -------------------------------------------------------------------------------------------------------


def matmul(a: View, b: View, out: View) -> None:
    """`out`[..., i, j] <- sum over k of a[..., i, k] b[..., k, j].

    Operands have the same number (at least 2) of axes and equal leading extents; the product over an empty k is 0.
    Every dtype but bool.
    """
    with np.errstate(all="ignore"):
        _write(out, np.matmul(a.as_numpy(), b.as_numpy()))


# Indexing -------------------------------------------------------------------------------------------------------------


def gather(a: View, indices: View, axis: int, out: View) -> None:
    """`out`[..., j, ...] <- a[..., indices[j], ...]: elements of `a` along `axis`, `indices` being int64 (one axis).

    Raises IndexError if an index lies outside 0 <= index < a.shape[axis]; nothing is written then.
    """
    _write(out, np.take(a.as_numpy(), _checked(indices, a.shape[axis]), axis=axis))


def scatter_add(a: View, indices: View, axis: int, out: View) -> None:
    """`out`[..., indices[j], ...] += a[..., j, ...] for j in order: the transpose of `gather`; indices may repeat.

    Raises IndexError if an index lies outside 0 <= index < out.shape[axis]; nothing is written then.
    """
    positions = _checked(indices, out.shape[axis])
    with np.errstate(all="ignore"):
        np.add.at(np.moveaxis(out._writable(), axis, 0), positions, np.moveaxis(a.as_numpy(), axis, 0))
    out.handle.version += 1


def set_one_hot(indices: View, out: View) -> None:
    """`out`[i, j] <- 1 if j == indices[i] else 0; `indices` has one axis and any dtype, `out` is (n, k).

    Raises IndexError if an index is no whole number, or lies outside 0 <= index < k; nothing is written then.
    """
    positions = _checked(indices, out.shape[1])
    _write(out, positions[:, None] == np.arange(out.shape[1]))


def _checked(indices: View, extent: int) -> np.ndarray:
    positions = indices.as_numpy()
    broken = positions != np.trunc(positions)
    if broken.any():
        raise IndexError(f"index {positions[broken][0]} is not a whole number")
    outside = (positions < 0) | (positions >= extent)
    if outside.any():
        raise IndexError(f"index {positions[outside][0]} is out of bounds for an axis of extent {extent}")
    return positions


# Fused (optional) -----------------------------------------------------------------------------------------------------

# Each does in one pass over memory what needle.ops and needle.optim write down as several operators; on a device that
# has no such kernel, those operators run. Float dtypes only; the optimizers' kernels write to several views.


def _shifted_exp(a: np.ndarray, axes: Any) -> tuple[Any, Any]:
    """Return exp(a - m) and m, the largest element over `axes`, limited to finite numbers, as inf - inf is a NaN."""
    bound = np.finfo(a.dtype).max
    largest = np.clip(np.max(a, axis=axes, keepdims=True, initial=-np.inf), -bound, bound)
    return np.exp(a - largest), largest


def logsumexp(a: View, out: View) -> None:
    """`out` <- log(sum exp a) over the axes where `out` has extent 1, without overflow; -inf for an empty sum."""
    axes = _reduced_axes(a, out)
    with np.errstate(all="ignore"):
        exponentials, largest = _shifted_exp(a.as_numpy(), axes)
        _write(out, np.log(np.sum(exponentials, axis=axes, keepdims=True)) + largest)


def softmax(a: View, out: View) -> None:
    """`out` <- exp(a) / sum exp(a) along the last axis, without overflow."""
    with np.errstate(all="ignore"):
        exponentials, _ = _shifted_exp(a.as_numpy(), -1)
        _write(out, exponentials / np.sum(exponentials, axis=-1, keepdims=True))


def logsoftmax(a: View, out: View) -> None:
    """`out` <- a - log(sum exp a) along the last axis, without overflow."""
    with np.errstate(all="ignore"):
        exponentials, largest = _shifted_exp(a.as_numpy(), -1)
        _write(out, a.as_numpy() - (np.log(np.sum(exponentials, axis=-1, keepdims=True)) + largest))


def softmax_gradient(s: View, g: View, out: View) -> None:
    """`out` <- s (g - sum(g s)), the sum along the last axis."""
    y, h = s.as_numpy(), g.as_numpy()
    with np.errstate(all="ignore"):
        _write(out, y * (h - np.sum(h * y, axis=-1, keepdims=True)))


def logsoftmax_gradient(y: View, g: View, out: View) -> None:
    """`out` <- g - exp(y) sum(g), the sum along the last axis."""
    with np.errstate(all="ignore"):
        _write(out, g.as_numpy() - np.exp(y.as_numpy()) * np.sum(g.as_numpy(), axis=-1, keepdims=True))


def softmax_loss(z: View, one_hot: View, out: View) -> None:
    """`out`, without axes, <- the mean over rows of logsumexp(z) - sum of z one_hot, for z and one_hot (n, k)."""
    with np.errstate(all="ignore"):
        exponentials, largest = _shifted_exp(z.as_numpy(), 1)
        normalizer = np.log(np.sum(exponentials, axis=1)) + largest[:, 0]
        losses = normalizer - np.sum(z.as_numpy() * one_hot.as_numpy(), axis=1)
        _write(out, np.sum(losses) / np.float64(z.shape[0]))


def softmax_loss_gradient(z: View, one_hot: View, g: View, out: View) -> None:
    """`out` <- (softmax(z) - one_hot) g / n, for z and one_hot (n, k) and g without axes."""
    with np.errstate(all="ignore"):
        exponentials, _ = _shifted_exp(z.as_numpy(), 1)
        softmax_of_rows = exponentials / np.sum(exponentials, axis=1, keepdims=True)
        _write(out, (softmax_of_rows - one_hot.as_numpy()) * (g.as_numpy() / np.float64(z.shape[0])))


def _normal(x: View, axis: int, eps: float) -> tuple[Any, Any]:
    """Return (x - mean) / sqrt(var + eps) along `axis`, and 1 / sqrt(var + eps)."""
    centered = x.as_numpy() - np.sum(x.as_numpy(), axis=axis, keepdims=True) / x.shape[axis]
    var = np.sum(centered * centered, axis=axis, keepdims=True) / x.shape[axis]
    scale = 1 / np.sqrt(var + np.asarray(eps, x.dtype))
    return centered * scale, scale


def _normalize(axis: int, x: View, weight: View, bias: View, eps: float, out: View) -> None:
    with np.errstate(all="ignore"):
        _write(out, weight.as_numpy() * _normal(x, axis, eps)[0] + bias.as_numpy())


def _normalize_gradient(
    axis: int, x: View, weight: View, g: View, eps: float, dx: View, dweight: View, dbias: View
) -> None:
    with np.errstate(all="ignore"):
        normal, scale = _normal(x, axis, eps)
        u, rows, n = g.as_numpy() * weight.as_numpy(), tuple(range(len(x.shape) - 1)), x.shape[axis]
        sums = np.sum(u, axis=axis, keepdims=True), np.sum(u * normal, axis=axis, keepdims=True)
        _write(dx, scale * (u - sums[0] / n - normal * (sums[1] / n)))
        _write(dweight, np.sum(g.as_numpy() * normal, axis=rows))
        _write(dbias, np.sum(g.as_numpy(), axis=rows))


def layer_norm(x: View, weight: View, bias: View, eps: float, out: View) -> None:
    """`out` <- weight (x - mean) / sqrt(var + eps) + bias, mean and variance along the last axis of x (..., n).

    `weight` and `bias` are (n,); the variance is 1/n sum (x - mean)^2. At least two axes.
    """
    _normalize(-1, x, weight, bias, eps, out)


def layer_norm_gradient(x: View, weight: View, g: View, eps: float, dx: View, dweight: View, dbias: View) -> None:
    """`dx`, `dweight`, `dbias` <- the adjoints of x, weight and bias in `layer_norm`, g being that of its result.

    With u = g weight, n the normalised x and s = 1 / sqrt(var + eps): s (u - mean(u) - n mean(u n)), sum(g n), sum(g);
    means along the axis of the normalisation, sums over all axes but the last.
    """
    _normalize_gradient(-1, x, weight, g, eps, dx, dweight, dbias)


def batch_norm(x: View, weight: View, bias: View, eps: float, out: View) -> None:
    """`out` <- weight (x - mean) / sqrt(var + eps) + bias, mean and variance along the first axis of x (m, n)."""
    _normalize(0, x, weight, bias, eps, out)


def batch_norm_gradient(x: View, weight: View, g: View, eps: float, dx: View, dweight: View, dbias: View) -> None:
    """`dx`, `dweight`, `dbias` <- as `layer_norm_gradient`, with means along the first axis of x (m, n)."""
    _normalize_gradient(0, x, weight, g, eps, dx, dweight, dbias)


def moments(x: View, mean: View, var: View) -> None:
    """`mean`, `var` (n,) <- the mean and 1/m sum (x - mean)^2 of each column of x (m, n)."""
    with np.errstate(all="ignore"):
        average = np.sum(x.as_numpy(), axis=0) / np.float64(x.shape[0])
        _write(mean, average)
        deviation = x.as_numpy() - average
        _write(var, np.sum(deviation * deviation, axis=0) / np.float64(x.shape[0]))


def _decayed(w: View, g: View, weight_decay: float) -> Any:
    """Return g + weight_decay * w; nothing is added if `weight_decay` is 0."""
    return g.as_numpy() + np.asarray(weight_decay, w.dtype) * w.as_numpy() if weight_decay else g.as_numpy()


def _average(beta: float, average: View, x: Any) -> Any:
    """Return beta * average + (1 - beta) * x."""
    return np.asarray(beta, average.dtype) * average.as_numpy() + np.asarray(1 - beta, average.dtype) * x


def sgd_plain(w: View, g: View, lr: float, weight_decay: float, new_w: View) -> None:
    """`new_w` <- w - lr * (g + weight_decay * w).

    Each operation of an optimizer's formula is rounded, in the order in which it is written, and so is each number.
    """
    with np.errstate(all="ignore"):
        _write(new_w, w.as_numpy() - np.asarray(lr, w.dtype) * _decayed(w, g, weight_decay))


def sgd(w: View, g: View, u: View, lr: float, momentum: float, weight_decay: float, new_w: View, new_u: View) -> None:
    """`new_u` <- momentum * u + (1 - momentum) * (g + weight_decay * w), `new_w` <- w - lr * new_u."""
    with np.errstate(all="ignore"):
        _write(new_u, _average(momentum, u, _decayed(w, g, weight_decay)))
        _write(new_w, w.as_numpy() - np.asarray(lr, w.dtype) * new_u.as_numpy())


def adam(
    w: View,
    g: View,
    m: View,
    v: View,
    rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    new_w: View,
    new_m: View,
    new_v: View,
) -> None:
    """`new_m` <- beta1 * m + (1 - beta1) * g, `new_v` <- beta2 * v + (1 - beta2) * g^2 (g with weight decay as in sgd).

    `new_w` <- w - rate * (new_m / (sqrt(new_v) + eps)): the bias corrections are in `rate` and `eps`.
    """
    with np.errstate(all="ignore"):
        decayed = _decayed(w, g, weight_decay)
        _write(new_m, _average(beta1, m, decayed))
        _write(new_v, _average(beta2, v, decayed * decayed))
        step = new_m.as_numpy() / (np.sqrt(new_v.as_numpy()) + np.asarray(eps, w.dtype))
        _write(new_w, w.as_numpy() - np.asarray(rate, w.dtype) * step)


# Several elementwise kernels in one pass ------------------------------------------------------------------------------


class Chain:
    """The steps of the kernel `chain`.

    Values are numbered: 0 .. `inputs` - 1 are the inputs, then comes the result of each step. A step is the name of a
    kernel ``ewise_*`` or ``scalar_*``, but not of a power, and the numbers of the values that it takes; an output is
    the result of a step.
    """

    def __init__(self, inputs: int, steps: Sequence[tuple[str, Sequence[int]]], outputs: Sequence[int]) -> None:
        self.inputs = inputs
        self.steps = steps
        self.outputs = outputs


def chain(chain: Chain, *operands: Any) -> None:
    """Do the steps; `operands` are the inputs, which are views or Python numbers, and the outputs.

    All views have one shape and one dtype, float32 or float64, in which comparisons too give their 1 or 0. The outputs
    are compact, the inputs too, or broadcast along their first axes and compact along the others. An output may be
    exactly the view of an input, which is then overwritten.
    """
    outs = operands[chain.inputs :]
    values = [x.as_numpy() if isinstance(x, View) else np.asarray(x, outs[0].dtype) for x in operands[: chain.inputs]]
    functions = UNARY | BINARY | COMPARISON | REVERSED
    with np.errstate(all="ignore"):
        for kernel, numbers in chain.steps:
            name = kernel.removeprefix("ewise_").removeprefix("scalar_")
            taken = [values[i] for i in numbers]
            values.append(functions[name](*(taken[::-1] if name in REVERSED else taken)).astype(outs[0].dtype))
    results = [np.broadcast_to(values[i], outs[0].shape).copy() for i in chain.outputs]
    for out, result in zip(outs, results):
        _write(out, result)


#: The kernels that a device may lack.
FUSED = (
    *("logsumexp", "softmax", "logsoftmax", "softmax_gradient", "logsoftmax_gradient"),
    *("softmax_loss", "softmax_loss_gradient"),
    *("layer_norm", "layer_norm_gradient", "batch_norm", "batch_norm_gradient", "moments"),
    *("sgd_plain", "sgd", "adam", "chain"),
)

#: The name of every kernel of the interface: the functions above.
KERNELS = tuple(
    name for name, value in globals().items() if isinstance(value, FunctionType) and not name.startswith("_")
)
