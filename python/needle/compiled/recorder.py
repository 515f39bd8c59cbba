"""Runs a function once, as ever, and writes down every kernel call: from Python objects to a `Program`.

What a kernel call reads is told apart by memory. A buffer that an argument views is that argument's; one that a tensor
viewed before the call began is *captured*, and read anew at each replay; one that a kernel writes first is the
program's own. What the call leaves behind is found by looking at all tensors before and after.
"""

from __future__ import annotations

import gc
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from .. import recording
from ..autograd import Tensor
from ..backend_selection import Device, NDArray, cpu
from ..nn.module import Module, Parameter
from ..optim import Optimizer
from ..places import here
from .conditions import Condition, HasGradient, IsTensor, SharesMemory
from .numbers import Fed, Slot, Tape, fed, plain
from .program import Buffer, Effect, Instruction, Operand, Program, Source, leaves, output_positions, rebuilt


class CompileError(RuntimeError):
    """A function does what a recording of kernel calls cannot repeat."""


class Recorder:
    """Watches one call of a function, whose kernels are those of `device`: by default ``cpu()``.

    Where several tensors share memory, one of them counts as captured: one that earlier recordings captured (`known`),
    or else one whose data the call replaces, or a parameter, or the oldest.
    """

    def __init__(
        self, name: str, arguments: list[Any], device: Device | None = None, known: Collection[Tensor] = ()
    ) -> None:
        self.name = name
        self.device = cpu() if device is None else device
        self.known = known
        self.tape = Tape()
        self.arguments = arguments
        self.calls: list[tuple[str, tuple[Any, ...], str]] = []
        self.modules: dict[Module, dict[str, Any]] = {}
        self.drawn: dict[int, tuple[Any, Slot]] = {}
        self.optimizers: list[Optimizer] = []
        self.before: dict[Tensor, tuple[Any, Any]] = {}
        self.given_data: set[Tensor] = set()  # those whose `data` was set, be it to what it was
        self.given_gradients: set[Tensor] = set()  # the same for `grad`
        self.gradients_read: set[Tensor] = set()  # those whose `grad` was read before that
        self.held: dict[tuple[int, str], Any] = {}  # the fed number for each number that an optimizer holds

    # While the function runs ------------------------------------------------------------------------------------------

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within the block, kernel calls of this thread are written down and optimizers' numbers are fed ones."""
        self.optimizers = _alive(Optimizer)
        self.before = {x: (x.cached_data, x.grad) for x in _alive(Tensor) if x.cached_data is not None}
        self._feed_numbers(late=False)
        recording.active.recorder = self
        try:
            with self.device.listening(self._kernel_called), self._noting():
                yield
        finally:
            recording.active.recorder = None
            self._settle_numbers()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Within the block, note which tensors this thread gives ``data`` or ``grad``, and whose ``grad`` it reads."""
        thread = threading.get_ident()
        data = vars(Tensor)["data"]

        def replace(tensor: Tensor, value: Any) -> None:
            if threading.get_ident() == thread:
                self.given_data.add(tensor)
            data.fset(tensor, value)

        def read(tensor: Tensor) -> Any:
            if threading.get_ident() == thread and tensor not in self.given_gradients:
                self.gradients_read.add(tensor)
            return vars(tensor).get("grad")

        def give(tensor: Tensor, value: Any) -> None:
            if threading.get_ident() == thread:
                self.given_gradients.add(tensor)
            vars(tensor)["grad"] = value

        type.__setattr__(Tensor, "data", property(data.fget, replace))
        type.__setattr__(Tensor, "grad", property(read, give))
        try:
            yield
        finally:
            type.__setattr__(Tensor, "data", data)
            type.__delattr__(Tensor, "grad")

    def _feed_numbers(self, late: bool) -> None:
        """Put fed numbers into all optimizers; `late` ones are read after something that a replay does, too."""
        for optimizer in self.optimizers:
            for name, value in vars(optimizer).items():
                if type(value) in (int, float):
                    known = self.held.get((id(optimizer), name))
                    if known is None or plain(known) != value:
                        known = fed(
                            self.tape, partial(self.tape.add, getattr, (optimizer, name), value, late=late), value
                        )
                        self.held[id(optimizer), name] = known
                    vars(optimizer)[name] = known

    def _settle_numbers(self) -> None:
        """Put plain numbers back; those that were computed are set at each replay too."""
        for optimizer in self.optimizers:
            for name, value in vars(optimizer).items():
                if isinstance(value, Fed):
                    vars(optimizer)[name] = plain(value)
                    if value is not self.held.get((id(optimizer), name)):
                        self.tape.add(setattr, (optimizer, name, value.slot), None, effect=True)
                        self.held.pop((id(optimizer), name), None)

    def each_time(self, action: Callable[[], Any]) -> Any:
        """Do `action` now and at each replay."""
        self._settle_numbers()
        value = action()
        slot = Slot(self.tape.add(action, (), value, effect=True))
        self._feed_numbers(late=True)
        if isinstance(value, np.ndarray):
            self.drawn[id(value)] = value, slot
        return value

    def module_called(self, module: Module) -> None:
        """Remember the mode and the numbers of `module`, which must be the same at a replay."""
        self.modules.setdefault(module, settings_of(module))

    def value_read(self, what: str) -> None:
        """Refuse."""
        raise CompileError(
            f"{what} reads values while {self.name} is being compiled, at {here()}: a compiled function "
            "repeats kernel calls, and would not see other values. Return the tensor and read it outside, or do "
            "without ndl.compile"
        )

    def _kernel_called(self, name: str, kernel: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Write a call down in `calls`, as it is, with the user's line; then call the kernel, with plain numbers."""
        self.calls.append((name, args, str(here())))
        plainly = [plain(x) for x in args] if any(isinstance(x, Fed) for x in args) else args
        return kernel(*plainly)

    # Afterwards -------------------------------------------------------------------------------------------------------

    def program(self, result: Any) -> tuple[Program, dict[int, Any]]:
        """What was recorded, given what the function returned, and the memory of its buffers."""
        assembly = _Assembly(self)
        return assembly.program(result), assembly.handles

    def conditions(self, program: Program) -> set[Condition]:
        """What was so before the call, and is taken for granted by the program that was recorded."""
        positions = {x: position for position, x in enumerate(self.arguments)}
        asked = self.gradients_read & self.before.keys()
        found: set[Condition] = {HasGradient(positions.get(x, x), self.before[x][1]) for x in asked}

        not_only_read = {program.sources[effect.source].position for effect in program.effects}
        not_only_read |= {x.position for x in leaves(program.result) if isinstance(x, Source)}
        arrays = {x: data for x, (data, _) in self.before.items() if isinstance(data, NDArray)}
        sharing = defaultdict(list)  # the tensors with the same memory, by its address
        for x, data in arrays.items():
            sharing[data._handle.ptr()].append(x)
        for x in {*self.arguments, *program.captured, *self.given_data} & arrays.keys():
            of, data = positions.get(x, x), arrays[x]
            for other in sharing[data._handle.ptr()]:
                if of is not other and _overlap(data, arrays[other]):
                    found.add(SharesMemory(of, other, data.offset - arrays[other].offset))
                    if of in not_only_read:
                        found.add(IsTensor(of, other, other is x))
        return found


class _Assembly:
    """Turns what a `Recorder` has seen into a `Program`: memory gets numbers, tensors become sources."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.buffers: dict[int, Buffer] = {}
        self.sources: list[Source] = []
        self.numbers: dict[int, int] = {}  # of a buffer, by its address
        self.handles: dict[int, Any] = {}
        self.owners: dict[int, Tensor] = {}
        claims: dict[int, tuple[bool, ...]] = {}
        for tensor, (data, _) in recorder.before.items():
            if isinstance(data, NDArray):
                address = data._handle.ptr()
                claim = (tensor in recorder.known, self._has_new_data(tensor), isinstance(tensor, Parameter))
                if address not in claims or claim > claims[address]:
                    self.owners[address], claims[address] = tensor, claim

    def program(self, result: Any) -> Program:
        recorder = self.recorder
        for position, tensor in enumerate(recorder.arguments):
            self._source(tensor, f"argument {position}", position)
        instructions = [
            Instruction(name, tuple(self._argument(x, i, name, args) for i, x in enumerate(args)), line)
            for name, args, line in recorder.calls
        ]
        effects = [*self._effects(), *self._gradients_reset()]
        self._check_not_shared(effects)
        returned = rebuilt(result, self._returned)
        program = Program(
            recorder.name, instructions, self.buffers, recorder.tape, effects, returned, sources=self.sources
        )
        for buffer in set(program.used()):
            if self.buffers[buffer].role == "temporary":
                self.buffers[buffer] = Buffer(self.buffers[buffer].dtype, self.buffers[buffer].size, "output")
        return program

    def _source(self, tensor: Any, name: str, position: int | None = None) -> int:
        """The number of the source for `tensor`, which is made if it is new."""
        for index, source in enumerate(self.sources):
            if (source.tensor if source.position is None else self.recorder.arguments[source.position]) is tensor:
                return index
        data = self.recorder.before[tensor][0] if tensor in self.recorder.before else tensor.cached_data
        captured = tensor if position is None else None
        source = Source(name, position, captured, data.shape, data.strides, data.dtype, data.offset)
        self.sources.append(source)
        if data._handle.ptr() not in self.numbers:
            source.buffer = self._new_buffer(data._view, "input", name)
        return len(self.sources) - 1

    def _new_buffer(self, view: Any, role: str, name: str = "") -> int:
        """Give the memory that a view lies in the next number, by its address, and describe it in `buffers`.

        Its handle (`view.handle`, which has ``ptr()``, ``dtype`` and ``size``) is kept in `handles`.
        """
        number = len(self.buffers)
        handle = view.handle
        self.numbers[handle.ptr()] = number
        self.handles[number] = handle
        self.buffers[number] = Buffer(handle.dtype, handle.size, role, name)
        return number

    def _operand(self, view: Any, is_written: bool) -> Operand:
        """A view as an operand.

        Memory that has no number yet is a tensor's that was there before (`owners`, by address): then that tensor is a
        captured source, ``captured Tensor[2, 3]``. Or it is written here first: a temporary buffer of the program's
        own. Otherwise nobody could bind it at a replay, and that is a CompileError.
        """
        address = view.handle.ptr()
        if address not in self.numbers:
            if address in self.owners:
                owner = self.owners[address]
                self._source(owner, _name_of(owner))
            elif is_written:
                self._new_buffer(view, "temporary")
            else:
                raise CompileError(
                    f"{self.recorder.name} reads an array of shape {view.shape} that no tensor holds; "
                    "put it into an ndl.Tensor"
                )
        operand = Operand(self.numbers[address], tuple(view.shape), tuple(view.strides), view.offset)
        self._check_inside(operand)
        return operand

    def _check_inside(self, operand: Operand) -> None:
        """Raise if `operand` reaches memory beside the tensor whose buffer it is of: another tensor's, then."""
        for source in self.sources:
            if source.buffer == operand.buffer and operand.size:
                whole = Operand(operand.buffer, source.shape, source.strides, source.offset)
                if not (whole.span[0] <= operand.span[0] and operand.span[1] <= whole.span[1]):
                    raise CompileError(
                        f"{self.recorder.name} reads memory that {source} shares with another tensor; pass a copy"
                    )

    def _argument(self, x: Any, position: int, kernel: str, args: tuple[Any, ...]) -> Any:
        """An argument of a call as an instruction has it: argument number `position` among `args`.

        An operand for a view, its slot for a fed number; for a NumPy array that was drawn (`drawn`, by ``id``) the slot
        of the draw, for another one a copy, since its owner may write to it. Everything else is itself.
        """
        if type(x).__name__ == "View":
            return self._operand(x, position in output_positions(kernel, args))
        if isinstance(x, Fed):
            return x.slot
        if isinstance(x, np.ndarray):
            return self.recorder.drawn[id(x)][1] if id(x) in self.recorder.drawn else x.copy()
        return x

    def _effects(self) -> Iterator[Effect]:
        """What is different about the tensors that were there before: other data, another gradient (or none)."""
        for tensor, (data, grad) in self.recorder.before.items():
            if tensor.cached_data is not data:
                source = self._source(tensor, _name_of(tensor))
                yield Effect(source, "cached_data", self._operand(tensor.cached_data._view, True))
            if tensor.grad is not grad:
                source = self._source(tensor, _name_of(tensor))
                if tensor.grad is None:
                    yield Effect(source, "grad", None)
                else:
                    value = self._operand(tensor.grad.realize_cached_data()._view, True)
                    yield Effect(source, "grad", value)

    def _gradients_reset(self) -> Iterator[Effect]:
        """The tensors that had no gradient before, and were given none: at a replay they may have one."""
        for tensor in self.recorder.given_gradients & self.recorder.before.keys():
            if tensor.grad is None and self.recorder.before[tensor][1] is None:
                source = self._source(tensor, _name_of(tensor))
                yield Effect(source, "grad", None)

    def _check_not_shared(self, effects: list[Effect]) -> None:
        """Raise if the new data of a tensor are another captured one's, too: nobody could tell later who reads them."""
        kept = [x for x in self.sources if x.tensor is not None and not self._has_new_data(x.tensor)]
        owners = {source.buffer: source for source in kept if source.buffer is not None}
        for effect in effects:
            if effect.attribute == "cached_data" and effect.value is not None and effect.value.buffer in owners:
                raise CompileError(
                    f"{self.recorder.name} gives {self.sources[effect.source]} the memory of "
                    f"{owners[effect.value.buffer]}, so that the two share it; assign a copy, such as `tensor.data * 1`"
                )

    def _has_new_data(self, tensor: Any) -> bool:
        """Whether the call has replaced the data of a tensor that was there before."""
        return tensor.cached_data is not self.recorder.before[tensor][0]

    def _returned(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            if x in self.recorder.before:
                return self.sources[self._source(x, _name_of(x))]
            return self._operand(x.realize_cached_data()._view, True)
        if isinstance(x, (NDArray, Fed, np.ndarray)):
            raise CompileError(
                f"{self.recorder.name} returns a {type(x).__name__}; a compiled function returns tensors"
            )
        return x


def _overlap(a: NDArray, b: NDArray) -> bool:
    """Whether two arrays over the same memory may have elements in common."""
    (a_first, a_last), (b_first, b_last) = (Operand(0, x.shape, x.strides, x.offset).span for x in (a, b))
    return a_first <= b_last and b_first <= a_last


def _name_of(tensor: Tensor) -> str:
    """What a captured tensor is called in a program."""
    return f"captured {type(tensor).__name__}{list(tensor.shape)}"


def _alive(kind: type) -> list[Any]:
    """All objects of a class and of its subclasses, older ones first, as far as the garbage collector tells them apart.

    By type(), since isinstance also asks dead proxies, which raise.
    """
    kinds: set[Any] = set()
    found: list[Any] = [kind]
    while found:
        kinds.update(found)
        found = [subclass for one in found for subclass in one.__subclasses__()]
    return [x for generation in (2, 1, 0) for x in gc.get_objects(generation) if type(x) in kinds]


def settings_of(module: Module) -> dict[str, Any]:
    """The mode and the plain attributes of a module, on which what it computes may depend."""
    return {name: x for name, x in vars(module).items() if isinstance(x, (bool, int, float, str, type(None)))}
