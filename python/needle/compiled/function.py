"""`compile`: a function whose kernel calls are recorded twice, compared, and then replayed."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

import numpy as np

from .. import autograd, recording
from ..autograd import Tensor
from ..backend_selection import BACKEND, NDArray, cpu
from ..listening import listeners, want_all
from ..modes import modes
from .check import State, assert_same
from .passes import PASSES, Pass
from .program import Program, leaves, rebuilt
from .recorder import CompileError, Recorder, settings_of
from .replay import Replayer
from .variant import Recorded, Variant

F = TypeVar("F", bound=Callable[..., Any])

#: How many programs one function keeps; the one that was recorded first goes when there are more.
MOST_PROGRAMS = 32

#: Held while a function is recorded. A thread that finds it taken runs its function as it is, and records it later.
_RECORDING = threading.Lock()


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
                views = variant.views(tensors)
                if views is None or variant.replayer is None:
                    continue
                if self.check:
                    return self._checked(variant.replayer, views, tensors, args, kwargs)
                if listeners:
                    return self._suspected(variant.replayer, views, tensors, args, kwargs)
                return variant.replayer.run(tensors, views)
            return self._recorded(key, tensors, args, kwargs)

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

    def _recorded(self, key: Any, tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the function and record it: another call of a variant that there is, or the first of a new one."""
        variants = [variant for variant in self._variants.get(key, ()) if variant.goes()]
        recorded = self._record(tensors, args, kwargs)
        if recorded is None:
            return self.function(*args, **kwargs)
        if not any(variant.takes(recorded, self.passes) for variant in variants):
            self._make_room()
            self._variants.setdefault(key, []).append(Variant(recorded))
        return recorded.result

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

    def _record(self, tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recorded | None:
        """Run the function and write down what it does; None, and nothing is done, if that is not possible now.

        It is not where arguments share memory, since what is read of it would be nobody's; nor while another thread is
        recording.
        """
        addresses = {x.cached_data._handle.ptr() for x in tensors}
        if len(addresses) < len(tensors) or not _RECORDING.acquire(blocking=False):
            return None
        known = {x for variants in self._variants.values() for variant in variants for x in variant.captured}
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
        conditions = recorder.conditions(program)
        return Recorded(rebuilt(result, _detached), program, memory, recorder.modules, conditions)

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
    each other are not compiled for. Where an argument or a captured tensor shared memory with another tensor before
    both recordings, or a gradient that the function asks for was the same one (or none), the program is for that case
    alone, until a recording of another case shows that it is for this, too. At most 32 programs are kept.

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
