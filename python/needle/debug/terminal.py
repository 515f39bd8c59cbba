"""The stepping debugger's terminal: the habits of `pdb`, with the events of the graph in place of lines."""

from __future__ import annotations

import cmd
import contextlib
import linecache
import pdb
import runpy
import shlex
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from ..listening import telling
from ..places import PACKAGE, Line, Place
from .breakpoints import SYNTAX
from .console import Console
from .gradcheck import gradcheck
from .records import Event, Node
from .stepper import Quit, Stepper, Wanted, detach, one_inner_step, one_step, to_the_end
from .texts import (
    WIDTH,
    Palette,
    corners,
    encodable,
    has_colours,
    headline,
    label,
    neighbourhood,
    source,
    statistics,
)
from .values import statistics_of

#: Frames of these files are the machinery that runs a program, not the program.
_MACHINERY = (PACKAGE, "<frozen runpy>", runpy.__file__, contextlib.__file__)
_RUNNERS = {"_pytest", "pluggy", "pytest"}
#: At most so many calls are listed.
CALLS = 12


class Terminal(cmd.Cmd):
    """Asks the user what is to be done.

    Parameters
    ----------
    commands : sequence of str
        Are carried out first, as if they had been typed.
    console : Console, optional
        Where to read and write; by default, standard input and output as they are now.
    """

    prompt = "(needle) "
    doc_header = "Commands (type help <command>):"

    def __init__(self, commands: tuple[str, ...] = (), console: Console | None = None) -> None:
        self.console = console or Console()
        super().__init__(stdin=self.console.stdin, stdout=self.console.stdout)
        self._commands = list(commands)
        self.use_rawinput = self.stdin is sys.__stdin__ and self.stdin.isatty()
        self.paint = Palette(has_colours(self.stdout))
        self.stepper: Stepper = None  # type: ignore[assignment]
        self.crash: TracebackType | None = None
        self._frame: FrameType | None = None
        self._entry: Callable[[], None] | None = None

    # Stopping ---------------------------------------------------------------------------------------------------------

    def stopped(self, stepper: Stepper, reasons: list[str]) -> None:
        """Show where the program is, and carry out commands until one lets it go on."""
        self.stepper = stepper
        self._frame = self._frame_of_crash() or _users_frame(sys._getframe(1))
        self._entry = None
        with self.console.attached():
            for reason in reasons:
                self.say(self.paint(reason, "yellow"))
            self.show()
            self.cmdloop()
        self._frame = None
        if self._entry is not None:  # the user steps on in pdb
            self._entry()

    def show(self) -> None:
        """Where the program is, and what happened there."""
        event = self.stepper.event
        place = None if event is None else event.place.user
        if self._frame is not None and self.stepper.is_between and self.stepper.is_present:
            place = _line_of(self._frame)
        self._show_line(place)
        if event is None:
            self.say("no event yet")
            return
        if place != event.place.user:
            self.say(f"the latest event, at {event.place.user}:")
        for number, line in enumerate(headline(event, self.stepper.trace)):
            wrong = "does not fit" in line or event.kind == "failed"
            head = f"[{event.index}] " if number == 0 else " " * len(f"[{event.index}] ")
            self.say(f"{head}{self.paint(line, 'red' if wrong else 'bold')}")
        for line in self._details(event):
            self.say(f"      {line}")
        if not self.stepper.is_present:
            self.say(self.paint(f"in the past: the present is [{self._last()}]", "dim"))

    def _show_line(self, line: Line | None) -> None:
        if line is None:
            return
        self.say(f"> {self.paint(str(line), 'cyan')} in {line.function}")
        text = linecache.getline(line.filename, line.number).strip()
        if text:
            self.say(f"-> {text}")

    def _details(self, event: Event) -> list[str]:
        trace = self.stepper.trace
        if event.kind in ("made", "computed", "replaced", "written") and event.node is not None:
            return [statistics(trace, event.node, event.index)]
        if event.kind != "share" or event.share is None or event.node is None:
            return []
        lines = [f"adjoint: {statistics(trace, event.share, event.index)}"]
        inside = [x for x in trace.node(event.share).place.library if x.function in ("gradient", "definition")]
        made = trace.node(event.share).place.user if trace.node(event.share).made else None
        if inside:
            lines.append(f"computed at {inside[-1]}: {inside[-1].text}")
        elif made is not None and made != event.place.user:
            lines.append(f"computed at {made}: {made.text}")
        received = trace.adjoint(event.node, event.index)
        if len(received.shares) > 1:
            lines.append(f"sum of {len(received.shares)} contributions so far: {_summed(received.total)}")
        return lines

    def _last(self) -> int:
        return self.stepper.steps[-1].event if self.stepper.steps else -1

    def say(self, text: str = "") -> None:
        """Print a line."""
        self.stdout.write(encodable(text, self.stdout) + "\n")

    # Reading commands -------------------------------------------------------------------------------------------------

    def cmdloop(self, intro: Any = None) -> None:
        """Read commands until one lets the program go on; an interrupt gives a new prompt."""
        goes_on = False
        while not goes_on:
            try:
                goes_on = self.onecmd(self._read())
            except Quit:
                raise
            except KeyboardInterrupt:
                self.say("--KeyboardInterrupt--")

    def _read(self) -> str:
        """The next command. Those that nobody types are shown."""
        if self._commands:
            self.say(f"{self.prompt}{self._commands[0]}")
            return self._commands.pop(0)
        if self.use_rawinput:
            with contextlib.suppress(ImportError):
                import readline

                readline.set_completer(self.complete)  # type: ignore[arg-type]
                readline.parse_and_bind("tab: complete")
            try:
                return input(self.prompt)
            except EOFError:
                return "EOF"
        self.stdout.write(self.prompt)
        self.stdout.flush()
        line = self.stdin.readline()
        self.say(line.rstrip("\n") if line else "EOF")
        return line.rstrip("\n") if line else "EOF"

    def onecmd(self, line: str) -> bool:
        """Carry out a command; what is wrong with it is said in a line."""
        try:
            return bool(super().onecmd(line))
        except (LookupError, ValueError) as error:
            self.say(self.paint("*** ", "red") + str(error.args[0] if error.args else error))
            return False

    def parseline(self, line: str) -> tuple[str | None, str | None, str]:
        """Abbreviations, as in `pdb`; ``!x`` is ``py x``."""
        line = line.strip()
        if line.startswith("!"):
            line = f"py {line[1:]}"
        command, argument, whole = super().parseline(line)
        return (ABBREVIATIONS.get(command, command) if command else command), argument, whole

    def default(self, line: str) -> None:
        """Say that there is no such command."""
        self.say(self.paint("*** ", "red") + f"there is no command {line.split()[0]!r}; py {line} evaluates it")

    def completenames(self, text: str, *ignored: Any) -> list[str]:
        """Commands that begin so."""
        return [name for name in super().completenames(text, *ignored) if name != "EOF"]

    # Going ------------------------------------------------------------------------------------------------------------

    def _go(self, wanted: Wanted) -> bool:
        stepper = self.stepper
        if stepper.is_present:
            if self.crash is not None or self._has_ended:
                self.say("the program has ended: back, goto and the other commands still work; q leaves")
                return False
            stepper.wanted = wanted
            return True
        reasons = stepper.forward(wanted)
        if reasons is None:
            self.say("back in the present")
        for reason in reasons or ():
            self.say(self.paint(reason, "yellow"))
        self.show()
        return False

    _has_ended = False

    def ended(self, stepper: Stepper) -> None:
        """The program has come to its end; the recording can still be looked at."""
        self._has_ended = True
        how = "has ended" if self.crash is None else "has failed"
        stepper.stop([f"the program {how}, after {len(stepper.trace.events)} events"])

    def do_step(self, argument: str) -> bool:
        """step: go to the next event (made, computed, an adjoint handed on, a module entered or left, ...)."""
        return self._go(one_step)

    def do_stepi(self, argument: str) -> bool:
        """stepi: the same, also within what a backward pass makes."""
        return self._go(one_inner_step)

    def do_next(self, argument: str) -> bool:
        """next: the next event, but over the call of a module, or over a backward pass, that begins here."""
        return self._go(self.stepper.over())

    def do_until(self, argument: str) -> bool:
        """until: to the end of the innermost module's call or backward pass.

        until 120      to event 120
        until #12      to the next event of node #12
        until nan      to the next event of which this condition holds; see help break
        """
        if not argument:
            return self._go(self.stepper.out())
        if argument.isdigit():
            return self._go(lambda stepper, step: step.event >= int(argument))
        if argument.startswith("#"):
            self.stepper.watch(self._node(argument).number).temporary = True
        else:
            self.stepper.add_breakpoint(argument, temporary=True)
        return self._go(to_the_end)

    def do_continue(self, argument: str) -> bool:
        """continue: to the next breakpoint."""
        return self._go(to_the_end)

    def do_back(self, argument: str) -> None:
        """back [N]: go back one event, or N: values, adjoints and the graph are shown as they were then."""
        if not self.stepper.back(_count(argument, 1)):
            self.say("this is the first event")
        self.show()

    def do_backi(self, argument: str) -> None:
        """backi [N]: the same, also within what a backward pass made."""
        if not self.stepper.back(_count(argument, 1), inner=True):
            self.say("this is the first event")
        self.show()

    def do_goto(self, argument: str) -> None:
        """goto N: look at event N of the past."""
        if not argument.isdigit():
            raise ValueError("goto takes the number of an event: goto 120")
        self.stepper.go_to(int(argument))
        self.show()

    def do_detach(self, argument: str) -> bool:
        """detach: let the program go on without the debugger."""
        detach(self.stepper)
        return True

    def do_quit(self, argument: str) -> bool:
        """quit: leave the debugger, and end the program."""
        if self._has_ended or self.crash is not None:
            return True
        detach(self.stepper)
        raise Quit

    def do_EOF(self, argument: str) -> bool:  # noqa: N802
        """End of the input: as quit."""
        return self.do_quit(argument)

    # Breakpoints ------------------------------------------------------------------------------------------------------

    def do_break(self, argument: str) -> None:
        """break CONDITION...: stop there; break alone lists the breakpoints."""
        if not argument:
            for breakpoint in self.stepper.breakpoints:
                self.say(str(breakpoint))
            if not self.stepper.breakpoints:
                self.say("no breakpoints")
            return
        self.say(f"breakpoint {self.stepper.add_breakpoint(argument)}")

    def help_break(self) -> None:
        """Say what conditions there are."""
        self.say(f"break CONDITION...: stop there; break alone lists the breakpoints.\n{SYNTAX}")

    def do_tbreak(self, argument: str) -> None:
        """tbreak CONDITION...: stop there once."""
        self.say(f"breakpoint {self.stepper.add_breakpoint(argument, temporary=True)}")

    def do_watch(self, argument: str) -> None:
        """watch #12: stop whenever something happens to a node."""
        self.say(f"breakpoint {self.stepper.watch(self._node(argument).number)}")

    def do_clear(self, argument: str) -> None:
        """clear [N]: remove breakpoint N, or all."""
        kept = [b for b in self.stepper.breakpoints if argument and b.number != _count(argument, 0)]
        if argument and len(kept) == len(self.stepper.breakpoints):
            raise LookupError(f"there is no breakpoint {argument}")
        self.stepper.breakpoints[:] = kept

    # Looking ----------------------------------------------------------------------------------------------------------

    def _at(self) -> int:
        event = self.stepper.event
        if event is None or self.stepper.is_present:
            return len(self.stepper.trace.events) - 1
        return event.index

    def _node(self, argument: str) -> Node:
        """The node that a command is about: by number, by name, or that of the event."""
        text = argument.strip()
        if not text:
            event = self.stepper.event
            if event is None or event.node is None:
                raise LookupError("this event is about no node: give one, as #12 or by its name")
            return self.stepper.trace.node(event.node)
        number = text.removeprefix("#")
        node = self.stepper.trace.node(int(number) if number.isdigit() else text)
        if node.since > self._at():
            raise LookupError(f"#{node.number} is not there yet: it appears at [{node.since}]")
        return node

    def _consumer(self) -> str:
        """Where an adjoint is handed on, the node that does it."""
        event = self.stepper.event
        return "" if event is None or event.consumer is None else f"#{event.consumer}"

    def do_where(self, argument: str) -> None:
        """where: the calls that led here: in the present, all; in the past, the user's line and those it called."""
        event = self.stepper.event
        lines = [] if event is None else _without_making(event.place.library)
        if self.stepper.is_present and self._frame is not None:
            calls = _calls(self._frame)
            if len(calls) > CALLS:
                self.say(f"  ... {len(calls) - CALLS} more")
            for line in calls[-CALLS:]:
                self.say(f"  {self.paint(str(line), 'cyan')} in {line.function}: {line.text}")
        elif event is not None:
            user = event.place.user
            self.say(f"  {self.paint(str(user), 'cyan')} in {user.function}: {user.text}")
        for line in lines:
            self.say(self.paint(f"    {line} in {line.function}: {line.text}", "dim"))

    def do_list(self, argument: str) -> None:
        """list [#12]: the source around the line of the event, or around the line that made a node."""
        event = self.stepper.event
        if argument:
            line = self._node(argument).place.user
        elif event is not None:
            line = event.place.user
        elif self._frame is not None:
            line = _line_of(self._frame)
        else:
            raise LookupError("no event yet")
        for text in source(line, self.stepper.trace):
            self.say(self.paint(text, "bold") if text[6:8] == "->" else text)

    def do_node(self, argument: str) -> None:
        """node [#12]: all that is known of a node."""
        node, trace = self._node(argument), self.stepper.trace
        self.say(self.paint(node.described(), "bold"))
        where = "made" if node.made else "was there before; seen first"
        facts = [("kind", node.kind), (where, f"at {node.place.user}: {node.place.user.text}")]
        library = _without_making(node.place.library)
        facts += [("by", f"{line} in {line.function}: {line.text}") for line in library[-1:]]
        facts += [("module", node.module), ("requires_grad", str(node.requires_grad))]
        facts.append(("value", statistics(trace, node.number, self._at())))
        needed = [f"#{other.number}" for other in trace.who_needs(node.number) if other.since <= self._at()]
        facts.append(("needed by", ", ".join(needed) or "nothing yet"))
        alive = node.ref is not None and node.ref() is not None
        facts.append(("alive now", "yes" if alive else "no"))
        for name, text in facts:
            if text:
                self.say(f"  {name}: {text}")

    def do_inputs(self, argument: str) -> None:
        """inputs [#12]: what a node was made from, with statistics of the values."""
        node = self._node(argument or self._consumer())
        if not node.inputs:
            self.say(f"{label(node)} is a leaf")
        for position, number in enumerate(node.inputs):
            self.say(f"{position}: {self.stepper.trace.node(number).described()}")
            self.say(f"   {statistics(self.stepper.trace, number, self._at())}")

    def do_adjoint(self, argument: str) -> None:
        """adjoint [#12]: the contributions to a node's adjoint that have arrived, and their sum."""
        node, trace = self._node(argument), self.stepper.trace
        received = trace.adjoint(node.number, self._at())
        for event in received.shares:
            given = "none" if event.share is None else f"#{event.share}"
            said = "" if event.share is None else f": {statistics(trace, event.share, event.index)}"
            self.say(f"[{event.index}] {given} from {label(trace.node(event.consumer or 0))} {event.op}{said}")
        if not received.shares:
            self.say(f"{label(node)} has received no adjoint yet")
        elif received.total is not None:
            self.say(f"sum: {_summed(received.total)}")
            self._print(received.total)

    def do_value(self, argument: str) -> None:
        """value [#12]: statistics of a node's value, and its corners."""
        node = self._node(argument)
        self.say(f"{label(node)} {node.shape} {node.dtype}: {statistics(self.stepper.trace, node.number, self._at())}")
        try:
            self._print(self.stepper.trace.value(node.number, self._at()))
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
        depth = int(words.pop()) if words and words[-1].isdigit() and (len(words) > 1) else 2
        node = self._node(" ".join(words))
        for line in neighbourhood(self.stepper.trace, node, self._at(), depth):
            self.say(self.paint(line, "bold") if line.startswith("==>") else line)

    def do_events(self, argument: str) -> None:
        """events [N]: the N latest events up to here (10 by default)."""
        at = self._at()
        for event in self.stepper.trace.events[max(0, at + 1 - _count(argument, 10)) : at + 1]:
            self.say(str(event))

    def do_holders(self, argument: str) -> None:
        """holders [#12]: which variables, lists, optimizers, closures or nodes keep a node alive."""
        from .holders import holders

        node = self._node(argument)
        for holder in holders(self._alive(node)):
            self.say(f"  {holder}")

    def do_gradcheck(self, argument: str) -> None:
        """gradcheck [#12]: the gradient of its op against central differences in float64."""
        node = self._node(argument or self._consumer())
        for line in gradcheck(*self._operation(node)):
            self.say(self.paint(line, "red") if "WRONG" in line or "raises" in line else line)

    def do_realize(self, argument: str) -> None:
        """realize [#12]: compute a lazy node now, and what it is made from."""
        node = self._node(argument)
        value, known = self._alive(node), len(self.stepper.trace.events)
        with telling():
            value.realize_cached_data()
        if self._frame is not None:
            for event in self.stepper.trace.events[known:]:
                event.place = Place(_line_of(self._frame), ())
        self.stepper.position = len(self.stepper.steps) - 1  # what was computed is there in the present
        self.do_value(f"#{node.number}")

    def do_py(self, argument: str) -> None:
        """py EXPRESSION: evaluate it in the frame of your program (or execute it)."""
        if self._frame is None:
            raise LookupError("there is no frame to evaluate it in")
        if not self.stepper.is_present:
            self.say(self.paint("(the present, not the past that is shown)", "yellow"))
        with telling():
            self._evaluate(argument, self._frame)

    def _evaluate(self, text: str, frame: FrameType) -> None:
        try:
            code: CodeType = compile(text, "<needle>", "single")
            before, sys.displayhook = sys.displayhook, lambda x: None if x is None else self.say(repr(x))
            try:
                exec(code, frame.f_globals, frame.f_locals)
            finally:
                sys.displayhook = before
        except Exception as error:
            self.say(self.paint("*** ", "red") + "".join(traceback.format_exception_only(type(error), error)).rstrip())

    def do_pdb(self, argument: str) -> bool:
        """pdb: the real pdb in the frame of your program: its step and next go on, its continue comes back."""
        if self._frame is None:
            raise LookupError("there is no frame to look at")
        if not self.stepper.is_present:
            self.say(self.paint("(the present, not the past that is shown)", "yellow"))
        debugger = pdb.Pdb(stdin=self.stdin, stdout=self.stdout, nosigint=True)
        debugger.use_rawinput = self.use_rawinput
        debugger.reset()
        frame = self._frame
        with telling():
            debugger.interaction(frame, None)
        if debugger.quitting or self.crash is not None or self._has_ended or debugger.stoplineno == -1:
            return False
        self._entry = lambda: _trace_with(debugger, frame)
        self.stepper.wanted = to_the_end
        return True

    def do_save(self, argument: str) -> None:
        """save FILE: write the recording to a JSON file, for ndl.debug.Trace.load."""
        (path,) = shlex.split(argument) or ["trace.json"]
        self.stepper.trace.save(path)
        self.say(f"saved {path}")

    def do_view(self, argument: str) -> None:
        """view [FILE]: write the recording as a page for a browser (graph.html)."""
        from .page import view

        self.say(f"wrote {view(self.stepper.trace, argument or 'graph.html')}")

    def do_help(self, argument: str) -> None:
        """help [COMMAND]: the commands, or one of them."""
        if argument:
            super().do_help(ABBREVIATIONS.get(argument, argument))
            return
        for name in COMMANDS:
            doc = (getattr(self, f"do_{name}").__doc__ or "").splitlines()[0]
            self.say(textwrap.fill(doc, WIDTH - 2, initial_indent="  ", subsequent_indent="      "))

    # Nodes and frames -------------------------------------------------------------------------------------------------

    def _alive(self, node: Node) -> Any:
        value = None if node.ref is None else node.ref()
        if value is None:
            raise LookupError(f"{label(node)} is not alive any more")
        return value

    def _operation(self, node: Node) -> tuple[Any, tuple[Any, ...]]:
        """The op of a node and its inputs, if they are still there."""
        event, calculated = self.stepper.event, self.stepper.calculated
        if self.stepper.is_present and calculated is not None and event is not None and event.node == node.number:
            return calculated.op, calculated.inputs
        value = self._alive(node)
        if value.op is None or len(value.inputs) != len(node.inputs):
            reason = "is a leaf" if not node.op else "keeps no inputs (it requires no gradient, or was freed)"
            raise LookupError(f"{label(node)} {reason}")
        return value.op, value.inputs

    def _frame_of_crash(self) -> FrameType | None:
        """The innermost frame of the user's in which the program failed."""
        found, link = None, self.crash
        while link is not None:
            if not link.tb_frame.f_code.co_filename.startswith(_MACHINERY):
                found = link.tb_frame
            link = link.tb_next
        return found


#: In the order in which help lists them.
COMMANDS = (
    *("step", "stepi", "next", "until", "continue", "back", "backi", "goto", "detach", "quit"),
    *("break", "tbreak", "clear", "watch"),
    *("where", "list", "node", "inputs", "value", "adjoint", "graph", "events", "holders", "gradcheck", "realize"),
    *("py", "pdb", "save", "view", "help"),
)

ABBREVIATIONS = {
    "s": "step",
    "si": "stepi",
    "n": "next",
    "unt": "until",
    "r": "until",
    "c": "continue",
    "cont": "continue",
    "b": "break",
    "cl": "clear",
    "w": "where",
    "bt": "where",
    "l": "list",
    "p": "py",
    "pp": "py",
    "q": "quit",
    "bk": "back",
    "g": "graph",
    "v": "value",
    "i": "inputs",
    "a": "adjoint",
    "h": "help",
    "?": "help",
    "exit": "quit",
}


def _count(argument: str, otherwise: int) -> int:
    if argument and not argument.strip().isdigit():
        raise ValueError(f"a number is expected, not {argument!r}")
    return int(argument) if argument else otherwise


def _summed(total: Any) -> str:
    return "not kept" if total is None else str(statistics_of(total))


def _users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the user's."""
    while frame is not None and frame.f_code.co_filename.startswith(_MACHINERY):
        frame = frame.f_back
    return frame


def _line_of(frame: FrameType) -> Line:
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _calls(frame: FrameType) -> list[Line]:
    """The user's calls that led to a frame, the outermost first."""
    lines: list[Line] = []
    link: FrameType | None = frame
    while link is not None:
        filename = link.f_code.co_filename
        if not filename.startswith(_MACHINERY) and _RUNNERS.isdisjoint(Path(filename).parts):
            lines.append(_line_of(link))
        link = link.f_back
    return lines[::-1]


def _without_making(lines: tuple[Line, ...]) -> list[Line]:
    """Lines of the library without those that make every node."""
    return [line for line in lines if line.function not in ("make_from_op", "make", "__call__")]


def _trace_with(debugger: pdb.Pdb, frame: FrameType) -> None:
    """Let `debugger` stop at the next line of a frame."""
    debugger.set_next(frame)
    link: FrameType | None = frame
    while link is not None:
        link.f_trace = debugger.trace_dispatch
        debugger.botframe = link
        link = link.f_back
    sys.settrace(debugger.trace_dispatch)
