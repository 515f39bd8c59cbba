"""Binding a program to memory, and replaying it: `Replayer`."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..backend_selection import NDArray, cpu
from .numbers import Slot
from .program import Effect, Instruction, Operand, Program, Source, leaves, rebuilt


class Replayer:
    """A program with memory of its own, ready to run again and again without Python work for each instruction.

    Parameters
    ----------
    program : Program
    handles : dict of int to Array
        For each input buffer, the memory that it had when it was recorded.
    """

    def __init__(self, program: Program, handles: dict[int, Any]) -> None:
        self.program = program
        self.early, self.late = program.tape.split()
        self._device = cpu()
        inputs = {i for i, buffer in program.buffers.items() if buffer.role == "input"}
        self._handles = {i: handle for i, handle in handles.items() if i in inputs}
        self._views: dict[int, list[Any]] = {}
        self._allocate()
        for instruction in program.setup:
            getattr(self._device, instruction.kernel)(*map(self._argument, instruction.arguments))
        self.rings = {i: Ring(program, i) for i, b in program.buffers.items() if b.role == "output"}
        self._assemble()

    # Making it --------------------------------------------------------------------------------------------------------

    def _allocate(self) -> None:
        """Memory for constants, outputs (at first) and temporaries, of which several share a place."""
        sizes: dict[int, int] = {}
        for index, place in self.program.places.items():
            sizes[place] = max(sizes.get(place, 0), self.program.buffers[index].size)
        pieces: dict[int, Any] = {}
        for index, buffer in self.program.buffers.items():
            if index in self._handles:
                continue
            if buffer.role == "temporary" and index in self.program.places:
                place = self.program.places[index]
                if place not in pieces:
                    pieces[place] = self._device.Array(sizes[place], buffer.dtype)
                self._handles[index] = pieces[place]
            else:
                self._handles[index] = self._device.Array(buffer.size, buffer.dtype)

    def _argument(self, x: Any) -> Any:
        """An argument of a kernel: a view for an operand, nothing yet for a slot of the tape."""
        if isinstance(x, Operand):
            view = self._device.View(self._handles[x.buffer], x.shape, x.strides, x.offset)
            self._views.setdefault(x.buffer, []).append(view)
            return view
        return None if isinstance(x, Slot) else x

    def _assemble(self) -> None:
        program, device = self.program, self._device
        self._views.clear()
        calls = [(getattr(device, i.kernel), tuple(map(self._argument, i.arguments))) for i in program.instructions]
        feeds = [
            [i, position, x.index]
            for i, instruction in enumerate(program.instructions)
            for position, x in enumerate(instruction.arguments)
            if isinstance(x, Slot)
        ]
        self.bound: list[Source] = [s for s in program.sources if s.buffer in self._views]
        slots = []
        for source in self.bound:
            assert source.buffer is not None
            like = device.View(self._handles[source.buffer], source.shape, source.strides, source.offset)
            slots.append((like, self._views[source.buffer]))
        for index, ring in self.rings.items():
            x = ring.operands[0]
            like = device.View(self._handles[index], x.shape, x.strides, x.offset)
            slots.append((like, self._views.get(index, [])))
        self._replay = device.Replay(calls, slots, feeds)
        self._unshared = device.unshared
        self._in_place = [s.tensor for s in program.sources if s.in_place]
        self._forget_handles()

    def _forget_handles(self) -> None:
        """Let go of what is bound anew at each replay: it belongs to others."""
        kept = {i for i, b in self.program.buffers.items() if b.role in ("constant", "temporary")}
        self._handles = {i: handle for i, handle in self._handles.items() if i in kept}
        self._views.clear()

    # Running it -------------------------------------------------------------------------------------------------------

    def fits(self, arguments: list[Tensor]) -> bool:
        """Whether numbers branch as they did, and all tensors have the layouts that were recorded."""
        try:
            views = self._input_views(arguments)
        except AttributeError:  # no data, or data that is elsewhere
            return False
        return self._replay.fits(views) and self.program.tape.run(self.early)

    def _input_views(self, arguments: list[Tensor]) -> list[Any]:
        return [
            (arguments[source.position] if source.position is not None else source.tensor).cached_data._view
            for source in self.bound
        ]

    def run(self, arguments: list[Tensor]) -> Any:
        """Replay; `fits` came before. Gives what the function returns."""
        program = self.program
        program.tape.run(self.late)
        for tensor in self._in_place:
            if not self._unshared((tensor,), False):
                tensor.cached_data = tensor.cached_data.copy()
        for effect in program.effects:
            if effect.attribute == "grad":
                self._tensor(effect.source, arguments).grad = None
        outputs = {index: ring.take() for index, ring in self.rings.items()}
        views = self._input_views(arguments) + [entry[0].cached_data._view for entry in outputs.values()]
        try:
            self._replay.run(views, program.tape.values)
        except Exception as error:
            self._explain(error)
            raise
        for effect in program.effects:
            self._leave(effect, arguments, outputs)
        return rebuilt(program.result, lambda x: self._result(x, arguments, outputs))

    def _tensor(self, source: int, arguments: list[Tensor]) -> Any:
        found = self.program.sources[source]
        return found.tensor if found.position is None else arguments[found.position]

    def _leave(self, effect: Effect, arguments: list[Tensor], outputs: dict[int, tuple[Tensor, ...]]) -> None:
        tensor = self._tensor(effect.source, arguments)
        value = None if effect.value is None else self._made(effect.value, arguments, outputs)
        if effect.attribute == "grad":
            tensor.grad = value
        else:
            tensor.cached_data = value.cached_data  # type: ignore[union-attr]

    def _result(self, x: Any, arguments: list[Tensor], outputs: dict[int, tuple[Tensor, ...]]) -> Any:
        if isinstance(x, Source):
            return x.tensor if x.position is None else arguments[x.position]
        return self._made(x, arguments, outputs) if isinstance(x, Operand) else x

    def _made(self, x: Operand, arguments: list[Tensor], outputs: dict[int, tuple[Tensor, ...]]) -> Tensor:
        """The tensor for an operand that leaves the program: over an output, or over the memory of an input."""
        if x.buffer in outputs:
            return outputs[x.buffer][self.rings[x.buffer].operands.index(x)]
        source = next(s for s in self.program.sources if s.buffer == x.buffer)
        data = (source.tensor if source.position is None else arguments[source.position]).cached_data
        view = data.as_strided(x.shape, x.strides, x.offset - source.offset + data.offset)
        tensor: Tensor = Tensor.make_const(view)
        return tensor

    def _explain(self, error: Exception) -> None:
        """Say where the kernel that raised was recorded."""
        instruction: Instruction = self.program.instructions[self._replay.failed]
        note = f"(in the compiled function {self.program.name}, recorded at {instruction.line})"
        if error.args and isinstance(error.args[0], str):
            error.args = (f"{error.args[0]} {note}", *error.args[1:])


class Ring:
    """The memory of one output: used again when nobody outside holds what it was given the last time.

    An entry of the ring is a tuple of tensors, one for each of `operands`, over one buffer.
    """

    def __init__(self, program: Program, buffer: int) -> None:
        self.buffer = program.buffers[buffer]
        outside = [effect.value for effect in program.effects] + list(leaves(program.result))
        self.operands = list(dict.fromkeys(x for x in outside if isinstance(x, Operand) and x.buffer == buffer))
        self.entries: list[tuple[Tensor, ...]] = []

    def take(self) -> tuple[Tensor, ...]:
        """Tensors over memory that is nobody else's."""
        for entry in self.entries:
            if cpu().unshared(entry, True):
                return entry
        device = cpu()
        handle = device.Array(self.buffer.size, self.buffer.dtype)
        entry = tuple(
            Tensor.make_const(NDArray.make(x.shape, x.strides, device, handle, x.offset)) for x in self.operands
        )
        self.entries = [*self.entries[-3:], entry]
        return entry
