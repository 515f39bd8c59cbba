"""Products with the Jacobian J of a function: J^T u by reverse mode (`vjp`), J t by forward mode (`jvp`, `linearize`).

All other derivatives are made of these two: see `needle.func.derivatives`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from weakref import WeakSet

from ..autograd import Tensor, find_topo_sort
from ..forward import push_forward
from ..modes import differentiating, keeping_graph, modes
from ..nn.module import Module
from ..ops import zero_of
from ..reverse import gradients
from ..tensor import alias
from ..trees import leaves, rebuilt
from .structures import matching, tensors_in, zeros_for

__all__ = ["jvp", "linearize", "vjp"]


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Compute f(x), and the function that takes an adjoint u of f(x) to the adjoint J^T u of x: reverse mode.

    Parameters
    ----------
    f : callable
        Of tensors, or structures of them (`tensors_in`), to a tensor or a structure.
    primals : Tensor or structure
        Where J is taken: the arguments of `f`.
    has_aux : bool
        Whether `f` gives a pair, and only the first is differentiated.

    Returns
    -------
    output
        f(*primals).
    pullback : callable
        Takes the adjoint of the output, in its structure, and gives a tuple: for each primal its adjoint, in its
        structure; zeros where the output does not depend on it. It may be called several times.
    aux
        Only with `has_aux`.

    Notes
    -----
    `f` gets new nodes for its arguments, so only what it computes from them counts, whatever else it knows of the
    tensors that it was given. The results are nodes of a graph if something outside requires a gradient (a primal, or
    a parameter that `f` uses), so that they can be differentiated in turn; otherwise they are plain data.
    """
    traced = _traced(f, primals, has_aux)

    def pullback(adjoint: Any) -> tuple[Any, ...]:
        us = matching(adjoint, traced.result, "adjoint", "output")
        with traced.graph_for(us):
            shares = gradients(traced.outputs, us, traced.inner)
        return traced.rebuild(list(zeros_for(shares, traced.inner)))  # type: ignore[no-any-return]

    return (traced.result, pullback, traced.aux) if has_aux else (traced.result, pullback)


class _Traced(NamedTuple):
    """A function, computed with a graph from new nodes for its arguments to its outputs."""

    inner: list[Tensor]  # the new nodes
    rebuild: Callable[[Sequence[Any]], Any]
    outputs: list[Tensor]
    result: Any  # what the caller gets: the outputs, without the graph within unless it leads outside
    aux: Any
    leads_outside: bool

    def graph_for(self, given: Sequence[Tensor]) -> AbstractContextManager[None]:
        """Within the block, derivatives are part of a graph if somebody can differentiate them: outside, or `given`."""
        return keeping_graph(modes.grad_enabled and (self.leads_outside or any(x.requires_grad for x in given)))


def _traced(f: Callable[..., Any], primals: tuple[Any, ...], has_aux: bool = False) -> _Traced:
    xs, rebuild = tensors_in(primals, "vjp differentiates by")
    recorded = modes.grad_enabled
    with differentiating():
        inner = [alias(x, requires_grad=True) for x in xs]  # by an op: interpreters see where they come from
        given = f(*rebuild(inner))
        output, aux = _pair(given, f) if has_aux else (given, None)
        ys, rebuild_output = tensors_in(output, "vjp: the function gives")
    ends = set(inner)
    behind = find_topo_sort([*ys, *(x for x in leaves(aux) if isinstance(x, Tensor))], ends)
    _check_modules(primals, behind)
    leads_outside = recorded and (
        any(x.requires_grad for x in xs)
        or any(x.op is None and x.requires_grad and x not in ends and x not in _FINISHED for x in behind)
    )
    finish(inner)

    def shown(x: Any) -> Any:
        if leads_outside or not isinstance(x, Tensor) or not x.requires_grad:
            return x
        with keeping_graph(False):
            return alias(x)

    return _Traced(inner, rebuild, ys, rebuild_output(list(map(shown, ys))), rebuilt(aux, shown), leads_outside)


#: The new nodes of derivatives that are done: nobody outside differentiates by them.
_FINISHED: WeakSet[Tensor] = WeakSet()


def finish(inner: Sequence[Tensor]) -> None:
    """Say that the derivative by these nodes, which were made for it, is done, or is the business of its pullback."""
    _FINISHED.update(inner)


def _check_modules(primals: Any, behind: Sequence[Any]) -> None:
    """Raise if what was computed uses a parameter of a module that it should have got in a copy."""
    originals = {p: name for x in leaves(primals) if isinstance(x, Module) for name, p in x.named_parameters()}
    for x in behind if originals else ():
        if x in originals:
            raise ValueError(
                f"the function uses the parameter {originals[x]} of a module that is one of its arguments in another "
                "way: by a closure, or by a function that the module keeps. It must get it from its argument, or "
                "ndl.functional_call must name it"
            )


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """Compute f(x) and its tangent J t, side by side: forward mode.

    Parameters
    ----------
    f : callable
        As in `vjp`.
    primals, tangents : tuple
        The arguments of `f`, and for each the direction in which it moves, in the same structure.
    has_aux : bool
        Whether `f` gives a pair, and only the first is differentiated.

    Returns
    -------
    output, tangent
        f(*primals) and J t, in the structure of the output; zeros where it does not move.
    aux
        Only with `has_aux`.
    """
    primals, tangents = arguments(primals, "jvp: primals"), arguments(tangents, "jvp: tangents")
    xs, rebuild = tensors_in(primals, "jvp differentiates by")
    ts = matching(tangents, primals, "tangent", "primal")

    def function(*inner: Any) -> Any:
        given = f(*rebuild(inner))
        output, aux = _pair(given, f) if has_aux else (given, None)
        return (*tensors_in(output, "jvp: the function gives"), aux)

    (ys, rebuild_output, aux), tangent_of = push_forward(function, xs, ts)
    moved = rebuild_output(list(zeros_for([tangent_of(y) for y in ys], ys)))
    result = rebuild_output(ys)
    return (result, moved, aux) if has_aux else (result, moved)


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Compute f(x), and the function that takes a tangent t of x to the tangent J t of f(x), as often as one likes.

    What depends on x alone is computed once. The pullback u -> J^T u is linear in u; so its own pullback, t -> J t, is
    what is wanted, wherever it is taken: reverse mode, transposed, as in `needle.reverse.transposed_twice`.

    Returns
    -------
    output
        f(*primals).
    pushforward : callable
        Takes the tangents of the primals, each in its structure, and gives that of the output.
    """
    traced = _traced(f, primals)
    with keeping_graph(True):
        us = [alias(zero_of(y), requires_grad=True) for y in traced.outputs]
        shares = gradients(traced.outputs, us, traced.inner)
    _, rebuild = tensors_in(traced.result, "linearize: the function gives")

    def pushforward(*tangents: Any) -> Any:
        ts = matching(tangents, primals, "tangent", "primal")
        moved = [(share, t) for share, t in zip(shares, ts) if share is not None]
        with traced.graph_for(ts):
            given = gradients([share for share, _ in moved], [t for _, t in moved], us)
        return rebuild(list(zeros_for(given, traced.outputs)))

    return traced.result, pushforward


def _pair(output: Any, f: Any) -> tuple[Any, Any]:
    if not isinstance(output, tuple) or len(output) != 2:
        raise TypeError(f"has_aux: the function must give a pair (output, aux), not {output!r}")
    return output


def arguments(given: Any, name: str) -> tuple[Any, ...]:
    """The arguments of a function, or their tangents, as a tuple."""
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"{name} must be a tuple with one entry for each argument, not {type(given).__name__}")
    return tuple(given)
