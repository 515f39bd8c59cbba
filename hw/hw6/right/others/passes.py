"""Dead code by recursion; a copy is followed to its end; places are kept in a list of what lies in them."""

from dataclasses import replace

from needle.compiled.numbers import Slot
from needle.compiled.passes import _inherits
from needle.compiled.program import with_instructions

FILE = "python/needle/compiled/passes.py"


def drop_dead_code(program):
    def rest(instructions, needed):
        if not instructions:
            return []
        *before, last = instructions
        if last.writes().isdisjoint(needed):
            return rest(before, needed)
        return [*rest(before, needed | last.reads()), last]

    inputs = {i for i, buffer in program.buffers.items() if buffer.role == "input"}
    return with_instructions(program, rest(program.instructions, inputs | set(program.used())))


def drop_copies(program):
    instructions, outside = list(program.instructions), set(program.used())

    def writers(number):
        return sum(number in x.writes() for x in program.instructions)

    changed = True
    while changed:
        changed = False
        for i, x in enumerate(instructions):
            if x.kernel != "copy":
                continue
            (source,), (out,) = x.inputs, x.outputs
            old, new = program.buffers[source.buffer], program.buffers[out.buffer]
            same_dtype = (old.dtype, new.role) == (new.dtype, "temporary")
            whole = source.is_compact and out.is_compact and out.size == new.size
            fixed = writers(out.buffer) == 1 and writers(source.buffer) == int(old.role != "input")
            if same_dtype and whole and fixed and out.buffer not in outside:
                rename = {out.buffer: source.buffer}
                instructions = instructions[:i] + [y.with_buffers(rename) for y in instructions[i + 1 :]]
                changed = True
                break
    return with_instructions(program, instructions)


def plan_memory(program):
    ends = {}
    for i, instruction in enumerate(program.instructions):
        ends.update(dict.fromkeys(instruction.reads() | instruction.writes(), i))
    places, pieces = {}, []  # a piece: [dtype, size, the buffer that lies in it]
    for i, instruction in enumerate(program.instructions):
        for out in instruction.outputs:
            new = program.buffers[out.buffer]
            if new.role != "temporary" or out.buffer in places:
                continue
            piece = None
            for candidate in pieces:
                old = candidate[2]
                if old in instruction.reads() and ends[old] == i and _inherits(program, instruction, old, out):
                    piece = candidate
                    break
            if piece is None:
                free = [p for p in pieces if p[0] == new.dtype and ends[p[2]] < i]
                free.sort(key=lambda p: p[1])
                large = [p for p in free if p[1] >= new.size]
                piece = (large or free[::-1] or [None])[0]
            if piece is None:
                piece = [new.dtype, 0, -1]
                pieces.append(piece)
            piece[1], piece[2] = max(piece[1], new.size), out.buffer
            places[out.buffer] = next(number for number, each in enumerate(pieces) if each is piece)
    return replace(program, places=places)
