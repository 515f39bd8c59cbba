"""Recording and replaying on NumPy's device: what `ndl.compile` does, as short and as careful as it can be.

Without the C++ extension there is no ``cpu()``, so `ndl.compile` has nothing to replay on. The recorder, the passes and
the programs are the library's; what is here takes the place of `needle/compiled/replay.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import needle as ndl
from hw.hw6.tests.programs import array_of, call, memory_for, strides_of
from needle.backend_ndarray import NDArray
from needle.compiled.compare import assert_alike
from needle.compiled.passes import PASSES, improve
from needle.compiled.program import Operand, Program, Source, rebuilt
from needle.compiled.recorder import Recorder

#: Where everything is computed.
DEVICE = ndl.cpu_numpy()


def tensor(array: Any, dtype: str = "float32") -> ndl.Tensor:
    """A constant on NumPy's device."""
    return ndl.Tensor(array, device=DEVICE, dtype=dtype, requires_grad=False)


def parameter(array: Any, dtype: str = "float32") -> ndl.nn.Parameter:
    """A parameter on NumPy's device."""
    return ndl.nn.Parameter(ndl.Tensor(array, device=DEVICE, dtype=dtype))


def recording(function: Callable[..., Any], *arguments: ndl.Tensor) -> tuple[Any, Program]:
    """What one call of a function gave, and the program of it."""
    recorder = Recorder(getattr(function, "__name__", "f"), list(arguments), DEVICE)
    with recorder.watching():
        result = function(*arguments)
    return result, recorder.program(result)[0]


def record(function: Callable[..., Any], *arguments: ndl.Tensor) -> Program:
    """The program of one call of a function."""
    return recording(function, *arguments)[1]


class Replay:
    """A program that can be called like the function that it was recorded from."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps = program.tape.split()
        self.memory = memory_for(program)
        for instruction in program.setup:
            call(instruction, self.memory, program.tape.values, DEVICE)

    def __call__(self, *arguments: ndl.Tensor) -> Any:
        """Replay: bind the inputs, feed the numbers, call the kernels, hand out what came of it."""
        program, tensors = self.program, [self._tensor(source, arguments) for source in self.program.sources]
        for steps in self.steps:
            if not program.tape.run(steps):
                raise RuntimeError("a number branches another way than it did when this was recorded")
        for source, x in zip(program.sources, tensors):
            if source.buffer is not None:
                self.memory[source.buffer] = memory_of(source, x)
        for instruction in program.instructions:
            call(instruction, self.memory, program.tape.values, DEVICE)
        values = [effect.value and self._made(effect.value, arguments) for effect in program.effects]
        for source, x in zip(program.sources, tensors):
            if source.in_place:
                whole = Operand(source.buffer or 0, source.shape, source.strides, source.offset)
                x.cached_data = self._made(whole, arguments).cached_data
        result = rebuilt(program.result, lambda place: self._made(place, arguments))
        for effect, value in zip(program.effects, values):
            if effect.attribute == "grad":
                tensors[effect.source].grad = value
            else:
                tensors[effect.source].cached_data = value.cached_data
        return result

    def _tensor(self, source: Source, arguments: tuple[ndl.Tensor, ...]) -> ndl.Tensor:
        return source.tensor if source.position is None else arguments[source.position]  # type: ignore[no-any-return]

    def _made(self, place: Any, arguments: tuple[ndl.Tensor, ...]) -> Any:
        if isinstance(place, Operand):
            return ndl.Tensor.make_const(without_kernels(array_of(place, self.memory)))
        return self._tensor(place, arguments) if isinstance(place, Source) else place


def memory_of(source: Source, x: ndl.Tensor) -> np.ndarray:
    """A copy of the memory in which a tensor lies, as it did when it was recorded."""
    view = x.cached_data._view
    layout = tuple(view.shape), tuple(view.strides), view.dtype, view.offset
    if layout != (source.shape, source.strides, source.dtype, source.offset):
        raise ValueError(f"{source} has another shape, dtype or layout than when this was recorded")
    return np.array(view.handle.array)


def without_kernels(values: np.ndarray) -> NDArray:
    """An array of Needle's with these values; no kernel is called, so none is counted."""
    handle = DEVICE.Array(values.size, str(values.dtype))
    handle.array[:] = values.reshape(-1)
    return NDArray.make(values.shape, strides_of(values.shape), DEVICE, handle, 0)


class Compiled:
    """A function that is recorded at its first two calls and replayed from then on, as by `ndl.compile`."""

    def __init__(self, function: Callable[..., Any], passes: Iterable[Any] = PASSES) -> None:
        self.function, self.passes = function, tuple(passes)
        self.first: Program | None = None
        self.replay: Replay | None = None

    def __call__(self, *arguments: ndl.Tensor) -> Any:
        """Record, record again and compare, or replay."""
        if self.replay is not None:
            return self.replay(*arguments)
        result, program = recording(self.function, *arguments)
        if self.first is None:
            self.first = program
        else:
            assert_alike(self.first, program)
            self.replay = Replay(improve(program, self.passes) if self.passes else program)
        return result

    @property
    def program(self) -> Program:
        """What is replayed."""
        if self.replay is None:
            raise RuntimeError("a function is recorded at its first two calls; call it twice first")
        return self.replay.program


def compiled(function: Callable[..., Any]) -> Compiled:
    """`ndl.compile` for NumPy's device."""
    return Compiled(function)


def kernel_calls(function: Callable[..., Any], *arguments: ndl.Tensor) -> list[str]:
    """The names of the kernels that a call of a function calls."""
    names: list[str] = []

    def heard(name: str, kernel: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        names.append(name)
        return kernel(*args)

    with DEVICE.listening(heard):
        function(*arguments)
    return names
