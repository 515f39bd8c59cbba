"""Comparing the recordings of a function's first two calls: what differs would be frozen by a replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np

from .program import Instruction, Operand, Program, Source, rebuilt
from .recorder import CompileError


def assert_alike(first: Program, second: Program) -> None:
    """Raise if the second call of a function did not do exactly what the first did; the message names the line."""
    bases = [{s.buffer: s.offset for s in program.sources} for program in (first, second)]
    for a, b in zip(first.instructions, second.instructions):
        if not _same_call(_relative(a, bases[0]), _relative(b, bases[1])):
            raise _frozen(first, f"{b.line}: the first call did\n    {a}\nthe second\n    {b}")
    if len(first.instructions) != len(second.instructions):
        longer = max(first.instructions, second.instructions, key=len)
        extra = longer[min(len(first.instructions), len(second.instructions))]
        raise _frozen(
            first,
            f"{extra.line}: the first call did {len(first.instructions)} kernel calls, the second "
            f"{len(second.instructions)}; the one too many is\n    {extra}",
        )
    for known, found in zip(_sources_of_calls(first), _sources_of_calls(second)):
        if known.position != found.position or known.tensor is not found.tensor:
            line = next(i.line for i in second.instructions if found.buffer in i.reads() | i.writes())
            raise _frozen(first, f"{line}: the first call read {known}, the second another tensor, {found}")
    for one, other in zip_longest(map(str, first.tape.steps), map(str, second.tape.steps)):
        if one != other:
            raise _frozen(
                first,
                f"a number that an optimizer holds went another way: the first call did\n    {one}\nthe second\n"
                f"    {other}\nOnly + - * / // % ** and comparisons can be followed: x ** 0.5, not math.sqrt(x)",
            )
    if _effects(first) != _effects(second) or _result(first) != _result(second):
        raise _frozen(first, "the two calls change or return other tensors")


def _frozen(program: Program, what: str) -> CompileError:
    return CompileError(
        f"{program.name} differs between its first two calls, and a compiled function repeats the first: {what}\n"
        "Pass what changes as a tensor, or assign it to the data of one tensor"
    )


def _relative(instruction: Instruction, bases: dict[int | None, int]) -> Instruction:
    """The call with offsets counted from where the tensor begins whose memory it is: a slice may begin elsewhere."""
    arguments = tuple(
        x._replace(offset=x.offset - bases.get(x.buffer, 0)) if isinstance(x, Operand) else x
        for x in instruction.arguments
    )
    return replace(instruction, arguments=arguments)


def _same_call(a: Instruction, b: Instruction) -> bool:
    if a.kernel != b.kernel or len(a.arguments) != len(b.arguments):
        return False
    return all(map(_same, a.arguments, b.arguments))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.tobytes() == b.tobytes()
    return type(a) is type(b) and (a == b or (a != a and b != b))


def _sources_of_calls(program: Program) -> list[Source]:
    """The tensors whose memory kernels use, in the order in which they came to it; not those that only get new data."""
    used = {buffer for instruction in program.instructions for buffer in instruction.reads() | instruction.writes()}
    return [source for source in program.sources if source.buffer in used]


def _effects(program: Program) -> set[tuple[Any, ...]]:
    """The effects, which are in no order: on which tensor, and what it gets."""
    named = _namer(program)
    return {(named(program.sources[x.source]), x.attribute, named(x.value)) for x in program.effects}


def _result(program: Program) -> Any:
    return rebuilt(program.result, _namer(program))


def _namer(program: Program) -> Callable[[Any], Any]:
    """What tells the same thing in both recordings: the tensor that memory is of, or else the number of the buffer."""
    owners = {source.buffer: source for source in program.sources if source.buffer is not None}

    def named(x: Any) -> Any:
        if isinstance(x, Source):
            return x.position, id(x.tensor)
        if not isinstance(x, Operand):
            return type(x), str(x)
        if x.buffer in owners:
            owner = owners[x.buffer]
            return named(owner), x.shape, x.strides, x.offset - owner.offset
        return x

    return named
