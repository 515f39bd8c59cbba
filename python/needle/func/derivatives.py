"""Derivatives as functions of functions: gradients, Jacobians, Hessians, each a few lines of `vjp`, `jvp`, `vmap`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from math import prod
from operator import index
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops import zero_of
from .products import arguments, jvp, vjp
from .structures import tensors_in
from .vectorize import vmap

__all__ = [
    "derivative",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "value_and_grad",
]

Argnums = int | Sequence[int]


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the function that gives f(x) and its gradient: one pullback of 1.

    Parameters
    ----------
    f : callable
        Gives a scalar, or with `has_aux` a pair of a scalar and anything else.
    argnums : int or tuple of int
        The arguments by which to differentiate: tensors, numbers, or structures of them, modules included.
    has_aux : bool
        Whether the function gives ``((value, aux), gradient)``.

    Returns
    -------
    callable
        Of the arguments of `f`. The gradient has the structure of the argument (a module's is a module, whose
        parameters are the gradients); with a tuple of `argnums` it is a tuple of them.

    Raises
    ------
    TypeError
        When called: if `f` does not give a scalar.
    """

    @wraps(f, updated=())
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen, function = _of_some(f, argnums, args, kwargs)
        value, pullback, *aux = vjp(function, *chosen, has_aux=has_aux)
        gradients = pullback(_one(value, f))
        gradient = gradients[0] if not isinstance(argnums, Sequence) else gradients
        return ((value, *aux), gradient) if has_aux else (value, gradient)

    return value_and_gradient


def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the function that gives the gradient of `f`, with `has_aux` ``(gradient, aux)``; see `value_and_grad`.

    >>> import needle as ndl
    >>> ndl.grad(lambda x: x**3 + 2 * x)(3.0).item()
    29.0
    """
    both = value_and_grad(f, argnums, has_aux)

    @wraps(f, updated=())
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient_of


def gradient(f: Callable[..., Any], *xs: Any) -> tuple[Any, ...]:
    """The gradient of the scalar f(*xs) by each of `xs`, as a tuple: Zygote's idiom."""
    return grad(f, tuple(range(len(xs))))(*xs)  # type: ignore[no-any-return]


def derivative(f: Callable[[Any], Any], x: Any) -> Any:
    """df/dx for a scalar x, by forward mode, in the structure of f(x): ForwardDiff's idiom.

    Raises
    ------
    ValueError
        If `x` is not one number or a tensor of shape ().
    """
    if isinstance(x, (int, float, np.generic)):
        x = Tensor(x, requires_grad=False)
    if not isinstance(x, Tensor):
        raise TypeError(f"derivative: x must be a number or a tensor, not {type(x).__name__}")
    if x.shape != ():
        raise ValueError(f"derivative: x must be a scalar, got shape {x.shape}; ndl.jacobian takes tensors")
    return jvp(f, (x,), (Tensor(1, dtype=x.dtype, device=x.device, requires_grad=False),))[1]


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product H t of the Hessian of the scalar function `f` with a direction, without the Hessian.

    It is the tangent of the gradient, forward over reverse: it costs a few times what `f` costs, whatever the size.

    Returns
    -------
    Tensor or structure
        In the structure of the primal; a tuple of them if there are several.
    """
    primals = arguments(primals, "hvp: primals")
    several = len(primals) > 1
    gradient_of = grad(f, tuple(range(len(primals))) if several else 0)
    return jvp(gradient_of, primals, tangents)[1]


def jacrev(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the function that gives the Jacobian of `f`, row by row: the pullbacks of the unit vectors of the output.

    It costs one forward pass, and one backward pass for a batch of as many adjoints as the output has elements.

    Returns
    -------
    callable
        Of the arguments of `f`. It gives tensors of shape (*output.shape, *argument.shape): in the structure of the
        output, and in each place there in that of the argument. For a module there is a dict, by parameter name.
    """

    @wraps(f, updated=())
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen, function = _of_some(f, argnums, args, kwargs)
        output, pullback = vjp(function, *chosen)
        return _rows(output, pullback, not isinstance(argnums, Sequence))

    return jacobian_of


def _rows(output: Any, pullback: Callable[[Any], Any], is_one: bool) -> Any:
    """The Jacobian, from what `vjp` gives: for each tensor in the output the pullbacks of all its unit vectors."""
    ys, rebuild = tensors_in(output, "jacrev: the function gives")

    def row_of(i: int) -> Callable[[Tensor], Any]:
        return lambda u: pullback(rebuild([u if j == i else zero_of(y) for j, y in enumerate(ys)]))

    rows = []
    for i, y in enumerate(ys):
        given = _all_rows(row_of(i), y)
        rows.append(given[0] if is_one else given)
    return tensors_in(output, "jacrev", modules_as_dicts=True)[1](rows)


def _all_rows(pullback: Callable[[Tensor], Any], y: Tensor) -> Any:
    """What `pullback` gives for each unit vector of `y`, all at once by `vmap`, in the structure of what it gives.

    Each tensor in it, of shape (*shape) for one adjoint, comes in shape (*y.shape, *shape); a module as a dict.
    """
    xs, rebuild = tensors_in(vmap(pullback)(unit_vectors(y)), "jacrev", modules_as_dicts=True)
    return rebuild([x.reshape((*y.shape, *x.shape[1:])) for x in xs])


def jacfwd(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the function that gives the Jacobian of `f`, column by column: the tangents along unit vectors of the input.

    It costs one forward pass, with a batch of as many tangents as the argument has elements. The result is that of
    `jacrev`, in the dtype of the output (there: of the argument).
    """

    @wraps(f, updated=())
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen, function = _of_some(f, argnums, args, kwargs)
        xs, rebuild = tensors_in(chosen, "jacfwd differentiates by")

        def column_of(i: int) -> Callable[[Tensor], Any]:
            def of_one(x: Tensor) -> Any:
                return function(*rebuild([*xs[:i], x, *xs[i + 1 :]]))

            return lambda t: jvp(of_one, (xs[i],), (t,))[1]

        if not xs:
            raise ValueError("jacfwd: the arguments hold no tensor to differentiate by")
        columns = [tensors_in(_all_columns(column_of(i), x), "jacfwd") for i, x in enumerate(xs)]
        rebuild_arguments = tensors_in(chosen, "jacfwd", modules_as_dicts=True)[1]
        given = [rebuild_arguments(row) for row in zip(*[ys for ys, _ in columns])]
        rebuild_output = columns[0][1]
        return rebuild_output([g[0] if not isinstance(argnums, Sequence) else g for g in given])

    return jacobian_of


def _all_columns(pushforward: Callable[[Tensor], Any], x: Tensor) -> Any:
    """What `pushforward` gives for each unit vector of `x`, all at once by `vmap`, in the structure of what it gives.

    Each tensor in it, of shape (*shape) for one tangent, comes in shape (*shape, *x.shape); a module as a dict.
    """
    several = vmap(pushforward, out_axes=-1)(unit_vectors(x))
    ys, rebuild = tensors_in(several, "jacfwd: the function gives", modules_as_dicts=True)
    return rebuild([y.reshape((*y.shape[:-1], *x.shape)) for y in ys])


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the function that gives the Jacobian of `f`, by the cheaper mode.

    That is forward mode if the arguments have fewer elements than the output, else reverse mode. The result is that of
    `jacrev`.
    """

    @wraps(f, updated=())
    def by_cheaper_mode(*args: Any, **kwargs: Any) -> Any:
        chosen, function = _of_some(f, argnums, args, kwargs)
        output, pullback = vjp(function, *chosen)
        ins, outs = (sum(x.size for x in tensors_in(tree, "jacobian")[0]) for tree in (chosen, output))
        if ins < outs:
            return jacfwd(f, argnums)(*args, **kwargs)
        return _rows(output, pullback, not isinstance(argnums, Sequence))

    return by_cheaper_mode


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the function that gives the Hessian of the scalar function `f`: forward over reverse.

    The gradient is a function of x like any other. Its Jacobian, by forward mode, is the Hessian: column j is the
    tangent of the gradient along the j-th unit vector.

    Returns
    -------
    callable
        Of the arguments of `f`. It gives a tensor of shape (*x.shape, *x.shape) for a tensor x; for a structure, in
        each of its places such a structure.
    """
    return jacfwd(grad(f, argnums), argnums)


def unit_vectors(x: Tensor) -> Tensor:
    """All tensors of the shape of `x` that are 1 at one element and 0 elsewhere, along a first axis."""
    n = prod(x.shape)
    dtype = x.dtype if x.dtype.startswith("float") else "float32"
    return Tensor(np.eye(n), dtype=dtype, device=x.device, requires_grad=False).reshape((n, *x.shape))


def _of_some(
    f: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], Callable[..., Any]]:
    """The arguments by which to differentiate, and `f` as a function of these alone."""
    try:
        positions = tuple(map(index, (argnums,) if not isinstance(argnums, Sequence) else argnums))
    except TypeError:
        raise TypeError(f"argnums must be an int or a tuple of ints, not {argnums!r}") from None
    for position in positions:
        if not -len(args) <= position < len(args):
            raise ValueError(f"argnums {argnums}: the function was called with {len(args)} positional arguments")
    places = [position % len(args) for position in positions]
    if len(set(places)) < len(places):
        raise ValueError(f"argnums {argnums}: an argument stands there twice")

    def function(*chosen: Any) -> Any:
        given = list(args)
        for place, x in zip(places, chosen):
            given[place] = x
        return f(*given, **kwargs)

    return tuple(args[place] for place in places), function


def _one(value: Any, f: Any) -> Tensor:
    """The adjoint 1 of a scalar."""
    if not isinstance(value, Tensor) or value.size != 1:
        shape = f"a tensor of shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(
            f"grad: {getattr(f, '__name__', 'the function')} must give a scalar, not {shape}; "
            "ndl.jacobian differentiates other functions, ndl.vjp takes an adjoint"
        )
    dtype = value.dtype if value.dtype.startswith("float") else "float32"
    return Tensor(np.ones(value.shape), dtype=dtype, device=value.device, requires_grad=False)
