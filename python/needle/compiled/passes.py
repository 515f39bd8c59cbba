"""Passes: each makes of a program a better one that computes the same bits.

A pass is a function from `Program` to `Program`; it leaves its argument as it is. `improve` runs all of them. One by
one, and printed before and after::

    program = passes.drop_dead_code(program)
    print(program)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from .fusion import fuse_elementwise
from .program import Instruction, Operand, Program, with_instructions

Pass = Callable[[Program], Program]

#: Kernels that read an element of every input before they write that element, so that an output may be an input.
ELEMENTWISE = ("ewise_", "scalar_", "where", "sgd", "adam", "chain")


def drop_dead_code(program: Program) -> Program:
    """Leave out what nobody reads: gradients that were computed for nothing, and what only they needed.

    An instruction is needed if it writes to a buffer that somebody outside sees (`Program.used`), to an input of the
    program, or to a buffer that a needed instruction behind it reads.
    """
    needed = set(program.used()) | {i for i, buffer in program.buffers.items() if buffer.role == "input"}
    kept: list[Instruction] = []
    for instruction in reversed(program.instructions):
        if instruction.writes() & needed:
            needed |= instruction.reads()
            kept.append(instruction)
    return with_instructions(program, kept[::-1])


def hoist_constants(program: Program) -> Program:
    """Fill buffers that hold the same at every replay once, before the first.

    That is, ``fill`` and ``from_numpy`` with arguments that are operands, numbers and arrays (no slots), to a temporary
    buffer which nobody else writes to: the instruction moves to `setup`, and the buffer becomes a ``constant``.
    """
    writers = Counter(buffer for instruction in program.instructions for buffer in instruction.writes())
    buffers, setup, rest = dict(program.buffers), list(program.setup), []
    for instruction in program.instructions:
        (out, *_) = instruction.outputs
        once = writers[out.buffer] == 1 and buffers[out.buffer].role == "temporary"
        fixed = all(isinstance(x, (Operand, int, float, np.ndarray)) for x in instruction.arguments)
        if once and fixed and instruction.kernel in ("fill", "from_numpy"):
            buffers[out.buffer] = replace(buffers[out.buffer], role="constant")
            setup.append(instruction)
        else:
            rest.append(instruction)
    return with_instructions(replace(program, buffers=buffers, setup=setup), rest)


def drop_copies(program: Program) -> Program:
    """Read the original instead of a compact copy of a compact array, where neither is written to otherwise.

    ``copy`` also casts, and it may copy a part: a copy is left out only if both buffers have one dtype and the copy is
    the whole of a temporary buffer, which nobody outside sees. Then all instructions behind read the original. A copy
    of a copy is read in the first original.
    """
    writers = Counter(buffer for instruction in program.instructions for buffer in instruction.writes())
    used = set(program.used())
    instructions: list[Instruction] = []
    original: dict[int, int] = {}
    for recorded in program.instructions:
        instruction = recorded.with_buffers(original)
        if instruction.kernel == "copy":
            source, out = instruction.arguments
            old, new = program.buffers[source.buffer], program.buffers[out.buffer]
            alike = old.dtype == new.dtype and source.is_compact and out.is_compact and out.size == new.size
            kept = writers[out.buffer] == 1 and writers[source.buffer] == (0 if old.role == "input" else 1)
            if alike and kept and new.role == "temporary" and out.buffer not in used:
                original[out.buffer] = source.buffer
                continue
        instructions.append(instruction)
    return with_instructions(program, instructions)


def update_in_place(program: Program) -> Program:
    """Let a captured tensor's new data take the place of the old, where the old is read for the last time just then.

    The optimizers' kernels read each element before they write it, so a parameter is updated where it lies: that halves
    the memory that a step touches.
    """
    last_read = {buffer: i for i, instruction in enumerate(program.instructions) for buffer in instruction.reads()}
    writers = Counter(buffer for instruction in program.instructions for buffer in instruction.writes())
    uses = Counter(program.used())
    renamed: dict[int, int] = {}
    sources = list(program.sources)
    effects = []
    for effect in program.effects:
        source = sources[effect.source]
        new = effect.value
        old = source.buffer
        if effect.attribute == "cached_data" and new is not None and old is not None and source.position is None:
            writer = next((i for i, x in enumerate(program.instructions) if new.buffer in x.writes()), None)
            if (
                writer is not None
                and last_read.get(old, writer) <= writer
                and writers[new.buffer] == 1
                and writers[old] == 0
                and uses[new.buffer] == 1
                and uses[old] == 0
                and program.buffers[new.buffer].role == "output"
                and program.buffers[new.buffer].dtype == program.buffers[old].dtype
                and program.buffers[old].size == program.buffers[new.buffer].size
                and (new.shape, new.strides, new.offset) == (source.shape, source.strides, source.offset)
                and may_overwrite(program.instructions[writer], old, new)
            ):
                renamed[new.buffer] = old
                sources[effect.source] = replace(source, in_place=True)
                continue
        effects.append(effect)
    instructions = [instruction.with_buffers(renamed) for instruction in program.instructions]
    return with_instructions(replace(program, effects=effects, sources=sources), instructions)


def plan_memory(program: Program) -> Program:
    """Give every temporary buffer a place, so that buffers that are not needed at the same time share one.

    A buffer is needed from the first instruction that writes it to the last that reads or writes it. Its place is, at
    that first instruction, the first of these that there is: the place of an input that is read for the last time just
    there, if the kernel may write over it and dtype and size are the same; of the places that are free and hold the
    same dtype, the smallest that is large enough, else the largest, which grows; a new one.
    """
    last = {
        b: i for i, instruction in enumerate(program.instructions) for b in instruction.reads() | instruction.writes()
    }
    sizes: list[int] = []
    free: dict[str, list[int]] = {}
    places: dict[int, int] = {}
    for i, instruction in enumerate(program.instructions):
        ending = [b for b in sorted(instruction.reads()) if last[b] == i and b in places]
        for out in instruction.outputs:
            memory = program.buffers[out.buffer]
            if memory.role != "temporary" or out.buffer in places:
                continue
            inherited = next((b for b in ending if _inherits(program, instruction, b, out)), None)
            if inherited is not None:
                ending.remove(inherited)
                places[out.buffer] = places[inherited]
                continue
            candidates = free.setdefault(memory.dtype, [])
            fitting = sorted((place for place in candidates if sizes[place] >= memory.size), key=lambda p: sizes[p])
            place = fitting[0] if fitting else max(candidates, key=lambda p: sizes[p], default=None)
            if place is None:
                place = len(sizes)
                sizes.append(memory.size)
            else:
                candidates.remove(place)
                sizes[place] = max(sizes[place], memory.size)
            places[out.buffer] = place
        ending += [out.buffer for out in instruction.outputs if last[out.buffer] == i and out.buffer in places]
        for ended in dict.fromkeys(ending):
            free.setdefault(program.buffers[ended].dtype, []).append(places[ended])
    return replace(program, places=places)


#: In the order in which `improve` runs them.
PASSES: tuple[Pass, ...] = (
    drop_dead_code,
    hoist_constants,
    drop_copies,
    fuse_elementwise,
    update_in_place,
    plan_memory,
)


def improve(program: Program, passes: Iterable[Pass] = PASSES) -> Program:
    """Run `passes` one after the other; the program remembers what each made of it, for `Program.explain`.

    Its `history` is a list of titles and programs: ``As recorded:``, then ``After drop_dead_code:`` and so on.
    """
    history = [("As recorded:", program)]
    for one in passes:
        program = one(program)
        history.append((f"After {one.__name__}:", program))
    return replace(program, history=history)


def may_overwrite(instruction: Instruction, buffer: int, out: Operand) -> bool:
    """Whether `instruction` may write `out` to the memory of its input `buffer`.

    It may if it reads each element before it writes it: its kernel is elementwise (its name begins with one of
    `ELEMENTWISE`), and every operand of that buffer is the same view as `out`: shape, strides and offset.
    """
    if not instruction.kernel.startswith(ELEMENTWISE):
        return False
    inputs = [x for x in instruction.inputs if x.buffer == buffer]
    return all((x.shape, x.strides, x.offset) == (out.shape, out.strides, out.offset) for x in inputs)


def _inherits(program: Program, instruction: Instruction, buffer: int, out: Operand) -> bool:
    """Whether `out` may take over the place of an input that is read for the last time here."""
    old, new = program.buffers[buffer], program.buffers[out.buffer]
    return (old.dtype, old.size) == (new.dtype, new.size) and may_overwrite(instruction, buffer, out)
