"""Comparing the recordings of a function's first two calls: what differs would be frozen by a replay."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np

from .program import Effect, Instruction, Operand, Program, show
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
    for known, found in zip(first.sources, second.sources):
        if known.position != found.position or known.tensor is not found.tensor:
            line = next((i.line for i in second.instructions if found.buffer in i.reads()), "the end")
            raise _frozen(first, f"{line}: the first call read {known}, the second another tensor, {found}")
    for one, other in zip_longest(map(str, first.tape.steps), map(str, second.tape.steps)):
        if one != other:
            raise _frozen(
                first,
                f"a number that an optimizer holds went another way: the first call did\n    {one}\nthe second\n"
                f"    {other}\nOnly + - * / // % ** and comparisons can be followed: x ** 0.5, not math.sqrt(x)",
            )
    if _effects(first) != _effects(second) or show(first.result) != show(second.result):
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


def _effects(program: Program) -> set[tuple[Any, ...]]:
    return {_named(program, effect) for effect in program.effects}


def _named(program: Program, effect: Effect) -> tuple[Any, ...]:
    source = program.sources[effect.source]
    value = None if effect.value is None else (effect.value.shape, effect.value.strides)
    return source.position, id(source.tensor), effect.attribute, value
