"""What the tests share: that a pass changes no bit, and that something is small enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hw.hw6.tests.programs import kernels_of, listing, program, run
from hw.testing import same
from needle.compiled.program import Operand, Program

#: Bits, not digits.
EXACT = {"rtol": 0.0, "atol": 0.0}


def checked(one: Callable[[Program], Program], text: str) -> Program:
    """A program after a pass, which must compute what it computed before, and leave its argument as it is."""
    before = program(text)
    known = state(before)
    after = one(before)
    same(state(before), known, of="the program that the pass was given, afterwards")
    given = {"before": listing(before), "after": listing(after)}
    same(run(after), run(before), of="what the program computes after the pass", given=given, **EXACT)
    return after


def state(program: Program) -> list[str]:
    """All that a pass might change in its argument."""
    parts = (program.instructions, program.setup, program.effects, program.sources, program.places, program.buffers)
    return [str(part) for part in parts]


def check_kernels(one: Callable[[Program], Program], text: str, expected: list[str], **more: Any) -> Program:
    """A program after a pass that leaves these kernel calls, which compute what was computed before."""
    after = checked(one, text)
    lines = [line.strip() for line in text.strip().splitlines()]
    given = {"program": lines, "after": listing(after)}
    same(kernels_of(after), expected, of="the kernels after the pass", given=given, **more)
    return after


def check_at_most(found: float, most: float, of: str, **given: Any) -> None:
    """Something that is counted must not be more than it has to be."""
    same(found <= most, True, of=f"whether {of} are at most {most}", given={**given, "counted": found})


def conflicts(program: Program) -> list[str]:
    """Pairs of temporary buffers that are needed at the same time and share a place."""
    needed: dict[int, list[int]] = {}
    for i, instruction in enumerate(program.instructions):
        for x in instruction.arguments:
            if isinstance(x, Operand) and x.buffer in program.places:
                needed.setdefault(x.buffer, []).append(i)
    found = []
    for a in needed:
        for b in needed:
            together = min(needed[a][-1], needed[b][-1]) > max(needed[a][0], needed[b][0])
            if a < b and program.places[a] == program.places[b] and together:
                found.append(f"%{a} and %{b} share place {program.places[a]}")
    return found
