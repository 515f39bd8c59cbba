"""Tensor: a node that holds one array, with the operators that people write.

Every operator ends in a function of `needle.ops`, and so in `Value.make_from_op`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import backend_selection as backend
from . import reverse
from .autograd import TensorOp, TensorTuple, Value
from .display import described, glance
from .listening import announce, listeners
from .modes import lazy_mode, no_grad

if TYPE_CHECKING:
    from .backend_selection import Device


class Tensor(Value):
    """A multi-dimensional array that remembers how it was made.

    Parameters
    ----------
    array : number, list, numpy.ndarray, NDArray or Tensor
        The data. A Tensor of the same dtype and device is shared, anything else is copied.
    device : Device, optional
        Where to put it; by default where `array` is if it is a Tensor or an NDArray, else ``default_device()``.
    dtype : str, optional
        By default that of `array` if it is a Tensor; else float32 on the ``nd`` backend, NumPy's choice under ``np``.
    requires_grad : bool
        Whether ``backward`` computes a gradient for this leaf.
    """

    __array_ufunc__ = None  # NumPy leaves `array + tensor` to Tensor.__radd__

    def __init__(
        self,
        array: Any,
        *,
        device: Device | None = None,
        dtype: str | None = None,
        requires_grad: bool = True,
    ) -> None:
        if isinstance(array, Tensor):
            device = device or array.device
            dtype = dtype or array.dtype
            same = device == array.device and dtype == array.dtype
            array = array.realize_cached_data()
            if not same:
                array = backend.as_array(array, device=device, dtype=dtype)
        else:
            array = backend.as_array(array, device=device, dtype=dtype)
        self.cached_data = array
        self.requires_grad = requires_grad

    # What it is -------------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent of each axis."""
        return self.form().shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> str:
        """Name of the element type, such as ``"float32"``."""
        return str(self.form().dtype)

    @property
    def device(self) -> Device:
        """Where the data lives."""
        return self.spec.device  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def data(self) -> Tensor:
        """The same data without the graph; assign a Tensor of the same dtype to replace the data."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Tensor.data takes a Tensor, not {type(value).__name__}")
        if value.dtype != self.dtype:
            raise TypeError(f"Tensor.data: the tensor is {self.dtype}, the new data {value.dtype}; cast it first")
        before, self.cached_data = self.cached_data, value.realize_cached_data()
        if listeners:
            announce("replaced", self, before)

    def detach(self) -> Tensor:
        """The same data as a leaf that requires no gradient. A lazy tensor stays lazy."""
        return detached(self)  # type: ignore[no-any-return]

    # Reading values ---------------------------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """The data as a NumPy array of its own."""
        data = self.realize_cached_data()
        return np.array(data) if isinstance(data, np.ndarray) else data.numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a Tensor becomes a NumPy array by copying; NDArray shares its memory")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def item(self) -> float | int | bool:
        """The one element of a one-element tensor, as a Python number."""
        if self.size != 1:
            raise ValueError(f"item: only a tensor of one element is a number, this one has shape {self.shape}")
        return self.numpy().item()  # type: ignore[no-any-return]

    def __float__(self) -> float:
        return float(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; only one element has one")
        return bool(self.item())

    def __repr__(self) -> str:
        values = "" if self.cached_data is None else f" {glance(self.cached_data, self.size)}"
        return described(self, f" {self.shape} {self.dtype}{values}")

    def __str__(self) -> str:
        return repr(self) if self.cached_data is None else str(self.cached_data)

    # Differentiating --------------------------------------------------------------------------------------------------

    def backward(self, out_grad: Tensor | None = None, create_graph: bool = True) -> None:
        """Differentiate this tensor with respect to every leaf that requires it; see `needle.reverse.backward`."""
        reverse.backward(self, out_grad, create_graph)

    def retain_grad(self) -> Tensor:
        """Ask `backward` to give this node a ``grad`` too, although it is no leaf."""
        self.keeps_grad = True
        return self

    # Operators --------------------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Tensor:
        return _apply(self, other, ops.add, ops.add_scalar)

    def __mul__(self, other: Any) -> Tensor:
        return _apply(self, other, ops.multiply, ops.mul_scalar)

    def __sub__(self, other: Any) -> Tensor:
        return _apply(self, other, _subtract, _subtract_scalar)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.negate(self) + other  # type: ignore[no-any-return]

    def __truediv__(self, other: Any) -> Tensor:
        return _apply(self, other, ops.divide, ops.divide_scalar)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.divide(_constant(other, self), self)

    def __pow__(self, other: Any) -> Tensor:
        return _apply(self, other, ops.power, ops.power_scalar)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.power(_constant(other, self), self)

    def __matmul__(self, other: Any) -> Tensor:
        if not isinstance(other, Tensor):
            other = Tensor(other, device=self.device, requires_grad=False)
        if self.dtype != other.dtype:
            return ops.matmul(self, other)
        return ops.MatMul()(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return Tensor(other, device=self.device, requires_grad=False) @ self

    def __neg__(self) -> Tensor:
        return ops.negate(self)

    __radd__ = __add__
    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def matmul(self, other: Tensor) -> Tensor:
        """Matrix product ``self @ other``."""
        return self @ other

    def sum(self, axes: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Sum over `axes` (all of them by default)."""
        return ops.summation(self, axes, keepdims)

    def mean(self, axes: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Mean over `axes` (all of them by default)."""
        return ops.mean(self, axes, keepdims)

    def max(self, axes: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Largest element over `axes` (all of them by default)."""
        return ops.max(self, axes, keepdims)

    def min(self, axes: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Smallest element over `axes` (all of them by default)."""
        return ops.min(self, axes, keepdims)

    def reshape(self, shape: Any, *more: int) -> Tensor:
        """The same elements in row-major order in another shape (a tuple, or ints); one extent may be -1."""
        return ops.reshape(self, (shape, *more) if more else shape)

    def broadcast_to(self, shape: tuple[int, ...]) -> Tensor:
        """Repeat along axes of extent 1, and along new ones in front, up to `shape`."""
        return ops.broadcast_to(self, shape)

    def transpose(self, axes: tuple[int, int] | None = None) -> Tensor:
        """Swap two axes, the last two by default."""
        return ops.transpose(self, axes)

    def astype(self, dtype: str) -> Tensor:
        """The elements cast to another dtype."""
        return ops.cast(self, dtype)


class Alias(TensorOp):
    """The input itself, as another node: one that can be told from it, with a derivative of its own."""

    def compute(self, a: Any) -> Any:
        """Give `a` itself."""
        return a

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The identity's."""
        return out_grad

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Any:
        """The identity's."""
        return tangents[0]

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Any:
        """Of all examples at once."""
        return alias(inputs[0])


def alias(x: Any, requires_grad: bool = False) -> Any:
    """A new node, of the class of `x`, with its data and its place in the graph; a leaf if `x` requires no gradient."""
    node = type(x).make_from_op(Alias(), (x,))
    node.requires_grad = node.requires_grad or requires_grad
    return node


class Detach(Alias):
    """The input's data, cut from the input's graph: what `Tensor.detach` gives for a lazy tensor."""

    def gradient(self, out_grad: Tensor, node: Tensor) -> Any:
        """No gradient passes: that is what detaching means."""

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> None:
        """Nor a tangent."""

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Any:
        """Of all examples at once."""
        return detached(inputs[0])


def detached(x: Any) -> Any:
    """The data of a Tensor or TensorTuple as a leaf; if there is none yet, as a node that is computed when needed."""
    kind = TensorTuple if isinstance(x, TensorTuple) else Tensor
    if x.cached_data is not None:
        return kind.make_const(x.cached_data)
    with no_grad(), lazy_mode():
        return kind.make_from_op(Detach(), (x,))


def _apply(
    tensor: Tensor, other: Any, binary: Callable[[Tensor, Tensor], Tensor], scalar: Callable[[Tensor, Any], Tensor]
) -> Tensor:
    """Apply `binary` if the other operand is a Tensor or an array, `scalar` if it is a number."""
    if isinstance(other, Tensor):
        return binary(tensor, other)
    if isinstance(other, (int, float)):
        return scalar(tensor, other)
    number = as_number(other)
    if number is not None:
        return scalar(tensor, number)
    if isinstance(other, (np.ndarray, backend.NDArray, list, tuple)):
        return binary(tensor, Tensor(other, device=tensor.device, requires_grad=False))
    return NotImplemented  # type: ignore[no-any-return]


def as_number(value: Any) -> float | int | None:
    """`value` as a Python number if it is a number or an array of one element, else None."""
    if isinstance(value, np.generic) or (isinstance(value, (np.ndarray, backend.NDArray)) and value.size == 1):
        return value.item()  # also of a np.float64, which is a float, but which NumPy does not treat as a weak one
    return value if isinstance(value, (int, float)) else None


def _subtract(a: Tensor, b: Tensor) -> Tensor:
    """a - b as a + (-b): there is no operator for it."""
    return ops.add(a, ops.negate(b))


def _subtract_scalar(a: Tensor, scalar: float) -> Tensor:
    return ops.add_scalar(a, -scalar)


def _constant(value: Any, like: Tensor) -> Tensor:
    """`value` as a constant on the device of `like`; a number takes its dtype (float32 if that is an integer)."""
    number = as_number(value)
    if number is None:
        return Tensor(value, device=like.device, requires_grad=False)
    dtype = like.dtype if like.dtype.startswith("float") else "float32"
    return Tensor(
        operator.index(number) if isinstance(number, bool) else number,
        device=like.device,
        dtype=dtype,
        requires_grad=False,
    )


from . import ops  # noqa: E402  (ops are made of Tensors, and Tensor's operators of ops)
