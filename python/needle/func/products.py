"""Products with the Jacobian J of a function: J^T u by reverse mode (`vjp`), J t by forward mode (`jvp`, `linearize`).

All other derivatives are made of these two: see `needle.func.derivatives`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autograd import Tensor, find_topo_sort
from ..forward import push_forward
from ..modes import differentiating, enable_grad, modes, no_grad
from ..reverse import gradients
from ..tensor import alias
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
    xs, rebuild = tensors_in(primals, "vjp differentiates by")
    recorded = modes.grad_enabled
    with differentiating():
        inner = [alias(x, requires_grad=True) for x in xs]
        output = f(*rebuild(inner))
    output, aux = _pair(output, f) if has_aux else (output, None)
    ys, rebuild_output = tensors_in(output, "vjp: the function gives")
    ends = set(inner)
    outside = recorded and any(
        x.requires_grad for x in (*xs, *(n for n in find_topo_sort(ys, ends) if n.op is None and n not in ends))
    )

    def pullback(adjoint: Any) -> tuple[Any, ...]:
        us = matching(adjoint, ys, "adjoint", "output")
        with _graph(outside or any(u.requires_grad for u in us)):
            shares = gradients(ys, us, inner)
        return rebuild(list(zeros_for(shares, xs)))  # type: ignore[no-any-return]

    result = rebuild_output(_seen(ys, outside))
    return (result, pullback, _seen_tree(aux, outside)) if has_aux else (result, pullback)


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
    primals, tangents = _arguments(primals, "primals"), _arguments(tangents, "tangents")
    xs, rebuild = tensors_in(primals, "jvp differentiates by")
    ts = matching(tangents, xs, "tangent", "primal")
    output, tangent_of = push_forward(lambda *inner: f(*rebuild(inner)), xs, ts)
    output, aux = _pair(output, f) if has_aux else (output, None)
    ys, rebuild_output = tensors_in(output, "jvp: the function gives")
    moved = rebuild_output(list(zeros_for([tangent_of(y) for y in ys], ys)))
    result = rebuild_output(ys)
    return (result, moved, aux) if has_aux else (result, moved)


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Compute f(x), and the function that takes a tangent t of x to the tangent J t of f(x), as often as one likes.

    What depends on x alone is computed once. The pullback u -> J^T u is linear in u; so its own pullback, t -> J t, is
    what is wanted, wherever it is taken: reverse mode, transposed.

    Returns
    -------
    output
        f(*primals).
    pushforward : callable
        Takes the tangents of the primals, each in its structure, and gives that of the output.
    """
    output, pullback = vjp(f, *primals)
    ys, rebuild = tensors_in(output, "linearize: the function gives")
    _, pushforward = vjp(pullback, rebuild(list(zeros_for([None] * len(ys), ys))))
    return output, lambda *tangents: pushforward(tangents)[0]


def _graph(wanted: bool) -> Any:
    return enable_grad() if wanted and modes.grad_enabled else no_grad()


def _seen(tensors: Sequence[Tensor], outside: bool) -> list[Tensor]:
    """The tensors as somebody outside gets them: without the graph within, unless it leads outside."""
    if outside:
        return list(tensors)
    with no_grad():
        return [alias(x) if x.requires_grad else x for x in tensors]


def _seen_tree(tree: Any, outside: bool) -> Any:
    from ..trees import rebuilt

    return rebuilt(tree, lambda x: _seen([x], outside)[0] if isinstance(x, Tensor) else x)


def _pair(output: Any, f: Any) -> tuple[Any, Any]:
    if not isinstance(output, tuple) or len(output) != 2:
        raise TypeError(f"has_aux: {getattr(f, '__name__', f)} must give a pair (output, aux), not {output!r}")
    return output


def _arguments(given: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"jvp: {name} must be a tuple with one entry for each argument, not {type(given).__name__}")
    return tuple(given)
