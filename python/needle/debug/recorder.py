"""The listener that writes a recording: what it is told, it keeps as events, nodes and values of a `Trace`."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..backend_selection import stamp
from ..changes import Stale
from ..display import attributes
from ..listening import Known, Listener, listening
from ..places import Place
from .calls import Calls, Here
from .names import BY_ASSIGNMENT, BY_MODULE, BY_USER, Assigned, assigned, given_name
from .order import inputs_first
from .records import NODE_WIDTH, WIDTH, cut
from .trace import Reference, Trace
from .values import VIEWABLE

if TYPE_CHECKING:
    from ..autograd import Op, Value

_PRESENT = object()


#: How many bytes of values a recording keeps by default.
KEEP = 256 * 2**20


@contextlib.contextmanager
def record(keep: int = KEEP) -> Iterator[Trace]:
    """Record what happens to the graph within the block.

    Nodes are not kept alive, but their values are; when these take more than `keep` bytes, the oldest are dropped, and
    only their statistics stay. Compiled functions run as they are while somebody records.

    Parameters
    ----------
    keep : int
        At most so many bytes of values; 0 for statistics alone.

    Yields
    ------
    Trace
        What was recorded; it can be asked within the block and after it.

    Raises
    ------
    ValueError
        If `keep` is negative.
    """
    if keep < 0:
        raise ValueError(f"record: keep is a number of bytes, and not negative; got {keep}")
    trace = Trace(keep)
    try:
        with listening(Recorder(trace)):
            yield trace
    except BaseException as error:
        with contextlib.suppress(AttributeError):
            error.needle_recording = trace  # type: ignore[attr-defined]
        raise


def recording_of(error: BaseException) -> Trace | None:
    """The recording of the block that `error` came out of; None if it came out of none."""
    return getattr(error, "needle_recording", None)


class Recorder(Listener):
    """Writes down in `trace` what it is told."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._number_of = trace.numbers.get
        self._lock = threading.RLock()
        self._here = Here()
        self._stamps: dict[int, Any] = {}
        self._assigned: dict[int, tuple[Place, Assigned | None]] = {}  # to what, by the identity of where it is made

    # What is told -----------------------------------------------------------------------------------------------------

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Write it down, and its name if it gets one."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            numbers = self._inputs(inputs, where, calls)
            number = self._number_of(id(node)) or self._new(node, op, numbers, where, calls)
            self._event(calls, "made", where, number, type(op).__name__, numbers)
            self.trace.all_nodes.change(number, made=True)
            self._name_by_assignment(number, where, calls)

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write it down, with the value."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            numbers = self._inputs(inputs, where, calls)
            number = self._number_of(id(node)) or self._new(node, op, numbers, where, calls)
            self._event(calls, "computed", where, number, type(op).__name__, numbers, "", node.cached_data, seconds)

    def computed_and_made(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write down both."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            numbers = self._inputs(inputs, where, calls)
            number = self._new(node, op, numbers, where, calls, made=True)
            value, nbytes = self._keep(number, node.cached_data)
            flat, name = self.trace.events.flat, type(op).__name__
            rest = None, None, None, calls.walk, calls.module, ""
            flat += ("computed", where, number, name, numbers, value, seconds, nbytes, *rest)
            flat += ("made", where, number, name, numbers, None, None, None, *rest)
            calls.shared = None
            self._name_by_assignment(number, where, calls)

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """Write down who handed what to whom; the value is that of the node that is the share."""
        with self._lock:
            number_of, calls = self._number_of, self._here.calls
            by, before = number_of(id(consumer)), calls.shared
            where = before[1] if position and before and before[0] == by else calls.place()
            by = by or self._seen(consumer, where, calls)
            receiver = number_of(id(node)) or self._seen(node, where, calls)
            given = None if share is None else number_of(id(share)) or self._seen(share, where, calls)
            flat, op, rest = self.trace.events.flat, type(consumer.op).__name__, (calls.walk, calls.module, "")
            flat += ("share", where, receiver, op, (), None, None, None, given, by, position, *rest)
            calls.shared = by, where

    def failed(self, error: Exception, op: Op, inputs: tuple[Value, ...], node: Value | None) -> None:
        """Write it down."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            numbers = tuple(self._seen(x, where, calls) for x in inputs)
            number = None if node is None else self._seen(node, where, calls)
            said = cut(" ".join(f"{type(error).__name__}: {error}".split()), 200)
            self._event(calls, "failed", where, number, type(op).__name__, numbers, said)

    def freed(self, node: Value) -> None:
        """Write it down."""
        with self._lock:
            calls = self._here.calls
            where = calls.shared[1] if calls.shared else calls.place()
            self._event(calls, "freed", where, self._number_of(id(node)) or self._seen(node, where, calls))

    def replaced(self, tensor: Value, before: Any) -> None:
        """Write it down, with the new value; that of before, too, if the tensor was not known."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            number = self._seen(tensor, where, calls, before)
            self._event(calls, "replaced", where, number, data=tensor.cached_data)

    def entered(self, module: Any) -> None:
        """Write it down; the parameters of the outermost module get their paths as names."""
        with self._lock:
            calls = self._here.calls
            if not calls.open:
                calls.outermost = weakref.ref(module)
                known = calls.parts.get(module)
                if known is None:
                    self._name_by_path(module, calls)
                else:
                    calls.paths = known
            elif id(module) not in calls.paths:
                self._name_by_path(calls.outermost(), calls)
            where = calls.place()
            calls.enter(calls.paths.get(id(module), ""), where)
            self._event(calls, "entered", where, what=type(module).__name__)

    def left(self, module: Any, output: Any) -> None:
        """Write it down."""
        with self._lock:
            calls = self._here.calls
            where = calls.open[-1][1] if calls.open else calls.place()
            self._event(calls, "left", where, self._number_of(id(output)), what=type(module).__name__)
            calls.leave()
            if not calls.open:
                for number, name in calls.candidates.values():
                    self.trace.name(number, name, BY_ASSIGNMENT)
                calls.candidates.clear()

    def backward_began(self, outputs: Sequence[Value]) -> None:
        """Write it down."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            index = self._walk_event(calls, "backward_began", where, outputs)
            calls.begin_walk(index, where.user)

    def backward_ended(self, outputs: Sequence[Value]) -> None:
        """Write it down."""
        with self._lock:
            calls = self._here.calls
            self._walk_event(calls, "backward_ended", calls.place(), outputs)
            calls.end_walk()

    def _walk_event(self, calls: Calls, kind: str, where: Place, outputs: Sequence[Value]) -> int:
        numbers = tuple(self._seen(x, where, calls) for x in outputs)
        return self._event(calls, kind, where, numbers[0] if len(numbers) == 1 else None, "", numbers)

    def stepped(self, optimizer: Any) -> None:
        """Write it down."""
        with self._lock:
            calls = self._here.calls
            self._event(calls, "stepped", calls.place(), what=type(optimizer).__name__)

    def known(self, node: Value) -> Known | None:
        """Its number, name and line; of a node that was there before the recording, no line."""
        record = self.trace.known(node)
        if record is None:
            return None
        changed = self.trace.events.about("replaced", record.number)
        line = self.trace.events.place_at(changed[-1]).user if changed else None
        return Known(record.place.user if record.made else None, record.number, record.name, line)

    def named(self, tensor: Value, text: str) -> None:
        """`needle.debug.name` was called."""
        with self._lock:
            calls = self._here.calls
            number = self._seen(tensor, calls.place(), calls)
            self.trace.all_nodes.change(number, name=text, named_by=BY_USER)

    # Writing it down --------------------------------------------------------------------------------------------------

    def _event(
        self,
        calls: Calls,
        kind: str,
        where: Place,
        node: int | None = None,
        op: str = "",
        inputs: tuple[int, ...] = (),
        what: str = "",
        data: Any = None,
        seconds: float | None = None,
    ) -> int:
        """Note an event, and give its index; a node that it is about has `data` from then on, if any is given."""
        value, nbytes = (None, None) if data is None or node is None else self._keep(node, data)
        calls.shared, walk, module, flat = None, calls.walk, calls.module, self.trace.events.flat
        flat += (kind, where, node, op, inputs, value, seconds, nbytes, None, None, None, walk, module, what)
        return len(flat) // WIDTH - 1

    def _keep(self, number: int, data: Any) -> tuple[int | None, int | None]:
        """Keep the data of a node, and give the number and the bytes of the value; None if it has no elements."""
        value, nbytes = self.trace.ring.add(data)
        if value is not None:
            self._stamps[number] = data._view.stamp if type(data) is VIEWABLE else stamp(data)
        return value, nbytes

    def _inputs(self, inputs: tuple[Value, ...], where: Place, calls: Calls) -> tuple[int, ...]:
        """The numbers of nodes that are used; data that was written in place since it was last seen is noted."""
        numbers, number_of, stamps = [], self._number_of, self._stamps
        for x in inputs:
            number, data = number_of(id(x)) or self._seen(x, where, calls), x.cached_data
            if data is not None and number in stamps:
                now = data._view.stamp if type(data) is VIEWABLE else stamp(data)
                if now != stamps[number] and not _is_stale(data):
                    self._event(calls, "written", where, number, data=data)
            numbers.append(number)
        return tuple(numbers)

    def _seen(self, node: Value, where: Place, calls: Calls, data: Any = _PRESENT) -> int:
        """The number of a node; one that was not known was there before, and so was what it was made from.

        Then it may have had other `data` than now.
        """
        known = self._number_of(id(node))
        if known is not None:
            return known
        if node.inputs:
            for x in inputs_first([node], self.trace):
                if x is not node and x not in self.trace:
                    self._appeared(x, where, calls, x.cached_data)
        return self._appeared(node, where, calls, node.cached_data if data is _PRESENT else data)

    def _appeared(self, node: Value, where: Place, calls: Calls, data: Any) -> int:
        numbers = self.trace.numbers
        number = self._new(node, node.op, tuple(numbers[id(x)] for x in node.inputs), where, calls)
        self._event(calls, "seen", where, number, data=data)
        if calls.open and type(node).__name__ == "Parameter" and not self.trace.node(number).name:
            self._name_by_path(calls.outermost(), calls)  # it was put into the module since
        return number

    def _new(
        self, node: Value, op: Op | None, inputs: tuple[int, ...], where: Place, calls: Calls, made: bool = False
    ) -> int:
        """Note a node that was not known, and give its number."""
        trace, name = self.trace, given_name(node)
        kind, of, held = type(node).__name__, "" if op is None else type(op).__name__, attributes(op)
        form = node.cached_data
        shape, dtype = (form.shape, form.dtype) if type(form) is VIEWABLE else _shape_and_dtype(node)
        module, grad, since = calls.module, node.requires_grad, len(trace.events.flat) // WIDTH
        by, reference = BY_USER if name else 0, Reference(node, trace.forget)
        reference.key = key = id(node)
        flat = trace.all_nodes.flat
        flat += (kind, of, held, inputs, shape, dtype, where, made, grad, module, name, since, by, 0, reference)
        number = trace.numbers[key] = len(flat) // NODE_WIDTH
        return number

    # Names ------------------------------------------------------------------------------------------------------------

    def _name_by_assignment(self, number: int, where: Place, calls: Calls) -> None:
        if where.user == calls.walker:
            return  # nobody names what the library makes on its way back
        found: Assigned | None
        if id(where) in self._assigned:
            _, found = self._assigned[id(where)]
        else:
            found, within = assigned(sys._getframe(1))
            if within:  # whoever called what is there, it is so
                self._assigned[id(where)] = where, found
        if found is None:
            return
        if found.certain:
            self.trace.name(number, found.name, BY_ASSIGNMENT)
        elif calls.open:
            calls.candidates[found.where] = number, found.name

    def _name_by_path(self, module: Any, calls: Calls) -> None:
        """Give all parts of `module` their paths: modules, and parameters and buffers, whose names they are."""
        where = calls.place()
        calls.paths = calls.parts[module] = {id(m): path for path, m in module.named_modules()}
        for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
            record = self.trace.node(self._seen(tensor, where, calls))
            deeper = record.named_by == BY_MODULE and path.count(".") > record.name.count(".")
            if record.named_by < BY_MODULE or deeper:
                self.trace.all_nodes.change(record.number, name=path, named_by=BY_MODULE)


def _is_stale(data: Any) -> bool:
    kind = type(data)
    return kind is Stale or (kind is tuple and any(type(x) is Stale for x in data))


def _shape_and_dtype(node: Value) -> tuple[tuple[Any, ...], str]:
    """As far as they are known without computing."""
    form: Any = node.recorded_spec if node.cached_data is None else node.cached_data
    if form is None:
        return (), ""
    if hasattr(form, "shape"):
        return tuple(form.shape), str(form.dtype)
    return tuple(tuple(part.shape) for part in form), str(form[0].dtype) if form else ""
