"""`summary`: the layers of a model in the order in which they are called, with shapes, parameters and flops.

The model is called once in lazy mode, on an input that has a shape and no elements, while a listener writes down what
is made in which module. So nothing is computed, however large the model is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..autograd import Spec, Tensor, TensorOp, TensorTuple
from ..backend_selection import as_array, default_device
from ..listening import Listener, listening
from ..modes import lazy_mode
from ..nn.module import Module, Parameter
from ..recording import trying_out
from .flops import flops_of
from .records import cut

#: How wide `Summary` prints.
WIDTH = 80


@dataclass
class Row:
    """One call of a module.

    Attributes
    ----------
    path : str
        Where the module is in the model, as in ``modules.0.fn``; empty for the model itself.
    kind : str
        Its class.
    name : str
        The part of the path that the module being called around it does not have.
    depth : int
        How many modules were being called around it.
    output_shape : tuple or None
        Of the tensor that it gave; a tuple of shapes for several tensors, None for what is no tensor.
    parameters : int
        Elements of its own parameters: those of its children have rows of their own, and what an earlier row has
        counted (a module that is called twice, a shared parameter) is not counted again.
    parameter_bytes : int
        What they take in memory.
    flops : int
        Of its own operators, without those of its children; see `flops_of`.
    again : bool
        Whether an earlier row is about the same module.
    """

    path: str
    kind: str
    name: str
    depth: int
    output_shape: Any = None
    parameters: int = 0
    parameter_bytes: int = 0
    flops: int = 0
    again: bool = False


@dataclass
class Summary:
    """What `summary` gives: a table that prints itself, and whose `rows` can be asked.

    Attributes
    ----------
    rows : list of Row
        One per call of a module, in the order of the calls.
    input_shapes : tuple of tuple
        What the model was given.
    parameters, parameter_bytes : int
        Of the whole model, each parameter once, whether or not its module was called.
    unused : dict of str to int
        The modules that were not called but have parameters, and how many elements these have.
    on_zeros : bool
        Whether the model asked for values, and got those for an input of zeros.
    """

    rows: list[Row]
    input_shapes: tuple[Any, ...]
    parameters: int
    parameter_bytes: int
    unused: dict[str, int] = field(default_factory=dict)
    on_zeros: bool = False

    @property
    def flops(self) -> int:
        """Floating point operations of one forward pass."""
        return sum(row.flops for row in self.rows)

    def __getitem__(self, path: str) -> Row:
        """The row of the first call of the module at `path`."""
        for row in self.rows:
            if row.path == path:
                return row
        raise KeyError(f"no module {path!r} was called; there are {', '.join(repr(row.path) for row in self.rows)}")

    def __str__(self) -> str:
        lines = _table([("layer", "class", "output", "parameters", "flops"), *map(_cells, self.rows)])
        rule = "-" * WIDTH
        lines = [lines[0], rule, *lines[1:], rule]
        shapes = ", ".join(map(str, self.input_shapes))
        lines.append(cut(f"input {shapes}", WIDTH))
        lines.append(f"{self.parameters:,} parameters ({_bytes(self.parameter_bytes)}), {self.flops:,} flops forward")
        for path, n in self.unused.items():
            lines.append(cut(f"not called: {path or 'the model'} ({n:,} parameters)", WIDTH))
        if self.on_zeros:
            lines.append("the model asked for values: they are those for an input of zeros")
        return "\n".join(lines)

    __repr__ = __str__


def summary(model: Module, input_shape: Any) -> Summary:
    """List the layers of `model` in call order: shape of the output, parameters, flops.

    Parameters
    ----------
    model : Module
        Is left as it was: nothing is computed, random generators and running statistics stay, and attributes that its
        modules set while they are called are put back.
    input_shape : tuple of int, Tensor, or tuple of these
        Shape of the input, with the batch, as in ``(1, 784)``; several for a model that takes several. A Tensor stands
        for itself, where values matter (indices, say); of others only the shape is known.

    Returns
    -------
    Summary
        Prints as a table of 80 columns; its `rows` can be asked.

    Raises
    ------
    TypeError
        If `model` is no module, or `input_shape` no shape.

    Notes
    -----
    A model that asks for values, because it branches on them or writes them into a buffer, gets what they are for an
    input of zeros; the summary then says so.
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: the first argument must be a Module, not a {type(model).__name__}")
    inputs = _inputs(model, input_shape)
    unknown = [x.op for x in inputs if isinstance(x.op, Unknown)]
    observer = _Observer(model)
    with _untouched(model), lazy_mode(), listening(observer):
        model(*inputs)
    parameters = model.parameters()
    return Summary(
        observer.rows,
        tuple(x.shape for x in inputs),
        sum(p.size for p in parameters),
        sum(_bytes_of(p) for p in parameters),
        observer.unused(),
        any(op.asked for op in unknown),
    )


class Unknown(TensorOp):
    """Makes the input of a model, of which only the shape is known: zeros, if somebody asks."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.asked = False

    def compute(self, *arrays: Any) -> Any:
        """Zeros."""
        self.asked = True
        shape, dtype, device = self.spec
        return as_array(np.zeros(shape, dtype), device=device, dtype=dtype)


class _Observer(Listener):
    """Opens a row when a module is entered, and adds what is made to the row of the innermost module."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.names = {id(module): name for name, module in model.named_modules()}
        self.own = _parameters_by_module(model)
        self.rows: list[Row] = []
        self.open: list[Row] = []
        self.called: Counter[int] = Counter()

    def entered(self, module: Any) -> None:
        path = self.names.get(id(module), "(made in forward)")
        around = f"{self.open[-1].path}." if self.open and self.open[-1].path else ""
        row = Row(path, type(module).__name__, path.removeprefix(around) or "(model)", len(self.open))
        row.again = self.called[id(module)] > 0
        if not row.again:
            own = self.own.get(id(module), [])
            row.parameters, row.parameter_bytes = sum(p.size for p in own), sum(map(_bytes_of, own))
        self.called[id(module)] += 1
        self.rows.append(row)
        self.open.append(row)

    def left(self, module: Any, output: Any) -> None:
        self.open.pop().output_shape = _shape(output)

    def made(self, node: Any, op: Any, inputs: Any) -> None:
        if self.open:
            self.open[-1].flops += flops_of(op, inputs, node)

    def unused(self) -> dict[str, int]:
        """The modules with parameters that nobody called, and the number of elements of these."""
        modules = {name: id(module) for name, module in self.model.named_modules()}
        own = {name: sum(p.size for p in self.own[key]) for name, key in modules.items() if not self.called[key]}
        return {name: n for name, n in own.items() if n}


def _parameters_by_module(model: Module) -> dict[int, list[Parameter]]:
    """The parameters of each module that it holds itself: each parameter once, where it is met first."""
    modules = dict(model.named_modules())
    own: dict[int, list[Parameter]] = {id(module): [] for module in modules.values()}
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        holder = next(p for n in range(len(parts) - 1, -1, -1) if (p := ".".join(parts[:n])) in modules)
        own[id(modules[holder])].append(parameter)
    return own


@contextmanager
def _untouched(model: Module) -> Iterator[None]:
    """After the block all modules and random draws are as they were."""
    before = [(module, dict(vars(module))) for _, module in model.named_modules()]
    data = [(x, x.cached_data) for x in (*model.parameters(), *(b for _, b in model.named_buffers()))]
    random = np.random.get_state()
    try:
        with trying_out():
            yield
    finally:
        np.random.set_state(random)
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
        for x, array in data:
            if x.cached_data is not array:
                x.cached_data = array


def _inputs(model: Module, given: Any) -> tuple[Any, ...]:
    """Nodes without data for the shapes that are given; Tensors as they are."""
    several = isinstance(given, (tuple, list)) and any(isinstance(x, (tuple, list, Tensor)) for x in given)
    like = next(iter(model.parameters()), None)
    dtype, device = ("float32", default_device()) if like is None else (like.dtype, like.device)
    nodes = []
    for item in given if several else (given,):
        if isinstance(item, Tensor):
            nodes.append(item)
            continue
        if not isinstance(item, (tuple, list)) or not all(isinstance(n, (int, np.integer)) and n >= 0 for n in item):
            raise TypeError(f"summary: a shape is a tuple of extents, such as (1, 784), and not {item!r}")
        node = Tensor.__new__(Tensor)
        node.recorded_spec = Spec(tuple(map(int, item)), dtype, device)
        node.op = Unknown(node.recorded_spec)
        nodes.append(node)
    return tuple(nodes)


def _shape(output: Any) -> Any:
    if isinstance(output, (Tensor, TensorTuple)):
        return output.shape
    return tuple(map(_shape, output)) if isinstance(output, (tuple, list)) else None


def _bytes_of(tensor: Tensor) -> int:
    return int(tensor.size * np.dtype(tensor.dtype).itemsize)


def _cells(row: Row) -> tuple[str, ...]:
    name = "  " * row.depth + row.name + (" again" if row.again else "")
    shape = "-" if row.output_shape is None else str(row.output_shape)
    return name, row.kind, shape, _count(row.parameters), _count(row.flops)


def _table(lines: list[tuple[str, ...]]) -> list[str]:
    """The lines in columns: numbers as wide as they are, the layer's name with what is left of the width."""
    widths = [min(max(len(line[i]) for line in lines), most) for i, most in enumerate((WIDTH, 14, 20, 13, 13))]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 4)
    spare = WIDTH - sum(widths) - 4
    widths[0] += spare
    return [
        " ".join(map(_fitted, line, widths, (str.ljust, str.ljust, str.ljust, str.rjust, str.rjust))) for line in lines
    ]


def _fitted(text: str, width: int, aligned: Any) -> str:
    return str(aligned(cut(text, width), width))


def _count(n: int) -> str:
    if n == 0:
        return "-"
    for power, unit in ((12, "T"), (9, "G")):
        if n >= 10**power:
            return f"{n / 10**power:.2f} {unit}"
    return f"{n:,}"


def _bytes(n: int) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if n >= 1024**power:
            return f"{n / 1024**power:.1f} {unit}"
    return f"{n} bytes"
