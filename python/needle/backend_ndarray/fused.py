"""Fused kernels in the place of methods: what `needle.fused` calls instead of a textbook definition.

Each function takes the operator or optimizer and the arrays of the method it stands for, makes one kernel call on new
arrays, and returns NotImplemented where no kernel serves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..axes import normalize_axes, with_extent_1, without
from .dtypes import is_float
from .ndarray import NDArray, new


def _kernel(name: str, *arrays: NDArray) -> Callable[..., None] | None:
    """The device's kernel, if it has it and it takes these: floats of one shape, dtype and device, at least one."""
    first = arrays[0]
    if not is_float(first.dtype) or 0 in first.shape:
        return None
    for other in arrays[1:]:
        if other.shape != first.shape or other.dtype != first.dtype or other.device is not first.device:
            return None
    return getattr(first.device, name, None)


def _like(a: NDArray) -> NDArray:
    return new(a.shape, a.dtype, a.device)


def logsumexp(op: Any, a: NDArray) -> NDArray:
    """`needle.ops.LogSumExp.compute`."""
    kernel = _kernel("logsumexp", a)
    if kernel is None:
        return NotImplemented  # type: ignore[no-any-return]
    axes = normalize_axes(op.axes, len(a.shape), "logsumexp")
    out = new(with_extent_1(a.shape, axes), a.dtype, a.device)
    kernel(a._view, out._view)
    return out if op.keepdims else out.reshape(without(a.shape, axes))


def softmax(op: Any, a: NDArray) -> NDArray:
    """`needle.ops.Softmax.compute`, along the last axis."""
    kernel, last = _kernel("softmax", a), len(a.shape) - 1
    if kernel is None or normalize_axes(op.axes, len(a.shape), "softmax") != (last,):
        return NotImplemented  # type: ignore[no-any-return]
    out = _like(a)
    kernel(a._view, out._view)
    return out


def sgd(optimizer: Any, u: NDArray | None, w: NDArray, g: NDArray) -> tuple[NDArray | None, NDArray]:
    """`needle.optim.SGD._updated`; `u` is None where there is no momentum."""
    kernel = _kernel("sgd_plain", w, g) if u is None else _kernel("sgd", w, g, u)
    if kernel is None:
        return NotImplemented  # type: ignore[no-any-return]
    lr, weight_decay, new_w = optimizer.lr, optimizer.weight_decay, _like(w)
    if u is None:
        kernel(w._view, g._view, lr, weight_decay, new_w._view)
        return None, new_w
    new_u = _like(u)
    kernel(w._view, g._view, u._view, lr, optimizer.momentum, weight_decay, new_w._view, new_u._view)
    return new_u, new_w


def adam(optimizer: Any, m: NDArray, v: NDArray, w: NDArray, g: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """`needle.optim.Adam._updated`."""
    kernel = _kernel("adam", w, g, m, v)
    if kernel is None:
        return NotImplemented  # type: ignore[no-any-return]
    beta1, beta2, t = optimizer.beta1, optimizer.beta2, optimizer.t
    c = (1 - beta2**t) ** 0.5
    rate, eps = optimizer.lr * c / (1 - beta1**t), optimizer.eps * c
    new_w, new_m, new_v = _like(w), _like(m), _like(v)
    numbers = (rate, beta1, beta2, eps, optimizer.weight_decay)
    kernel(w._view, g._view, m._view, v._view, *numbers, new_w._view, new_m._view, new_v._view)
    return new_m, new_v, new_w
