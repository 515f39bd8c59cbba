"""Fused kernels in the place of methods: what `needle.fused` calls instead of a textbook definition.

Each function takes the operator or optimizer and the arrays of the method it stands for, makes one kernel call on new
arrays, and returns NotImplemented where no kernel serves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..axes import normalize_axes, with_extent_1, without
from ..listening import listeners
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


def _belong(x: NDArray, shape: tuple[int, ...], *arrays: NDArray) -> bool:
    """Whether all arrays have that shape, and the dtype and device of `x`."""
    return all(a.shape == shape and a.dtype == x.dtype and a.device is x.device for a in arrays)


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
    return _along_last_axis("softmax", op, a)


def logsoftmax(op: Any, a: NDArray) -> NDArray:
    """`needle.ops.LogSoftmax.compute`, along the last axis."""
    return _along_last_axis("logsoftmax", op, a)


def softmax_gradient(op: Any, s: NDArray, g: NDArray) -> NDArray:
    """`needle.ops.SoftmaxGradient.compute`, along the last axis."""
    return _along_last_axis("softmax_gradient", op, s, g)


def logsoftmax_gradient(op: Any, y: NDArray, g: NDArray) -> NDArray:
    """`needle.ops.LogSoftmaxGradient.compute`, along the last axis."""
    return _along_last_axis("logsoftmax_gradient", op, y, g)


def _along_last_axis(name: str, op: Any, *arrays: NDArray) -> NDArray:
    """A kernel whose arrays have one shape, for an op along the last axis."""
    kernel, ndim = _kernel(name, *arrays), len(arrays[0].shape)
    if kernel is None or normalize_axes(op.axes, ndim, name) != (ndim - 1,):
        return NotImplemented  # type: ignore[no-any-return]
    out = _like(arrays[0])
    kernel(*[a._view for a in arrays], out._view)
    return out


def softmax_loss(op: Any, z: NDArray, one_hot: NDArray) -> NDArray:
    """`needle.ops.SoftmaxLoss.compute`."""
    kernel = _kernel("softmax_loss", z, one_hot)
    if kernel is None:
        return NotImplemented  # type: ignore[no-any-return]
    out = new((), z.dtype, z.device)
    kernel(z._view, one_hot._view, out._view)
    return out


def softmax_loss_gradient(op: Any, z: NDArray, one_hot: NDArray, g: NDArray) -> NDArray:
    """`needle.ops.SoftmaxLossGradient.compute`."""
    kernel = _kernel("softmax_loss_gradient", z, one_hot)
    if kernel is None or not _belong(z, (), g):
        return NotImplemented  # type: ignore[no-any-return]
    out = _like(z)
    kernel(z._view, one_hot._view, g._view, out._view)
    return out


#: The kernels of normalisation along an axis.
_NORMS = {-1: "layer_norm", 0: "batch_norm"}


def normalize(op: Any, x: NDArray, weight: NDArray, bias: NDArray) -> NDArray:
    """`needle.ops.Normalize.compute`."""
    kernel = _kernel(_NORMS[op.axis], x)
    if kernel is None or not _belong(x, x.shape[-1:], weight, bias):
        return NotImplemented  # type: ignore[no-any-return]
    out = _like(x)
    kernel(x._view, weight._view, bias._view, op.eps, out._view)
    return out


def normalize_gradient(op: Any, x: NDArray, weight: NDArray, g: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """`needle.ops.NormalizeGradient.compute`."""
    kernel = _kernel(_NORMS[op.axis] + "_gradient", x, g)
    if kernel is None or not _belong(x, x.shape[-1:], weight):
        return NotImplemented  # type: ignore[no-any-return]
    dx, dweight, dbias = _like(x), _like(weight), _like(weight)
    kernel(x._view, weight._view, g._view, op.eps, dx._view, dweight._view, dbias._view)
    return dx, dweight, dbias


def moments(op: Any, x: NDArray) -> tuple[NDArray, NDArray]:
    """`needle.ops.Moments.compute`."""
    kernel = _kernel("moments", x)
    if kernel is None:
        return NotImplemented  # type: ignore[no-any-return]
    mean, var = (new(x.shape[1:], x.dtype, x.device) for _ in range(2))
    kernel(x._view, mean._view, var._view)
    return mean, var


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


def sgd_step(optimizer: Any) -> Any:
    """`needle.optim.SGD.step`."""
    lr, momentum, weight_decay = optimizer.lr, optimizer.momentum, optimizer.weight_decay
    if momentum:
        step = _whole_step("sgd_step", optimizer, optimizer.u)
        done = step is not None and step(lr, momentum, weight_decay)
    else:
        step = _whole_step("sgd_plain_step", optimizer)
        done = step is not None and step(lr, weight_decay)
    return None if done else NotImplemented


def adam(optimizer: Any, m: NDArray, v: NDArray, w: NDArray, g: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """`needle.optim.Adam._updated`."""
    kernel = _kernel("adam", w, g, m, v)
    if kernel is None:
        return NotImplemented  # type: ignore[no-any-return]
    new_w, new_m, new_v = _like(w), _like(m), _like(v)
    numbers = _adam_numbers(optimizer, optimizer.t)
    kernel(w._view, g._view, m._view, v._view, *numbers, new_w._view, new_m._view, new_v._view)
    return new_m, new_v, new_w


def adam_step(optimizer: Any) -> Any:
    """`needle.optim.Adam.step`."""
    step = _whole_step("adam_step", optimizer, optimizer.m, optimizer.v)
    if step is None or not step(*_adam_numbers(optimizer, optimizer.t + 1)):
        return NotImplemented
    optimizer.t += 1
    return None


def _adam_numbers(optimizer: Any, t: int) -> tuple[float, ...]:
    """The numbers of the t-th step, the bias corrections folded into the rate and `eps`."""
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    c = (1 - beta2**t) ** 0.5
    return optimizer.lr * c / (1 - beta1**t), beta1, beta2, optimizer.eps * c, optimizer.weight_decay


def _whole_step(name: str, optimizer: Any, *moments: list[Any]) -> Callable[..., bool] | None:
    """The device's kernel that makes a step for all parameters at once, where they and their moments are.

    Called with the step's numbers, it says False, and does nothing, where somebody holds old data, where arrays repeat
    elements or were lent, or where a gradient is of another form or not computed yet. There is none while somebody
    listens, in a subclass, which may do updates otherwise, and where their definition was written anew.
    """
    own = vars(type(optimizer))
    if listeners or not all(hasattr(own.get(method), "__wrapped__") for method in ("step", "_updated")):
        return None
    rows = [row for row in zip(optimizer.params, *moments) if row[0].grad is not None]
    data = [x.cached_data for row in rows for x in row]
    kernel = getattr(getattr(data[0], "device", None), name, None) if rows else None
    grads = [getattr(row[0].grad, "cached_data", None) for row in rows]
    return None if kernel is None else partial(kernel, data, grads)
