"""Small programs, written as text and run slowly and with care: what the tests of the passes share.

    %0 float32[2, 3] input              memory of an argument; `captured` for that of a captured tensor
    %1[2, 3] = ewise_exp(%0)            %1 is new: temporary, float32
    %2 int64[2] = reduce_argmax(%1)     another dtype
    %3[3, 2] = copy(%0[3, 2; 1, 3])     shape; strides; offset of a view, where it is not the whole buffer
    %4[2], %5[2] = moments(...)         two outputs
    $0 = 0.1                            the value in a slot of the tape
    %0.data <- %3                       what is left behind on the tensor of %0
    return %1, %2

Nothing here uses a function that this assignment asks for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from needle.backend_ndarray import ndarray_backend_numpy as kernels
from needle.compiled.numbers import Slot, Tape
from needle.compiled.program import Buffer, Effect, Instruction, Operand, Program, Source, leaves

NAME = re.compile(r"%(\d+)(?: (\w+))?(?:\[([^\]]*)\])?$")
#: Kernels that read an element of each input before they write that element.
CAREFUL = ("ewise_", "scalar_", "where", "sgd", "adam", "chain")


class ClashError(RuntimeError):
    """A program writes over memory that is still needed, or reads memory that nobody wrote."""


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def view(buffer: int, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0) -> Operand:
    """An operand, by default a compact one."""
    return Operand(buffer, shape, strides_of(shape) if strides is None else strides, offset)


# From text to a program -----------------------------------------------------------------------------------------------


class Reader:
    """Reads the lines of a program."""

    def __init__(self) -> None:
        self.whole: dict[int, Operand] = {}
        self.buffers: dict[int, Buffer] = {}
        self.instructions: list[Instruction] = []
        self.sources: list[Source] = []
        self.effects: list[Effect] = []
        self.tape = Tape()
        self.result: Any = None

    def line(self, line: str) -> None:
        """Read one line."""
        words = line.split()
        if words[0] == "return":
            values = [self.operand(x) for x in split(line.removeprefix("return"))]
            self.result = values[0] if len(values) == 1 else tuple(values)
        elif "<-" in line:
            target, value = (part.strip() for part in line.split("<-"))
            name, _, attribute = target.partition(".")
            source = next(i for i, s in enumerate(self.sources) if s.buffer == int(name[1:]))
            kept = None if value == "None" else self.operand(value)
            self.effects.append(Effect(source, {"data": "cached_data"}.get(attribute, attribute), kept))
        elif words[0].startswith("$"):
            self.tape.values.append(float(words[2]))
        elif words[-1] in ("input", "captured"):
            operand = self.operand(line.rpartition(" ")[0], role="input")
            buffer = self.buffers[operand.buffer]
            position = len(self.sources) if words[-1] == "input" else None
            layout = (operand.shape, operand.strides, buffer.dtype, operand.offset)
            self.sources.append(Source(f"tensor {len(self.sources)}", position, None, *layout, operand.buffer))
        else:
            written, _, call = line.partition(" = ")
            kernel, _, rest = call.partition("(")
            given = [self.argument(x) for x in split(rest.rpartition(")")[0])]
            outputs = [self.operand(x) for x in split(written)]
            arguments = (*outputs, *given) if kernel == "fill" else (*given, *outputs)
            self.instructions.append(Instruction(kernel, arguments))

    def operand(self, text: str, role: str = "temporary") -> Operand:
        """``%0``, ``%0[2, 3]``, ``%0 float64[2, 3]`` or ``%0[3, 2; 1, 3; 0]``."""
        found = NAME.match(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no operand")
        number, dtype, layout = int(found[1]), found[2] or "float32", found[3]
        if layout is None:
            return self.whole[number]
        parts = [tuple(int(x) for x in part.split(",") if x.strip()) for part in layout.split(";")]
        operand = view(number, *parts[:2], *(part[0] for part in parts[2:]))  # type: ignore[arg-type]
        if number not in self.whole:
            self.whole[number] = operand
            self.buffers[number] = Buffer(dtype, math.prod(parts[0]), role)
        return operand

    def argument(self, text: str) -> Any:
        """An operand, a slot, an array, or a number."""
        text = text.strip()
        if text.startswith("%"):
            return self.operand(text)
        if text.startswith("$"):
            return Slot(int(text[1:]))
        if text.startswith("array"):
            return np.array([float(x) for x in text[6:-1].split(",")], dtype="float32")
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


def split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    return [part for part in re.split(r",(?![^\[]*\])", text) if part.strip()]


def program(text: str) -> Program:
    """A program from its lines. What is returned, or left behind, lies in an output of its own, unless in an input."""
    reader = Reader()
    for line in text.strip().splitlines():
        if line.strip():
            reader.line(line.strip())
    made = Program("f", reader.instructions, reader.buffers, reader.tape, reader.effects, reader.result, reader.sources)
    for number in seen_outside(made):
        if made.buffers[number].role == "temporary":
            made.buffers[number] = Buffer(made.buffers[number].dtype, made.buffers[number].size, "output")
    return made


def seen_outside(program: Program) -> list[int]:
    """The buffers of effects and results."""
    seen = [effect.value for effect in program.effects] + list(leaves(program.result))
    return [x.buffer for x in seen if isinstance(x, Operand)]


def listing(program: Program) -> list[str]:
    """The instructions, as they are printed."""
    return [str(instruction) for instruction in program.instructions]


def kernels_of(program: Program) -> list[str]:
    """The names of the kernels that are called."""
    return [instruction.kernel for instruction in program.instructions]


# Running it -----------------------------------------------------------------------------------------------------------


def drawn(number: int, dtype: str, size: int) -> np.ndarray:
    """Numbers for an input; whole ones are 0 or 1, so that they can be indices."""
    rng = np.random.default_rng([number, size])
    if dtype.startswith("float"):
        return rng.uniform(0.25, 2, size).astype(dtype) * np.where(rng.random(size) < 0.5, -1, 1).astype(dtype)
    return rng.integers(0, 2, size).astype(dtype)


def unwritten(size: int, dtype: str) -> np.ndarray:
    """Memory that nobody has written to."""
    return np.full(size, np.nan if dtype.startswith("float") else 99 if dtype != "bool" else True, dtype)


def memory_for(program: Program) -> dict[int, np.ndarray]:
    """Memory for each buffer that is no input, several in one piece where that is planned."""
    pieces: dict[int, np.ndarray] = {}
    sizes: dict[int, int] = {}
    for number, place in program.places.items():
        sizes[place] = max(sizes.get(place, 0), program.buffers[number].size)
    memory = {}
    for number, buffer in program.buffers.items():
        if buffer.role == "temporary" and number in program.places:
            place = program.places[number]
            piece = pieces.setdefault(place, unwritten(sizes[place], buffer.dtype))
            if piece.dtype != buffer.dtype:
                raise ClashError(f"place {place} is to hold {piece.dtype} and, for %{number}, {buffer.dtype}")
            memory[number] = piece
        elif buffer.role != "input":
            memory[number] = unwritten(buffer.size, buffer.dtype)
    return memory


def array_of(operand: Operand, memory: dict[int, np.ndarray]) -> np.ndarray:
    """An operand as a NumPy array over the memory of its buffer."""
    flat = memory[operand.buffer]
    strides = tuple(stride * flat.itemsize for stride in operand.strides)
    return np.ndarray(operand.shape, flat.dtype, flat, operand.offset * flat.itemsize, strides)


def call(instruction: Instruction, memory: dict[int, np.ndarray], values: list[Any], device: Any = kernels) -> None:
    """Call a kernel on copies of its operands, and write what it has written; complain if that destroys an input."""
    arguments: list[Any] = []
    for x in instruction.arguments:
        if isinstance(x, Operand):
            handle = kernels.Array.borrow(memory[x.buffer].copy())
            arguments.append(kernels.View(handle, x.shape, x.strides, x.offset))
        elif isinstance(x, Slot):
            arguments.append(values[x.index])
        else:
            arguments.append(kernels.Chain(x.inputs, x.steps, x.outputs) if hasattr(x, "steps") else x)
    getattr(device, instruction.kernel)(*arguments)
    pairs = [(x, made) for x, made in zip(instruction.arguments, arguments) if isinstance(x, Operand)]
    written = [(x, made) for x, made in pairs if made.version > 0]
    careful = instruction.kernel.startswith(CAREFUL)
    for out, _ in written:
        for x, made in pairs:
            if x is out or not np.shares_memory(array_of(x, memory), array_of(out, memory)):
                continue
            alike = (x.shape, x.strides, x.offset) == (out.shape, out.strides, out.offset)
            if made.version > 0 or not (careful and alike):
                raise ClashError(f"{instruction} writes over %{x.buffer}, which it reads")
    for out, made in written:
        array_of(out, memory)[...] = made.as_numpy()


def run(program: Program, device: Any = kernels) -> list[np.ndarray]:
    """What a program returns, and what it leaves behind on each tensor, in the memory that is planned for it."""
    memory = memory_for(program)
    for number, buffer in program.buffers.items():
        if buffer.role == "input":
            memory[number] = drawn(number, buffer.dtype, buffer.size)
    for instruction in (*program.setup, *program.instructions):
        call(instruction, memory, program.tape.values, device)
    return [array_of(x, memory).copy() for x in outcome(program)]


def outcome(program: Program) -> Iterator[Operand]:
    """All that somebody outside sees: results, gradients, and the new data of tensors, wherever they lie."""
    yield from (x for x in leaves(program.result) if isinstance(x, Operand))
    for index, source in enumerate(program.sources):
        left = [e for e in program.effects if e.source == index and e.value is not None]
        yield from (e.value for e in left if e.attribute == "grad" and e.value is not None)
        new = [e.value for e in left if e.attribute == "cached_data"]
        if source.in_place and source.buffer is not None:
            new.append(Operand(source.buffer, source.shape, source.strides, source.offset))
        yield from (x for x in new[:1] if x is not None)
