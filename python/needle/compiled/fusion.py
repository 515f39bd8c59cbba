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
    """Instructions that may be done together, at the place of the last; nothing in between stands in the way."""

    shape: tuple[int, ...]
    dtype: str
    members: list[int] = field(default_factory=list)
    reads: set[int] = field(default_factory=set)
    writes: dict[int, Operand] = field(default_factory=dict)
    values: int = 0

    def stands_before(self, instruction: Instruction) -> bool:
        """Whether the group must be done before `instruction` is."""
        written = instruction.writes()
        return not self.writes.keys().isdisjoint(instruction.reads() | written) or not self.reads.isdisjoint(written)

    def feeds(self, instruction: Instruction) -> bool:
        """Whether `instruction` may be one step more: it reads results, and those as they were written."""
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
    writers = Counter(buffer for instruction in program.instructions for buffer in instruction.writes())
    growing: list[Group] = []
    done: list[Group] = []
    for i, instruction in enumerate(program.instructions):
        own: Group | None = None
        if _is_step(program, instruction, writers):
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
    group.members += other.members
    group.reads |= other.reads
    group.writes |= other.writes
    group.values += other.values


def _is_step(program: Program, instruction: Instruction, writers: Counter[int]) -> bool:
    """Whether an instruction may be a step of a chain."""
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
    return one_dtype and all(x.shape == out.shape and _repeats(x) for x in operands)


def _repeats(x: Operand) -> bool:
    """Whether a view is compact, or broadcast along its first axes and compact along the others."""
    period, axes = 1, [(n, stride) for n, stride in zip(x.shape, x.strides) if n != 1]
    while axes and axes[-1][1] == period:
        period *= axes.pop()[0]
    return all(stride == 0 for _, stride in axes)


def _chain(program: Program, group: Group, readers: dict[int, set[int]]) -> Instruction:
    """One instruction for the members of a group, which writes what others read."""
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
