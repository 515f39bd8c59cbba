"""Each instruction knows its group; values of a chain are numbered by their text."""

from collections import Counter
from dataclasses import replace

from needle.compiled.fusion import MOST_VALUES, STEPS, Group, is_step, repeats
from needle.compiled.program import Chain, Operand, with_instructions

FILE = "python/needle/compiled/fusion.py"


def repeats(x):
    axes = [(n, stride) for n, stride in zip(x.shape, x.strides) if n > 1]
    for cut in range(len(axes) + 1):
        repeated, compact = axes[:cut], axes[cut:]
        size, fine = 1, all(stride == 0 for _, stride in repeated)
        for n, stride in reversed(compact):
            fine = fine and stride == size
            size *= n
        if fine:
            return True
    return False


def is_step(program, instruction, writers):
    if instruction.kernel not in STEPS:
        return False
    out = instruction.outputs[0]
    buffer = program.buffers[out.buffer]
    checks = [
        buffer.role != "input",
        writers[out.buffer] == 1,
        buffer.dtype in ("float32", "float64"),
        out.is_compact,
        out.size >= 2,
    ]
    for x in instruction.inputs:
        checks.append(x.buffer != out.buffer)
        checks.append(x.shape == out.shape)
        checks.append(program.buffers[x.buffer].dtype == buffer.dtype)
        checks.append(repeats(x))
    return all(checks)


class Group:
    def stands_before(self, instruction):
        for number in instruction.writes():
            if number in self.reads or number in self.writes:
                return True
        return any(number in self.writes for number in instruction.reads())

    def feeds(self, instruction):
        reads_one = False
        for x in instruction.inputs:
            if x.buffer in self.writes:
                if self.writes[x.buffer] != x:
                    return False
                reads_one = True
        return reads_one


def _groups(program):
    counts = Counter(number for x in program.instructions for number in x.writes())
    groups, open_groups = [], []
    for i, instruction in enumerate(program.instructions):
        mine = None
        if is_step(program, instruction, counts):
            out = instruction.outputs[0]
            mine = Group(out.shape, program.buffers[out.buffer].dtype)
            mine.members, mine.reads = [i], set(instruction.reads())
            mine.writes, mine.values = {out.buffer: out}, len(instruction.arguments)
            for group in list(open_groups):
                alike = group.shape == mine.shape and group.dtype == mine.dtype
                if alike and group.feeds(instruction) and mine.values + group.values <= MOST_VALUES:
                    mine.members = sorted(mine.members + group.members)
                    mine.reads = mine.reads | group.reads
                    mine.writes = {**group.writes, **mine.writes}
                    mine.values += group.values
                    open_groups.remove(group)
                    groups.remove(group)
        open_groups = [group for group in open_groups if not group.stands_before(instruction)]
        if mine is not None:
            groups.append(mine)
            open_groups.append(mine)
    return groups


def _chain(program, group, readers):
    members = [program.instructions[i] for i in group.members]
    operands, numbers = [], []
    for member in members:
        for x in member.arguments[:-1]:
            if not isinstance(x, Operand):
                numbers.append(x)
            elif x.buffer not in group.writes and x not in operands:
                operands.append(x)
    inputs = operands + numbers
    steps, place, next_number = [], {}, len(operands)
    for member in members:
        values = []
        for x in member.arguments[:-1]:
            if not isinstance(x, Operand):
                values.append(next_number)
                next_number += 1
            elif x.buffer in place:
                values.append(place[x.buffer])
            else:
                values.append(operands.index(x))
        place[member.arguments[-1].buffer] = len(inputs) + len(steps)
        steps.append((member.kernel, tuple(values)))
    outputs = []
    for member in members:
        buffer = member.arguments[-1].buffer
        if any(reader not in group.members for reader in readers.get(buffer, ())):
            outputs.append(member.arguments[-1])
    chain = Chain(len(inputs), tuple(steps), tuple(place[x.buffer] for x in outputs))
    return replace(members[-1], kernel="chain", arguments=(chain, *inputs, *outputs))


def fuse_elementwise(program):
    outside = set(program.used())
    instructions = list(program.instructions)
    for group in _groups(program):
        if len(group.members) == 1:
            continue
        readers = {}
        for number in group.writes:
            readers[number] = [i for i, x in enumerate(program.instructions) if number in x.reads()]
            if number in outside:
                readers[number].append(-1)
        chain = _chain(program, group, readers)
        for i in group.members:
            instructions[i] = None
        instructions[group.members[-1]] = chain
    return with_instructions(program, [x for x in instructions if x is not None])
