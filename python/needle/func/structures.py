"""What functions take and give: tensors in nested tuples, lists, dicts and modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import MethodType
from typing import Any

import numpy as np

from ..autograd import Tensor, TensorTuple
from ..backend_selection import NDArray
from ..modes import modes
from ..nn.module import Module, Parameter
from ..tensor import Alias
from ..trees import leaves, rebuilt

__all__ = ["functional_call", "tree_map"]

#: The tensors of a structure, and the function that makes the same structure of others.
Tensors = tuple[list[Tensor], Callable[[Sequence[Any]], Any]]


def tensors_in(tree: Any, what: str, flags: bool = False, modules_as_dicts: bool = False) -> Tensors:
    """List the tensors in `tree`, and give the function that puts others in their places.

    Numbers and arrays become constants. In a module the tensors are its parameters; the module that others are put
    into is a copy, which shares everything else with the original (or, on demand, a dict by name). None stays None.

    Parameters
    ----------
    flags : bool
        Whether anything else may be there, too, and stays what it is.

    Raises
    ------
    TypeError
        If there is anything else, and it may not; the message begins with `what`.
    """
    places = list(leaves(tree))
    tensors: list[Tensor] = []
    counts: list[int] = []
    for x in places:
        found = _tensors_of(x, what, flags)
        tensors += found
        counts.append(len(found))

    def rebuild(others: Sequence[Any]) -> Any:
        given = iter(others)
        groups = iter([[next(given) for _ in range(count)] for count in counts])
        return rebuilt(tree, lambda x: _replaced(x, next(groups), modules_as_dicts))

    return tensors, rebuild


def _tensors_of(x: Any, what: str, flags: bool) -> list[Tensor]:
    if x is None:
        return []
    if isinstance(x, Tensor):
        return [x]
    if isinstance(x, Module):
        return list(x.parameters())
    if isinstance(x, TensorTuple):
        return list(x)
    if isinstance(x, (int, float, np.ndarray, np.generic, NDArray)) and not isinstance(x, bool):
        return [Tensor(x, requires_grad=False)]
    if flags:
        return []
    raise TypeError(f"{what}: tensors, numbers, or lists, tuples, dicts and modules of them; not {type(x).__name__}")


def _replaced(x: Any, others: list[Any], modules_as_dicts: bool) -> Any:
    if isinstance(x, TensorTuple):
        return tuple(others)
    if isinstance(x, Module):
        if modules_as_dicts:
            return dict(zip([name for name, _ in x.named_parameters()], others))
        return with_parameters(x, dict(zip(map(id, x.parameters()), others)))
    return others[0] if others else x


def with_parameters(module: Module, others: dict[int, Any]) -> Module:
    """A copy of `module` and the modules in it, with ``others[id(p)]`` in the place of each parameter p that has one.

    Everything else is shared with the original: running statistics that the copy updates are the original's. A method
    of a copied module that is kept as an attribute becomes the copy's; a function that uses a module in another way, a
    closure, uses the original.
    """
    copies: dict[int, Module] = {}

    def copied(value: Any) -> Any:
        if isinstance(value, Tensor):
            other = others.get(id(value), value)
            if isinstance(value, Parameter) and isinstance(other, Tensor) and not isinstance(other, Parameter):
                other = Parameter.make_from_op(Alias(), (other,))
            return other
        if isinstance(value, Module):
            if id(value) not in copies:
                copies[id(value)] = copy = object.__new__(type(value))
                vars(copy).update({name: copied(item) for name, item in vars(value).items()})
            return copies[id(value)]
        if isinstance(value, MethodType) and isinstance(value.__self__, Module):
            return MethodType(value.__func__, copied(value.__self__))
        return rebuilt(value, copied) if isinstance(value, (list, tuple, dict)) else value

    return copied(module)  # type: ignore[no-any-return]


def matching(given: Any, tree: Any, what: str, of: str) -> list[Tensor]:
    """The tensors in `given`, in the order of those in `tree`, of their shapes and in their dtypes.

    Raises
    ------
    ValueError
        If structure or shapes differ; the message says that there must be one `what` for each `of`.
    """
    tensors = tensors_in(tree, of)[0]
    others = [x for leaf in _alongside(tree, given, what, of) for x in _tensors_of(leaf, what, False)]
    if len(others) != len(tensors):
        raise ValueError(f"there must be one {what} for each {of}: {len(tensors)}, got {len(others)}")
    for position, (x, other) in enumerate(zip(tensors, others)):
        if x.shape != other.shape:
            raise ValueError(f"{what} {position} has shape {other.shape}, its {of} {x.shape}; they must agree")
    return [
        other.astype(x.dtype) if other.dtype != x.dtype and x.dtype.startswith("float") else other
        for x, other in zip(tensors, others)
    ]


def _alongside(tree: Any, other: Any, what: str, of: str) -> Iterator[Any]:
    """What is in `other` in the places of what is in `tree`; dicts by key."""
    if isinstance(tree, dict):
        if not isinstance(other, dict) or tree.keys() != other.keys():
            keys = sorted(map(str, other)) if isinstance(other, dict) else type(other).__name__
            raise ValueError(f"there must be one {what} for each {of}: a dict of {sorted(map(str, tree))}, got {keys}")
        for key, item in tree.items():
            yield from _alongside(item, other[key], what, of)
    elif isinstance(tree, (list, tuple)):
        if not isinstance(other, (list, tuple)) or len(tree) != len(other):
            got = len(other) if isinstance(other, (list, tuple)) else type(other).__name__
            raise ValueError(f"there must be one {what} for each {of}: {len(tree)}, got {got}")
        for item, other_item in zip(tree, other):
            yield from _alongside(item, other_item, what, of)
    else:
        yield from leaves(other)


def tree_map(function: Callable[..., Any], tree: Any, *trees: Any) -> Any:
    """Apply `function` to the tensors of structures that are alike, one from each, and give the results as a structure.

    ``tree_map(lambda p, g: p - 0.1 * g, parameters, gradients)``, within `no_grad`, is a step of gradient descent. The
    parameters of a module that comes out require a gradient as those that went in, within `no_grad` too.

    Raises
    ------
    ValueError
        If the structures hold different numbers of tensors.
    """
    tensors, rebuild = tensors_in(tree, "tree_map")
    others = [
        [x for leaf in _alongside(tree, other, "tensor", "tensor") for x in _tensors_of(leaf, "tree_map", False)]
        for other in trees
    ]
    if any(len(other) != len(tensors) for other in others):
        raise ValueError(f"tree_map: the structures hold {[len(tensors), *map(len, others)]} tensors; they must agree")
    result = rebuild([function(*xs) for xs in zip(tensors, *others)])
    if not modes.grad_enabled:
        for old, new in zip(tensors, tensors_in(result, "tree_map", flags=True)[0]):
            if isinstance(new, Parameter):
                new.requires_grad = old.requires_grad
    return result


def functional_call(module: Module, parameters: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Call `module` with other parameters: a function of them, which can be differentiated.

    Parameters
    ----------
    module : Module
        Is left as it is, but for running statistics.
    parameters : dict
        Tensors by name, as in ``dict(module.named_parameters())``; those that are not given stay the module's own.
    """
    own = dict(module.named_parameters())
    unknown = sorted(set(parameters) - set(own))
    if unknown:
        raise ValueError(f"functional_call: {type(module).__name__} has no parameters {unknown}; it has {sorted(own)}")
    parameters = {name: x if isinstance(x, Tensor) else Tensor(x) for name, x in parameters.items()}
    for name, other in parameters.items():
        if other.shape != own[name].shape:
            raise ValueError(f"functional_call: {name} has shape {own[name].shape}; got {other.shape}")
    return with_parameters(module, {id(own[name]): other for name, other in parameters.items()})(*args, **kwargs)


def zeros_for(tangents: Sequence[Any], tensors: Sequence[Tensor]) -> Iterator[Tensor]:
    """The tangents or gradients, with zeros of the shape of its tensor for None."""
    from ..ops import zero_of

    return (zero_of(x) if t is None else t for t, x in zip(tangents, tensors))
