"""The listener that writes a recording: what it is told, it keeps as events, nodes and values of a `Trace`."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import listening as door
from ..backend_selection import stamp
from ..changes import Stale
from ..listening import Listener, listening
from ..places import PACKAGE, Line, Place
from ..reverse import find_topo_sort
from .names import BY_ASSIGNMENT, BY_MODULE, BY_USER, assigned, given_name
from .records import Event, Node, attributes_of
from .trace import Trace
from .values import bytes_of, copied

if TYPE_CHECKING:
    from ..autograd import Op, Value

_PRESENT = object()
_WATCHING = (str(Path(__file__).parent), door.__file__)


@contextlib.contextmanager
def record(keep: int = 256 * 2**20) -> Iterator[Trace]:
    """Record what happens to the graph within the block.

    Nodes are not kept alive. Their values are copied as they come; when the copies take more than `keep` bytes, the
    oldest are dropped, and only their statistics stay. Compiled functions run as they are while somebody records.

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
    with listening(Recorder(trace)):
        yield trace


def place() -> Place:
    """Where the program is: `needle.places.here`, without the frames of those who watch and of context managers."""
    frame: FrameType | None = sys._getframe(1)
    lines: list[Line] = []
    while frame is not None:
        code, instruction = frame.f_code, frame.f_lasti
        found = _spots.get((id(code), instruction))
        if found is None:
            found = _spots[id(code), instruction] = _Spot.of(frame)
        if found.line is not None:
            lines.append(found.line)
            if found.is_user:
                break
        frame = frame.f_back
    lines.reverse()
    return Place(lines[0], tuple(lines[1:]))


class _Spot(NamedTuple):
    """An instruction: its code, which is held so that no other code gets its identity, and its line, if that counts."""

    code: CodeType
    line: Line | None
    is_user: bool

    @classmethod
    def of(cls, frame: FrameType) -> _Spot:
        filename = frame.f_code.co_filename
        line = Line(filename, frame.f_lineno, frame.f_code.co_name)
        if frame.f_back is None:
            return cls(frame.f_code, line, True)
        passed_over = filename == contextlib.__file__ or filename.startswith(_WATCHING)
        return cls(frame.f_code, None if passed_over else line, not filename.startswith((PACKAGE, contextlib.__file__)))


_spots: dict[tuple[int, int], _Spot] = {}


class _Calls(threading.local):
    """The modules that are being called in this thread."""

    def __init__(self) -> None:
        self.open: list[str] = []  # their paths, the innermost last
        self.paths: dict[int, str] = {}
        self.count = 0  # of calls that no other call contains
        self.walks: list[int] = []
        self.handing: tuple[int, int] = (0, 0)  # the consumer that hands out shares, and to how many inputs it did


class Recorder(Listener):
    """Writes down in `trace` what it is told."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._lock = threading.RLock()
        self._calls = _Calls()
        self._stamps: dict[int, Any] = {}
        self._by_call: dict[tuple[Any, ...], Node] = {}
        self._walk: int | None = None  # of a walk outside of backward()
        self._reached: set[int] = set()
        self._handed: set[tuple[int, int]] = set()

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
            self._event("made", where, node=record.number, op=record.op, inputs=numbers)
            self._name_by_assignment(record)

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write it down, with the value."""
        with self._lock:
            where = place()
            numbers = self._inputs(inputs, where)
            record = self._node(node, op, numbers, where)
            what = {"op": type(op).__name__, "inputs": numbers, "seconds": seconds}
            event = self._event("computed", where, node=record.number, **what)
            self._value(event, record, node.cached_data)

    def share(self, node: Value, share: Any, consumer: Value) -> None:
        """Write down who handed what to whom; the value is that of the node that is the share."""
        with self._lock:
            where = place()
            by = self._seen(consumer, where)
            position = self._position(by.number, len(consumer.inputs))
            receiver = self._seen(node, where)
            given = None if share is None else self._seen(share, where).number
            walk = self._walk_of(receiver.number, by.number, position)
            event = self._event("share", where, node=receiver.number, op=by.op, share=given, consumer=by.number)
            event.position = position
            event.walk = event.index if walk is None else walk
            if walk is None:
                self._walk = event.index

    def freed(self, node: Value) -> None:
        """Write it down."""
        with self._lock:
            where = place()
            self._event("freed", where, node=self._seen(node, where).number)

    def replaced(self, tensor: Value, before: Any) -> None:
        """Write it down, with the new value; that of before, too, if the tensor was not known."""
        with self._lock:
            where = place()
            record = self._seen(tensor, where, before)
            event = self._event("replaced", where, node=record.number)
            self._value(event, record, tensor.cached_data)

    def entered(self, module: Any) -> None:
        """Write it down; the parameters of the outermost module get their paths as names."""
        with self._lock:
            calls = self._calls
            if not calls.open:
                calls.count += 1
                calls.paths = {id(m): path for path, m in module.named_modules()}
                self._name_by_path(module, place())
            path = calls.paths.get(id(module), "")
            calls.open.append(path)
            self._event("entered", what=type(module).__name__)

    def left(self, module: Any) -> None:
        """Write it down."""
        with self._lock:
            self._event("left", what=type(module).__name__)
            if self._calls.open:
                self._calls.open.pop()

    def backward_began(self, tensor: Value) -> None:
        """Write it down."""
        with self._lock:
            where = place()
            event = self._event("backward_began", where, node=self._seen(tensor, where).number)
            self._calls.walks.append(event.index)

    def backward_ended(self, tensor: Value) -> None:
        """Write it down."""
        with self._lock:
            where = place()
            self._event("backward_ended", where, node=self._seen(tensor, where).number)
            if self._calls.walks:
                self._calls.walks.pop()

    def stepped(self, optimizer: Any) -> None:
        """Write it down."""
        with self._lock:
            self._event("stepped", what=type(optimizer).__name__)

    def named(self, tensor: Value, text: str) -> None:
        """`needle.debug.name` was called."""
        with self._lock:
            record = self._seen(tensor, place())
            record.name, record.named_by = text, BY_USER

    # Writing it down --------------------------------------------------------------------------------------------------

    def _event(self, kind: str, where: Place | None = None, **what: Any) -> Event:
        module = self._calls.open[-1] if self._calls.open else ""
        event = Event(len(self.trace.events), kind, where or place(), module=module, **what)
        self.trace.events.append(event)
        return event

    def _value(self, event: Event, record: Node, data: Any) -> None:
        """The node has this data from `event` on."""
        value = None if _is_stale(data) else copied(data)
        if value is None:
            return
        event.nbytes = bytes_of(value)
        event.value = self.trace.ring.add(value)
        self.trace.valued.setdefault(record.number, []).append((event.index, event.value))
        self._stamps[record.number] = stamp(data)

    def _node(self, node: Value, op: Any, inputs: tuple[int, ...], where: Place) -> Node:
        """The record of a node that is made in the recording, or of one that was lazy when it began."""
        return self.trace.known(node) or self._new(node, type(op).__name__, attributes_of(op), inputs, where)

    def _inputs(self, inputs: tuple[Value, ...], where: Place) -> tuple[int, ...]:
        """The numbers of nodes that are used; data that was written in place since it was last seen is noted."""
        numbers = []
        for x in inputs:
            record = self._seen(x, where)
            if self._is_written(record.number, x.cached_data):
                self._value(self._event("written", where, node=record.number), record, x.cached_data)
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
        record = self._new(node, op, attributes_of(node.op), inputs, where)
        self._value(self._event("seen", where, node=record.number), record, data)
        return record

    def _new(self, node: Value, op: str, attributes: str, inputs: tuple[int, ...], where: Place) -> Node:
        shape, dtype = _shape_and_dtype(node)
        number = len(self.trace.all_nodes) + 1
        module = self._calls.open[-1] if self._calls.open else ""
        kind = type(node).__name__
        record = Node(number, kind, op, attributes, inputs, shape, dtype, where, False, node.requires_grad, module)
        record.name = given_name(node)
        record.named_by = BY_USER if record.name else 0
        record.ref = weakref.ref(node)
        self.trace.add(node, record)
        return record

    # Names ------------------------------------------------------------------------------------------------------------

    def _name_by_assignment(self, record: Node) -> None:
        found = assigned(sys._getframe(1))
        if found is None or record.named_by > BY_ASSIGNMENT:
            return
        if not found.certain:
            if not self._calls.open:
                return
            call = (*found.where, self._calls.count, threading.get_ident())
            earlier = self._by_call.get(call)
            if earlier is not None and earlier.named_by == BY_ASSIGNMENT:
                earlier.name, earlier.named_by = "", 0
            self._by_call[call] = record
        record.name, record.named_by = found.name, BY_ASSIGNMENT

    def _name_by_path(self, module: Any, where: Place) -> None:
        for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
            record = self._seen(tensor, where)
            deeper = record.named_by == BY_MODULE and path.count(".") > record.name.count(".")
            if record.named_by < BY_MODULE or deeper:
                record.name, record.named_by = path, BY_MODULE

    # Shares -----------------------------------------------------------------------------------------------------------

    def _position(self, consumer: int, inputs: int) -> int:
        """Which input of `consumer` gets the share: a consumer hands them out one after the other."""
        last, count = self._calls.handing
        position = count if last == consumer and count < inputs else 0
        self._calls.handing = (consumer, position + 1)
        return position

    def _walk_of(self, receiver: int, consumer: int, position: int) -> int | None:
        """In which walk this share is handed over; None if one begins with it.

        Outside of ``backward()`` nobody says where a walk begins: it does at a consumer that has received nothing in
        the present walk, or that hands on for the second time.
        """
        if self._calls.walks:
            return self._calls.walks[-1]
        handed = (consumer, position)
        known = consumer in self._reached and handed not in self._handed
        begun = self._walk is not None and (consumer, position - 1) in self._handed and handed not in self._handed
        if not (known or begun):
            self._reached, self._handed, self._walk = set(), set(), None
        self._reached.add(receiver)
        self._handed.add(handed)
        return self._walk


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
