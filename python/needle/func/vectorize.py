"""`vmap`: a function of one example becomes a function of a batch, without a loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..autograd import Tensor
from ..batching import Batching
from ..modes import interpreting
from ..ops import permute
from .structures import tensors_in

__all__ = ["vmap"]


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """Make the function that applies `f` to every example of a batch at once.

    Parameters
    ----------
    f : callable
        Of tensors or structures of them, to a tensor or a structure; written for one example.
    in_axes : int, None, or a tuple of them
        For each positional argument the axis along which it holds the examples; None for one that is the same for all.
        For an argument that is a tuple, list or dict, one of these for each item may be given in the same structure.
    out_axes : int
        The axis of the results along which the examples are to stand.

    Returns
    -------
    callable
        Of the arguments of `f`, with one axis more where `in_axes` says so. Keyword arguments are the same for all.

    Notes
    -----
    Within `f` a tensor that differs from example to example has the shape of one and no values: it cannot be read or
    branched on. Random draws are the same for all examples. ``vmap(grad(loss), (None, 0, 0))`` gives per-example
    gradients. How an op is applied to a batch is its rule `Op.batch`; an op without one is applied in a loop, with a
    warning.

    Raises
    ------
    ValueError
        When called: if the batches differ in size, an axis does not exist, or nothing is batched.
    """

    @wraps(f, updated=())
    def batched(*args: Any, **kwargs: Any) -> Any:
        axes = _axes_for(in_axes, args)
        if not isinstance(out_axes, int):
            raise TypeError(f"vmap: out_axes must be one int, for all results; not {out_axes!r}")
        tensors, rebuild = tensors_in(args, "vmap takes", flags=True)
        wholes = [_axis_first(x, axis) for x, axis in zip(tensors, axes)]
        sizes = {whole.shape[0] for whole, axis in zip(wholes, axes) if axis is not None}
        if len(sizes) != 1:
            raise ValueError(
                "vmap: nothing is batched; in_axes must name an axis of at least one argument"
                if not sizes
                else f"vmap: the batches must have one size, got {sorted(sizes)}"
            )
        batching = Batching(sizes.pop())
        examples = [x if axis is None else batching.example(type(x), x) for x, axis in zip(wholes, axes)]
        with interpreting(batching):
            output = f(*rebuild(examples), **kwargs)
            ys, rebuild_output = tensors_in(output, "vmap: the function gives")
        return rebuild_output([_axis_back(batching.whole_of(y), out_axes) for y in ys])

    return batched


def _axes_for(in_axes: Any, args: tuple[Any, ...]) -> list[int | None]:
    """The axis of each tensor in `args`."""
    if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
        raise ValueError(f"vmap: in_axes names {len(in_axes)} arguments, the function was called with {len(args)}")
    return list(_spread(tuple(in_axes) if isinstance(in_axes, list) else in_axes, args))


def _spread(axes: Any, tree: Any) -> list[int | None]:
    if axes is None or isinstance(axes, int):
        found = tensors_in(tree, "vmap takes", flags=True)[0]
        return [axes] * len(found)
    if isinstance(axes, dict) and isinstance(tree, dict) and axes.keys() == tree.keys():
        return [axis for key, item in tree.items() for axis in _spread(axes[key], item)]
    if isinstance(axes, (tuple, list)) and isinstance(tree, (tuple, list)) and len(axes) == len(tree):
        return [axis for item_axes, item in zip(axes, tree) for axis in _spread(item_axes, item)]
    raise ValueError(f"vmap: in_axes {axes!r} does not fit an argument of type {type(tree).__name__}")


def _axis_first(x: Tensor, axis: int | None) -> Tensor:
    if axis is None:
        return x
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"vmap: in_axes names axis {axis} of a tensor of shape {x.shape}")
    order = [axis % x.ndim, *(i for i in range(x.ndim) if i != axis % x.ndim)]
    return x if order == sorted(order) else permute(x, order)


def _axis_back(whole: Tensor, axis: int) -> Tensor:
    if not -whole.ndim <= axis < whole.ndim:
        raise ValueError(f"vmap: out_axes is {axis}, but a result has shape {whole.shape}")
    order = list(range(1, whole.ndim))
    order.insert(axis % whole.ndim, 0)
    return whole if order == sorted(order) else permute(whole, order)
