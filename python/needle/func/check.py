"""`check_grads`: derivatives against central differences, with an answer to who is wrong if one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..autograd import Op, Tensor, TensorTuple, find_topo_sort
from ..modes import enable_grad
from ..ops import make_tuple
from .overrides import Rerouted
from .products import jvp, vjp
from .structures import tensors_in

__all__ = ["check_grads"]

Function = Callable[..., list[Tensor]]
MODES = {"fwd": "forward", "rev": "reverse"}


class Failure(NamedTuple):
    """Where a derivative differs from the difference quotient."""

    modes: tuple[str, ...]
    output: int
    output_entry: tuple[int, ...]
    argument: int
    entry: tuple[int, ...]
    given: float
    expected: float

    def __str__(self) -> str:
        way = " over ".join(MODES[mode] for mode in self.modes)
        entry = f"entry {list(self.entry)} of argument {self.argument}" if self.entry else f"argument {self.argument}"
        output = f"output {self.output}" if self.output else "the output"
        of = f"entry {list(self.output_entry)} of {output}" if self.output_entry else output
        return (
            f"by {way} mode, the derivative of order {len(self.modes)} of {of} by {entry} is {self.given:.9g}; "
            f"central differences give {self.expected:.9g}"
        )


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    eps: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """Check all derivatives of `f` at `args` up to an order against central differences in float64.

    Parameters
    ----------
    f : callable or Op
        Of tensors or structures of them, to a tensor or a structure. It is called many times, a few for each entry of
        arguments and outputs: make them small.
    args : tuple
        Its arguments. Floating-point tensors are cast to float64; those of other dtypes are held constant.
    order : int
        Up to which order. From the second on, derivatives along a random direction are differentiated, in each mode.
    modes : sequence of "fwd", "rev"
        Forward mode, reverse mode, or both, and all their mixtures.
    eps : float
        Half the distance between the two points of a difference quotient.
    rtol, atol : float
        A derivative d passes if it differs from the quotient q by at most atol + rtol |q|.

    Raises
    ------
    AssertionError
        If a derivative is wrong. Each operator that `f` used is then checked by itself, and the message names the first
        that fails, the argument, the entry, and both numbers.
    """
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or not modes or order < 1:
        raise ValueError(f"check_grads: modes are 'fwd' and 'rev', order at least 1; got {tuple(modes)} and {order}")
    if isinstance(f, Op):
        args = [x if isinstance(x, Tensor) else Tensor(x) for x in args]
    xs, rebuild = tensors_in(tuple(args), "check_grads takes")
    xs = [x.detach().astype("float64") if x.dtype.startswith("float") else x.detach() for x in xs]

    def function(*tensors: Tensor) -> list[Tensor]:
        return tensors_in(f(*rebuild(tensors)), "check_grads: the function gives")[0]

    tolerance = eps, rtol, atol
    failure = _first_failure(function, xs, order, modes, tolerance)
    if failure is None:
        return
    name = type(f).__name__ if isinstance(f, Op) else getattr(f, "__name__", type(f).__name__)
    culprit = None if isinstance(f, Op) else _culprit(function, xs, order, modes, tolerance)
    if culprit is None:
        alone = "" if isinstance(f, Op) else " (each operator that it uses is right by itself)"
        raise AssertionError(f"check_grads: {name}: {failure}{alone}")
    op, reason = culprit
    raise AssertionError(f"check_grads: operator {op!r}: {reason} (found while checking {name})")


def _first_failure(
    function: Function, xs: Sequence[Tensor], order: int, modes: Sequence[str], tolerance: tuple[float, float, float]
) -> Failure | None:
    """The first derivative that differs, in order of orders, modes, arguments and entries."""
    functions: list[tuple[tuple[str, ...], Function]] = [((), function)]
    for _ in range(order):
        for path, g in functions:
            quotients = _difference_quotients(g, xs, tolerance[0])
            for mode in modes:
                jacobian = _columns(g, xs) if mode == "fwd" else _rows(g, xs)
                for place, given in jacobian.items():
                    failure = _compared((mode, *path), place, given, quotients[place], tolerance)
                    if failure is not None:
                        return failure
        functions = [((mode, *path), _along_random_direction(g, xs, mode)) for path, g in functions for mode in modes]
    return None


#: By output and argument: the matrix of derivatives, entries by entries, and the shapes of both.
Jacobian = dict[tuple[int, int], tuple[np.ndarray, tuple[Any, Any]]]


def _compared(
    path: tuple[str, ...], place: tuple[int, int], given: Any, expected: Any, tolerance: tuple[float, float, float]
) -> Failure | None:
    _, rtol, atol = tolerance
    (shape_y, shape_x), (given, expected) = given[1], (given[0], expected[0])
    wrong = ~np.isclose(given, expected, rtol=rtol, atol=atol, equal_nan=True)
    if not wrong.any():
        return None
    row, column = (int(i) for i in np.argwhere(wrong)[0])
    entries = [tuple(map(int, np.unravel_index(i, shape))) for i, shape in ((row, shape_y), (column, shape_x))]
    return Failure(
        path, place[0], entries[0], place[1], entries[1], float(given[row, column]), float(expected[row, column])
    )


def _moving(xs: Sequence[Tensor]) -> Iterator[tuple[int, Tensor]]:
    return ((i, x) for i, x in enumerate(xs) if x.dtype.startswith("float"))


def _unit(x: Tensor, entry: int) -> Tensor:
    unit = np.zeros(x.size)
    unit[entry] = 1
    return Tensor(unit.reshape(x.shape), dtype=x.dtype, device=x.device, requires_grad=False)


def _stacked(
    columns: list[list[np.ndarray]], ys: Sequence[Any], x: Tensor, j: int
) -> tuple[np.ndarray, tuple[Any, Any]]:
    of_output = [column[j].reshape(-1) for column in columns]
    matrix = np.stack(of_output, axis=1) if of_output else np.zeros((ys[j].size, 0))
    return matrix, (ys[j].shape, x.shape)


def _difference_quotients(function: Function, xs: Sequence[Tensor], eps: float) -> Jacobian:
    ys = function(*xs)
    found: Jacobian = {}
    for i, x in _moving(xs):
        columns = []
        for entry in range(x.size):
            step = _unit(x, entry) * eps
            ahead, behind = (function(*xs[:i], x + sign * step, *xs[i + 1 :]) for sign in (1, -1))
            columns.append([(a.numpy() - b.numpy()) / (2 * eps) for a, b in zip(ahead, behind)])
        found.update({(j, i): _stacked(columns, ys, x, j) for j in range(len(ys))})
    return found


def _columns(function: Function, xs: Sequence[Tensor]) -> Jacobian:
    """The Jacobian by forward mode, along one unit vector of the arguments after the other."""
    ys = function(*xs)
    found: Jacobian = {}
    for i, x in _moving(xs):

        def of_one(moved: Tensor, i: int = i) -> list[Tensor]:
            return function(*xs[:i], moved, *xs[i + 1 :])

        columns = [[t.numpy() for t in jvp(of_one, (x,), (_unit(x, entry),))[1]] for entry in range(x.size)]
        found.update({(j, i): _stacked(columns, ys, x, j) for j in range(len(ys))})
    return found


def _rows(function: Function, xs: Sequence[Tensor]) -> Jacobian:
    """The Jacobian by reverse mode, for one unit vector of the outputs after the other."""
    ys, pullback = vjp(function, *xs)
    found: Jacobian = {}
    for j, y in enumerate(ys):
        zeros = [z * 0 for z in ys]
        rows = [pullback([*zeros[:j], _unit(y, entry), *zeros[j + 1 :]]) for entry in range(y.size)]
        for i, x in _moving(xs):
            matrix = np.stack([row[i].numpy().reshape(-1) for row in rows]) if rows else np.zeros((0, x.size))
            found[j, i] = matrix, (y.shape, x.shape)
    return found


def _along_random_direction(function: Function, xs: Sequence[Tensor], mode: str) -> Function:
    """The derivative of `function`, along one direction, as a function of the same arguments."""
    generator = np.random.default_rng(0)

    def drawn(tensors: Sequence[Tensor]) -> list[Tensor]:
        draws = [generator.standard_normal(x.shape) for x in tensors]
        return [Tensor(d, dtype=x.dtype, device=x.device, requires_grad=False) for d, x in zip(draws, tensors)]

    places = [i for i, _ in _moving(xs)]
    directions = drawn([xs[i] for i in places]) if mode == "fwd" else drawn(function(*xs))

    def derivative(*tensors: Tensor) -> list[Tensor]:
        def of_moving(*moved: Tensor) -> list[Tensor]:
            given = dict(zip(places, moved))
            return function(*[given.get(i, x) for i, x in enumerate(tensors)])

        moving = [tensors[i] for i in places]
        if mode == "fwd":
            return jvp(of_moving, moving, directions)[1]  # type: ignore[no-any-return]
        return list(vjp(of_moving, *moving)[1](directions))

    return derivative


def _culprit(
    function: Function, xs: Sequence[Tensor], order: int, modes: Sequence[str], tolerance: tuple[float, float, float]
) -> tuple[Op, Failure] | None:
    """The first operator behind what `function` gives whose own derivatives are wrong where it was applied."""
    with enable_grad():
        moving = [Tensor(x, requires_grad=x.dtype.startswith("float")) for x in xs]
        outputs = function(*moving)
    for node in find_topo_sort(outputs):
        if node.op is None or isinstance(node.op, Rerouted):  # whose derivative is not that of its inputs
            continue
        counts = [len(x) if isinstance(x, TensorTuple) else None for x in node.inputs]
        inputs = [y.detach() for x in node.inputs for y in (x if isinstance(x, TensorTuple) else [x])]

        def alone(*tensors: Tensor, op: Any = node.op, counts: Any = counts) -> list[Tensor]:
            given = iter(tensors)
            operands = [next(given) if n is None else make_tuple(*[next(given) for _ in range(n)]) for n in counts]
            result = op(*operands)
            return list(result) if isinstance(result, TensorTuple) else [result]

        failure = _first_failure(alone, inputs, order, modes, tolerance)
        if failure is not None:
            return node.op, failure
    return None
