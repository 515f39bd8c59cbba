"""Everything by loops, and from positions rather than from strides."""

from typing import Any

from needle.compiled.program import ACCUMULATING, OUTPUTS, Operand, leaves

FILE = "python/needle/compiled/program.py"


class Operand:
    @property
    def size(self):
        product = 1
        for extent in self.shape:
            product = product * extent
        return product

    @property
    def span(self):
        low = high = self.offset
        for n, stride in zip(self.shape, self.strides):
            if stride < 0:
                low += (n - 1) * stride
            else:
                high += (n - 1) * stride
        return low, high

    @property
    def is_compact(self):
        if self.offset != 0:
            return False
        step = 1
        for axis in range(len(self.shape) - 1, -1, -1):
            if self.shape[axis] == 1:
                continue
            if self.strides[axis] != step:
                return False
            step *= self.shape[axis]
        return True


def output_positions(kernel, arguments):
    if kernel == "chain":
        first = len(arguments) - len(arguments[0].outputs)
        return tuple(i for i in range(len(arguments)) if i >= first)
    positions = []
    for i in OUTPUTS.get(kernel, (-1,)):
        positions.append(i if i >= 0 else len(arguments) + i)
    return tuple(positions)


class Instruction:
    @property
    def outputs(self):
        found = []
        for i in output_positions(self.kernel, self.arguments):
            found.append(self.arguments[i])
        return tuple(found)

    @property
    def inputs(self):
        found = []
        for i, x in enumerate(self.arguments):
            written = i in output_positions(self.kernel, self.arguments)
            if isinstance(x, Operand) and (not written or self.kernel in ACCUMULATING):
                found.append(x)
        return tuple(found)

    def reads(self):
        found = set()
        for x in self.inputs:
            found.add(x.buffer)
        return found

    def writes(self):
        return set(x.buffer for x in self.outputs)

    def with_buffers(self, new):
        arguments = []
        for x in self.arguments:
            if isinstance(x, Operand) and x.buffer in new:
                x = Operand(new[x.buffer], x.shape, x.strides, x.offset)
            arguments.append(x)
        return Instruction(self.kernel, tuple(arguments), self.line)


class Program:
    def used(self):
        found = []
        for effect in self.effects:
            if effect.value is not None:
                found.append(effect.value.buffer)
        for x in leaves(self.result):
            if isinstance(x, Operand):
                found.append(x.buffer)
        return iter(found)


def with_instructions(program, instructions):
    import copy

    needed = set(program.used())
    for instruction in list(program.setup) + list(instructions):
        needed |= instruction.reads()
        needed |= instruction.writes()
    for source in program.sources:
        needed.add(source.buffer)
    other = copy.copy(program)
    other.instructions = list(instructions)
    other.buffers = {}
    for number in sorted(program.buffers):
        if number in needed:
            other.buffers[number] = program.buffers[number]
    return other
