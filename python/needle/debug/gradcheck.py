"""One operator's ``gradient`` against central differences of its ``compute``, in float64, at given inputs.

With u a random adjoint of the output y = f(x), the gradient claims g = J^T u. Entry i of it is compared with

    (f(x + h e_i) - f(x - h e_i)) . u / 2h,

whose error is of order h^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import autograd
from ..autograd import Op, Tensor, TensorTuple, Value
from ..backend_selection import as_array
from ..modes import keeping_graph, modes
from .causes import arrays_of

#: At most so many entries of each input are compared.
ENTRIES = 64
STEP = 1e-6
#: A gradient g passes if it differs from the quotient q by at most ABSOLUTE + RELATIVE |q|.
RELATIVE, ABSOLUTE = 1e-4, 1e-6


def gradcheck(op: Op, inputs: tuple[Value, ...]) -> list[str]:
    """Compare the gradient of `op` at `inputs`.

    Parameters
    ----------
    op : Op
    inputs : tuple of Value
        They have to be computed. Floats are cast to float64; all else is held constant.

    Returns
    -------
    list of str
        One line for each input, and what is wrong with it. Nothing of the program's graph or modes is touched.

    Raises
    ------
    TypeError
        If `op` is no op, or an input no tensor.
    """
    if not isinstance(op, Op):
        raise TypeError(f"gradcheck: the first argument is an op, such as ndl.ops.MatMul(), not a {type(op).__name__}")
    for x in inputs:
        if not isinstance(x, Value):
            raise TypeError(f"gradcheck: the inputs are tensors, not a {type(x).__name__}")
    if any(isinstance(x, TensorTuple) for x in inputs):
        return ["a TensorTuple as an input is not checked"]
    if any(x.cached_data is None for x in inputs):
        return ["an input is not computed: realize it first"]
    with _plainly():
        xs = [_doubled(x) for x in inputs]
        node = op(*xs)
        random = np.random.default_rng(0)
        us = [np.asarray(random.standard_normal(y.shape)) for y in arrays_of(node.cached_data)]
        try:
            shares = op.gradient_as_tuple(_adjoint(us, node), node)
        except Exception as error:
            said = str(error).partition(" (NEEDLE_DEBUG=1")[0]
            return [f"{type(op).__name__}.gradient raises {type(error).__name__}: {said}"]
        return [_compared(op, xs, position, share, us, random) for position, share in enumerate(shares)]


@contextmanager
def _plainly() -> Iterator[None]:
    """Eager mode, with a graph and without any interpreter, whatever the program is doing."""
    before = modes.interpreters, modes.differentiating, autograd.LAZY_MODE
    modes.interpreters, modes.differentiating, autograd.LAZY_MODE = (), 0, False
    try:
        with keeping_graph(True), np.errstate(all="ignore"):
            yield
    finally:
        modes.interpreters, modes.differentiating, autograd.LAZY_MODE = before


def _doubled(x: Any) -> Tensor:
    array = arrays_of(x.cached_data)[0]
    wanted = x.dtype.startswith("float")
    return Tensor(array.copy(), device=x.device, dtype="float64" if wanted else x.dtype, requires_grad=wanted)


def _adjoint(us: list[np.ndarray], node: Any) -> Any:
    device = node.device if isinstance(node, Tensor) else node.spec[0].device
    arrays = [as_array(u, device=device, dtype="float64") for u in us]
    if isinstance(node, TensorTuple):
        return TensorTuple.make_const(tuple(arrays))
    return Tensor.make_const(arrays[0])


def _compared(
    op: Op, xs: list[Tensor], position: int, share: Any, us: list[np.ndarray], random: np.random.Generator
) -> str:
    x = xs[position]
    if not x.dtype.startswith("float"):
        return f"input {position}: {x.dtype}, which has no derivative"
    whole = x.numpy()
    given = np.zeros(x.shape) if share is None else share.numpy()
    chosen = np.arange(x.size) if x.size <= ENTRIES else random.choice(x.size, ENTRIES, replace=False)
    wrong = []
    for flat in chosen:
        entry = tuple(map(int, np.unravel_index(int(flat), x.shape)))
        step = STEP * max(1.0, abs(float(whole[entry])))
        above, below = (_weighted(op, xs, position, entry, float(whole[entry]) + h, us) for h in (step, -step))
        quotient = (above - below) / (2 * step)
        if not abs(given[entry] - quotient) <= ABSOLUTE + RELATIVE * abs(quotient):
            wrong.append((abs(given[entry] - quotient), entry, float(given[entry]), quotient))
    what = f"input {position} {x.shape}"
    if not wrong:
        nothing = ", which gives it no gradient" if share is None else ""
        return f"{what}: right in {_entries(len(chosen), x.size)}{nothing}"
    _, entry, gradient, quotient = max(wrong, key=lambda w: w[0] if w[0] == w[0] else np.inf)
    claim = "there is no gradient" if share is None else f"the gradient is {gradient:.6g}"
    return (
        f"{what}: WRONG in {len(wrong)} of {_entries(len(chosen), x.size)}; "
        f"at {entry} {claim}, central differences give {quotient:.6g}"
    )


def _weighted(
    op: Op, xs: list[Tensor], position: int, entry: tuple[Any, ...], value: float, us: list[np.ndarray]
) -> float:
    """The output, weighted by the adjoint, with one entry of one input changed."""
    changed = xs[position].numpy()
    changed[entry] = value
    arrays = [x.cached_data for x in xs]
    arrays[position] = as_array(changed, device=xs[position].device, dtype="float64")
    return float(sum((y * u).sum() for y, u in zip(arrays_of(op.compute(*arrays)), us)))


def _entries(count: int, size: int) -> str:
    return f"all {size} entries" if count == size else f"{count} entries of {size}"
