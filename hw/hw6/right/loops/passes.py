"""Dead code until nothing changes any more; lifetimes first and then places; copies by following them."""

from dataclasses import replace

import numpy as np

from needle.compiled.numbers import Slot
from needle.compiled.passes import ELEMENTWISE, PASSES, may_overwrite
from needle.compiled.program import with_instructions

FILE = "python/needle/compiled/passes.py"


def drop_dead_code(program):
    alive = [False] * len(program.instructions)
    seen = set(program.used()) | {i for i, b in program.buffers.items() if b.role == "input"}
    changed = True
    while changed:
        changed = False
        for i, instruction in enumerate(program.instructions):
            wanted = set(seen)
            for j in range(i + 1, len(alive)):
                if alive[j]:
                    wanted |= program.instructions[j].reads()
            if not alive[i] and instruction.writes() & wanted:
                alive[i] = changed = True
    return with_instructions(program, [x for x, lives in zip(program.instructions, alive) if lives])


def hoist_constants(program):
    def is_constant(instruction):
        if instruction.kernel not in ("fill", "from_numpy"):
            return False
        buffer = instruction.outputs[0].buffer
        writers = [x for x in program.instructions if buffer in x.writes()]
        slots = [x for x in instruction.arguments if isinstance(x, Slot)]
        return len(writers) == 1 and not slots and program.buffers[buffer].role == "temporary"

    moved = [x for x in program.instructions if is_constant(x)]
    constant = {x.outputs[0].buffer for x in moved}
    buffers = {i: replace(b, role="constant") if i in constant else b for i, b in program.buffers.items()}
    rest = [x for x in program.instructions if not is_constant(x)]
    return with_instructions(replace(program, buffers=buffers, setup=program.setup + moved), rest)


def drop_copies(program):
    count = {number: 0 for number in program.buffers}
    for instruction in program.instructions:
        for number in instruction.writes():
            count[number] += 1
    instead = {}

    def is_needless(instruction):
        if instruction.kernel != "copy":
            return False
        source, out = instruction.inputs[0], instruction.outputs[0]
        old, new = program.buffers[source.buffer], program.buffers[out.buffer]
        if new.role != "temporary" or out.buffer in list(program.used()) or old.dtype != new.dtype:
            return False
        if not source.is_compact or not out.is_compact or out.size != new.size or count[out.buffer] > 1:
            return False
        return count[source.buffer] == (1 if old.role != "input" else 0)

    kept = []
    for instruction in program.instructions:
        now = instruction.with_buffers(instead)
        if is_needless(now):
            instead[now.outputs[0].buffer] = now.inputs[0].buffer
        else:
            kept.append(now)
    return with_instructions(program, kept)


def may_overwrite(instruction, buffer, out):
    careful = any(instruction.kernel.startswith(name) for name in ELEMENTWISE)
    for x in instruction.inputs:
        if x.buffer == buffer and x[1:] != out[1:]:
            return False
    return careful


def _inherits(program, instruction, buffer, out):
    old, new = program.buffers[buffer], program.buffers[out.buffer]
    return old.size == new.size and old.dtype == new.dtype and may_overwrite(instruction, buffer, out)


def plan_memory(program):
    first, last = {}, {}
    for i, instruction in enumerate(program.instructions):
        for number in instruction.reads() | instruction.writes():
            last[number] = i
        for number in instruction.writes():
            first.setdefault(number, i)
    holds, size, dtype, places = {}, {}, {}, {}  # of places: until when they are taken, how large they are
    for i, instruction in enumerate(program.instructions):
        given = []
        for out in instruction.outputs:
            buffer = program.buffers[out.buffer]
            if buffer.role != "temporary" or first[out.buffer] != i or out.buffer in places:
                continue
            place = None
            for old in sorted(instruction.reads()):
                fits = old in places and last[old] == i and first[old] < i and places[old] not in given
                if place is None and fits:
                    alike = program.buffers[old].dtype == buffer.dtype and program.buffers[old].size == buffer.size
                    if alike and may_overwrite(instruction, old, out):
                        place = places[old]
            if place is None:
                free = [p for p in size if holds[p] < i and dtype[p] == buffer.dtype]
                large = [p for p in free if size[p] >= buffer.size]
                if large:
                    place = min(large, key=lambda p: size[p])
                elif free:
                    place = max(free, key=lambda p: size[p])
                else:
                    place = len(size)
                    size[place], dtype[place] = 0, buffer.dtype
            given.append(place)
            size[place] = max(size[place], buffer.size)
            holds[place] = last[out.buffer]
            places[out.buffer] = place
    return replace(program, places=places)


def improve(program, passes=PASSES):
    stages = [("As recorded:", program)]
    for one in passes:
        title, before = f"After {one.__name__}:", stages[-1][1]
        stages.append((title, one(before)))
    return replace(stages[-1][1], history=stages)
