"""`compile`: a function whose kernel calls are recorded twice, compared, and then replayed."""

from __future__ import annotations

import functools
import operator
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

from .. import autograd, recording
from ..autograd import Tensor
from ..backend_selection import BACKEND, NDArray, cpu
from ..listening import listeners, want_all
from ..modes import modes
from ..nn.module import Module
from .check import State, assert_same
from .compare import assert_alike
from .passes import PASSES, Pass, improve
from .program import Program, Source, leaves, rebuilt
from .recorder import CompileError, Recorder, settings_of
from .replay import Replayer

F = TypeVar("F", bound=Callable[..., Any])

#: How many programs one function keeps; the one that was recorded first goes when there are more.
MOST_PROGRAMS = 32

#: Held while a function is recorded. A thread that finds it taken runs its function as it is, and records it later.
_RECORDING = threading.Lock()


class Recorded(NamedTuple):
    """One call, recorded: what it returned, its program, the memory of its buffers, the modules that took part."""

    result: Any
    program: Program
    memory: dict[int, Any]
    modules: dict[Module, dict[str, Any]]


class Variant:
    """One way that a function goes: recorded once, or twice and ready to be replayed.

    What is read of an argument cannot be told from what is read of a captured tensor where the argument is that tensor.
    Two recordings with other arguments tell. So if both got the same argument, the program is for that one alone, until
    another recording shows that it is for all.
    """

    def __init__(self, first: Recorded, arguments: list[tuple[Tensor, NDArray]]) -> None:
        self.program = first.program
        self.arguments = arguments  # at the first call, with their data before it
        self.replayer: Replayer | None = None
        self.only: list[
            tuple[int, Tensor | NDArray]
        ] = []  # a position, and the tensor or the memory that must be there
        self.captured = {x.tensor for x in first.program.sources if x.position is None}
        self.early = first.program.tape.split()[0]
        read = [(operator.itemgetter(*found), module) for module, found in first.modules.items() if found]
        self.settings = [functools.partial(get, vars(module)) for get, module in read]
        self.values = [get(first.modules[module]) for get, module in read]

    def applies(self, arguments: list[Tensor]) -> list[Any] | None:
        """The memory to replay on, if modules are in the modes that were recorded, and numbers branch as they did."""
        try:
            if [setting() for setting in self.settings] != self.values:
                return None
        except KeyError:  # one is gone
            return None
        if self.replayer is None:
            return [] if self.program.tape.run(self.early) else None
        if not self.captured.isdisjoint(arguments) or not all(_is_same(arguments[i], x) for i, x in self.only):
            return None
        return self.replayer.views_if_it_fits(arguments)

    def complete(self, second: Recorded, arguments: list[tuple[Tensor, NDArray]], passes: Iterable[Pass]) -> None:
        """Be ready to replay, after the second recording."""
        for i, ((x, data), (y, _)) in enumerate(zip(self.arguments, arguments)):
            if x is y or _is_same(y, data):
                self.only.append((i, x if x is y else data))
        self.arguments = []
        self.replayer = Replayer(improve(second.program, passes), second.memory)

    def is_for_all(self, other: Recorded, arguments: list[tuple[Tensor, NDArray]]) -> bool:
        """Whether `other`, recorded with other arguments, shows that the program is for any; from now on it is."""
        if self.replayer is None or not self.only or any(_is_same(arguments[i][0], x) for i, x in self.only):
            return False
        try:
            assert_alike(self.program, other.program)
        except CompileError:
            return False
        self.only = []
        return True


def _is_same(tensor: Tensor, known: Tensor | NDArray) -> bool:
    """Whether a tensor is the known one, or has the memory of a known array."""
    return tensor is known or (isinstance(known, NDArray) and tensor.cached_data._handle.ptr() == known._handle.ptr())


class Compiled:
    """A function that is recorded at its first two calls and replayed from then on; made by `compile`.

    Attributes
    ----------
    programs : list of Program
        What was recorded so far, improved: one for each combination of shapes, dtypes, other arguments and modes.
    """

    def __init__(self, function: Callable[..., Any], check: bool = False, passes: Iterable[Pass] = PASSES) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.check = check
        self.passes = tuple(passes)
        self._name = getattr(function, "__name__", type(function).__name__)
        self._variants: dict[Any, list[Variant]] = {}
        self._lock = threading.RLock()

    @property
    def programs(self) -> list[Program]:
        """The programs that are ready to be replayed."""
        every = [variant for variants in self._variants.values() for variant in variants]
        return [variant.replayer.program for variant in every if variant.replayer is not None]

    def __repr__(self) -> str:
        return f"<compiled {self._name}: {len(self.programs)} programs>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A method of a class: compiled with the instance as its first argument."""
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute what the function computes."""
        interpreted = modes.interpreters or modes.differentiating or autograd.LAZY_MODE or (listeners and want_all())
        if BACKEND == "np" or interpreted or recording.active.recorder is not None:
            return self.function(*args, **kwargs)
        tensors, key = self._key(args, kwargs)
        if key is None:
            return self.function(*args, **kwargs)
        with self._lock:
            for variant in self._variants.get(key, ()):
                views = variant.applies(tensors)
                if views is None:
                    continue
                if variant.replayer is None:
                    return self._second_call(variant, tensors, args, kwargs)
                if self.check:
                    return self._checked(variant.replayer, views, tensors, args, kwargs)
                if listeners:
                    return self._suspected(variant.replayer, views, tensors, args, kwargs)
                return variant.replayer.run(tensors, views)
            return self._first_call(key, tensors, args, kwargs)

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Tensor], Any]:
        """The tensors among the arguments, and all else on which a program depends; None where there is no program."""
        tensors: list[Tensor] = []
        fixed: list[Any] = []
        simple = not kwargs and all(isinstance(x, Tensor) for x in args)
        for x in args if simple else leaves((args, kwargs)):
            if isinstance(x, Tensor):
                data = x.realize_cached_data()
                if data.device is not cpu():
                    return tensors, None
                tensors.append(x)
                fixed.append((data.shape, data.strides, data.dtype, x.requires_grad))
            elif isinstance(x, (NDArray, np.ndarray)):
                raise TypeError(
                    f"{self._name}: a compiled function takes tensors, not a {type(x).__name__}: ndl.Tensor(x)"
                )
            else:
                fixed.append((type(x), x))
        if len(tensors) > 1 and len(set(tensors)) < len(tensors):
            return tensors, None  # what is done to one is done to the other
        nesting = len(args) if simple else (tuple(kwargs), repr(rebuilt((args, kwargs), _placeholder)))
        key = (nesting, tuple(fixed), modes.grad_enabled)
        try:
            hash(key)
        except TypeError:
            raise TypeError(f"{self._name}: arguments of a compiled function are tensors and hashable values") from None
        return tensors, key

    # Recording --------------------------------------------------------------------------------------------------------

    def _first_call(self, key: Any, tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = [(x, x.cached_data) for x in tensors]
        first = self._record(tensors, args, kwargs)
        if first is None:
            return self.function(*args, **kwargs)
        for variant in self._variants.get(key, ()):
            if variant.is_for_all(first, given) and variant.applies(tensors) is not None:
                return first.result
        self._make_room()
        self._variants.setdefault(key, []).append(Variant(first, given))
        return first.result

    def _second_call(
        self, variant: Variant, tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = [(x, x.cached_data) for x in tensors]
        second = self._record(tensors, args, kwargs, variant.program.sources)
        if second is None:
            return self.function(*args, **kwargs)
        assert_alike(variant.program, second.program)
        variant.complete(second, given, self.passes)
        return second.result

    def _make_room(self) -> None:
        """Let go of the oldest program if there are too many."""
        if sum(map(len, self._variants.values())) >= MOST_PROGRAMS:
            oldest = next(iter(self._variants))
            self._variants[oldest].pop(0)
            if not self._variants[oldest]:
                del self._variants[oldest]
            warnings.warn(
                f"{self._name} was recorded more than {MOST_PROGRAMS} times, for other shapes, arguments or modes, "
                "which takes longer than to run it; what changes at every call should be a tensor, or a number that "
                "an optimizer holds",
                RuntimeWarning,
                stacklevel=4,
            )

    def _record(
        self, tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any], known: Sequence[Source] = ()
    ) -> Recorded | None:
        """Run the function and write down what it does; None, and nothing is done, if that is not possible now.

        It is not where arguments share memory, since what is read of it would be nobody's; nor while another thread is
        recording.
        """
        addresses = {x.cached_data._handle.ptr() for x in tensors}
        if len(addresses) < len(tensors) or not _RECORDING.acquire(blocking=False):
            return None
        recorder = Recorder(self._name, tensors, known=known)
        try:
            with recorder.watching():
                result = self.function(*args, **kwargs)
        finally:
            _RECORDING.release()
        for module, found in recorder.modules.items():
            for name, value in settings_of(module).items():
                if found.get(name, value) != value:
                    raise CompileError(
                        f"{self._name} changes {type(module).__name__}.{name} from {found.get(name)!r} to {value!r}: "
                        "a replay would not; use a Tensor, and assign its data"
                    )
        program, memory = recorder.program(result)
        return Recorded(rebuilt(result, _detached), program, memory, recorder.modules)

    # Replaying --------------------------------------------------------------------------------------------------------

    def _checked(
        self, replayer: Replayer, views: list[Any], tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Replay, then do it all again eagerly from the same state, and compare."""
        state = State(replayer.program, tensors)
        result = rebuilt(replayer.run(tensors, views), _copied)
        replayed = State(replayer.program, tensors)
        state.restore()
        expected = rebuilt(self.function(*args, **kwargs), _detached)
        assert_same(replayer.program, (result, replayed), (expected, State(replayer.program, tensors)))
        return expected

    def _suspected(
        self, replayer: Replayer, views: list[Any], tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Replay; if somebody suspects the outcome, do it again eagerly from the same state, so that they are told."""
        state = State(replayer.program, tensors)
        result = replayer.run(tensors, views)
        touched = [*(x for x in leaves(result) if isinstance(x, Tensor)), *state.tensors]
        outcome = [x.cached_data for x in touched] + [x.grad.cached_data for x in touched if x.grad is not None]
        if not any(listener.suspects(outcome) for listener in tuple(listeners)):
            return result
        state.restore()
        return self.function(*args, **kwargs)


@overload
def compile(function: F) -> F: ...


@overload
def compile(*, check: bool = False, passes: Iterable[Pass] = PASSES) -> Callable[[F], F]: ...


def compile(function: Any = None, *, check: bool = False, passes: Iterable[Pass] = PASSES) -> Any:
    """Make `function` faster: record its kernel calls at the first two calls, and replay them from the third on.

    The results are those of the function itself, bit for bit; no Python runs for each operation. A whole training step
    can be compiled: forward pass, ``backward``, the optimizer's step. As a decorator or as a function::

        @ndl.compile
        def step(x, y):
            loss = loss_function(model(x), y)
            optimizer.reset_grad()
            loss.backward(create_graph=False)
            optimizer.step()
            return loss

    Parameters
    ----------
    function : callable
        Takes and returns tensors, in tuples, lists or dicts if need be; other arguments must be hashable, and a new
        value of one records a new program.
    check : bool
        At each replay, compute the same eagerly too, and compare: slow, to find out whether a function may be compiled.
    passes : iterable of Pass
        What improves the recorded program, in this order; see `needle.compiled.passes`.

    Returns
    -------
    callable
        With an attribute `programs`. What it returns carries no graph.

    Notes
    -----
    Fed in anew at each call: the data of the arguments and of all tensors that the function captures, the numbers that
    optimizers hold, random draws of `needle.init`, steps of schedules. New programs are recorded for new shapes, dtypes
    and memory layouts of the arguments, other values of other arguments, and other modes or settings of modules.

    Everything else that Python does is done at the first two calls only. The two recordings are compared, so that a
    counter or a fresh array which a kernel gets raises. A condition that changes later cannot be seen; `check` finds
    it.

    Record while no other thread trains: the numbers of all optimizers are watched. Arguments that share memory with
    each other are not compiled for; the tensors that a function captures should not share memory with each other. An
    argument may be a captured tensor: a program that was recorded twice with the same argument is for that one, until
    a recording with another shows that it is for all. A gradient that the function finds, and has not made itself, is
    a captured tensor like others; for another one a new program is recorded. At most 32 programs are kept.

    Under ``NEEDLE_BACKEND=np``, on other devices than ``cpu()``, in lazy mode, within a function or a tape's block that
    is differentiated, and while an interpreter listens to the graph, the function runs as it is.

    Raises
    ------
    CompileError
        While recording: if a value is read (``numpy()``, ``item()``, ``float()``, a branch on a tensor), or the second
        recording differs from the first. The message names the line.
    """
    if function is None:
        return functools.partial(Compiled, check=check, passes=passes)
    return Compiled(function, check, passes)


def _placeholder(x: Any) -> Any:
    return "T" if isinstance(x, Tensor) else "."


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) and x.op is not None else x


def _copied(x: Any) -> Any:
    return Tensor(x.numpy(), device=x.device, dtype=x.dtype) if isinstance(x, Tensor) else x
