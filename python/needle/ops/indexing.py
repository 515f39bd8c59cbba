"""Indexing by NumPy's rules: ints drop their axis, slices keep it, integer arrays choose elements."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd import TensorOp, spec_of
from ..backend_selection import NDArray, array_api
from ..tensor import Tensor
from .rules import Constant, Linear

__all__ = ["GetItem", "OneHot", "Scatter", "getitem"]

Index = tuple[Any, ...]


class GetItem(Linear, TensorOp):
    """a[index]; the adjoint is zeros with g added at the elements that were read."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def compute(self, a: Any) -> Any:
        """A view for ints and slices; elements gathered into a new array for integer arrays."""
        places, shape = locate(self.index, a.shape)
        if isinstance(places, np.ndarray):
            return array_api.reshape(array_api.take(array_api.reshape(a, (-1,)), places, 0), shape)
        return array_api.reshape(a[places], shape)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """An element that was read several times gets the sum of those adjoints."""
        return Scatter(self.index, node.inputs[0].shape)(out_grad)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """The same places in every example: of each, flattened, if they are chosen by arrays."""
        from .shape import reshape

        (a,) = inputs
        places, shape = locate(self.index, a.shape[1:])
        if isinstance(places, np.ndarray):
            a, places = reshape(a, (size, prod(a.shape[1:]))), (places,)
        return reshape(GetItem((slice(None), *places))(a), (size, *shape))


class Scatter(Linear, TensorOp):
    """Zeros of a given shape with the input added at ``[index]``: transposes `GetItem`; the adjoint is g[index]."""

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index = index
        self.shape = shape

    def compute(self, a: Any) -> Any:
        """Zeros, then ``out[index] += a``, repeated places adding up."""
        places, _ = locate(self.index, self.shape)
        if isinstance(places, np.ndarray):
            flat = array_api.zeros((prod(self.shape),), dtype=a.dtype, device=a.device)
            array_api.add.at(flat, places, array_api.reshape(a, (-1,)))
            return array_api.reshape(flat, self.shape)
        out = array_api.zeros(self.shape, dtype=a.dtype, device=a.device)
        out[places] = array_api.reshape(a, out[places].shape)
        return out

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Reading at the places that were written."""
        return GetItem(self.index)(out_grad)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """The same places in every example: of each, flattened, if they are chosen by arrays."""
        from .shape import reshape

        places, _ = locate(self.index, self.shape)
        if isinstance(places, np.ndarray):
            added = Scatter((slice(None), places), (size, prod(self.shape)))(reshape(inputs[0], (size, places.size)))
            return reshape(added, (size, *self.shape))
        shape = tuple(len(range(*part.indices(extent))) for part, extent in zip(places, self.shape))
        return Scatter((slice(None), *places), (size, *self.shape))(reshape(inputs[0], (size, *shape)))


class OneHot(Constant, TensorOp):
    """Rows of the identity: 1 at each index, 0 elsewhere, along a new last axis. See `needle.init.one_hot`."""

    def __init__(self, n: int, dtype: str = "float32") -> None:
        self.n = n
        self.dtype = dtype

    def compute(self, indices: Any) -> Any:
        """out[..., j] = 1 where indices[...] = j; IndexError if that is no j."""
        return spec_of(indices).device.one_hot(self.n, indices, dtype=self.dtype)


def getitem(a: Tensor, index: Any) -> Tensor:
    """a[index] by NumPy's rules."""
    return GetItem(_settled(index))(a)


def _settled(index: Any) -> Any:
    """`index` with every Tensor, NDArray and list in it as an array of integers, which is copied."""
    if isinstance(index, tuple):
        return tuple(map(_settled, index))
    if isinstance(index, (Tensor, NDArray, np.ndarray, list)) and not isinstance(index, (int, np.integer)):
        array = np.array(index.numpy() if isinstance(index, Tensor) else index)
        if array.dtype == bool:
            return array
        whole = array.astype(np.int64)
        if array.size and not np.array_equal(whole, array):
            raise IndexError(f"index arrays must hold whole numbers, got {array.ravel()[:4]}")
        return whole
    return index


def locate(index: Any, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """Where ``[index]`` reads in an array of `shape`, and the shape of the result.

    The places are a tuple of slices with one entry per axis if `index` holds only ints, slices, None and Ellipsis, and
    an array of positions in the flattened array if it holds integer arrays.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) for part in parts):
        positions = np.arange(prod(shape)).reshape(shape)[index]
        return positions.reshape(-1), positions.shape
    # NumPy applies the index to an array without elements of its own, which checks it and gives the shape.
    result = np.broadcast_to(np.empty((), bool), shape)[index].shape
    return _slices(parts, shape), result


def _slices(parts: Index, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """One slice per axis that reads the elements that ints, slices, None and Ellipsis choose."""
    given = [part for part in parts if part is not None]
    if Ellipsis in given:
        hole = given.index(Ellipsis)
        given[hole : hole + 1] = [slice(None)] * (len(shape) - len(given) + 1)
    given += [slice(None)] * (len(shape) - len(given))
    return tuple(
        part if isinstance(part, slice) else slice(int(part) % extent, int(part) % extent + 1)
        for part, extent in zip(given, shape)
    )
