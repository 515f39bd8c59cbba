"""The stepping debugger: a recorder that stops the program at events and hands over to a front end.

The program runs in its own thread of control: a stop is a call of the front end from within the announcement of an
event, so everything is as the program left it. Going back only moves a position in the recording.
"""

from __future__ import annotations

import functools
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from ..autograd import Op, Value
from ..listening import Listener, listeners
from ..places import Place
from .breakpoints import Breakpoint, Condition, conditions_of, of_node
from .recorder import Recorder
from .records import Event
from .trace import Trace


class Quit(KeyboardInterrupt):
    """The user leaves the debugger, and with it the program."""


class FrontEnd(Protocol):
    """Shows where the program is, and asks what is to be done."""

    def stopped(self, stepper: Stepper, reasons: list[str]) -> None:
        """The program has stopped; it goes on when this returns, as far as `Stepper.wanted` says."""


class Step(NamedTuple):
    """A place to stop at.

    Attributes
    ----------
    event : int
        The index of the event.
    inner : bool
        Whether it belongs to the nodes that a backward walk makes.
    depth : int
        How many calls of modules and backward walks are open.
    """

    event: int
    inner: bool
    depth: int


class Calculated(NamedTuple):
    """What was made or computed just now, while the program stands still there."""

    node: Value
    op: Op
    inputs: tuple[Value, ...]


#: How far to go: of a step, whether to stop there.
Wanted = Callable[["Stepper", Step], bool]


def one_step(stepper: Stepper, step: Step) -> bool:
    """Whether `step` is one of the next event outside of what a backward walk makes."""
    return not step.inner


def one_inner_step(stepper: Stepper, step: Step) -> bool:
    """Whether `step` is the next event; it is."""
    return True


def to_the_end(stepper: Stepper, step: Step) -> bool:
    """Whether `step` is where to stop; none is, but for breakpoints."""
    return False


class _Depth(threading.local):
    """How many calls and walks are open in this thread."""

    def __init__(self) -> None:
        self.value = 0


def _then_stop(method: Callable[..., None]) -> Callable[..., None]:
    """A method that records something, and then stops the program if that is wanted there."""

    @functools.wraps(method)
    def told(self: Stepper, *what: Any) -> None:
        with self._lock:
            method(self, *what)
            events = self.take()
        self.look(events)

    return told


class Stepper(Recorder):
    """Records, and stops.

    Attributes
    ----------
    trace : Trace
        What happened so far.
    breakpoints : list of Breakpoint
    steps : list of Step
        All events at which the program could have stopped, in order.
    position : int
        Of the step that is looked at: ``len(steps) - 1`` is the present, less is the past.
    wanted : callable
        How far the program is to go.
    calculated : Calculated or None
        What was made or computed in the present, if that is what happened.
    at_prompt : int
        The thread that stands at the prompt; 0 for none.
    is_interrupted : bool
        Whether the user has asked to stop at the next event.
    is_between : bool
        Whether the program does not stand at an event, but between the last one and the next.
    """

    def __init__(self, trace: Trace, front: FrontEnd) -> None:
        super().__init__(trace)
        self.front = front
        self.breakpoints: list[Breakpoint] = []
        self.steps: list[Step] = []
        self.position = -1
        self.wanted: Wanted = one_step
        self.calculated: Calculated | None = None
        self.is_between = True
        self._looked_at = 0
        self._number = 0
        self._depth = _Depth()
        self._standing = threading.RLock()
        self.at_prompt = 0
        self.is_interrupted = False

    # What is told -----------------------------------------------------------------------------------------------------

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Record it; stop."""
        with self._lock:
            super().made(node, op, inputs)
            events = self.take()
        self.look(events, Calculated(node, op, inputs))

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Record it; stop."""
        with self._lock:
            super().computed(node, op, inputs, seconds)
            events = self.take()
        self.look(events, Calculated(node, op, inputs))

    def computed_and_made(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Record both; stop: they are one step."""
        with self._lock:
            super().computed_and_made(node, op, inputs, seconds)
            events = self.take()
        self.look(events, Calculated(node, op, inputs))

    def all_shares(self, consumer: Value, shares: Sequence[Any], first: int = 0) -> None:
        """One by one: each is a step."""
        Listener.all_shares(self, consumer, shares)

    share = _then_stop(Recorder.share)
    failed = _then_stop(Recorder.failed)
    freed = _then_stop(Recorder.freed)
    replaced = _then_stop(Recorder.replaced)
    entered = _then_stop(Recorder.entered)
    left = _then_stop(Recorder.left)
    backward_began = _then_stop(Recorder.backward_began)
    backward_ended = _then_stop(Recorder.backward_ended)
    stepped = _then_stop(Recorder.stepped)

    # Stopping ---------------------------------------------------------------------------------------------------------

    @property
    def is_present(self) -> bool:
        """Whether what is looked at is the present."""
        return self.position == len(self.steps) - 1

    @property
    def event(self) -> Event | None:
        """The event that is looked at; None before the first."""
        return self.trace.events[self.steps[self.position].event] if self.position >= 0 else None

    def take(self) -> list[Event]:
        """What was recorded since the last time."""
        events = self.trace.events[self._looked_at :]
        self._looked_at = len(self.trace.events)
        return events

    def look(self, events: list[Event], calculated: Calculated | None = None) -> None:
        """Look at what was recorded just now in this thread, and stop if that is wanted."""
        if not events:
            return
        last = events[-1]
        if last.kind in ("entered", "backward_began"):
            self._depth.value += 1
        step = Step(last.index, _is_inner(last), self._depth.value)
        if last.kind in ("left", "backward_ended"):
            self._depth.value -= 1
        if self.at_prompt == threading.get_ident():  # what somebody does there is no step of the program
            return
        if last.kind != "freed":
            self.steps.append(step)
        hit = self._hits(events)
        if hit or (last.kind != "freed" and self.wanted(self, step)):
            self.stop([f"breakpoint {x}" for x in hit], calculated, between=False)

    def stop(self, reasons: list[str], calculated: Calculated | None = None, between: bool = True) -> None:
        """Hand over to the front end, at an event or between two; one thread at a time."""
        with self._standing:
            if self not in listeners:  # the user has left meanwhile, in another thread
                return
            if self.is_interrupted:
                reasons, self.is_interrupted = ["interrupted", *reasons], False
            self.position = len(self.steps) - 1
            self.calculated = calculated
            self.is_between = between
            self.at_prompt = threading.get_ident()
            try:
                self.front.stopped(self, reasons)
            finally:
                self.at_prompt = 0
                self.calculated = None

    def _hits(self, events: list[Event]) -> list[Breakpoint]:
        """The breakpoints that one of the events meets."""
        hit = [b for b in self.breakpoints if any(b.matches(self.trace, event) for event in events)]
        for breakpoint in hit:
            breakpoint.hits += 1
            if breakpoint.temporary:
                self.breakpoints.remove(breakpoint)
        return hit

    def add_breakpoint(self, text: str, temporary: bool = False) -> Breakpoint:
        """Stop where `text` says from now on.

        Raises
        ------
        ValueError
            If it is no condition.
        """
        return self._add(text, conditions_of(text), temporary)

    def watch(self, number: int) -> Breakpoint:
        """Stop whenever something happens to a node."""
        return self._add(f"watch #{number}", (of_node(number),), False)

    def _add(self, text: str, conditions: tuple[Condition, ...], temporary: bool) -> Breakpoint:
        self._number += 1
        self.breakpoints.append(Breakpoint(self._number, text, conditions, temporary=temporary))
        return self.breakpoints[-1]

    # A recording that is there already --------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Make steps of the events that were recorded by somebody else."""
        depth = 0
        for event in self.trace.events[self._looked_at :]:
            depth += event.kind in ("entered", "backward_began")
            if event.kind not in ("seen", "written", "freed") and not self._is_half(event):
                self.steps.append(Step(event.index, _is_inner(event), depth))
            depth -= event.kind in ("left", "backward_ended")
        self._looked_at = len(self.trace.events)
        self.position = len(self.steps) - 1

    def _is_half(self, event: Event) -> bool:
        """Whether the node of a computation is made right after it: eager mode."""
        following = self.trace.events[event.index + 1 : event.index + 2]
        made = bool(following) and following[0].kind == "made" and following[0].node == event.node
        return event.kind == "computed" and made

    def appeared(self, node: Value, where: Place, name: str = "") -> None:
        """Take in a node that is there, and what it was made from; it may get a name, if it has none."""
        number = self._seen(node, where, self._here.calls)
        if name and not self.trace.node(number).name:
            self.trace.all_nodes.change(number, name=name)

    # Going ------------------------------------------------------------------------------------------------------------

    def over(self) -> Wanted:
        """One step, but over the module's call or the backward walk that begins at the present event."""
        event = self.event
        if event is None or event.kind not in ("entered", "backward_began"):
            return one_step
        return self.out()

    def out(self) -> Wanted:
        """To where the innermost call or walk that is open is left."""
        depth = self.steps[self.position].depth if self.position >= 0 else 0

        def wanted(stepper: Stepper, step: Step) -> bool:
            ended = stepper.trace.events[step.event].kind in ("left", "backward_ended")
            return step.depth < depth or (ended and step.depth == depth)

        return wanted

    def back(self, count: int = 1, inner: bool = False) -> bool:
        """Go back so many steps; whether there were so many."""
        for _ in range(count):
            position = self.position - 1
            while position >= 0 and self.steps[position].inner and not inner:
                position -= 1
            if position < 0:
                return False
            self.position = position
        return True

    def forward(self, wanted: Wanted) -> list[str] | None:
        """Within the past, go on as far as is wanted; why it stopped, or None if the present came first."""
        while self.position < len(self.steps) - 1:
            begin = self.steps[self.position].event + 1 if self.position >= 0 else 0
            self.position += 1
            step = self.steps[self.position]
            hit = self._hits(self.trace.events[begin : step.event + 1])
            if hit or wanted(self, step):
                return [f"breakpoint {x}" for x in hit]
        return None

    def go_to(self, event: int) -> None:
        """Look at an event, or at the last step before it."""
        found = bisect_right(self.steps, event, key=lambda step: step.event) - 1
        self.position = max(found, 0) if self.steps else -1


def _is_inner(event: Event) -> bool:
    """Whether an event belongs to how a backward walk computes what it hands on."""
    if event.kind == "share":
        return event.share is None
    return event.walk is not None and event.kind != "backward_ended"


def current() -> Stepper | None:
    """The stepper that listens; None if there is none."""
    return next((x for x in reversed(listeners) if isinstance(x, Stepper)), None)
