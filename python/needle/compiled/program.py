"""`Program`: a flat list of kernel calls over buffers, which can be printed, improved by passes, and replayed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .. import trees
from .numbers import Tape

#: Which operands a kernel writes to; of all others it is the last.
OUTPUTS = {"fill": (0,), "sgd": (-2, -1), "adam": (-3, -2, -1), "moments": (-2, -1)}
OUTPUTS |= {"layer_norm_gradient": (-3, -2, -1), "batch_norm_gradient": (-3, -2, -1)}

#: Kernels that add to what is in their output.
ACCUMULATING = {"scatter_add"}


class Chain(NamedTuple):
    """The steps of the kernel ``chain``; its other arguments are the inputs, then the outputs.

    Attributes
    ----------
    inputs : int
        How many inputs there are; each is an operand or a number. They are values 0, 1, ...
    steps : tuple of (str, tuple of int)
        The name of an elementwise kernel, and the numbers of the values that it takes; its result is the next value.
    outputs : tuple of int
        The values that are written to the outputs.
    """

    inputs: int
    steps: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[int, ...]


def output_positions(kernel: str, arguments: Sequence[Any]) -> tuple[int, ...]:
    """Which of its arguments a kernel writes to, counted from 0.

    `OUTPUTS` counts from the end where it is negative; the outputs of a ``chain`` are its last arguments, as many as
    its `Chain`, the first argument, says.
    """
    count = len(arguments)
    if kernel == "chain":
        return tuple(range(count - len(arguments[0].outputs), count))
    return tuple(i % count for i in OUTPUTS.get(kernel, (-1,)))


class Operand(NamedTuple):
    """A view of a buffer: shape, strides and offset, in elements."""

    buffer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def size(self) -> int:
        """Number of elements: the product of the extents, 1 without axes."""
        return math.prod(self.shape)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last position in the buffer of a view that has elements; strides may be negative."""
        reach = [(n - 1) * stride for n, stride in zip(self.shape, self.strides)]
        return self.offset + sum(min(0, r) for r in reach), self.offset + sum(max(0, r) for r in reach)

    @property
    def is_compact(self) -> bool:
        """Whether the elements lie in row-major order without gaps, from the beginning of the buffer.

        The stride of an axis of extent 1 does not matter.
        """
        expected, step = [], 1
        for extent in reversed(self.shape):
            expected.append(step)
            step *= extent
        strides = [s for s, n in zip(self.strides, self.shape) if n != 1]
        return self.offset == 0 and strides == [s for s, n in zip(reversed(expected), self.shape) if n != 1]

    def __str__(self) -> str:
        return f"%{self.buffer}{list(self.shape)}"


@dataclass(frozen=True)
class Instruction:
    """One kernel call. Arguments are views, plain numbers, and slots of the tape."""

    kernel: str
    arguments: tuple[Any, ...]
    line: str = ""

    @property
    def outputs(self) -> tuple[Operand, ...]:
        """The views that are written to, in order."""
        return tuple(self.arguments[i] for i in output_positions(self.kernel, self.arguments))

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The views that are read, in order; also the output of a kernel that adds to what is there."""
        written = output_positions(self.kernel, self.arguments) if self.kernel not in ACCUMULATING else ()
        return tuple(x for i, x in enumerate(self.arguments) if isinstance(x, Operand) and i not in written)

    def reads(self) -> set[int]:
        """The buffers that are read."""
        return {x.buffer for x in self.inputs}

    def writes(self) -> set[int]:
        """The buffers that are written to."""
        return {x.buffer for x in self.outputs}

    def with_buffers(self, new: dict[int, int]) -> Instruction:
        """The same call with other buffers in the place of some."""
        arguments = tuple(
            x._replace(buffer=new.get(x.buffer, x.buffer)) if isinstance(x, Operand) else x for x in self.arguments
        )
        return replace(self, arguments=arguments)

    @property
    def flops(self) -> int:
        """Additions and multiplications of a product; else one for each element of the largest input, for each step."""
        if self.kernel.startswith("matmul"):
            return 2 * self.outputs[0].size * self.inputs[0].shape[-1]
        if self.kernel == "chain":
            return len(self.arguments[0].steps) * self.outputs[0].size
        return 0 if self.kernel in ("fill", "copy", "from_numpy") else max((x.size for x in self.inputs), default=0)

    def __str__(self) -> str:
        written = output_positions(self.kernel, self.arguments)
        if self.kernel == "chain":
            return f"{', '.join(map(str, self.outputs))} = chain({self._chain_shown()})"
        shown = [_shown(x) for i, x in enumerate(self.arguments) if i not in written]
        return f"{', '.join(map(str, self.outputs))} = {self.kernel}({', '.join(shown)})"

    def _chain_shown(self) -> str:
        """The steps of a chain: ``t3`` is a result that goes nowhere else."""
        chain, *operands = self.arguments
        names = [f"%{x.buffer}" if isinstance(x, Operand) else _shown(x) for x in operands[: chain.inputs]]
        written = {value: f"%{out.buffer}" for value, out in zip(chain.outputs, self.outputs)}
        steps = []
        for i, (kernel, values) in enumerate(chain.steps):
            call = f"{kernel.removeprefix('ewise_')}({', '.join(names[value] for value in values)})"
            names.append(written.get(len(names), f"t{i}"))
            steps.append(f"{names[-1]} = {call}")
        return "; ".join(steps)


@dataclass(frozen=True)
class Buffer:
    """Memory of a program.

    Attributes
    ----------
    role : str
        ``input``: of an argument or a captured tensor, bound anew at each replay; ``output``: leaves the program;
        ``constant``: the same at every replay; ``temporary``: planned by `passes.plan_memory`.
    """

    dtype: str
    size: int
    role: str
    name: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return self.size * np.dtype(self.dtype).itemsize


@dataclass
class Source:
    """A tensor that a program reads or changes: an argument, or one that the function captured.

    Attributes
    ----------
    name : str
    position : int or None
        Which tensor among the arguments; None for a captured one.
    tensor : Tensor or None
        The captured tensor itself.
    shape, strides, dtype, offset
        Of its data when it was recorded; shape, strides and dtype must be the same at a replay.
    buffer : int or None
        The buffer of the program that its memory takes the place of.
    in_place : bool
        Whether kernels write its new data over the old.
    """

    name: str
    position: int | None
    tensor: Any
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    offset: int
    buffer: int | None = None
    in_place: bool = False

    def __str__(self) -> str:
        return self.name


class Effect(NamedTuple):
    """What a call leaves behind on a tensor: its new data, or its new gradient (None for none)."""

    source: int
    attribute: str
    value: Operand | None


@dataclass(repr=False)
class Program:
    """A recorded function.

    Attributes
    ----------
    name : str
        Of the function.
    instructions : list of Instruction
    buffers : dict of int to Buffer
    tape : Tape
        What happens in Python at each replay.
    effects : list of Effect
    result : Any
        What the function returned, with an `Operand` or a `Source` in the place of each tensor.
    sources : list of Source
        The tensors that it reads or changes.
    setup : list of Instruction
        What is done once, before the first replay.
    places : dict of int to int
        For temporary buffers, which piece of memory each lies in: `passes.plan_memory` finds it.
    """

    name: str
    instructions: list[Instruction]
    buffers: dict[int, Buffer]
    tape: Tape
    effects: list[Effect] = field(default_factory=list)
    result: Any = None
    sources: list[Source] = field(default_factory=list)
    setup: list[Instruction] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    history: list[tuple[str, Program]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<program {self.name!r}: {len(self.instructions)} instructions, {len(self.buffers)} buffers>"

    @property
    def captured(self) -> set[Any]:
        """The captured tensors among its sources."""
        return {source.tensor for source in self.sources if source.position is None}

    @property
    def flops(self) -> int:
        """Floating-point operations of one replay, as `Instruction.flops` counts them."""
        return sum(instruction.flops for instruction in self.instructions)

    @property
    def nbytes(self) -> int:
        """Bytes that kernels read and write in one replay."""
        operands = [x for i in self.instructions for x in (*i.inputs, *i.outputs)]
        return sum(x.size * np.dtype(self.buffers[x.buffer].dtype).itemsize for x in operands)

    @property
    def memory(self) -> int:
        """Bytes of memory of its own: temporaries, after planning, constants and outputs."""
        own = sum(b.nbytes for i, b in self.buffers.items() if b.role in ("constant", "output"))
        pieces: dict[int, int] = {}
        for index, buffer in self.buffers.items():
            if buffer.role == "temporary":
                place = self.places.get(index, -1 - index)
                pieces[place] = max(pieces.get(place, 0), buffer.nbytes)
        return own + sum(pieces.values())

    def used(self) -> Iterator[int]:
        """The buffers that somebody outside sees, as operands of effects and in the result (see `leaves`)."""
        yield from (effect.value.buffer for effect in self.effects if effect.value is not None)
        yield from (x.buffer for x in leaves(self.result) if isinstance(x, Operand))

    def __str__(self) -> str:
        head = (
            f"Program {self.name}: {len(self.instructions)} instructions, {self.flops / 1e6:.3g} Mflop, "
            f"{self.nbytes / 1e6:.3g} MB read and written, {self.memory / 1e6:.3g} MB of memory"
        )
        lines = [head]
        lines += [f"  {step}" for step in self.tape.steps]
        named = {i: b for i, b in self.buffers.items() if b.role in ("input", "constant")}
        lines += [f"  %{i} {b.dtype} {b.role} {b.name}".rstrip() for i, b in named.items()]
        width = max((len(str(i)) for i in self.instructions), default=0)
        lines += [f"  {i!s:{min(width, 72)}}  # {i.line}" if i.line else f"  {i}" for i in self.instructions]
        for effect in self.effects:
            attribute = "grad" if effect.attribute == "grad" else "data"
            lines.append(f"  {self.sources[effect.source].name}.{attribute} <- {effect.value}")
        return "\n".join([*lines, f"  return {show(self.result)}"])

    def explain(self) -> str:
        """What the program was as it was recorded, and after each pass that changed it."""
        told: list[tuple[str, str]] = []
        for title, program in self.history:
            text = str(program)
            if not told or text != told[-1][1]:
                told.append((title, text))
        return "\n\n".join(f"{title}\n{text}" for title, text in told)


def with_instructions(program: Program, instructions: list[Instruction]) -> Program:
    """The program with other instructions, without the buffers that nobody needs any more.

    Needed are those that the instructions or the `setup` name, those of the sources, and those that are seen outside.
    """
    named = {b for i in (*program.setup, *instructions) for b in i.reads() | i.writes()} | set(program.used())
    named |= {source.buffer for source in program.sources if source.buffer is not None}
    buffers: dict[int, Buffer] = {i: b for i, b in program.buffers.items() if i in named}
    return replace(program, instructions=instructions, buffers=buffers)


def _shown(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        return f"array{list(argument.shape)}"
    return f"{argument:g}" if isinstance(argument, float) else str(argument)


def leaves(value: Any) -> Iterator[Any]:
    """What is in nested tuples, lists and dicts; operands are not looked into."""
    return trees.leaves(value, (Operand,))


def rebuilt(value: Any, leaf: Any) -> Any:
    """The same nesting with ``leaf(x)`` in the place of each x in it; operands are not looked into."""
    return trees.rebuilt(value, leaf, (Operand,))


def show(value: Any) -> str:
    """A result in one line."""
    return str(rebuilt(value, str)).replace("'", "")
