"""Random kernel calls: operands of every shape, layout, dtype and kind of value, and how a device runs them."""

import importlib
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import strategies as st

from needle.backend_ndarray import cpu_simple, flat
from tests.backend_ndarray import minimal_device

FLOATS = ("float32", "float64")
NUMBERS = (*FLOATS, "int32", "int64", "uint8")
ALL = (*NUMBERS, "bool")

#: Which dtypes a kernel takes, as the specification says; the kernels not named here take all of them.
DTYPES = dict.fromkeys(("neg", "abs", "sign", "relu", "sub", "power", "rsub", "rpower", "matmul"), NUMBERS)
DTYPES |= dict.fromkeys(("log", "exp", "tanh", "sqrt", "sin", "cos", "sigmoid", "div", "rdiv"), FLOATS)
COMPARISONS = ("eq", "ne", "ge", "gt", "le", "lt")

LIFTED = flat.lift(minimal_device)


def kernels_of(device):
    """Return the kernel module of a device: cpu, numpy, meta, minimal or cpu_simple."""
    if device == "minimal":
        return LIFTED
    if device == "cpu_simple":
        return cpu_simple().module
    try:
        return importlib.import_module(f"needle.backend_ndarray.ndarray_backend_{device}")
    except ImportError as error:
        return pytest.fail(f"the C++ extension cannot be loaded ({error}); `make build` builds it")


def dtypes_of(kernel):
    """Return the dtypes that the kernel takes."""
    return DTYPES.get(kernel.removeprefix("ewise_").removeprefix("scalar_"), ALL)


# Layouts --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """A view, of a buffer of `size` elements that is not there yet."""

    size: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def positions(self):
        """Where in the buffer each element of the view is, by the definition of a view."""
        positions = np.full(self.shape, self.offset)
        for index, stride in zip(np.indices(self.shape, sparse=True), self.strides):
            positions = positions + index * stride
        return positions


#: What a layout may do besides being compact; those of an output do not broadcast.
KINDS = (
    frozenset(),
    frozenset({"margin"}),
    frozenset({"permute"}),
    frozenset({"slice"}),
    frozenset({"broadcast"}),
    frozenset({"margin", "permute", "slice", "broadcast"}),
)


def layout(shape, kind, rng):
    """Make a layout: out of a larger block with its axes in another order, every so-manieth element from either end."""
    axes = len(shape)
    steps = np.ones(axes, int)
    before = after = np.zeros(axes, int)
    touched = rng.random(axes) < 3 / max(axes, 3)
    if "slice" in kind:
        steps = np.where(touched, rng.choice([-1, 2, -2, 3], axes), steps)
        before, after = (np.where(touched, rng.integers(0, 3, axes), 0) for _ in range(2))
    if "broadcast" in kind:
        steps = np.where(rng.random(axes) < 0.4, 0, steps)
    lead, tail = rng.integers(0, 20, 2) if "margin" in kind else (0, 0)
    strides, offset, stride = [0] * axes, int(lead), 1
    for axis in reversed(rng.permutation(axes) if "permute" in kind else range(axes)):
        span = max(shape[axis] - 1, 0) * abs(int(steps[axis]))
        strides[axis] = stride * int(steps[axis])
        offset += stride * (int(before[axis]) + (span if steps[axis] < 0 else 0))
        stride *= int(before[axis]) + min(shape[axis], 1) + span + int(after[axis])
        if shape[axis] == 1 and kind:
            strides[axis] = int(rng.integers(-9, 10))  # nothing may depend on it
    size = int(lead) + stride + int(tail)
    return Layout(size, shape, tuple(strides), int(rng.integers(0, size + 1)) if 0 in shape else offset)


# Values ---------------------------------------------------------------------------------------------------------------


def special_values(dtype):
    """Return the values at which kernels go wrong."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype not in FLOATS:
        info = np.iinfo(dtype)
        return np.array([info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2], dtype)
    info = np.finfo(dtype)
    near_limits = np.log([info.max, info.tiny, info.smallest_subnormal])  # of exp
    finite = [0, 0.5, 1, 2, info.eps, info.tiny, info.tiny / 4, info.smallest_subnormal, info.max, 1e5, *near_limits]
    return np.array([*finite, *np.negative(finite), np.inf, -np.inf, np.nan], dtype)


def values(size, dtype, rng, tame=False):
    """Draw values of all sizes and signs, with special ones among them; of magnitude around 1 where `tame`."""
    if dtype == "bool":
        return rng.random(size) < 0.5
    if dtype in FLOATS:
        drawn = rng.standard_normal(size, dtype)
        if scale := 0 if tame else rng.choice([0, 0, 2, math.log10(np.finfo(dtype).max) / 3]):
            exponents = np.clip(scale * rng.standard_normal(size), -300, 300)
            with np.errstate(all="ignore"):
                drawn = (drawn * 10**exponents).astype(dtype)
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        small = (max(low, -9), 9)
        drawn = rng.integers(*(small if tame or rng.random() < 0.5 else (low, high)), size, dtype, endpoint=True)
    if tame:
        return drawn
    specials = rng.choice(special_values(dtype), size)
    return np.where(rng.random(size) < rng.choice([0, 0.1, 0.5]), specials, drawn)


# Operands and calls ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Operand:
    """A view and the contents of its whole buffer."""

    layout: Layout
    data: np.ndarray

    def _repr_pretty_(self, printer, cycle):
        """Keep Hypothesis' report of a failure short."""
        shown = self.data.tolist() if self.data.size <= 16 else "..."
        printer.text(f"Operand({self.data.dtype}, {self.layout}, {shown})")

    @property
    def elements(self):
        """The elements of the view."""
        return self.data[self.layout.positions()]

    def on(self, device):
        """Return this operand as a View of `device`."""
        handle = device.Array(self.layout.size, str(self.data.dtype))
        device.from_numpy(self.data, device.View(handle, (self.layout.size,), (1,), 0))
        return device.View(handle, self.layout.shape, self.layout.strides, self.layout.offset)


@dataclass(frozen=True)
class Call:
    """A kernel and its operands, of which it writes to the last `outputs` (`fill` to the first)."""

    kernel: str
    operands: tuple
    outputs: int = 1

    @property
    def outs(self):
        """The operands that are written to."""
        return self.operands[:1] if self.kernel == "fill" else self.operands[-self.outputs :]

    @property
    def out(self):
        """The last operand that is written to."""
        return self.outs[-1]

    def run(self, device):
        """Return what is in the whole buffer of `out` afterwards."""
        return self.run_all(device)[-1]

    def run_all(self, device):
        """Return the same for each of `outs`; check the versions, and that inputs are unchanged."""
        views = {id(x): x.on(device) for x in self.operands if isinstance(x, Operand)}
        versions = {key: view.version for key, view in views.items()}
        getattr(device, self.kernel)(*(views.get(id(x), x) for x in self.operands))
        buffers = {key: buffer_of(device, view) for key, view in views.items()}
        for x in self.operands:
            if isinstance(x, Operand):
                raised = views[id(x)].version - versions[id(x)]
                written = any(x is out for out in self.outs)
                assert raised == written, f"{self.kernel} raised a version by {raised}"
                assert written or same_bits(buffers[id(x)], x.data).all(), f"{self.kernel} changed an input"
        return [buffers[id(out)] for out in self.outs]


def buffer_of(device, view):
    """Return all elements of the buffer of a view."""
    return device.to_numpy(device.View(view.handle, (view.handle.size,), (1,), 0))


def same_bits(a, b):
    """Return where two arrays agree bit for bit; one NaN is as good as another."""
    assert a.dtype == b.dtype and a.shape == b.shape
    if a.dtype.kind != "f":
        return a == b
    integers = f"i{a.itemsize}"
    return (a.view(integers) == b.view(integers)) | (np.isnan(a) & np.isnan(b))


# Strategies -----------------------------------------------------------------------------------------------------------

# Hypothesis chooses (and simplifies) the dtype, the number of axes and the kinds of layout; the numbers come from a
# generator whose seed it chooses, as a choice of Hypothesis' own costs a hundred times as much.

generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)

EXTENTS = (1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 16, 17, 33, 67, 130)


def draw_shape(draw, rng, axes=range(7), limit=2000):
    """Draw a shape of up to `limit` elements, one in ten without any."""
    shape = rng.choice(EXTENTS, draw(st.sampled_from(axes))).tolist()
    while math.prod(shape) > limit:
        shape[shape.index(max(shape))] //= 2
    if shape and rng.random() < 0.1:
        shape[rng.integers(len(shape))] = 0
    return tuple(shape)


def operand(draw, shape, dtype, rng, *, tame=False, out=False):
    """Draw an operand; one that is written to never broadcasts."""
    kind = draw(st.sampled_from(KINDS)) - ({"broadcast"} if out else set())
    place = layout(shape, kind, rng)
    return Operand(place, values(place.size, dtype, rng, tame))


@st.composite
def elementwise_calls(draw, kernel, inputs):
    """Draw calls of a kernel with `inputs` operands of one shape and dtype (or a Python number for the second)."""
    rng, dtype = draw(generators), draw(st.sampled_from(dtypes_of(kernel)))
    shape = draw_shape(draw, rng)
    compares = kernel.split("_")[1] in COMPARISONS
    out_dtype = dtype if not compares or dtype == "float64" else "float32"
    in_place = dtype == out_dtype and rng.random() < 0.3
    operands = [operand(draw, shape, dtype, rng, out=in_place) for _ in range(inputs)]
    if inputs == 2 and rng.random() < 0.1:
        operands[1] = operands[0]
    out = operands[rng.integers(inputs)] if in_place else operand(draw, shape, out_dtype, rng, out=True)
    if kernel.startswith("scalar_"):
        operands.append(rng.choice(values(8, dtype, rng)).item())
    if kernel.endswith("power") and dtype not in FLOATS:
        _make_exponents_positive(kernel, operands)
    return Call(kernel, (*operands, out))


def _make_exponents_positive(kernel, operands):
    """Integers have no negative powers."""
    position = 0 if kernel == "scalar_rpower" else 1
    if isinstance(operands[position], Operand):
        exponents = operands[position].data
        np.abs(np.where(exponents == np.iinfo(exponents.dtype).min, 0, exponents), out=exponents)
    else:
        operands[position] = abs(operands[position]) % 100


@st.composite
def where_calls(draw):
    """Draw calls of `where`, now and then in place."""
    rng, dtype = draw(generators), draw(st.sampled_from(ALL))
    shape, in_place = draw_shape(draw, rng), rng.random() < 0.3
    condition = operand(draw, shape, "bool", rng)
    a, b = (operand(draw, shape, dtype, rng, out=in_place) for _ in range(2))
    out = (a, b)[rng.integers(2)] if in_place else operand(draw, shape, dtype, rng, out=True)
    return Call("where", (condition, a, b, out))


@st.composite
def copy_calls(draw):
    """Draw copies from every dtype to every dtype; from a float to an integer, of floats that are in its range."""
    rng, source, target = draw(generators), draw(st.sampled_from(ALL)), draw(st.sampled_from(ALL))
    shape = draw_shape(draw, rng)
    a = operand(draw, shape, source, rng)
    if source in FLOATS and target not in (*FLOATS, "bool"):
        low, high = np.iinfo(target).min, np.iinfo(target).max
        limits = np.nextafter(np.array([low, high], source), 0)
        np.clip(np.nan_to_num(a.data, posinf=0, neginf=0), *limits, out=a.data)
    in_place = source == target and rng.random() < 0.1
    out = operand(draw, shape, target, rng, out=True)
    return Call("copy", (out, out) if in_place else (a, out))


@st.composite
def reduction_calls(draw, kernel):
    """Draw reductions over any axes; of the largest and the smallest, over at least one element."""
    rng, dtype = draw(generators), draw(st.sampled_from(ALL))
    shape = draw_shape(draw, rng)
    reduced = (rng.random(len(shape)) < 0.5).tolist()
    if kernel != "reduce_sum":
        reduced = [flag and extent > 0 for flag, extent in zip(reduced, shape)]
        if 0 in shape and all(extent or flag for extent, flag in zip(shape, reduced)):
            reduced = [False] * len(shape)
    out_shape = tuple(1 if flag else extent for flag, extent in zip(reduced, shape))
    sums_to = dtype if dtype in FLOATS else "int64"
    out_dtype = {"reduce_sum": sums_to, "reduce_argmax": "int64"}.get(kernel, dtype)
    a = operand(draw, shape, dtype, rng, tame=kernel == "reduce_sum" and dtype in FLOATS)
    if kernel == "reduce_sum" and dtype in FLOATS and rng.random() < 0.5:
        a.data[rng.random(a.data.size) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    return Call(kernel, (a, operand(draw, out_shape, out_dtype, rng, out=True)))


@st.composite
def logsumexp_calls(draw):
    """Draw calls of `logsumexp` over any axes."""
    rng, dtype = draw(generators), draw(st.sampled_from(FLOATS))
    shape = draw_shape(draw, rng)
    out_shape = tuple(1 if rng.random() < 0.5 else extent for extent in shape)
    a = operand(draw, shape, dtype, rng, tame=rng.random() < 0.5)
    return Call("logsumexp", (a, operand(draw, out_shape, dtype, rng, out=True)))


@st.composite
def softmax_calls(draw):
    """Draw calls of `softmax`."""
    rng, dtype = draw(generators), draw(st.sampled_from(FLOATS))
    shape = draw_shape(draw, rng, axes=range(1, 7))
    a = operand(draw, shape, dtype, rng, tame=rng.random() < 0.5)
    return Call("softmax", (a, operand(draw, shape, dtype, rng, out=True)))


#: How many arrays, numbers and outputs the kernels of the optimizers take; the last number is the weight decay.
OPTIMIZERS = {"sgd_plain": (2, 2, 1), "sgd": (3, 3, 2), "adam": (4, 5, 3)}


@st.composite
def optimizer_calls(draw, kernel):
    """Draw steps of an optimizer, half of them without weight decay."""
    rng, dtype = draw(generators), draw(st.sampled_from(FLOATS))
    arrays, numbers, outputs = OPTIMIZERS[kernel]
    shape, tame = draw_shape(draw, rng), rng.random() < 0.5
    inputs = [operand(draw, shape, dtype, rng, tame=tame) for _ in range(arrays)]
    weights = [*rng.random(numbers - 1).tolist(), float(rng.choice([0, 0.01]))]
    outs = [operand(draw, shape, dtype, rng, out=True) for _ in range(outputs)]
    return Call(kernel, (*inputs, *weights, *outs), outputs)


@st.composite
def matmul_calls(draw):
    """Draw matrix products and stacks of them."""
    rng, dtype = draw(generators), draw(st.sampled_from(dtypes_of("matmul")))
    batch = draw_shape(draw, rng, axes=range(5), limit=12)
    m, k, n = rng.choice([0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 48], 3).tolist()
    a, b = (operand(draw, (*batch, *shape), dtype, rng, tame=True) for shape in ((m, k), (k, n)))
    if dtype in FLOATS and rng.random() < 0.5:
        a.data[rng.random(a.data.size) < 0.02] = rng.choice([np.nan, np.inf])
    return Call("matmul", (a, b, operand(draw, (*batch, m, n), dtype, rng, out=True)))


@st.composite
def indexing_calls(draw, kernel):
    """Draw calls of `gather` and `scatter_add` with indices that repeat."""
    rng, dtype = draw(generators), draw(st.sampled_from(ALL))
    shape = draw_shape(draw, rng, axes=range(1, 7))
    axis = int(rng.integers(len(shape)))
    count = int(rng.integers(20)) if shape[axis] else 0
    chosen = (*shape[:axis], count, *shape[axis + 1 :])
    indices = operand(draw, (count,), "int64", rng)
    indices.data[:] = rng.integers(0, max(shape[axis], 1), indices.data.size)
    a_shape, out_shape = (shape, chosen) if kernel == "gather" else (chosen, shape)
    return Call(
        kernel, (operand(draw, a_shape, dtype, rng), indices, axis, operand(draw, out_shape, dtype, rng, out=True))
    )


@st.composite
def one_hot_calls(draw):
    """Draw calls of `set_one_hot`: indices of any dtype."""
    rng, dtype, index_dtype = draw(generators), draw(st.sampled_from(ALL)), draw(st.sampled_from(ALL))
    count = int(rng.integers(20))
    classes = int(rng.integers(1 if count else 0, 20))
    indices = operand(draw, (count,), index_dtype, rng)
    indices.data[:] = rng.integers(0, max(classes if index_dtype != "bool" else min(classes, 2), 1), indices.data.size)
    return Call("set_one_hot", (indices, operand(draw, (count, classes), dtype, rng, out=True)))


@st.composite
def fill_calls(draw):
    """Draw calls of `fill` with a number that the dtype can hold."""
    rng, dtype = draw(generators), draw(st.sampled_from(ALL))
    shape = draw_shape(draw, rng)
    out = operand(draw, shape, dtype, rng, out=True)
    value = rng.choice(values(8, dtype, rng)).item()
    return Call("fill", (out, value))


@st.composite
def from_numpy_calls(draw):
    """Draw calls of `from_numpy` with NumPy arrays of any strides, read-only ones among them."""
    rng, dtype = draw(generators), draw(st.sampled_from(ALL))
    shape = draw_shape(draw, rng)
    a = np.transpose(values(2 * math.prod(shape), dtype, rng).reshape(*shape[::-1], 2)[..., 1])
    a.flags.writeable = rng.random() < 0.5
    return Call("from_numpy", (a, operand(draw, shape, dtype, rng, out=True)))
