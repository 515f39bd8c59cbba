"""The listener that writes a recording: what it is told, it keeps as events, nodes and values of a `Trace`."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..backend_selection import BACKEND, NDArray, stamp
from ..changes import Stale
from ..display import attributes
from ..listening import Known, Listener, listening
from ..places import Place
from .calls import Here
from .names import BY_ASSIGNMENT, BY_MODULE, BY_USER, assigned, given_name
from .order import inputs_first
from .records import CONSUMER, INPUTS, KIND, NODE, PLACE, WIDTH, Node, cut
from .trace import Trace

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
        self._lock = threading.RLock()
        self._here = Here()
        self._stamps: dict[int, Any] = {}
        self._nameless: dict[int, Place] = {}  # where nodes are made that are assigned to nothing, by identity

    # What is told -----------------------------------------------------------------------------------------------------

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Write it down, and its name if it gets one."""
        with self._lock:
            record = self.trace.known(node)
            if record is None or self._last(NODE) != record.number or self._last(KIND) != "computed":
                where = self._here.calls.place()
                numbers = self._inputs(inputs, where)
                record = self._node(node, op, numbers, where)
            else:  # eager mode, where both are told at once
                numbers, where = self._last(INPUTS), self._last_place()
            record.made = True
            self._event("made", where, record.number, record.op, numbers)
            if not self._is_within_walk(where):
                self._name_by_assignment(record, where)  # nobody names what the library makes on its way back

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write it down, with the value."""
        with self._lock:
            where = self._here.calls.place()
            numbers = self._inputs(inputs, where)
            record = self._node(node, op, numbers, where)
            self._event("computed", where, record.number, record.op, numbers, "", node.cached_data, seconds)

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """Write down who handed what to whom; the value is that of the node that is the share."""
        with self._lock:
            by = self.trace.known(consumer)
            follows = position > 0 and by is not None and self._follows_share() and self._last(CONSUMER) == by.number
            where = self._last_place() if follows else self._here.calls.place()
            by = by or self._seen(consumer, where)
            receiver = self._seen(node, where).number
            given = None if share is None else self._seen(share, where).number
            self._event("share", where, receiver, by.op, share=given, consumer=by.number, position=position)

    def failed(self, error: Exception, op: Op, inputs: tuple[Value, ...], node: Value | None) -> None:
        """Write it down."""
        with self._lock:
            where = self._here.calls.place()
            numbers = tuple(self._seen(x, where).number for x in inputs)
            number = None if node is None else self._seen(node, where).number
            said = " ".join(f"{type(error).__name__}: {error}".split())
            self._event("failed", where, node=number, op=type(op).__name__, inputs=numbers, what=cut(said, 200))

    def _is_within_walk(self, where: Place) -> bool:
        """Whether the library's backward walk is at work there, and not an operator of the user's."""
        walks, events = self._here.calls.walks, self.trace.events
        return bool(walks) and where.user == events.place_at(walks[-1]).user

    def _last(self, field: int) -> Any:
        """A field of the latest event; None before the first."""
        flat = self.trace.events.flat
        return flat[field - WIDTH] if flat else None

    def _last_place(self) -> Place:
        """Where the latest event happened."""
        return self.trace.events.places[self._last(PLACE)]  # type: ignore[no-any-return]

    def _follows_share(self) -> bool:
        """Whether the latest event is a share, whose place is the same as that of what follows from it."""
        return self._last(KIND) == "share"  # type: ignore[no-any-return]

    def freed(self, node: Value) -> None:
        """Write it down."""
        with self._lock:
            where = self._last_place() if self._follows_share() else self._here.calls.place()
            self._event("freed", where, node=self._seen(node, where).number)

    def replaced(self, tensor: Value, before: Any) -> None:
        """Write it down, with the new value; that of before, too, if the tensor was not known."""
        with self._lock:
            where = self._here.calls.place()
            record = self._seen(tensor, where, before)
            self._event("replaced", where, record.number, data=tensor.cached_data)

    def entered(self, module: Any) -> None:
        """Write it down; the parameters of the outermost module get their paths as names."""
        with self._lock:
            calls = self._here.calls
            if not calls.open:
                calls.outermost = weakref.ref(module)
                known = calls.parts.get(module)
                if known is None:
                    self._name_by_path(module)
                else:
                    calls.paths = known
            elif id(module) not in calls.paths:
                self._name_by_path(calls.outermost())
            where = calls.place()
            calls.enter(calls.paths.get(id(module), ""), where)
            self._event("entered", where, what=type(module).__name__)

    def left(self, module: Any, output: Any) -> None:
        """Write it down."""
        with self._lock:
            known, calls = self.trace.known(output), self._here.calls
            where = calls.open[-1][1] if calls.open else calls.place()
            self._event("left", where, None if known is None else known.number, what=type(module).__name__)
            calls.leave()
            if not calls.open:
                for record, name in calls.candidates.values():
                    self._name(record, name)
                calls.candidates.clear()

    def backward_began(self, outputs: Sequence[Value]) -> None:
        """Write it down."""
        with self._lock:
            self._here.calls.begin_walk(self._walk_event("backward_began", outputs))

    def backward_ended(self, outputs: Sequence[Value]) -> None:
        """Write it down."""
        with self._lock:
            self._walk_event("backward_ended", outputs)
            self._here.calls.end_walk()

    def _walk_event(self, kind: str, outputs: Sequence[Value]) -> int:
        where = self._here.calls.place()
        numbers = tuple(self._seen(x, where).number for x in outputs)
        return self._event(kind, where, node=numbers[0] if len(numbers) == 1 else None, inputs=numbers)

    def stepped(self, optimizer: Any) -> None:
        """Write it down."""
        with self._lock:
            self._event("stepped", self._here.calls.place(), what=type(optimizer).__name__)

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
            record = self._seen(tensor, self._here.calls.place())
            record.name, record.named_by = text, BY_USER

    # Writing it down --------------------------------------------------------------------------------------------------

    def _event(
        self,
        kind: str,
        where: Place,
        node: int | None = None,
        op: str = "",
        inputs: tuple[int, ...] = (),
        what: str = "",
        data: Any = None,
        seconds: float | None = None,
        share: int | None = None,
        consumer: int | None = None,
        position: int | None = None,
    ) -> int:
        """Note an event, and give its index; a node that it is about has `data` from then on, if any is given."""
        calls, events = self._here.calls, self.trace.events
        value = nbytes = None
        if data is not None and node is not None:
            value, nbytes = self.trace.ring.add(data)
            if value is not None:
                self._stamps[node] = stamp(data)
        module = calls.open[-1][0] if calls.open else ""
        walk = calls.walks[-1] if calls.walks else None
        at, flat = events.number_of(where), events.flat
        flat += (kind, at, node, op, inputs, value, seconds, nbytes, share, consumer, position, walk, module, what)
        return len(flat) // WIDTH - 1

    def _node(self, node: Value, op: Any, inputs: tuple[int, ...], where: Place) -> Node:
        """The record of a node that is made in the recording, or of one that was lazy when it began."""
        return self.trace.known(node) or self._new(node, type(op).__name__, attributes(op), inputs, where)

    def _inputs(self, inputs: tuple[Value, ...], where: Place) -> tuple[int, ...]:
        """The numbers of nodes that are used; data that was written in place since it was last seen is noted."""
        numbers, stamps = [], self._stamps
        for x in inputs:
            number, data = self._seen(x, where).number, x.cached_data
            if number in stamps and data is not None and not _is_stale(data) and stamp(data) != stamps[number]:
                self._event("written", where, number, data=data)
            numbers.append(number)
        return tuple(numbers)

    def _seen(self, node: Value, where: Place, data: Any = _PRESENT) -> Node:
        """The record of a node; one that was not known was there before, and so was what it was made from.

        Then it may have had other `data` than now.
        """
        known = self.trace.known(node)
        if known is not None:
            return known
        if node.inputs:
            for x in inputs_first([node], self.trace):
                if x is not node and x not in self.trace:
                    self._appeared(x, where, x.cached_data)
        return self._appeared(node, where, node.cached_data if data is _PRESENT else data)

    def _appeared(self, node: Value, where: Place, data: Any) -> Node:
        op = "" if node.op is None else type(node.op).__name__
        inputs = tuple(self.trace.node(x).number for x in node.inputs)
        record = self._new(node, op, attributes(node.op), inputs, where)
        self._event("seen", where, record.number, data=data)
        if record.kind == "Parameter" and not record.name and self._here.calls.open:
            self._name_by_path(self._here.calls.outermost())  # it was put into the module since
        return record

    def _new(self, node: Value, op: str, attributes: str, inputs: tuple[int, ...], where: Place) -> Node:
        shape, dtype = _shape_and_dtype(node)
        number = len(self.trace.all_nodes) + 1
        opened = self._here.calls.open
        module = opened[-1][0] if opened else ""
        kind = type(node).__name__
        name = given_name(node)
        since, by = len(self.trace.events), BY_USER if name else 0
        of_node = node.requires_grad, module, name, since, by
        record = Node(number, kind, op, attributes, inputs, shape, dtype, where, False, *of_node)
        self.trace.add(node, record)
        return record

    # Names ------------------------------------------------------------------------------------------------------------

    def _name_by_assignment(self, record: Node, where: Place) -> None:
        if id(where) in self._nameless:
            return
        found, within = assigned(sys._getframe(1))
        if found is None:
            if within:
                self._nameless[id(where)] = where
        elif found.certain:
            self._name(record, found.name)
        elif self._here.calls.open:
            self._here.calls.candidates[found.where] = record, found.name

    def _name(self, record: Node, name: str) -> None:
        """Give the name of a variable, unless a better one is there."""
        if record.named_by <= BY_ASSIGNMENT:
            record.name, record.named_by, record.named_at = name, BY_ASSIGNMENT, len(self.trace.events) - 1

    def _name_by_path(self, module: Any) -> None:
        """Give all parts of `module` their paths: modules, and parameters and buffers, whose names they are."""
        where = self._here.calls.place()
        self._here.calls.paths = {id(m): path for path, m in module.named_modules()}
        self._here.calls.parts[module] = self._here.calls.paths
        for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
            record = self._seen(tensor, where)
            deeper = record.named_by == BY_MODULE and path.count(".") > record.name.count(".")
            if record.named_by < BY_MODULE or deeper:
                record.name, record.named_by = path, BY_MODULE


def _is_stale(data: Any) -> bool:
    kind = type(data)
    return kind is Stale or (kind is tuple and any(type(x) is Stale for x in data))


def _shape_and_dtype(node: Value) -> tuple[tuple[Any, ...], str]:
    """As far as they are known without computing."""
    form: Any = node.recorded_spec if node.cached_data is None else node.cached_data
    if type(form) is NDArray and BACKEND == "nd":
        return form.shape, form.dtype
    if form is None:
        return (), ""
    if hasattr(form, "shape"):
        return tuple(form.shape), str(form.dtype)
    return tuple(tuple(part.shape) for part in form), str(form[0].dtype) if form else ""
