"""The prompt of the stepping debugger: reads commands, shows where the program is."""

from __future__ import annotations

import cmd
import contextlib
import linecache
import shutil
import sys
import textwrap
from types import FrameType, TracebackType
from typing import Any

from ..autograd import Value
from ..places import Line
from .console import Console
from .frames import line_of
from .records import Event, Node, cut
from .stepper import Quit, Stepper
from .texts import WIDTH, Palette, encodable, has_colours, headline, label, statistics, summed


class Prompt(cmd.Cmd):
    """Reads and says; the commands themselves are in the subclasses.

    Attributes
    ----------
    stepper : Stepper
        That stopped the program.
    frame : FrameType or None
        The user's innermost, while the program stands.
    namespace : dict
        In which to evaluate where there is no frame: the variables of the program.
    begin : Line or None
        Of the program.
    crash : TracebackType or None
        If the program has failed, and `crash_line`, where.
    has_ended : bool
        Whether it cannot go on.
    """

    prompt = "(needle) "

    def __init__(self, commands: tuple[str, ...] = (), console: Console | None = None) -> None:
        self.console = console or Console()
        super().__init__(stdin=self.console.stdin, stdout=self.console.stdout)
        self._commands = list(commands)
        self.use_rawinput = self.stdin is sys.__stdin__ and self.stdin.isatty()
        self.paint = Palette(has_colours(self.stdout))
        self.stepper: Stepper = None  # type: ignore[assignment]
        self.frame: FrameType | None = None
        self.namespace: dict[str, Any] = {}
        self.begin: Line | None = None
        self.crash: TracebackType | None = None
        self.crash_line: Line | None = None
        self.has_ended = False

    # Showing ----------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Where the program is, and what happened there."""
        event, place = self.stepper.event, self.line()
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

    def line(self) -> Line | None:
        """Where the program is, or was at the event that is looked at; None if nobody knows."""
        if self.stepper.is_between and self.stepper.is_present:
            if self.crash_line is not None:
                return self.crash_line
            if self.frame is not None:
                return line_of(self.frame)
        event = self.stepper.event
        return self.begin if event is None else event.place.user

    def _show_line(self, line: Line | None) -> None:
        if line is None:
            return
        self.say(f"> {self.paint(str(line), 'cyan')} in {line.function}")
        text = linecache.getline(line.filename, line.number).strip()
        if text:
            self.say(self.fitted(f"-> {text}"))

    def _details(self, event: Event) -> list[str]:
        trace = self.stepper.trace
        if event.kind in ("made", "computed", "replaced", "written") and event.node is not None:
            return [statistics(trace, event.node, self.at())]
        if event.kind != "share" or event.share is None or event.node is None:
            return []
        lines = [f"adjoint: {statistics(trace, event.share, event.index)}"]
        share = trace.node(event.share)
        line = share.place.gradient or share.place.user
        handed = trace.adjoint(event.consumer or 0, event.index).shares
        if any(other.share == event.share for other in handed):
            lines.append("passed on as it came")
        elif share.made and line != event.place.user:
            lines.append(f"computed at {line}: {line.text}")
        received = trace.adjoint(event.node, event.index)
        if len(received.shares) > 1:
            lines.append(f"sum of {len(received.shares)} contributions so far: {summed(received.total)}")
        return lines

    def _last(self) -> int:
        return self.stepper.steps[-1].event if self.stepper.steps else -1

    def say(self, text: str = "") -> None:
        """Print a line."""
        self.stdout.write(encodable(text, self.stdout) + "\n")

    def fitted(self, text: str) -> str:
        """`text`, cut to the width of the terminal, if it is one."""
        return cut(text, shutil.get_terminal_size().columns) if self.use_rawinput else text

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
        try:
            line = self.stdin.readline()
        except OSError as error:  # of pytest, say
            raise OSError(
                "the debugger cannot read: standard input is captured. Run pytest with -s, or as "
                "python -m needle.debug -m pytest"
            ) from error
        self.say(line.rstrip("\n") if line else "EOF")
        return line.rstrip("\n") if line else "EOF"

    def onecmd(self, line: str) -> bool:
        """Carry out a command; what is wrong with it is said in a line."""
        try:
            return bool(super().onecmd(line))
        except (LookupError, ValueError) as error:
            self.say(self.paint("*** ", "red") + str(error.args[0] if error.args else error))
        except Exception as error:  # what a command cannot do is no fault of the program
            self.say(self.paint("*** ", "red") + f"{type(error).__name__}: {error}")
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

    def do_help(self, argument: str) -> None:
        """help [COMMAND]: the commands, or one of them."""
        if argument:
            super().do_help(ABBREVIATIONS.get(argument, argument))
            return
        for name in COMMANDS:
            doc = (getattr(self, f"do_{name}").__doc__ or "").splitlines()[0]
            self.say(textwrap.fill(doc, WIDTH - 2, initial_indent="  ", subsequent_indent="      "))

    # What a command is about ------------------------------------------------------------------------------------------

    def at(self) -> int:
        """The index of the event up to which things are shown: in the present, of all that has happened."""
        event = self.stepper.event
        if event is None or self.stepper.is_present:
            return len(self.stepper.trace.events) - 1
        return event.index

    def node(self, argument: str) -> Node:
        """The node that a command is about: by number, by name, or that of the event."""
        text = argument.strip()
        if not text:
            event = self.stepper.event
            if event is None or event.node is None:
                raise LookupError("this event is about no node: give one, as #12 or by its name")
            return self.stepper.trace.node(event.node)
        number = text.removeprefix("#")
        variable = None if number.isdigit() else self._variable(text)
        node = self.stepper.trace.node(int(number) if number.isdigit() else text if variable is None else variable)
        if node.since > self.at():
            raise LookupError(f"#{node.number} is not there yet: it appears at [{node.since}]")
        return node

    def _variable(self, name: str) -> Value | None:
        """The node that a variable of the program holds, if no node has its name."""
        if any(node.name == name for node in self.stepper.trace.all_nodes):
            return None
        spaces = [self.namespace] if self.frame is None else [self.frame.f_locals, self.frame.f_globals]
        found = next((space[name] for space in spaces if name in space), None)
        return found if isinstance(found, Value) and found in self.stepper.trace else None

    def consumer(self) -> str:
        """Where an adjoint is handed on, the node that does it."""
        event = self.stepper.event
        return "" if event is None or event.consumer is None else f"#{event.consumer}"

    def alive(self, node: Node) -> Any:
        """The living node behind a record."""
        value = None if node.ref is None else node.ref()
        if value is None:
            raise LookupError(f"{label(node)} is not alive any more")
        return value

    def operation(self, node: Node) -> tuple[Any, tuple[Any, ...]]:
        """The op of a node and its inputs, if they are still there."""
        event, calculated = self.stepper.event, self.stepper.calculated
        if self.stepper.is_present and calculated is not None and event is not None and event.node == node.number:
            return calculated.op, calculated.inputs
        value = self.alive(node)
        if value.op is None or len(value.inputs) != len(node.inputs):
            reason = "is a leaf" if not node.op else "keeps no inputs (it requires no gradient, or was freed)"
            raise LookupError(f"{label(node)} {reason}")
        return value.op, value.inputs


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


def number_in(argument: str, otherwise: int) -> int:
    """The number that a command was given; `otherwise`, if none was."""
    if argument and not argument.strip().isdigit():
        raise ValueError(f"a number is expected, not {argument!r}")
    return int(argument) if argument else otherwise
