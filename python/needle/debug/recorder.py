"""The listener that writes a recording: what it is told, it keeps as events, nodes and values of a `Trace`."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from .. import listening as door
from ..backend_selection import stamp
from ..changes import Stale
from ..display import attributes
from ..listening import Known, Listener, listening
from ..places import Place, here
from ..reverse import find_topo_sort
from .names import BY_ASSIGNMENT, BY_MODULE, BY_USER, assigned, given_name
from .records import Event, Node, cut
from .trace import Trace
from .values import bytes_of, viewed

if TYPE_CHECKING:
    from ..autograd import Op, Value

_PRESENT = object()
_WATCHING = (str(Path(__file__).parent), door.__file__)


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


def place() -> Place:
    """Where the program is, without the lines of those who watch."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _ANNOUNCE:
        frame = frame.f_back
    return here(_WATCHING, None if frame is None else frame.f_back)


_ANNOUNCE = door.announce.__code__


class _Calls(threading.local):
    """The modules that are being called in this thread."""

    def __init__(self) -> None:
        self.open: list[str] = []  # their paths, the innermost last
        self.outermost: Any = lambda: None  # a weak reference to the module that no other contains
        self.paths: dict[int, str] = {}  # of its parts
        self.parts: weakref.WeakKeyDictionary[Any, dict[int, str]] = weakref.WeakKeyDictionary()
        self.candidates: dict[tuple[int, int], tuple[Node, str]] = {}  # for a name, until the outermost call ends
        self.walks: list[int] = []  # the backward walks that have begun, by the index of the event


class Recorder(Listener):
    """Writes down in `trace` what it is told."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._lock = threading.RLock()
        self._calls = _Calls()
        self._stamps: dict[int, Any] = {}

    # What is told -----------------------------------------------------------------------------------------------------

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Write it down, and its name if it gets one."""
        with self._lock:
            last = self.trace.events[-1] if self.trace.events else None
            record = self.trace.known(node)
            if record is None or last is None or (last.kind, last.node) != ("computed", record.number):
                where = place()
                numbers = self._inputs(inputs, where)
                record = self._node(node, op, numbers, where)
            else:  # eager mode, where both are told at once
                numbers, where = last.inputs, last.place
            record.made = True
            event = self._event("made", where, record.number, record.op, numbers)
            if event.walk is None or where.user != self.trace.events[event.walk].place.user:
                self._name_by_assignment(record)  # nobody has a name for what the library makes on its way back

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write it down, with the value."""
        with self._lock:
            where = place()
            numbers = self._inputs(inputs, where)
            record = self._node(node, op, numbers, where)
            event = self._event("computed", where, record.number, type(op).__name__, numbers, "", node.cached_data)
            event.seconds = seconds

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """Write down who handed what to whom; the value is that of the node that is the share."""
        with self._lock:
            last, by = self._last_share(), self.trace.known(consumer)
            follows = last is not None and position > 0 and by is not None and last.consumer == by.number
            where = last.place if follows else place()  # type: ignore[union-attr]
            by = by or self._seen(consumer, where)
            receiver = self._seen(node, where)
            given = None if share is None else self._seen(share, where).number
            event = self._event("share", where, receiver.number, by.op)
            event.share, event.consumer, event.position = given, by.number, position

    def failed(self, error: Exception, op: Op, inputs: tuple[Value, ...], node: Value | None) -> None:
        """Write it down."""
        with self._lock:
            where = place()
            numbers = tuple(self._seen(x, where).number for x in inputs)
            number = None if node is None else self._seen(node, where).number
            said = " ".join(f"{type(error).__name__}: {error}".split())
            self._event("failed", where, node=number, op=type(op).__name__, inputs=numbers, what=cut(said, 200))

    def _last_share(self) -> Event | None:
        """The latest event, if it is a share, whose place is the same as that of what follows from it."""
        last = self.trace.events[-1] if self.trace.events else None
        return last if last is not None and last.kind == "share" else None

    def freed(self, node: Value) -> None:
        """Write it down."""
        with self._lock:
            last = self._last_share()
            where = place() if last is None else last.place
            self._event("freed", where, node=self._seen(node, where).number)

    def replaced(self, tensor: Value, before: Any) -> None:
        """Write it down, with the new value; that of before, too, if the tensor was not known."""
        with self._lock:
            where = place()
            record = self._seen(tensor, where, before)
            self._event("replaced", where, record.number, data=tensor.cached_data)

    def entered(self, module: Any) -> None:
        """Write it down; the parameters of the outermost module get their paths as names."""
        with self._lock:
            calls = self._calls
            if not calls.open:
                calls.outermost = weakref.ref(module)
                known = calls.parts.get(module)
                if known is None:
                    self._name_by_path(module)
                else:
                    calls.paths = known
            elif id(module) not in calls.paths:
                self._name_by_path(calls.outermost())
            path = calls.paths.get(id(module), "")
            calls.open.append(path)
            self._event("entered", what=type(module).__name__)

    def left(self, module: Any, output: Any) -> None:
        """Write it down."""
        with self._lock:
            known = self.trace.known(output)
            self._event("left", node=None if known is None else known.number, what=type(module).__name__)
            calls = self._calls
            if calls.open:
                calls.open.pop()
            if not calls.open:
                for record, name in calls.candidates.values():
                    self._name(record, name)
                calls.candidates.clear()

    def backward_began(self, outputs: Sequence[Value]) -> None:
        """Write it down."""
        with self._lock:
            self._calls.walks.append(self._walk_event("backward_began", outputs).index)

    def backward_ended(self, outputs: Sequence[Value]) -> None:
        """Write it down."""
        with self._lock:
            self._walk_event("backward_ended", outputs)
            if self._calls.walks:
                self._calls.walks.pop()

    def _walk_event(self, kind: str, outputs: Sequence[Value]) -> Event:
        where = place()
        numbers = tuple(self._seen(x, where).number for x in outputs)
        return self._event(kind, where, node=numbers[0] if len(numbers) == 1 else None, inputs=numbers)

    def stepped(self, optimizer: Any) -> None:
        """Write it down."""
        with self._lock:
            self._event("stepped", what=type(optimizer).__name__)

    def known(self, node: Value) -> Known | None:
        """Its number, name and line; of a node that was there before the recording, no line."""
        record = self.trace.known(node)
        if record is None:
            return None
        changed = next((e.place.user for e in reversed(self.trace.events) if _changes(e, record.number)), None)
        return Known(record.place.user if record.made else None, record.number, record.name, changed)

    def named(self, tensor: Value, text: str) -> None:
        """`needle.debug.name` was called."""
        with self._lock:
            record = self._seen(tensor, place())
            record.name, record.named_by = text, BY_USER

    # Writing it down --------------------------------------------------------------------------------------------------

    def _event(
        self,
        kind: str,
        where: Place | None = None,
        node: int | None = None,
        op: str = "",
        inputs: tuple[int, ...] = (),
        what: str = "",
        data: Any = None,
    ) -> Event:
        """Note an event; a node that it is about has `data` from then on, if any is given."""
        calls, events = self._calls, self.trace.events
        event = Event(len(events), kind, where or place(), node, op, inputs)
        if what:
            event.what = what
        if calls.open:
            event.module = calls.open[-1]
        if calls.walks:
            event.walk = calls.walks[-1]
        if data is not None and node is not None and not _is_stale(data):
            self._keep(event, node, data)
        events.append(event)
        return event

    def _keep(self, event: Event, node: int, data: Any) -> None:
        """Keep the data that a node has from `event` on."""
        value, addresses = viewed(data)
        if value is None:
            return
        event.nbytes = bytes_of(value)
        event.value = self.trace.ring.add(value, event.nbytes, addresses)
        self._stamps[node] = stamp(data)

    def _node(self, node: Value, op: Any, inputs: tuple[int, ...], where: Place) -> Node:
        """The record of a node that is made in the recording, or of one that was lazy when it began."""
        return self.trace.known(node) or self._new(node, type(op).__name__, attributes(op), inputs, where)

    def _inputs(self, inputs: tuple[Value, ...], where: Place) -> tuple[int, ...]:
        """The numbers of nodes that are used; data that was written in place since it was last seen is noted."""
        numbers = []
        for x in inputs:
            record = self._seen(x, where)
            if self._is_written(record.number, x.cached_data):
                self._event("written", where, record.number, data=x.cached_data)
            numbers.append(record.number)
        return tuple(numbers)

    def _is_written(self, number: int, data: Any) -> bool:
        known = self._stamps.get(number)
        return known is not None and data is not None and not _is_stale(data) and stamp(data) != known

    def _seen(self, node: Value, where: Place, data: Any = _PRESENT) -> Node:
        """The record of a node; one that was not known was there before, and so was what it was made from.

        Then it may have had other `data` than now.
        """
        known = self.trace.known(node)
        if known is not None:
            return known
        if node.inputs:
            for x in find_topo_sort([node], self.trace):
                if x is not node and x not in self.trace:
                    self._appeared(x, where, x.cached_data)
        return self._appeared(node, where, node.cached_data if data is _PRESENT else data)

    def _appeared(self, node: Value, where: Place, data: Any) -> Node:
        op = "" if node.op is None else type(node.op).__name__
        inputs = tuple(self.trace.node(x).number for x in node.inputs)
        record = self._new(node, op, attributes(node.op), inputs, where)
        self._event("seen", where, record.number, data=data)
        if record.kind == "Parameter" and not record.name and self._calls.open:
            self._name_by_path(self._calls.outermost())  # it was put into the module since
        return record

    def _new(self, node: Value, op: str, attributes: str, inputs: tuple[int, ...], where: Place) -> Node:
        shape, dtype = _shape_and_dtype(node)
        number = len(self.trace.all_nodes) + 1
        module = self._calls.open[-1] if self._calls.open else ""
        kind = type(node).__name__
        record = Node(number, kind, op, attributes, inputs, shape, dtype, where, False, node.requires_grad, module)
        record.name = given_name(node)
        record.named_by = BY_USER if record.name else 0
        record.since = len(self.trace.events)
        self.trace.add(node, record)
        return record

    # Names ------------------------------------------------------------------------------------------------------------

    def _name_by_assignment(self, record: Node) -> None:
        found = assigned(sys._getframe(1))
        if found is None:
            return
        if found.certain:
            self._name(record, found.name)
        elif self._calls.open:
            self._calls.candidates[found.where] = record, found.name

    def _name(self, record: Node, name: str) -> None:
        """Give the name of a variable, unless a better one is there."""
        if record.named_by <= BY_ASSIGNMENT:
            record.name, record.named_by, record.named_at = name, BY_ASSIGNMENT, len(self.trace.events) - 1

    def _name_by_path(self, module: Any) -> None:
        """Give all parts of `module` their paths: modules, and parameters and buffers, whose names they are."""
        where = place()
        self._calls.paths = {id(m): path for path, m in module.named_modules()}
        self._calls.parts[module] = self._calls.paths
        for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
            record = self._seen(tensor, where)
            deeper = record.named_by == BY_MODULE and path.count(".") > record.name.count(".")
            if record.named_by < BY_MODULE or deeper:
                record.name, record.named_by = path, BY_MODULE


def _changes(event: Event, number: int) -> bool:
    return event.kind == "replaced" and event.node == number


def _is_stale(data: Any) -> bool:
    return isinstance(data, Stale) or (isinstance(data, tuple) and any(isinstance(x, Stale) for x in data))


def _shape_and_dtype(node: Value) -> tuple[tuple[Any, ...], str]:
    """As far as they are known without computing."""
    form: Any = node.recorded_spec if node.cached_data is None else node.cached_data
    if form is None:
        return (), ""
    if hasattr(form, "shape"):
        return tuple(form.shape), str(form.dtype)
    return tuple(tuple(part.shape) for part in form), str(form[0].dtype) if form else ""
