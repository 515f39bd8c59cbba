"""The graph: a `Value` is a node, an `Op` says how a node is computed and how it is differentiated.

``c = a * b`` makes a node that holds its op (``EWiseMul``), its inputs ``(a, b)`` and its data. That is the whole
graph: there is no other record of it. `needle.reverse` walks it backwards; `needle.modes` says when nodes are computed.
"""

from __future__ import annotations

import builtins
import gc
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np

from . import backend_selection as backend
from .backend_selection import NDArray, settled, stamps
from .display import call, described
from .listening import add_place, announce, listeners
from .modes import LAZY, modes, realize

V = TypeVar("V", bound="Value")

#: Set to True to record nodes instead of computing them, everywhere: what ``with ndl.lazy_mode():`` does in a block.
LAZY_MODE = False


class Spec(NamedTuple):
    """What is known of an array without computing it."""

    shape: tuple[int, ...]
    dtype: str
    device: Any


class Op:
    """An operator: the pair of a forward computation and its derivative rule.

    A subclass defines `compute` on arrays and `gradient` on Tensors; attributes such as the axes of a sum are set in
    its ``__init__``. Everything else follows from these two; `jvp` and `batch` say how it is done better.
    """

    def __call__(self, *args: Value) -> Value:
        """Make the node that applies this op to `args`."""
        raise NotImplementedError

    def compute(self, *args: Any) -> Any:
        """Compute the output array from the input arrays, with functions of ``array_api`` only."""
        raise NotImplementedError(f"{type(self).__name__} has no compute()")

    def gradient(self, out_grad: Any, node: Any) -> Any:
        """Give the adjoint of each input, from the adjoint of the output.

        Parameters
        ----------
        out_grad : Tensor or TensorTuple
            Adjoint of the output: the derivative of the final scalar with respect to `node`.
        node : Value
            The node whose op this is; ``node.inputs`` are the values that it was made from.

        Returns
        -------
        Tensor or tuple
            One adjoint per input, with the input's shape, or None for an input that has none. Tensors, not arrays, so
            that the gradient can be differentiated again.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradient()")

    def jvp(self, tangents: tuple[Any, ...], node: Any) -> Any:
        """Give the tangent of the output, from the tangents of the inputs: the derivative along them.

        Parameters
        ----------
        tangents : tuple
            For each input the direction in which it moves, of its shape; None for an input that does not move.
        node : Value
            As in `gradient`.

        Returns
        -------
        Tensor or TensorTuple
            Of the shape of the output; None if the output does not move.

        Notes
        -----
        The default needs nothing but `gradient`, which it transposes twice: see `needle.reverse.transposed_twice`.
        """
        return transposed_twice(self, tangents, node)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Any:
        """Apply this op to `size` examples at once: what `needle.func.vmap` does instead of a loop.

        Parameters
        ----------
        inputs : tuple of Value
            Those that are batched have all examples, along a first axis that the op does not know of.
        batched : tuple of bool
            Which ones are; the others are the same for all examples.
        size : int
            The number of examples.

        Returns
        -------
        Value
            The outputs for all examples, along a first axis; NotImplemented (the default) asks for a loop.
        """
        return NotImplemented

    def batch_within(self, batching: Any, inputs: tuple[Any, ...], batched: tuple[bool, ...]) -> Any:
        """`batch`, for an op that must know the batch itself (`needle.batching.Batching`); others leave this alone."""
        return self.batch(inputs, batched, batching.size)

    def infer(self, *inputs: Any) -> Any:
        """Shape, dtype and device of the output, from those of the inputs (`Spec`; a tuple of them for a tuple).

        The default runs `compute` on arrays that have a shape but no elements.
        """
        device = None
        for value in inputs:
            for spec in (value,) if isinstance(value, Spec) else value:
                device = device or spec.device
                if spec.device != device:
                    raise ValueError(
                        f"{type(self).__name__}: inputs are on different devices: {device} and {spec.device}"
                    )
        output = backend.compute_abstractly(self.compute, [_abstract(value) for value in inputs])
        return spec_of(output, device or backend.default_device())

    def gradient_as_tuple(self, out_grad: Value, node: Value) -> tuple[Any, ...]:
        """`gradient`, always as a tuple with one entry per input, and checked: entry i has the shape of input i."""
        try:
            given = self.gradient(out_grad, node)
            gradients: tuple[Any, ...] = tuple(given) if isinstance(given, (tuple, list)) else (given,)
            if len(gradients) != len(node.inputs):
                raise ValueError(
                    f"{type(self).__name__}.gradient gave {len(gradients)} gradients for {len(node.inputs)} inputs"
                )
            if listeners:
                announce("all_shares", node, gradients)
            for position, grad in enumerate(gradients):
                if grad is None:
                    continue
                if not isinstance(grad, Value):
                    raise TypeError(
                        f"{type(self).__name__}.gradient: the gradient of input {position} must be a Tensor, not a "
                        f"{type(grad).__name__}: it is made of Tensors, so that it can be differentiated again"
                    )
                if grad.form().shape != node.inputs[position].form().shape:
                    raise ValueError(
                        f"{type(self).__name__}.gradient: the gradient of input {position} has shape {grad.shape}, but "
                        f"the input has shape {node.inputs[position].shape}; a gradient has the shape of what it is "
                        "the gradient of"
                    )
        except Exception as error:
            add_place(error, node)
            if listeners:
                announce("failed", error, self, node.inputs, node)
            raise
        return gradients

    def __repr__(self) -> str:
        return call(self)


class TensorOp(Op):
    """An operator whose output is one Tensor."""

    def __call__(self, *args: Value) -> Tensor:
        """Make the node that applies this op to `args`."""
        return Tensor.make_from_op(self, args)


class TensorTupleOp(Op):
    """An operator whose output is a tuple of Tensors."""

    def __call__(self, *args: Value) -> TensorTuple:
        """Make the node that applies this op to `args`."""
        return TensorTuple.make_from_op(self, args)


class Value:
    """A node of the graph.

    Attributes
    ----------
    op : Op or None
        What made this node; None for a leaf.
    inputs : tuple of Value
        What it was made from.
    cached_data : array, tuple of arrays, or None
        Its data; None while a lazy node is not computed.
    requires_grad : bool
        Whether `backward` has to pass here.
    grad : Value or None
        The gradient that `backward` left here.
    keeps_grad : bool
        Whether `backward` leaves a gradient here although this is no leaf.
    stamps : sequence
        What identified the inputs' data and, last, its own when it was computed: how a later change is noticed.
    recorded_spec : Spec or tuple of Spec
        Of a lazy node only: its shape, dtype and device.
    """

    op: Any = None
    inputs: tuple[Any, ...] = ()
    cached_data: Any = None
    requires_grad: bool = False
    grad: Any = None
    keeps_grad: bool = False
    stamps: Any = ()
    recorded_spec: Any = None

    @classmethod
    def make_from_op(cls: type[V], op: Op, inputs: tuple[Value, ...]) -> V:
        """Make the node for `op` applied to `inputs`: the one door through which every node comes.

        With no interpreter on the stack the node is computed at once, and it keeps its inputs only if a gradient may
        be asked for.
        """
        if modes.interpreters or LAZY_MODE:
            _check_inputs(op, inputs)
            interpreter = modes.interpreters[-1] if modes.interpreters else LAZY
            return interpreter.make(cls, op, inputs)
        arrays, in_graph = [], False
        try:
            for x in inputs:
                arrays.append(x.realize_cached_data() if x.cached_data is None else x.cached_data)
                in_graph = in_graph or x.requires_grad
        except AttributeError:
            _check_inputs(op, inputs)
            raise
        node = cls.__new__(cls)
        began = perf_counter() if listeners else 0.0
        try:
            data = op.compute(*arrays)
        except Exception as error:
            if listeners:
                announce("failed", error, op, inputs, None)
            raise
        node.cached_data = data if type(data) is NDArray else settled(data)
        node.requires_grad = in_graph and modes.grad_enabled
        if node.requires_grad:
            node.op = op
            node.inputs = inputs
            arrays.append(node.cached_data)
            node.stamps = stamps(arrays)
        if listeners:
            announce("computed_and_made", node, op, inputs, perf_counter() - began if began else 0.0)
        return node

    @classmethod
    def make_const(cls: type[V], data: Any, requires_grad: bool = False) -> V:
        """A leaf that holds the array `data` itself (or that of a node); nothing is copied."""
        node = cls.__new__(cls)
        node.cached_data = data.realize_cached_data() if isinstance(data, Value) else data
        node.requires_grad = requires_grad
        return node

    def realize_cached_data(self) -> Any:
        """The data of this node, computed now if it was only recorded."""
        if self.cached_data is None:
            realize(self)
        return self.cached_data

    def __reduce__(self) -> Any:
        """Copies and pickles hold the data and leave the graph behind."""
        return type(self).make_const, (self.realize_cached_data(), self.requires_grad)

    def is_leaf(self) -> bool:
        """Whether no op made this node."""
        return self.op is None

    def form(self) -> Any:
        """What tells the shape and the dtype: the data, or what was inferred of data that is not there yet.

        A method and no property, since it is asked for at every operation and a property costs several times as much.
        """
        return self.recorded_spec if self.cached_data is None else self.cached_data

    @property
    def spec(self) -> Any:
        """Shape, dtype and device, known whether or not the node is computed."""
        if self.cached_data is None:
            return self.recorded_spec
        return spec_of(self.cached_data)

    @property
    def shape(self) -> Any:
        """Shape of the data, known whether or not the node is computed."""
        raise NotImplementedError


class TensorTuple(Value):
    """A node that holds a tuple of arrays. ``t[i]`` is a Tensor."""

    def form(self) -> TensorTuple:
        """The tuple itself, which tells its shape."""
        return self

    @property
    def shape(self) -> Any:
        """The shapes of the elements."""
        return tuple(spec.shape for spec in self.spec)

    def __len__(self) -> int:
        return len(self.recorded_spec if self.cached_data is None else self.cached_data)

    def __getitem__(self, index: int) -> Tensor:
        return ops.tuple_get_item(self, index)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def numpy(self) -> tuple[np.ndarray, ...]:
        """The elements as a Python tuple of NumPy arrays."""
        return tuple(x.numpy() for x in self)

    # After the annotations above, since it takes the name of the type.
    def tuple(self) -> Any:
        """The elements as a Python tuple of Tensors."""
        return builtins.tuple(self)

    def __add__(self, other: TensorTuple) -> TensorTuple:
        if not isinstance(other, TensorTuple) or len(self) != len(other):
            raise TypeError(f"a TensorTuple of {len(self)} adds to one of the same length, not to {other!r}")
        return ops.make_tuple(*[a + b for a, b in zip(self, other)])

    def detach(self) -> TensorTuple:
        """The same data, without the graph; see `Tensor.detach`."""
        return detached(self)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return described(self, f" {self.shape}")


def spec_of(data: Any, device: Any = None) -> Any:
    """Shape, dtype and device of an array, or of each of a tuple of them; `device`, where given, instead of its own."""
    if isinstance(data, tuple):
        return tuple(spec_of(array, device) for array in data)
    if device is None:
        # NumPy's own arrays say "cpu", which is not a Device.
        device = data.device if backend.BACKEND == "nd" else backend.default_device()
    return Spec(tuple(data.shape), str(data.dtype), device)


def _check_inputs(op: Op, inputs: tuple[Any, ...]) -> None:
    """Raise TypeError if an input of `op` is no node of a graph."""
    for position, x in enumerate(inputs):
        if not isinstance(x, Value):
            raise TypeError(
                f"{type(op).__name__}: input {position} must be a Tensor, not a {type(x).__name__}: ndl.Tensor(x)"
            )


def _abstract(spec: Any) -> Any:
    if isinstance(spec, Spec):
        return backend.abstract_array(spec.shape, spec.dtype)
    return tuple(map(_abstract, spec))


def __getattr__(name: str) -> Any:
    """``TENSOR_COUNTER``: how many Values are alive. Counted when asked for, so that nobody pays who does not ask."""
    if name == "TENSOR_COUNTER":
        # By type(), since isinstance also asks __class__, which a dead weak proxy answers by raising.
        return sum(issubclass(type(x), Value) for x in gc.get_objects())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


from .reverse import (  # noqa: E402  (these need the classes above)
    compute_gradient_of_variables,
    find_topo_sort,
    sum_node_list,
    transposed_twice,
)

from .tensor import Tensor, detached  # noqa: E402  isort: skip
from . import ops  # noqa: E402  isort: skip

__all__ = [
    "LAZY_MODE",
    "Op",
    "Spec",
    "Tensor",
    "TensorOp",
    "TensorTuple",
    "TensorTupleOp",
    "Value",
    "compute_gradient_of_variables",
    "find_topo_sort",
    "sum_node_list",
]
