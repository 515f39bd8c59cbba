"""Random calls of every operator, for hypothesis: shapes, options, values, and how the values lie in memory.

`RECIPES` says for each operator what a call of it is. The values are far enough from kinks and poles for central
differences, and the tensors are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import needle as ndl
from needle import ops
from needle.axes import Axes, normalize_axes
from needle.backend_selection import array_api, as_array
from tests.conftest import DEVICES

Shape = tuple[int, ...]

# A call ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """How elements lie in memory, as a part of a larger block.

    The axes stand there in `order`, the slowest first; along axis i every ``steps[i]``-th place is an element's,
    backwards if that is negative. With step 0 there is one place for all.
    """

    order: Shape
    steps: Shape

    def view(self, values: np.ndarray, dtype: str, device: Any) -> Any:
        """An array of the backend that is a view; what lies between its elements is NaN, or -99."""
        steps, section = self.steps or (1,), self.section()
        places = [2 if step == 0 else n * abs(step) + 1 for n, step in zip(values.shape or (1,), steps)]
        block = np.full(places, np.nan if dtype.startswith("float") else -99, dtype)
        block[section] = values[tuple(slice(0, 1) if step == 0 else slice(None) for step in self.steps)]
        order = self.order or (0,)
        whole = as_array(np.ascontiguousarray(block.transpose(order)), device=device, dtype=dtype)
        part = array_api.transpose(whole, [int(axis) for axis in np.argsort(order)])[section]
        return array_api.broadcast_to(part, values.shape) if values.shape else array_api.reshape(part, ())

    def section(self) -> tuple[slice, ...]:
        """Where the elements are in the block: behind the first place of every axis."""
        return tuple(
            slice(None, 0, step) if step < 0 else slice(1, 2) if step == 0 else slice(1, None, step)
            for step in self.steps or (1,)
        )

    def settled(self, values: np.ndarray) -> np.ndarray:
        """The values as such a view can hold them: all the same along the axes with step 0."""
        one = tuple(slice(0, 1) if step == 0 else slice(None) for step in self.steps)
        return np.array(np.broadcast_to(values[one], values.shape))


def turned(ndim: int) -> Layout:
    """Axes in the opposite order, elements backwards along every other one."""
    return Layout(tuple(reversed(range(ndim))), ((-2, 1) * ndim)[:ndim])


@dataclass(frozen=True)
class Call:
    """`function`, called with tensors that hold `arrays` and then `indices`, ends in a node of `op`."""

    op: type[ndl.Op]
    function: Callable[..., Any]
    arrays: list[np.ndarray]  #: what the function can be differentiated by
    indices: list[np.ndarray]  #: whole numbers, and nothing between them
    takes_integers: bool  #: in the place of `arrays`
    layouts: list[Layout]  #: of all of them
    batch_axes: list[int | None]  #: for a batch of such calls: where its axis is, None for what they have in common
    batch_size: int
    device: Any

    def tensors(self, dtype: str = "float64", arrays: list[np.ndarray] | None = None) -> list[ndl.Tensor]:
        """The arrays (or others in their place) as leaves, whose data is a view."""
        return [
            tensor(a, layout, dtype, self.device, requires_grad=True)
            for a, layout in zip(self.arrays if arrays is None else arrays, self.layouts)
        ]

    def positions(self) -> list[ndl.Tensor]:
        """The indices as constants, whose data is a view."""
        layouts = self.layouts[len(self.arrays) :]
        return [tensor(i, layout, "int64", self.device) for i, layout in zip(self.indices, layouts)]

    def of_arrays(self) -> Callable[..., tuple[ndl.Tensor, ...]]:
        """The function of `arrays` alone, with a tuple of its outputs."""
        positions = self.positions()

        def function(*tensors: ndl.Tensor) -> tuple[ndl.Tensor, ...]:
            result = self.function(*tensors, *positions)
            return (result,) if isinstance(result, ndl.Tensor) else tuple(result)

        return function

    def example(self, number: int) -> list[np.ndarray]:
        """The arrays and indices of one call in the batch."""
        moved = [
            *(a + 0.01 * number for a in self.arrays),
            *(np.roll(i.reshape(-1), number).reshape(i.shape) for i in self.indices),
        ]
        return [
            same if axis is None else other
            for same, other, axis in zip((*self.arrays, *self.indices), moved, self.batch_axes)
        ]


def tensor(
    values: np.ndarray, layout: Layout, dtype: str, device: Any = None, requires_grad: bool = False
) -> ndl.Tensor:
    """A leaf that holds a view of `layout`."""
    return ndl.Tensor.make_const(layout.view(values, dtype, device), requires_grad)


class Parts(NamedTuple):
    """What a recipe says of a call; the rest is drawn in the same way for all operators."""

    function: Callable[..., Any]
    arrays: Sequence[np.ndarray]
    indices: Sequence[np.ndarray] = ()
    takes_integers: bool = True
    distinct: bool = False  # no two elements may be the same


@st.composite
def calls(draw: st.DrawFn, op: type[ndl.Op]) -> Call:
    """Calls of an operator."""
    pick = Pick(draw)
    parts = RECIPES[op](pick)
    layouts = [pick.layout(a.shape, may_repeat=not parts.distinct) for a in (*parts.arrays, *parts.indices)]
    settled = [layout.settled(a) for a, layout in zip((*parts.arrays, *parts.indices), layouts)]
    arrays, indices = settled[: len(parts.arrays)], settled[len(parts.arrays) :]
    axes = [pick.one_of(0, None, -1, a.ndim) for a in settled]
    if all(axis is None for axis in axes):
        axes[0] = 0
    size, device = pick.one_of(2, 3), pick.one_of(*DEVICES)
    return Call(op, parts.function, arrays, indices, parts.takes_integers, layouts, axes, size, device)


# What is drawn --------------------------------------------------------------------------------------------------------


class Pick:
    """What the recipes draw: shapes, axes, values."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def one_of(self, *options: Any) -> Any:
        """One of the options."""
        return self.draw(st.sampled_from(options))

    def count(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return self.draw(st.integers(low, high))

    def order(self, count: int) -> Shape:
        """The numbers below `count` in any order."""
        return tuple(self.draw(st.permutations(range(count))))

    def layout(self, shape: Shape, may_repeat: bool) -> Layout:
        """How an array of this shape may lie in memory."""
        steps = (1, 2, -1, -2)
        return Layout(
            self.order(len(shape)),
            tuple(self.one_of(*steps, 0) if may_repeat and n else self.one_of(*steps) for n in shape),
        )

    def shape(self, least: int = 0, most: int = 3, empty: bool = True) -> Shape:
        """From `least` to `most` axes of extent up to 3; now and then one is 0, unless it must not be `empty`."""
        extents = (2, 3, 1, 2, 3, 0) if empty else (2, 3, 1)
        return tuple(self.one_of(*extents) for _ in range(self.count(least, most)))

    def shapes(self, count: int, most: int = 3) -> list[Shape]:
        """Shapes that broadcast together."""
        whole = self.shape(0, most)
        return [
            tuple(self.one_of(n, n, 1) for n in whole[self.count(0, len(whole)) if self.one_of(True, False) else 0 :])
            for _ in range(count)
        ]

    def axis(self, ndim: int) -> int:
        """An axis, from either end."""
        return self.count(-ndim, ndim - 1)

    def axes(self, ndim: int) -> Axes:
        """Axes as functions take them: None, one or several, from either end."""
        kind = self.one_of("all", "one", "some")
        if kind == "one" and ndim:
            return self.axis(ndim)
        return None if kind == "all" else self.some_axes(ndim)

    def some_axes(self, ndim: int) -> Shape:
        """A tuple of axes, from either end."""
        chosen = self.order(ndim)[: self.count(0, ndim)]
        return tuple(axis - ndim if self.one_of(False, True) else axis for axis in chosen)

    def reduced(self, one_axis: bool = False) -> tuple[Shape, Any]:
        """A shape, and axes (or one axis) of it along which there are elements; there may be none along others."""
        shape = list(self.shape(int(one_axis), empty=False))
        axes = self.axis(len(shape)) if one_axis else self.axes(len(shape))
        kept = set(range(len(shape))) - set(normalize_axes(axes, len(shape), "reduced"))
        if kept and self.one_of(False, False, True):
            shape[kept.pop()] = 0
        return tuple(shape), axes

    def generator(self) -> np.random.Generator:
        """For values."""
        return np.random.default_rng(self.count(0, 999))

    def normal(self, shape: Shape) -> np.ndarray:
        """Normal draws."""
        return self.generator().standard_normal(shape)

    def positive(self, shape: Shape) -> np.ndarray:
        """Draws from 0.5 to 2."""
        return self.generator().uniform(0.5, 2.0, shape)

    def apart(self, shape: Shape) -> np.ndarray:
        """Numbers of both signs whose sizes are 0.1, 0.3, 0.5, ... in random order: all far from multiples of 0.2."""
        generator, n = self.generator(), int(np.prod(shape))
        sizes = generator.permutation(np.arange(n)) * 0.2 + 0.1
        return (sizes * generator.choice([-1, 1], n)).reshape(shape)

    def below(self, shape: Shape, low: int, high: int) -> np.ndarray:
        """Whole numbers from `low` to `high` - 1."""
        return self.generator().integers(low, high, shape)

    def matrices(self, definite: bool = False) -> np.ndarray:
        """Well-conditioned square matrices, `definite` or of any kind; with elements rounded away from 0 they stay it.

        They are diagonally dominant, but for the order and the signs of the rows where those do not matter.
        """
        n = self.one_of(2, 3, 1, 0)
        generator, stack = self.generator(), self.shape(0, 1)
        a = generator.uniform(-0.6, 0.6, (*stack, n, n)) + 3 * np.eye(n)
        if definite:
            return a
        return (a * generator.choice([-1, 1], n)[:, None])[..., list(self.order(n)), :]

    def index(self, shape: Shape) -> Any:
        """What NumPy takes in brackets behind an array of `shape`."""
        kind = self.one_of("basic", "arrays", "mask")
        if kind == "mask" and shape:
            generator = self.generator()
            return generator.random(shape[: self.count(1, len(shape))]) < 0.6
        generator, chosen = self.generator(), self.shape(0, 2)
        parts: list[Any] = []
        for n in shape[: self.count(0, len(shape))]:
            part = self.one_of("slice", "int", "array") if n else "slice"
            if part == "int":
                parts.append(self.axis(n))
            elif part == "array" and kind == "arrays":
                parts.append(generator.integers(-n, n, chosen))
            else:
                bounds = self.one_of(None, 1, -2, 5), self.one_of(None, 2, -1, -9)
                parts.append(slice(*bounds, self.one_of(None, 2, -1, -2)))
        if kind == "basic":
            parts[0:0] = self.one_of([], [None])
            parts += self.one_of([], [...], [..., None])
        return parts[0] if len(parts) == 1 and self.one_of(False, True) else tuple(parts)


# The recipes ----------------------------------------------------------------------------------------------------------

Recipe = Callable[[Pick], Parts]
Values = Callable[[Pick, Shape], np.ndarray]


def elementwise(function: Callable[..., Any], *values: Values, **options: tuple[Any, ...]) -> Recipe:
    """A function of tensors that broadcast together, with one of each of the options."""

    def recipe(pick: Pick) -> Parts:
        shapes = pick.shapes(len(values)) if len(values) > 1 else [pick.shape()]
        arrays = [draw(pick, shape) for draw, shape in zip(values, shapes)]
        return Parts(with_options(function, pick, options), arrays)

    return recipe


def of_one_shape(op: type[ndl.Op], *values: Values, **options: tuple[Any, ...]) -> Recipe:
    """An operator of tensors that do not broadcast, with one of each of the options."""

    def recipe(pick: Pick) -> Parts:
        shape = pick.shape()
        return Parts(with_options(partial(applied, op=op), pick, options), [draw(pick, shape) for draw in values])

    return recipe


def with_options(function: Callable[..., Any], pick: Pick, options: dict[str, tuple[Any, ...]]) -> Callable[..., Any]:
    """The function, with one of each of the options."""
    return partial(function, **{name: pick.one_of(*choices) for name, choices in options.items()})


def between(pick: Pick, shape: Shape) -> np.ndarray:
    """Values in the midst between those of `Pick.apart`."""
    return pick.apart(shape) + 0.05


def rows_of_identity(a: ndl.Tensor, dtype: str) -> ndl.Tensor:
    """One-hot rows of the whole parts of numbers, which may move a little."""
    return ops.OneHot(4, dtype)(ops.cast(a, "int64"))


def one_hot(pick: Pick) -> Parts:
    function = partial(rows_of_identity, dtype=pick.one_of("float64", "float32", "int32"))
    return Parts(function, [pick.below(pick.shape(), 0, 3) + 0.5])


def power_scalar(pick: Pick) -> Parts:
    exponent = pick.one_of(2, 3, 1, 0, -1, 0.5, -1.5)
    function = partial(ops.power_scalar, scalar=exponent)
    return Parts(function, [pick.positive(pick.shape())], takes_integers=exponent != -1)


def compared_with_number(function: Callable[..., Any]) -> Recipe:
    """A comparison, with a tensor or with a number."""
    of_tensors = elementwise(function, Pick.apart, between)
    of_number = elementwise(function, Pick.apart, b=(0, 0.2, -2.4))
    return lambda pick: (of_tensors if pick.one_of(True, False) else of_number)(pick)


def chosen(a: ndl.Tensor, b: ndl.Tensor, condition: ndl.Tensor) -> ndl.Tensor:
    """`ops.where`, its condition last."""
    return ops.where(condition, a, b)


def where(pick: Pick) -> Parts:
    left, right, condition = pick.shapes(3)
    return Parts(chosen, [pick.normal(left), pick.positive(right)], [pick.below(condition, 0, 2)])


def reduction(
    function: Callable[..., Any], empty: bool = False, distinct: bool = False, **options: tuple[Any, ...]
) -> Recipe:
    """A function that takes axes with elements, or (`empty`) any; of `distinct` elements if it chooses among them."""

    def recipe(pick: Pick) -> Parts:
        shape, axes = pick.reduced()
        if empty and pick.one_of(False, True):
            shape = pick.shape(len(shape), len(shape))
        given = with_options(function, pick, options)
        return Parts(partial(given, axes=axes), [pick.apart(shape)], distinct=distinct)

    return recipe


def along_axis(function: Callable[..., Any], operands: int = 1) -> Recipe:
    """A function along one axis, of tensors of one shape."""

    def recipe(pick: Pick) -> Parts:
        shape, axis = pick.reduced(one_axis=True)
        return Parts(partial(function, axis=axis), [pick.normal(shape) for _ in range(operands)])

    return recipe


def applied(*tensors: ndl.Tensor, op: type[ndl.Op], **options: Any) -> Any:
    """An operator, called itself."""
    return op(**options)(*tensors)


def rows_of_classes(function: Callable[..., Any], weighted: bool = False) -> Recipe:
    """Logits and rows beside them, and for an adjoint a number."""

    def recipe(pick: Pick) -> Parts:
        shape = pick.shape(2, 2, empty=False)
        weights = [pick.normal(())] if weighted else []
        return Parts(function, [pick.normal(shape), pick.positive(shape), *weights])

    return recipe


def normalization(pick: Pick, adjoint: bool = False) -> Parts:
    rows = pick.one_of(True, False)
    shape = pick.shape(2, 3, empty=False) if rows else pick.shape(2, 2, empty=False)
    x, of_columns = pick.normal(shape), shape[-1:]
    eps = pick.one_of(0.1, 0.5)
    if adjoint:
        function = partial(applied, op=ops.NormalizeGradient, axis=-1 if rows else 0, eps=eps)
        return Parts(function, [x, pick.normal(of_columns), pick.normal(shape)])
    function = partial(ops.layer_norm if rows else ops.batch_norm, eps=eps)
    return Parts(function, [x, pick.normal(of_columns), pick.normal(of_columns)])


def moments(pick: Pick) -> Parts:
    return Parts(ops.moments, [pick.normal((pick.count(1, 3), pick.count(0, 3)))])


def moving_moments(pick: Pick) -> Parts:
    m, n = pick.count(1, 3), pick.count(0, 3)
    old = [pick.normal((n,)), pick.positive((n,))]
    return Parts(partial(applied, op=ops.MovingMoments, momentum=pick.one_of(0.1, 0.5)), [*old, pick.normal((m, n))])


def matmul(pick: Pick) -> Parts:
    (m, k, n), (left, right) = (pick.one_of(2, 3, 1, 0) for _ in range(3)), pick.shapes(2, most=1)
    return Parts(ops.matmul, [pick.normal((*left, m, k)), pick.normal((*right, k, n))])


def transpose(pick: Pick) -> Parts:
    shape = pick.shape(2)
    first, second = pick.order(len(shape))[:2]
    return Parts(partial(ops.transpose, axes=pick.one_of(None, (first, second - len(shape)))), [pick.normal(shape)])


def permute(pick: Pick) -> Parts:
    shape = pick.shape()
    order = [axis - pick.one_of(0, len(shape)) for axis in pick.order(len(shape))]
    return Parts(partial(ops.permute, axes=order), [pick.normal(shape)])


def reshape(pick: Pick) -> Parts:
    shape = pick.shape()
    new = [shape[i] for i in pick.order(len(shape))]
    new.insert(pick.count(0, len(new)), 1)
    if pick.one_of(True, False):
        new = [int(np.prod(new[:2])), *new[2:]]
    if np.prod(new):
        new[pick.count(0, len(new) - 1)] = -1
    return Parts(partial(ops.reshape, shape=tuple(new)), [pick.normal(shape)])


def broadcast_to(pick: Pick) -> Parts:
    whole = pick.shape()
    shape = tuple(pick.one_of(n, 1) for n in whole[pick.count(0, len(whole)) :])
    return Parts(partial(ops.broadcast_to, shape=whole), [pick.normal(shape)])


def with_axes(function: Callable[..., Any]) -> Recipe:
    """A function that takes axes of a tensor."""

    def recipe(pick: Pick) -> Parts:
        shape = pick.shape()
        return Parts(partial(function, axes=pick.axes(len(shape))), [pick.normal(shape)])

    return recipe


def dilation(function: Callable[..., Any]) -> Recipe:
    """`ops.dilate` and its inverse: along axes that exist, and one that may not."""

    def recipe(pick: Pick) -> Parts:
        shape = pick.shape()
        axes = pick.one_of((*pick.some_axes(len(shape)), *pick.one_of((), (4,))), 0)
        return Parts(partial(function, axes=axes, dilation=pick.count(0, 2)), [pick.normal(shape)])

    return recipe


def stacked(*tensors: ndl.Tensor, axis: int) -> ndl.Tensor:
    """`ops.stack`, of its arguments."""
    return ops.stack(tensors, axis)


def stack(pick: Pick) -> Parts:
    shape = pick.shape(0, 2)
    function = partial(stacked, axis=pick.axis(len(shape) + 1))
    return Parts(function, [pick.normal(shape) for _ in range(pick.count(1, 3))])


def joined(*tensors: ndl.Tensor, axis: int) -> ndl.Tensor:
    """`ops.concatenate`, of its arguments."""
    return ops.concatenate(tensors, axis)


def concatenate(pick: Pick) -> Parts:
    shape = list(pick.shape(1))
    axis, arrays = pick.axis(len(shape)), []
    for _ in range(pick.count(1, 3)):
        shape[axis] = pick.count(0, 3)
        arrays.append(pick.normal(tuple(shape)))
    return Parts(partial(joined, axis=axis), arrays)


def item_of_tuple(*tensors: ndl.Tensor, index: int) -> ndl.Tensor:
    """One of the arguments, put into a tuple and taken out again."""
    return ops.tuple_get_item(ops.make_tuple(*tensors), index)


def tuples(function: Callable[..., Any], with_index: bool = False) -> Recipe:
    """A function of one to three tensors of any shapes."""

    def recipe(pick: Pick) -> Parts:
        arrays = [pick.normal(pick.shape(0, 2)) for _ in range(pick.count(1, 3))]
        return Parts(partial(function, index=pick.axis(len(arrays))) if with_index else function, arrays)

    return recipe


def read(a: ndl.Tensor, index: Any) -> ndl.Tensor:
    """a[index]."""
    return a[index]


def getitem(pick: Pick) -> Parts:
    shape = pick.shape()
    return Parts(partial(read, index=pick.index(shape)), [pick.normal(shape)])


def scatter(pick: Pick) -> Parts:
    shape = pick.shape()
    index = pick.index(shape)
    values = pick.normal(np.zeros(shape)[index].shape)
    return Parts(partial(applied, op=ops.Scatter, index=index, shape=shape), [values])


def pad(pick: Pick) -> Parts:
    shape = pick.shape()
    each = tuple((pick.count(0, 2), pick.count(0, 2)) for _ in shape)
    return Parts(
        partial(ops.pad, widths=pick.one_of(1, (0, 2), each or 0), value=pick.one_of(0, -2)), [pick.normal(shape)]
    )


def tile(pick: Pick) -> Parts:
    reps = tuple(pick.one_of(2, 1, 3, 0) for _ in range(pick.count(0, 3)))
    return Parts(partial(ops.tile, reps=pick.one_of(2, reps)), [pick.normal(pick.shape(0, 2))])


def roll(pick: Pick) -> Parts:
    shape = pick.shape()
    axes = [pick.axis(len(shape)) for _ in range(pick.count(1, 2))] if shape else None
    shifts = [pick.count(-4, 4) for _ in axes or [0]]
    options = {"shift": shifts, "axis": axes} if pick.one_of(True, False) else {"shift": shifts[0]}
    return Parts(partial(ops.roll, **options), [pick.normal(shape)])


def of_diagonal(function: Callable[..., Any], name: str) -> Recipe:
    """A function of the last two axes and the number of a diagonal."""
    return lambda pick: Parts(partial(function, **{name: pick.count(-4, 4)}), [pick.normal(pick.shape(2))])


def einsum(pick: Pick) -> Parts:
    """One to three operands with labels of four extents, and what has none behind an ellipsis."""
    extents = {label: pick.one_of(2, 3, 1, 0) for label in "ijkl"}
    terms = ["".join(pick.one_of(*extents) for _ in range(pick.count(0, 3))) for _ in range(pick.count(1, 3))]
    shapes = [tuple(extents[label] for label in term) for term in terms]
    used = sorted(set("".join(terms)))
    output = "->" + "".join(used[i] for i in pick.order(len(used))[: pick.count(0, len(used))])
    if pick.one_of(False, False, True):
        shapes = [(*front, *shape) for front, shape in zip(pick.shapes(len(terms), most=1), shapes)]
        terms, output = [f"...{term}" for term in terms], f"->...{output[2:]}"
    subscripts = ",".join(terms) + pick.one_of(output, output, "")
    return Parts(partial(ops.einsum, subscripts), [pick.normal(shape) for shape in shapes])


def dot(pick: Pick) -> Parts:
    left, right = pick.shape(0, 2), list(pick.shape(0, 3))
    if left and right:
        right[max(len(right) - 2, 0)] = left[-1]
    return Parts(ops.dot, [pick.normal(left), pick.normal(tuple(right))])


def outer(pick: Pick) -> Parts:
    return Parts(ops.outer, [pick.normal(pick.shape(0, 2)), pick.normal(pick.shape(0, 2))])


def of_matrices(function: Callable[..., Any], definite: bool = False) -> Recipe:
    """A function of square matrices."""
    return lambda pick: Parts(function, [pick.matrices(definite)], distinct=True)


def solve(pick: Pick) -> Parts:
    a = pick.matrices()
    front = pick.one_of((), a.shape[:-2], (3, *(1 for _ in a.shape[:-2])))
    return Parts(ops.solve, [a, pick.normal((*front, a.shape[-1], pick.count(0, 2)))], distinct=True)


def ordering(function: Callable[..., Any], largest: bool = False) -> Recipe:
    """Sorting along an axis, or through all elements."""

    def recipe(pick: Pick) -> Parts:
        shape = pick.shape(1)
        axis = pick.one_of(pick.axis(len(shape)), pick.axis(len(shape)), None)
        extent = int(np.prod(shape)) if axis is None else shape[axis]
        options = {"k": pick.count(0, extent)} if largest else {"descending": pick.one_of(False, True)}
        return Parts(partial(function, axis=axis, **options), [pick.apart(shape)], distinct=True)

    return recipe


def take_along_axis(pick: Pick) -> Parts:
    shape = pick.shape(1)
    axis = pick.axis(len(shape))
    places = [pick.one_of(n, 1) for n in shape]
    places[axis] = pick.count(0, 3) if shape[axis] else 0
    indices = pick.below(tuple(places), -shape[axis], shape[axis] or 1)
    return Parts(partial(ops.take_along_axis, axis=axis), [pick.normal(shape)], [indices])


def put_along_axis(pick: Pick) -> Parts:
    shape = pick.shape(1)
    axis, extent = pick.axis(len(shape)), pick.count(1, 3)
    indices = pick.below(shape, -extent, extent)
    function = partial(applied, op=ops.PutAlongAxis, axis=axis, extent=extent)
    return Parts(function, [pick.normal(shape)], [indices])


NUMBERS = (2, -0.5, 3)
KEEP = (False, True)

#: For every operator, calls of it.
RECIPES: dict[type[ndl.Op], Recipe] = {
    # Elementwise.
    ops.Abs: elementwise(ops.abs, Pick.apart),
    ops.AddScalar: elementwise(ops.add_scalar, Pick.normal, scalar=NUMBERS),
    ops.Arctan2: elementwise(ops.arctan2, Pick.apart, between),
    ops.Cast: elementwise(ops.Cast("float64"), Pick.normal),
    ops.Clip: elementwise(ops.clip, Pick.apart, low=(-0.4, None, -1.2), high=(0.2, 0, 1)),
    ops.Cos: elementwise(ops.cos, Pick.normal),
    ops.Cosh: elementwise(ops.cosh, Pick.normal),
    ops.DivScalar: elementwise(ops.divide_scalar, Pick.normal, scalar=NUMBERS),
    ops.Dropout: of_one_shape(ops.Dropout, Pick.normal, Pick.normal, p=(0.5, 0.1)),
    ops.EWiseAdd: elementwise(ops.add, Pick.normal, Pick.normal),
    ops.EWiseDiv: elementwise(ops.divide, Pick.normal, Pick.positive),
    ops.EWiseMul: elementwise(ops.multiply, Pick.normal, Pick.normal),
    ops.EWisePow: elementwise(ops.power, Pick.positive, Pick.normal),
    ops.Equal: compared_with_number(ops.equal),
    ops.Erf: elementwise(ops.erf, Pick.normal),
    ops.Exp: elementwise(ops.exp, Pick.normal),
    ops.Expm1: elementwise(ops.expm1, Pick.normal),
    ops.FusedAddScalars: elementwise(ops.fused_add_scalars, Pick.normal, c0=NUMBERS, c1=NUMBERS),
    ops.Gaussian: elementwise(partial(applied, op=ops.Gaussian), Pick.normal, rate=(0.5, 1)),
    ops.Gelu: elementwise(ops.gelu, Pick.normal, approximate=("none", "tanh")),
    ops.Greater: compared_with_number(ops.greater),
    ops.GreaterEqual: compared_with_number(ops.greater_equal),
    ops.Less: compared_with_number(ops.less),
    ops.LessEqual: compared_with_number(ops.less_equal),
    ops.Log1p: elementwise(ops.log1p, Pick.positive),
    ops.Log: elementwise(ops.log, Pick.positive),
    ops.LogAddExp: elementwise(ops.logaddexp, Pick.normal, Pick.normal),
    ops.Maximum: elementwise(ops.maximum, Pick.apart, between),
    ops.Minimum: elementwise(ops.minimum, Pick.apart, between),
    ops.MulScalar: elementwise(ops.mul_scalar, Pick.normal, scalar=NUMBERS),
    ops.Negate: elementwise(ops.negate, Pick.normal),
    ops.NormalCdf: elementwise(ops.NormalCdf(), Pick.normal),
    ops.NotEqual: compared_with_number(ops.not_equal),
    ops.OneHot: one_hot,
    ops.PowerScalar: power_scalar,
    ops.ReLU: elementwise(ops.relu, Pick.apart),
    ops.ReLUGradient: of_one_shape(ops.ReLUGradient, Pick.apart, Pick.normal),
    ops.Sigmoid: elementwise(ops.sigmoid, Pick.normal),
    ops.Sign: elementwise(ops.sign, Pick.apart),
    ops.Silu: elementwise(ops.silu, Pick.normal),
    ops.Sin: elementwise(ops.sin, Pick.normal),
    ops.Sinh: elementwise(ops.sinh, Pick.normal),
    ops.Softplus: elementwise(ops.softplus, Pick.normal),
    ops.Sqrt: elementwise(ops.sqrt, Pick.positive),
    ops.Tanh: elementwise(ops.tanh, Pick.normal),
    ops.Where: where,
    # Along axes.
    ops.CumSum: along_axis(ops.cumsum),
    ops.Direction: reduction(partial(applied, op=ops.Direction)),
    ops.LogSoftmax: along_axis(ops.logsoftmax),
    ops.LogSoftmaxGradient: along_axis(partial(applied, op=ops.LogSoftmaxGradient), 2),
    ops.LogSumExp: reduction(ops.logsumexp, keepdims=KEEP),
    ops.Max: reduction(ops.max, distinct=True, keepdims=KEEP),
    ops.Mean: reduction(ops.mean, keepdims=KEEP),
    ops.Min: reduction(ops.min, distinct=True, keepdims=KEEP),
    ops.Moments: moments,
    ops.MovingMoments: moving_moments,
    ops.Norm: reduction(ops.norm, distinct=True, ord=(2, 1, float("inf")), keepdims=KEEP),
    ops.Normalize: normalization,
    ops.NormalizeGradient: partial(normalization, adjoint=True),
    ops.Prod: reduction(ops.prod, empty=True, keepdims=KEEP),
    ops.Softmax: along_axis(ops.softmax),
    ops.SoftmaxGradient: along_axis(partial(applied, op=ops.SoftmaxGradient), 2),
    ops.SoftmaxLoss: rows_of_classes(ops.softmax_loss),
    ops.SoftmaxLossGradient: rows_of_classes(ops.SoftmaxLossGradient(), weighted=True),
    ops.Summation: reduction(ops.summation, empty=True, keepdims=KEEP),
    ops.Var: reduction(ops.var, keepdims=KEEP),
    # The same elements elsewhere.
    ops.ArgSort: ordering(ops.argsort),
    ops.BroadcastTo: broadcast_to,
    ops.Concatenate: concatenate,
    ops.Diagonal: of_diagonal(ops.diagonal, "offset"),
    ops.Dilate: dilation(ops.dilate),
    ops.Flip: with_axes(ops.flip),
    ops.GetItem: getitem,
    ops.MakeTensorTuple: tuples(ops.make_tuple),
    ops.Pad: pad,
    ops.Permute: permute,
    ops.PutAlongAxis: put_along_axis,
    ops.Reshape: reshape,
    ops.Roll: roll,
    ops.Scatter: scatter,
    ops.Sort: ordering(ops.sort),
    ops.Split: along_axis(ops.split),
    ops.Stack: stack,
    ops.TakeAlongAxis: take_along_axis,
    ops.Tile: tile,
    ops.TopK: ordering(ops.topk, largest=True),
    ops.Trace: of_diagonal(ops.trace, "offset"),
    ops.Transpose: transpose,
    ops.Tril: of_diagonal(ops.tril, "k"),
    ops.Triu: of_diagonal(ops.triu, "k"),
    ops.TupleGetItem: tuples(item_of_tuple, with_index=True),
    ops.UnDilate: dilation(ops.undilate),
    # Sums of products, and matrices.
    ops.Cholesky: of_matrices(ops.cholesky, definite=True),
    ops.Cofactor: of_matrices(ops.Cofactor()),
    ops.Det: of_matrices(ops.det),
    ops.Dot: dot,
    ops.Einsum: einsum,
    ops.Inv: of_matrices(ops.inv),
    ops.LogDet: of_matrices(ops.logdet),
    ops.MatMul: matmul,
    ops.Outer: outer,
    ops.Solve: solve,
}
