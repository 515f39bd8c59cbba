"""The pass `fuse_elementwise`: elementwise steps that follow each other become one pass over memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from .numbers import Slot
from .program import Chain, Instruction, Operand, Program, with_instructions

UNARY = ("neg", "abs", "sign", "relu", "log", "exp", "tanh", "sqrt", "sin", "cos", "sigmoid")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "eq", "ne", "ge", "gt", "le", "lt")

#: The kernels that a chain may have as a step: not powers, which look at the exponent, nor ``where``, of two dtypes.
STEPS = {f"ewise_{name}" for name in (*UNARY, *BINARY)}
STEPS |= {f"scalar_{name}" for name in (*BINARY, "rsub", "rdiv")}

#: Inputs and steps that one chain may have together.
MOST_VALUES = 32


@dataclass
class Group:
    """Instructions that may be done together, at the place of the last; nothing in between stands in the way.

    Attributes
    ----------
    shape, dtype
        Of all operands.
    members : list of int
        Which instructions.
    reads : set of int
        The buffers that they read.
    writes : dict of int to Operand
        The buffers that they write, each with the view that is written.
    values : int
        How many arguments they have together.
    """

    shape: tuple[int, ...]
    dtype: str
    members: list[int] = field(default_factory=list)
    reads: set[int] = field(default_factory=set)
    writes: dict[int, Operand] = field(default_factory=dict)
    values: int = 0

    def stands_before(self, instruction: Instruction) -> bool:
        """Whether the group must be done before `instruction` is.

        It is, if the instruction reads what the group writes, or writes what the group reads or writes.
        """
        written = instruction.writes()
        return not self.writes.keys().isdisjoint(instruction.reads() | written) or not self.reads.isdisjoint(written)

    def feeds(self, instruction: Instruction) -> bool:
        """Whether `instruction` may be one step more: it reads results, and all that it reads as they were written."""
        results = [x for x in instruction.inputs if x.buffer in self.writes]
        return bool(results) and all(x == self.writes[x.buffer] for x in results)


def fuse_elementwise(program: Program) -> Program:
    """Make one ``chain`` of elementwise instructions of one shape of which each reads what another one computes.

    What nobody else reads is never written to memory.
    """
    chains: dict[int, Instruction] = {}
    fused: set[int] = set()
    readers: dict[int, set[int]] = {buffer: {-1} for buffer in program.used()}  # -1: somebody outside
    for i, instruction in enumerate(program.instructions):
        for buffer in instruction.reads():
            readers.setdefault(buffer, set()).add(i)
    for group in _groups(program):
        if len(group.members) > 1:
            chains[group.members[-1]] = _chain(program, group, readers)
            fused |= set(group.members)
    kept = [chains.get(i, x) for i, x in enumerate(program.instructions) if i in chains or i not in fused]
    return with_instructions(program, kept)


def _groups(program: Program) -> list[Group]:
    """Part the steps of a program into groups.

    One instruction after the other: a step begins a group of its own, and joins those groups to it that it is fed by
    and that have its shape and dtype, as long as there are at most `MOST_VALUES` values together. Then all other groups
    that must be done before this instruction have ended, whether it is a step or not; the others may grow on.
    """
    writers = Counter(buffer for instruction in program.instructions for buffer in instruction.writes())
    growing: list[Group] = []
    done: list[Group] = []
    for i, instruction in enumerate(program.instructions):
        own: Group | None = None
        if is_step(program, instruction, writers):
            out = instruction.outputs[0]
            dtype = program.buffers[out.buffer].dtype
            feeding = [g for g in growing if (g.shape, g.dtype) == (out.shape, dtype) and g.feeds(instruction)]
            own = Group(out.shape, dtype)
            for group in feeding:
                if own.values + group.values + len(instruction.arguments) <= MOST_VALUES:
                    _join(own, group)
                    growing.remove(group)
            own.members = [*sorted(own.members), i]
            own.reads |= instruction.reads()
            own.writes[out.buffer] = out
            own.values += len(instruction.arguments)
        ready = [g for g in growing if g.stands_before(instruction)]
        growing = [g for g in growing if g not in ready]
        done += ready
        if own is not None:
            growing.append(own)
    return done + growing


def _join(group: Group, other: Group) -> None:
    """Add one group to another."""
    group.members += other.members
    group.reads |= other.reads
    group.writes |= other.writes
    group.values += other.values


def is_step(program: Program, instruction: Instruction, writers: Counter[int]) -> bool:
    """Whether an instruction may be a step of a chain.

    Its kernel is one of `STEPS`. Its output is compact, float32 or float64, of two elements at least; the buffer is no
    input of the program, is written by nobody else (`writers` counts the instructions that write to each buffer), and
    not read by the instruction itself. Its inputs have the shape and the dtype of the output, and each `repeats`.
    """
    if instruction.kernel not in STEPS:
        return False
    (out,) = instruction.outputs
    memory = program.buffers[out.buffer]
    if memory.role == "input" or writers[out.buffer] != 1 or out.buffer in instruction.reads():
        return False
    if memory.dtype not in ("float32", "float64") or not out.is_compact or out.size in (0, 1):
        return False
    operands = instruction.inputs
    one_dtype = all(program.buffers[x.buffer].dtype == memory.dtype for x in operands)
    return one_dtype and all(x.shape == out.shape and repeats(x) for x in operands)


def repeats(x: Operand) -> bool:
    """Whether a view is one block of memory, read over and over: compact axes behind axes of stride 0.

    Either kind may be missing; an axis of extent 1 is of both kinds, whatever its stride. The offset does not matter.
    """
    period, axes = 1, [(n, stride) for n, stride in zip(x.shape, x.strides) if n != 1]
    while axes and axes[-1][1] == period:
        period *= axes.pop()[0]
    return all(stride == 0 for _, stride in axes)


def _chain(program: Program, group: Group, readers: dict[int, set[int]]) -> Instruction:
    """One instruction for the members of a group: see `Chain` for its arguments.

    The inputs are what members read and no member computes, each operand once; the outputs are those results that
    somebody else reads: `readers` has for each buffer the instructions that read it, and -1 for somebody outside.
    """
    members = [program.instructions[i] for i in group.members]
    inputs: list[Operand | Slot | float] = []
    for member in members:
        for x in member.arguments[:-1]:
            known = isinstance(x, Operand) and (x.buffer in group.writes or x in inputs)
            if not known:
                inputs.append(x)
    number: dict[int, int] = {}
    numbers = iter(i for i, x in enumerate(inputs) if not isinstance(x, Operand))
    steps: list[tuple[str, tuple[int, ...]]] = []
    for member in members:
        values = []
        for x in member.arguments[:-1]:
            if not isinstance(x, Operand):
                values.append(next(numbers))
            else:
                values.append(number[x.buffer] if x.buffer in number else inputs.index(x))
        number[member.outputs[0].buffer] = len(inputs) + len(steps)
        steps.append((member.kernel, tuple(values)))
    results = [x.outputs[0] for x in members]
    outputs = [x for x in results if not readers.get(x.buffer, set()) <= set(group.members)]
    chain = Chain(len(inputs), tuple(steps), tuple(number[x.buffer] for x in outputs))
    return replace(members[-1], kernel="chain", arguments=(chain, *inputs, *outputs))
