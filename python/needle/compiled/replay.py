"""Binding a program to memory, and replaying it: `Replayer`."""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import Any

from ..autograd import Tensor
from ..backend_selection import NDArray, cpu
from .numbers import Slot
from .program import Chain, Instruction, Operand, Program, Source, leaves, rebuilt

_DATA = attrgetter("cached_data")
_VIEW = attrgetter("cached_data._view")


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
            getattr(self._device.module, instruction.kernel)(*map(self._argument, instruction.arguments))
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
        """An argument of a kernel: a view for an operand, the device's object for a chain, nothing yet for a slot."""
        if isinstance(x, Operand):
            view = self._device.View(self._handles[x.buffer], x.shape, x.strides, x.offset)
            self._views.setdefault(x.buffer, []).append(view)
            return view
        if isinstance(x, Chain):
            return self._device.Chain(x.inputs, x.steps, x.outputs)
        return None if isinstance(x, Slot) else x

    def _assemble(self) -> None:
        program, device = self.program, self._device
        self._views.clear()
        # From the module: the device's own attributes may be watched by another thread's recorder just now.
        calls = [
            (getattr(device.module, i.kernel), tuple(map(self._argument, i.arguments))) for i in program.instructions
        ]
        feeds = [
            [i, position, x.index]
            for i, instruction in enumerate(program.instructions)
            for position, x in enumerate(instruction.arguments)
            if isinstance(x, Slot)
        ]
        needed = {*self._views, *program.used()}
        bound = [source for source in program.sources if source.buffer in needed]
        slots = []
        for source in bound:
            assert source.buffer is not None
            like = device.View(self._handles[source.buffer], source.shape, source.strides, source.offset)
            slots.append((like, self._views.get(source.buffer, [])))
        for index, ring in self.rings.items():
            x = ring.operands[0]
            like = device.View(self._handles[index], x.shape, x.strides, x.offset)
            slots.append((like, self._views.get(index, [])))
        self._replay = device.Replay(calls, slots, feeds)
        self._held, self._unshared = device.held, device.unshared
        self._bound = Tensors(bound)
        self._in_place = [i for i, source in enumerate(bound) if source.in_place]  # and the tensors there:
        self._changed = [bound[i].tensor for i in self._in_place]
        self._rings = list(self.rings.values())
        self._outputs = [x for ring in self._rings for x in ring.operands]
        self._others: list[Any] = []
        gradients = [effect for effect in program.effects if effect.attribute == "grad"]
        gradients.sort(key=lambda effect: effect.value is None)  # after which there is nothing more to do for those
        self._get_gradient = Tensors([program.sources[effect.source] for effect in gradients])
        self._gradient_places = [self._place(effect.value) for effect in gradients if effect.value is not None]
        data = [effect for effect in program.effects if effect.attribute != "grad"]
        self._get_data = Tensors([program.sources[effect.source] for effect in data])
        self._data_places = [self._place(effect.value) for effect in data]
        self._result = rebuilt(program.result, self._place)
        self._forget_handles()
        self._entries = [ring.take() for ring in self._rings]  # what the last replay gave, and the next one gives

    def _place(self, x: Any) -> int:
        """Where `x` is found among what leaves the program: the outputs, then the others, of which it becomes one."""
        if isinstance(x, Operand) and x in self._outputs:
            return self._outputs.index(x)
        self._others.append(x)
        return len(self._outputs) + len(self._others) - 1

    def _forget_handles(self) -> None:
        """Let go of what is bound anew at each replay: it belongs to others."""
        kept = {i for i, b in self.program.buffers.items() if b.role in ("constant", "temporary")}
        self._handles = {i: handle for i, handle in self._handles.items() if i in kept}
        self._views.clear()

    # Running it -------------------------------------------------------------------------------------------------------

    def views_if_it_fits(self, arguments: list[Tensor]) -> list[Any] | None:
        """The memory to work on, if all tensors have the layouts that were recorded and numbers branch as they did."""
        try:
            views = list(map(_VIEW, self._bound.of(arguments)))
        except AttributeError:  # no data, or data that is elsewhere
            return None
        return views if self._replay.fits(views) and self.program.tape.run(self.early) else None

    def run(self, arguments: list[Tensor], views: list[Any]) -> Any:
        """Replay on `views`, which `views_if_it_fits` gave. Gives what the function returns."""
        self.program.tape.run(self.late)
        for i in self._held(list(map(_DATA, self._changed)), 1):  # somebody wants to keep the old data
            tensor = self._changed[i]
            tensor.cached_data = tensor.cached_data.copy()
            views[self._in_place[i]] = tensor.cached_data._view
        with_gradient = self._get_gradient.of(arguments)
        for tensor in with_gradient:
            tensor.grad = None  # its memory may be used again
        if not self._unshared(self._entries):  # somebody holds it
            self._entries = [ring.take() for ring in self._rings]
        views += [entry[0]._view for entry in self._entries]
        try:
            self._replay.run(views, self.program.tape.values)
        except Exception as error:
            self._explain(error)
            raise
        leaving = [*map(Tensor.make_const, chain.from_iterable(self._entries))]
        leaving += [self._made(x, arguments) for x in self._others]  # as long as all data are what they were
        for tensor, place in zip(with_gradient, self._gradient_places):
            tensor.grad = leaving[place]
        for tensor, place in zip(self._get_data.of(arguments), self._data_places):
            tensor.cached_data = leaving[place].cached_data
        return rebuilt(self._result, leaving.__getitem__)

    def _made(self, x: Any, arguments: list[Tensor]) -> Any:
        """What leaves the program and is no output: a tensor for a source, or over the memory of one; else `x`."""
        if isinstance(x, Source):
            return arguments[x.position] if x.position is not None else x.tensor
        if not isinstance(x, Operand):
            return x
        source = next(s for s in self.program.sources if s.buffer == x.buffer)
        data = (source.tensor if source.position is None else arguments[source.position]).cached_data
        return Tensor.make_const(data.as_strided(x.shape, x.strides, x.offset - source.offset + data.offset))

    def _explain(self, error: Exception) -> None:
        """Say where the kernel that raised was recorded."""
        instruction: Instruction = self.program.instructions[self._replay.failed]
        note = f"(in the compiled function {self.program.name}, recorded at {instruction.line})"
        if error.args and isinstance(error.args[0], str):
            error.args = (f"{error.args[0]} {note}", *error.args[1:])


class Tensors:
    """The tensors that `sources` stand for: captured ones, and arguments."""

    def __init__(self, sources: list[Source]) -> None:
        self.captured = [source.tensor for source in sources]
        self.given = [(i, source.position) for i, source in enumerate(sources) if source.position is not None]

    def of(self, arguments: list[Tensor]) -> list[Tensor]:
        """All of them, for these arguments."""
        tensors = self.captured.copy()
        for i, position in self.given:
            tensors[i] = arguments[position]
        return tensors


class Ring:
    """The memory of one output: used again when nobody outside holds what it was given the last time.

    An entry of the ring is a tuple of arrays, one for each of `operands`, over one buffer.
    """

    def __init__(self, program: Program, buffer: int) -> None:
        self.buffer = program.buffers[buffer]
        outside = [effect.value for effect in program.effects] + list(leaves(program.result))
        self.operands = list(dict.fromkeys(x for x in outside if isinstance(x, Operand) and x.buffer == buffer))
        self.entries: list[tuple[NDArray, ...]] = []

    def take(self) -> tuple[NDArray, ...]:
        """Arrays over memory that is nobody else's."""
        device = cpu()
        for entry in self.entries:
            if device.unshared([entry]):
                return entry
        handle = device.Array(self.buffer.size, self.buffer.dtype)
        entry = tuple(NDArray.make(x.shape, x.strides, device, handle, x.offset) for x in self.operands)
        self.entries = [*self.entries[-3:], entry]
        return entry
