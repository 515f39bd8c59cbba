"""Finding the first NaN: `detect_anomaly` stops the program where it arises, and says how it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from ..autograd import Op, TensorTuple, Value
from ..display import of_op
from ..listening import Known, Listener, listening
from ..places import Line, is_users, users_line
from .causes import arrays_of, cause, fault, fault_of, is_bad
from .origins import Origin, Origins, origin_here
from .values import statistics_of

#: Parameters larger than this were made so by steps that are too large.
OUTGROWN = 1e6


class AnomalyError(FloatingPointError):
    """A NaN (or an Inf) arose.

    Attributes
    ----------
    direction : str
        ``"forward"``, ``"backward"``, or ``"update"`` for data that was assigned or that an optimizer wrote.
    op : Op or None
        What computed it; None for an update.
    line : Line or None
        The user's line: in the forward pass what made the node, in the backward pass what made the node that is
        differentiated; None if that was made before the detection began.
    why : str
        How the bad value arose.
    """

    def __init__(self, message: str, direction: str, op: Op | None, line: Line | None, why: str) -> None:
        super().__init__(message)
        self.direction = direction
        self.op = op
        self.line = line
        self.why = why


@contextmanager
def detect_anomaly(inf: bool = False) -> Iterator[None]:
    """Within the block, the first NaN stops the program, with an error that says where it arose and how.

    Every value that is computed and every share of an adjoint is looked at, in eager and lazy mode. Compiled functions
    are replayed; if what comes out holds a NaN, the call is undone and made again eagerly, from the same parameters,
    numbers and random draws, so that the operator is named and its line.

    Parameters
    ----------
    inf : bool
        Whether an Inf stops the program, too. Not by default, since masks of -inf are legitimate.

    Raises
    ------
    AnomalyError
        Within the block, at the first bad value: the op, the line of the program, statistics of its inputs, the cause.

    Examples
    --------
    >>> with ndl.debug.detect_anomaly():
    ...     loss = model(x)
    ...     loss.backward()
    """
    with listening(_Detector(inf)):
        yield


class _Detector(Listener):
    """Looks at all values, and remembers which line made which node as long as the node lives.

    Of a compiled function that is replayed, it looks at what comes out.
    """

    allows_replays = True

    def __init__(self, inf: bool) -> None:
        self.inf = inf
        self.origins = Origins()
        self.infinite: WeakKeyDictionary[Value, str] = WeakKeyDictionary()

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        if node.cached_data is None:
            self.origins[node] = origin_here(self.origins)
        elif node.requires_grad:
            self.origins.made(node)

    def computed_and_made(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        if fault_of(node.cached_data):
            self.computed(node, op, inputs, seconds)
        if node.requires_grad:
            self.origins.made(node, 4)  # also the function that every node comes through

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        kind = fault_of(node.cached_data)
        if not kind:
            return
        origin = self.origins.get(node) if node.recorded_spec is not None else origin_here(self.origins)
        if kind == "NaN" or self.inf:
            raise self._computed_badly(node, op, inputs, origin)
        self._remember_inf(node, op, inputs, origin)

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        if share is None or share.op is not None:  # what an op made was looked at when it was computed
            return
        if self._bad(share.cached_data):
            raise self._shared_badly(share, consumer, position)

    def replaced(self, tensor: Value, before: Any) -> None:
        self.origins.replaced(tensor)
        if self._bad(tensor.cached_data) and not self._bad(before):
            raise self._replaced_badly(tensor, before)

    def suspects(self, outcome: Sequence[Any]) -> bool:
        return any(map(self._bad, outcome))

    def known(self, node: Value) -> Known | None:
        """The line that made it."""
        return self.origins.known(node)

    def _bad(self, data: Any) -> bool:
        kind = fault_of(data)
        return kind == "NaN" or (self.inf and kind == "Inf")

    def _remember_inf(self, node: Value, op: Op, inputs: Sequence[Value], origin: Origin | None) -> None:
        """Note how an Inf arose, or the one that it came from, for the NaN that it may lead to."""
        known = next((self.infinite[x] for x in inputs if x in self.infinite), None)
        if known is None and not any(fault_of(x.cached_data) for x in inputs):
            output = next(array for array in arrays_of(node.cached_data) if fault(array))
            why = cause(op, [array for x in inputs for array in arrays_of(x.cached_data)], output)
            known = ", ".join([f"by {of_op(op)}: {why}", *_where(origin)[:2]])
        if known is not None:
            self.infinite[node] = known

    # What to say ------------------------------------------------------------------------------------------------------

    def _computed_badly(self, node: Value, op: Op, inputs: Sequence[Value], origin: Origin | None) -> AnomalyError:
        kind = _kind(node)
        why = self._why(node, op, inputs, kind)
        backward = origin is not None and bool(origin.op)
        lines = [f"the first {kind} arose in the {'backward' if backward else 'forward'} pass, computed by {of_op(op)}"]
        lines += _where(origin) + _students_compute(op)
        lines += [f"output: {text}" for text in _statistics(node)]
        for position, x in enumerate(inputs):
            lines += [f"input {position}: {text}{self._made(x)}" for text in _statistics(x)]
            lines += [f"the Inf of input {position} arose {self.infinite[x]}"] if x in self.infinite else []
            lines += self._outgrown(position, x)
        lines.append(f"why: {why}")
        line = None if origin is None else origin.forward if origin.op else origin.user
        return AnomalyError("\n  ".join(lines), "backward" if backward else "forward", op, line, why)

    def _why(self, node: Value, op: Op, inputs: Sequence[Value], kind: str) -> str:
        """The cause: bad values among the inputs, or else what the op did with good ones."""
        for position, x in enumerate(inputs):
            if fault_of(x.cached_data) >= kind:
                return f"the {kind} was already in input {position}, {self._role(x)}"
        output = next(array for array in arrays_of(node.cached_data) if is_bad(array, self.inf))
        return cause(op, [array for x in inputs for array in arrays_of(x.cached_data)], output)

    def _role(self, x: Value) -> str:
        """What a node is that was bad before this detection could see it computed."""
        origin = self.origins.get(x)
        if origin is not None:
            return f"which line {origin.user} made and which was written in place since"
        if x.op is not None:
            return f"which {of_op(x.op)} made before the detection began: begin it earlier"
        kind = "parameter" if type(x).__name__ == "Parameter" else "leaf"
        return f"a {kind} of shape {x.shape}: it came with the data, no operation made it"

    def _made(self, x: Value) -> str:
        origin = self.origins.get(x)
        return "" if origin is None else f"; made at {origin.user}"

    def _outgrown(self, position: int, x: Value) -> list[str]:
        """What to say of data that an optimizer (or somebody else) has made very large."""
        facts = self.origins.known(x)
        largest = max((abs(e) for e in _extremes(x)), default=0.0)
        if facts is None or facts.changed is None or largest < OUTGROWN:
            return []
        return [
            f"input {position} has grown to {largest:.3g}; {_at('it was changed last at', facts.changed)}",
            "are the optimizer's steps too large (its learning rate)?",
        ]

    def _shared_badly(self, share: Any, consumer: Value, position: int) -> AnomalyError:
        """A gradient that no operation computed: a student's, made of NumPy arrays say."""
        kind, known = _kind(share), self.origins.get(consumer)
        name = type(consumer.op).__name__
        why = f"{name}.gradient gave a {kind} that no operation of the graph computed, for input {position}"
        handed = f"in what {of_op(consumer.op)} hands to its input {position}"
        lines = [f"the first {kind} arose in the backward pass, {handed}"]
        lines += [] if known is None else [_at("forward pass", known.line)]
        lines += _students_method(consumer.op, "gradient")
        lines += [f"share: {text}" for text in _statistics(share)]
        lines.append(f"why: {why}")
        line = None if known is None else known.line
        return AnomalyError("\n  ".join(lines), "backward", consumer.op, line, why)

    def _replaced_badly(self, tensor: Value, before: Any) -> AnomalyError:
        kind, line = _kind(tensor), users_line()
        gradient = [] if tensor.grad is None else arrays_of(tensor.grad.cached_data)
        why = f"the new data holds {kind}, the old did not"
        if any(is_bad(array, inf=True) for array in gradient):
            why += "; the gradient holds NaN or Inf"
        elif gradient:
            why += "; the gradient is finite, so the step was too large for the numbers"
        title = f"the first {kind} arose when data of a {type(tensor).__name__} of shape {tensor.shape} was replaced"
        lines = [title, _at("at", line)]
        lines += [f"new data: {text}" for text in _statistics(tensor)]
        lines += [f"old data: {statistics_of(array).in_full()}" for array in arrays_of(before)]
        lines += [f"gradient: {statistics_of(array).in_full()}" for array in gradient]
        return AnomalyError("\n  ".join([*lines, f"why: {why}"]), "update", None, line, why)


def _kind(value: Value) -> str:
    """NaN, if there is any; else Inf, which the detection found."""
    return fault_of(value.cached_data)


def _extremes(value: Value) -> list[float]:
    """The smallest and the largest finite element of each array."""
    known = [statistics_of(array) for array in arrays_of(value.cached_data)]
    return [extreme for s in known for extreme in (s.minimum, s.maximum) if extreme is not None]


def _at(what: str, line: Line) -> str:
    source = f": {line.text}" if line.text else ""
    return f"{what} {line} in {line.function}{source}"


def _where(origin: Origin | None) -> list[str]:
    """The lines of the program that belong to a computation."""
    if origin is None:
        return ["at a line that is not known: the node was recorded before the detection began"]
    if not origin.op:
        return [_at("at", origin.user)]
    did = "in the sum of the shares of the adjoint of" if origin.summing else "in the gradient of"
    lines = [f"{did} {origin.op}"]
    if origin.forward is None:
        lines.append("forward pass: before the detection began; begin it earlier to see the line")
    else:
        lines.append(_at("forward pass", origin.forward))
    if origin.gradient is not None:
        lines.append(_at("gradient", origin.gradient))
    return [*lines, _at("gradient" if origin.user.function == "gradient" else "backward", origin.user)]


def _students_compute(op: Op) -> list[str]:
    return _students_method(op, "compute")


def _students_method(op: Any, name: str) -> list[str]:
    """Where a method of an op is defined, if a student wrote it."""
    code = getattr(getattr(type(op), name, None), "__code__", None)
    if code is None or not is_users(code):
        return []
    return [f"{type(op).__name__}.{name} is defined at {Line(code.co_filename, code.co_firstlineno, name)}"]


def _statistics(value: Value) -> list[str]:
    """One line for a tensor, one for each element of a tuple."""
    texts = [statistics_of(array).in_full() for array in arrays_of(value.cached_data)]
    return [f"[{i}] {text}" for i, text in enumerate(texts)] if isinstance(value, TensorTuple) else texts
