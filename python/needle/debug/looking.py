"""Commands that look: at the node of an event, or at any other, as it is or was."""

from __future__ import annotations

import shlex
from typing import Any

from ..listening import telling
from ..places import Place
from .frames import calls, calls_of_crash, line_of, without_making
from .gradcheck import gradcheck
from .prompt import Prompt, number_in
from .texts import corners, label, neighbourhood, source, statistics, summed

#: At most so many calls are listed.
CALLS = 12


class Looking(Prompt):
    """Nothing here changes the program, but for `realize`, which computes what it is asked for."""

    def do_where(self, argument: str) -> None:
        """where: the calls that led here: in the present, all; in the past, the user's line and those it called."""
        event = self.stepper.event
        between = self.stepper.is_between and self.stepper.is_present
        lines = [] if event is None or between else without_making(event.place.library)
        if self.stepper.is_present and self.frame is not None:
            led = calls(self.frame) if self.crash is None else calls_of_crash(self.crash)
            if len(led) > CALLS:
                self.say(f"  ... {len(led) - CALLS} more")
            for line in led[-CALLS:]:
                self.say(self.fitted(f"  {line} in {line.function}: {line.text}"))
        elif event is not None:
            user = event.place.user
            self.say(self.fitted(f"  {user} in {user.function}: {user.text}"))
        for line in lines:
            self.say(self.paint(self.fitted(f"    {line} in {line.function}: {line.text}"), "dim"))

    def do_list(self, argument: str) -> None:
        """list [#12]: the source around the line of the event, or around the line that made a node."""
        line = self.node(argument).place.user if argument else self.line()
        if line is None:
            raise LookupError("no event yet")
        for text in source(line, self.stepper.trace):
            self.say(self.paint(text, "bold") if text[6:8] == "->" else text)

    def do_node(self, argument: str) -> None:
        """node [#12]: all that is known of a node."""
        node, trace = self.node(argument), self.stepper.trace
        self.say(self.paint(node.described(), "bold"))
        where = "made" if node.made else "was there before; seen first"
        facts = [("kind", node.kind), (where, f"at {node.place.user}: {node.place.user.text}")]
        library = without_making(node.place.library)
        facts += [("by", f"{line} in {line.function}: {line.text}") for line in library[-1:]]
        facts += [("module", node.module), ("requires_grad", str(node.requires_grad))]
        facts.append(("value", statistics(trace, node.number, self.at())))
        needed = [f"#{other.number}" for other in trace.who_needs(node.number) if other.since <= self.at()]
        facts.append(("needed by", ", ".join(needed) or "nothing yet"))
        alive = node.ref is not None and node.ref() is not None
        facts.append(("alive now", "yes" if alive else "no"))
        for name, text in facts:
            if text:
                self.say(f"  {name}: {text}")

    def do_inputs(self, argument: str) -> None:
        """inputs [#12]: what a node was made from, with statistics of the values."""
        node = self.node(argument or self.consumer())
        if not node.inputs:
            self.say(f"{label(node)} is a leaf")
        for position, number in enumerate(node.inputs):
            self.say(f"{position}: {self.stepper.trace.node(number).described()}")
            self.say(f"   {statistics(self.stepper.trace, number, self.at())}")

    def do_adjoint(self, argument: str) -> None:
        """adjoint [#12]: the contributions to a node's adjoint that have arrived, and their sum."""
        node, trace = self.node(argument), self.stepper.trace
        received = trace.adjoint(node.number, self.at())
        for event in received.shares:
            given = "none" if event.share is None else f"#{event.share}"
            said = "" if event.share is None else f": {statistics(trace, event.share, event.index)}"
            self.say(f"[{event.index}] {given} from {label(trace.node(event.consumer or 0))} {event.op}{said}")
        if not received.shares:
            self.say(f"{label(node)} has received no adjoint yet")
        elif received.total is not None:
            self.say(f"sum: {summed(received.total)}")
            self._print(received.total)

    def do_value(self, argument: str) -> None:
        """value [#12]: statistics of a node's value, and its corners."""
        node = self.node(argument)
        self.say(f"{label(node)} {node.shape} {node.dtype}: {statistics(self.stepper.trace, node.number, self.at())}")
        try:
            self._print(self.stepper.trace.value(node.number, self.at()))
        except LookupError as error:
            if "no value" not in str(error):
                raise
            self.say("not computed: realize computes it (and what it is made from)")

    def _print(self, value: Any) -> None:
        for array in value if isinstance(value, tuple) else (value,):
            self.say(corners(array))

    def do_graph(self, argument: str) -> None:
        """graph [#12] [DEPTH]: a node between what it was made from and what was made of it."""
        words = argument.split()
        depth = int(words.pop()) if words and words[-1].isdigit() else 2
        node = self.node(" ".join(words))
        for line in neighbourhood(self.stepper.trace, node, self.at(), depth):
            self.say(self.paint(line, "bold") if line.startswith("==>") else line)

    def do_events(self, argument: str) -> None:
        """events [N]: the N latest events up to here (10 by default)."""
        at = self.at()
        for event in self.stepper.trace.events[max(0, at + 1 - number_in(argument, 10)) : at + 1]:
            self.say(self.fitted(str(event)))

    def do_holders(self, argument: str) -> None:
        """holders [#12]: which variables, lists, optimizers, closures or nodes keep a node alive."""
        from .holders import holders

        node = self.node(argument)
        for holder in holders(self.alive(node)):
            self.say(f"  {holder}")

    def do_gradcheck(self, argument: str) -> None:
        """gradcheck [#12]: the gradient of its op against central differences in float64."""
        node = self.node(argument or self.consumer())
        for line in gradcheck(*self.operation(node)):
            self.say(self.paint(line, "red") if "WRONG" in line or "raises" in line else line)

    def do_realize(self, argument: str) -> None:
        """realize [#12]: compute a lazy node now, and what it is made from."""
        node = self.node(argument)
        value, known = self.alive(node), len(self.stepper.trace.events)
        with telling():
            value.realize_cached_data()
        if self.frame is not None:
            events = self.stepper.trace.events
            for index in range(known, len(events)):
                events.move(index, Place(line_of(self.frame), ()))
        self.stepper.position = len(self.stepper.steps) - 1  # what was computed is there in the present
        self.do_value(f"#{node.number}")

    def do_save(self, argument: str) -> None:
        """save FILE: write the recording to a JSON file, for ndl.debug.Trace.load."""
        (path,) = shlex.split(argument) or ["trace.json"]
        self.stepper.trace.save(path)
        self.say(f"saved {path}")

    def do_view(self, argument: str) -> None:
        """view [FILE]: write the recording as a page for a browser (graph.html)."""
        from .page import view

        self.say(f"wrote {view(self.stepper.trace, argument or 'graph.html')}")
