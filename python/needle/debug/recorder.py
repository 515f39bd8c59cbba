"""The listener that writes a recording: what it is told, it keeps as events, nodes and values of a `Trace`."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .. import places
from ..autograd import Value
from ..backend_selection import stamp
from ..changes import Stale
from ..display import kept_attributes
from ..listening import Known, Listener, listening
from ..places import Place, is_users
from .calls import Calls, Here
from .extension import numbers_of, trail
from .names import BY_ASSIGNMENT, BY_MODULE, BY_USER, Assigned, assigned, given_name
from .order import inputs_first
from .records import NODE_WIDTH, WIDTH, cut
from .trace import Reference, Trace
from .values import VIEWABLE

if TYPE_CHECKING:
    from ..autograd import Op

_PRESENT = object()

#: To what is assigned what is made at a place: the name, if it is certain, or what it may be.
Assignment = tuple[Place, str, Assigned | None]


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
        # What is asked for at each event.
        self._flat, self._flat_nodes, self._ring = trace.events.flat, trace.all_nodes.flat, trace.ring
        self._numbers, self._number_of, self._forget = trace.numbers, trace.numbers.get, trace.forget
        self._lock = threading.RLock()
        self._acquire, self._release = self._lock.acquire, self._lock.release  # take half as long as `with`
        self._here = Here()
        self._stamps: dict[int, Any] = {}
        self._assigned: dict[int, Assignment] = {}  # by the identity of the place

    # What is told -----------------------------------------------------------------------------------------------------

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Write it down, and its name if it gets one."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            number, of, numbers = self._applied(op, inputs, node, where, calls)
            self._event(calls, "made", where, number, of, numbers)
            self.trace.all_nodes.change(number, made=True)
            _, name, maybe = self._assigned.get(id(where)) or self._assigned_at(where, calls)
            if name:
                self.trace.name(number, name, BY_ASSIGNMENT)
            if maybe is not None and calls.open:
                calls.candidates[maybe.where] = number, maybe.name

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write it down, with the value."""
        with self._lock:
            calls = self._here.calls
            where = calls.place()
            number, of, numbers = self._applied(op, inputs, node, where, calls)
            self._event(calls, "computed", where, number, of, numbers, "", node.cached_data, seconds)

    def computed_and_made(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write down both."""
        self._acquire()
        try:
            calls, flat = self._here.calls, self._flat
            # As calls.place(4) does, without the call: what announces this makes every node, so it tells nothing, too.
            around = calls.around
            way = trail(sys._getframe(3), around.frame, places.opinion, is_users)
            where = around.trails.get(way) or calls.looked_at(way)
            numbers = numbers_of(inputs, self._numbers, self._stamps) or self._inputs(inputs, where, calls)
            _, name, maybe = self._assigned.get(id(where)) or self._assigned_at(where, calls)
            within, data, of = calls.within, node.cached_data, type(op).__name__
            number = self._new(node, of, op.__dict__, numbers, where, within, True, name, BY_ASSIGNMENT)
            value, nbytes = self._ring.add(data)
            if value is not None:
                self._stamps[number] = data._view.stamp if type(data) is VIEWABLE else stamp(data)
            flat += ("computed", where, number, of, numbers, value, seconds, nbytes, None, None, None, within, "")
            flat += ("made", where, number, of, numbers, None, None, None, None, None, None, within, "")
            calls.shared = None
            if maybe is not None and calls.open:
                calls.candidates[maybe.where] = number, maybe.name
        finally:
            self._release()

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """Write down who handed what to whom; the value is that of the node that is the share."""
        Recorder.all_shares(self, consumer, (share,), position)

    def all_shares(self, consumer: Value, shares: Sequence[Any], first: int = 0) -> None:
        """Write down each, to the inputs from the `first` on."""
        self._acquire()
        try:
            calls, number_of, flat, inputs = self._here.calls, self._number_of, self._flat, consumer.inputs
            where = (calls.shared if first else None) or calls.place()
            by, of = number_of(id(consumer)) or self._seen(consumer, where, calls), type(consumer.op).__name__
            within = calls.within
            for position, share in enumerate(shares, first):
                node, given = inputs[position], None if share is None else number_of(id(share))
                to = number_of(id(node)) or self._seen(node, where, calls)
                if given is None and share is not None:
                    if not isinstance(share, Value):
                        break  # an error is about to say so
                    given = self._seen(share, where, calls)
                flat += ("share", where, to, of, (), None, None, None, given, by, position, within, "")
            calls.shared = where
        finally:
            self._release()

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
        self._acquire()
        try:
            calls = self._here.calls
            where = calls.shared or calls.place()
            number = self._number_of(id(node)) or self._seen(node, where, calls)
            flat = self._flat
            flat += ("freed", where, number, "", (), None, None, None, None, None, None, calls.within, "")
            calls.shared = None
        finally:
            self._release()

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
        calls.shared, within, flat = None, calls.within, self._flat
        flat += (kind, where, node, op, inputs, value, seconds, nbytes, None, None, None, within, what)
        return len(flat) // WIDTH - 1

    def _keep(self, number: int, data: Any) -> tuple[int | None, int | None]:
        """Keep the data of a node, and give the number and the bytes of the value; None if it has no elements."""
        value, nbytes = self._ring.add(data)
        if value is not None:
            self._stamps[number] = data._view.stamp if type(data) is VIEWABLE else stamp(data)
        return value, nbytes

    def _applied(
        self, op: Op, inputs: tuple[Value, ...], node: Value, where: Place, calls: Calls
    ) -> tuple[int, str, tuple[int, ...]]:
        """The number of a node, known or new; the name of its op; and the numbers of its inputs."""
        numbers = numbers_of(inputs, self._numbers, self._stamps) or self._inputs(inputs, where, calls)
        of, number = type(op).__name__, self._number_of(id(node))
        return number or self._new(node, of, vars(op), numbers, where, calls.within), of, numbers

    def _inputs(self, inputs: tuple[Value, ...], where: Place, calls: Calls) -> tuple[int, ...]:
        """The numbers of nodes that are used; data that was written in place since it was last seen is noted."""
        numbers, number_of, stamps = [], self._number_of, self._stamps
        for x in inputs:
            number, data = number_of(id(x)) or self._seen(x, where, calls), x.cached_data
            before = stamps.get(number)
            if before is not None:
                now = data._view.stamp if type(data) is VIEWABLE else stamp(data)
                if now != before and data is not None and not _is_stale(data):
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
        inputs, of = tuple(numbers[id(x)] for x in node.inputs), "" if node.op is None else type(node.op).__name__
        held = getattr(node.op, "__dict__", {})
        number = self._new(node, of, held, inputs, where, calls.within, False, given_name(node), BY_USER)
        self._event(calls, "seen", where, number, data=data)
        if calls.open and type(node).__name__ == "Parameter" and not self.trace.node(number).name:
            self._name_by_path(calls.outermost(), calls)  # it was put into the module since
        return number

    def _new(
        self,
        node: Value,
        of: str,
        held: dict[str, Any],
        inputs: tuple[int, ...],
        where: Place,
        within: tuple[int | None, str],
        made: bool = False,
        name: str = "",
        by: int = 0,
    ) -> int:
        """Note a node that was not known, and give its number; `of` and `held` are its op's name and attributes.

        What is made gets its name, if it has one by then, with the second event from here on: that it was made.
        """
        data = node.cached_data
        shape, dtype = (data.shape, data.dtype) if type(data) is VIEWABLE else _shape_and_dtype(node)
        attributes, since = kept_attributes(held) if held else "", len(self._flat) // WIDTH
        by, at = (by, since + 1 if made else 0) if name else (0, 0)
        reference = Reference(node, self._forget)
        reference.key = key = id(node)
        flat, kind, grad, module = self._flat_nodes, type(node).__name__, node.requires_grad, within[1]
        flat += kind, of, attributes, inputs, shape, dtype, where, made, grad, module, name, since, by, at, reference
        number = self._numbers[key] = len(flat) // NODE_WIDTH
        return number

    # Names ------------------------------------------------------------------------------------------------------------

    def _assigned_at(self, where: Place, calls: Calls) -> Assignment:
        """To what a node will be assigned that is made now; kept if it is so whoever called what is there."""
        if where.user == calls.walker:  # nobody names what the library makes on its way back
            found, within = None, True
        else:
            found, within = assigned(sys._getframe(1))
        certain = found is not None and found.certain
        known = where, found.name if found is not None and certain else "", None if certain else found
        if within:
            self._assigned[id(where)] = known
        return known

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
