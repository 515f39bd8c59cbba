"""The stepping debugger's terminal: the habits of `pdb`, with the events of the graph in place of lines."""

from __future__ import annotations

import _thread
import bdb
import pdb
import sys
import threading
import traceback
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from ..listening import leave, telling
from .breakpoints import SYNTAX, doubts
from .console import Console
from .frames import crashed_at, trace_with, users_frame
from .looking import Looking
from .prompt import number_in
from .stepper import Quit, Step, Stepper, Wanted, one_inner_step, one_step, to_the_end


class Terminal(Looking):
    """Asks the user what is to be done.

    Parameters
    ----------
    commands : sequence of str
        Are carried out first, as if they had been typed.
    console : Console, optional
        Where to read and write; by default, standard input and output as they are now.
    """

    def __init__(self, commands: tuple[str, ...] = (), console: Console | None = None) -> None:
        super().__init__(commands, console)
        self.has_quit = False
        self._entry: Callable[[], None] | None = None

    # Stopping ---------------------------------------------------------------------------------------------------------

    def stopped(self, stepper: Stepper, reasons: list[str]) -> None:
        """Show where the program is, and carry out commands until one lets it go on."""
        self.stepper = stepper
        self.frame, self.crash_line = crashed_at(self.crash)
        self.frame = self.frame or users_frame(sys._getframe(1))
        self._entry = None
        with self.console.attached():
            for reason in reasons:
                self.say(self.paint(reason, "yellow"))
            self.show()
            self.cmdloop()
        self.frame = None
        if self._entry is not None:  # the user steps on in pdb
            self._entry()

    # Going ------------------------------------------------------------------------------------------------------------

    def _go(self, wanted: Wanted) -> bool:
        stepper = self.stepper
        if stepper.is_present:
            if self.crash is not None or self.has_ended:
                self.say("the program cannot go on from here: back, goto and the others still work; q leaves")
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

    def ended(self, stepper: Stepper) -> None:
        """The program has come to its end; the recording can still be looked at."""
        self.has_ended = True
        how = "has ended" if self.crash is None else "has failed"
        stepper.stop([f"the program {how}, after {len(stepper.trace.events)} events"])

    def do_step(self, argument: str) -> bool:
        """step [N]: the next event, or the N-th (made, computed, an adjoint handed on, a module entered, ...)."""
        return self._go(_times(number_in(argument, 1), one_step))

    def do_stepi(self, argument: str) -> bool:
        """stepi [N]: the same, also within what a backward pass makes."""
        return self._go(_times(number_in(argument, 1), one_inner_step))

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
            self.stepper.watch(self.node(argument).number).temporary = True
        else:
            self.stepper.add_breakpoint(argument, temporary=True)
        return self._go(to_the_end)

    def do_continue(self, argument: str) -> bool:
        """continue: to the next breakpoint."""
        return self._go(to_the_end)

    def do_back(self, argument: str) -> None:
        """back [N]: go back one event, or N: values, adjoints and the graph are shown as they were then."""
        if not self.stepper.back(number_in(argument, 1)):
            self.say("this is the first event")
        self.show()

    def do_backi(self, argument: str) -> None:
        """backi [N]: the same, also within what a backward pass made."""
        if not self.stepper.back(number_in(argument, 1), inner=True):
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
        leave(self.stepper)
        return True

    def do_quit(self, argument: str) -> bool:
        """quit: leave the debugger, and end the program."""
        if self.has_ended or self.crash is not None:
            return True
        leave(self.stepper)
        self.has_quit = True
        if threading.current_thread() is threading.main_thread():
            raise Quit
        _thread.interrupt_main()
        raise SystemExit  # which ends the thread, without a word

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
        self._add_breakpoint(argument, temporary=False)

    def _add_breakpoint(self, text: str, temporary: bool) -> None:
        self.say(f"breakpoint {self.stepper.add_breakpoint(text, temporary)}")
        for doubt in doubts(text):
            self.say(doubt)

    def help_break(self) -> None:
        """Say what conditions there are."""
        self.say(f"break CONDITION...: stop there; break alone lists the breakpoints.\n{SYNTAX}")

    def do_tbreak(self, argument: str) -> None:
        """tbreak CONDITION...: stop there once."""
        self._add_breakpoint(argument, temporary=True)

    def do_watch(self, argument: str) -> None:
        """watch #12: stop whenever something happens to a node."""
        self.say(f"breakpoint {self.stepper.watch(self.node(argument).number)}")

    def do_clear(self, argument: str) -> None:
        """clear [N]: remove breakpoint N, or all."""
        kept = [b for b in self.stepper.breakpoints if argument and b.number != number_in(argument, 0)]
        if argument and len(kept) == len(self.stepper.breakpoints):
            raise LookupError(f"there is no breakpoint {argument}")
        self.stepper.breakpoints[:] = kept

    # The program itself -----------------------------------------------------------------------------------------------

    def do_py(self, argument: str) -> None:
        """py EXPRESSION: evaluate it in the frame of your program (or execute it)."""
        if not self.stepper.is_present:
            self.say(self.paint("(the present, not the past that is shown)", "yellow"))
        with telling():
            self._evaluate(argument)

    def _evaluate(self, text: str) -> None:
        frame = self.frame
        spaces = (self.namespace, self.namespace) if frame is None else (frame.f_globals, frame.f_locals)
        try:
            code: CodeType = compile(text, "<needle>", "single")
            before, sys.displayhook = sys.displayhook, lambda x: None if x is None else self.say(repr(x))
            try:
                exec(code, *spaces)
            finally:
                sys.displayhook = before
        except Exception as error:
            self.say(self.paint("*** ", "red") + "".join(traceback.format_exception_only(type(error), error)).rstrip())

    def do_pdb(self, argument: str) -> bool:
        """pdb: the real pdb in the frame of your program: its step and next go on, its continue comes back."""
        if self.frame is None:
            raise LookupError("there is no frame to look at")
        if not self.stepper.is_present:
            self.say(self.paint("(the present, not the past that is shown)", "yellow"))
        debugger, frame = _Pdb(self), self.frame
        with telling():
            debugger.interaction(frame, None)
        if debugger.quitting or self.crash is not None or self.has_ended:
            return False
        if debugger.comes_back and not debugger.get_all_breaks():
            return False
        self._entry = lambda: trace_with(debugger, frame)
        self.stepper.wanted = to_the_end
        return True


def _times(count: int, wanted: Wanted) -> Wanted:
    """To where `wanted` has been so many times."""
    left = [count]

    def reached(stepper: Stepper, step: Step) -> bool:
        left[0] -= wanted(stepper, step)
        return left[0] <= 0

    return reached if count > 1 else wanted


class _Pdb(pdb.Pdb):
    """pdb within the stepping debugger: ``continue`` comes back to that, at the latest at the next event."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(stdin=terminal.stdin, stdout=terminal.stdout, nosigint=True)
        self.use_rawinput = terminal.use_rawinput
        self.terminal = terminal
        self.comes_back = False
        self.reset()
        self.botframe = self.terminal.frame
        while self.botframe is not None and self.botframe.f_back is not None:
            self.botframe = self.botframe.f_back

    def set_continue(self) -> None:
        """Go on, to a breakpoint of pdb's, or to the next event."""
        super().set_continue()
        self.comes_back = True
        if not self.get_all_breaks():
            self.terminal.stepper.wanted = one_step

    def set_quit(self) -> None:
        """Leave pdb; if it had the program, that goes on to the next event."""
        super().set_quit()
        self.terminal.stepper.wanted = one_step

    def dispatch_line(self, frame: FrameType) -> Any:
        """Stop, if that is wanted; leaving pdb ends neither the program nor the debugger."""
        try:
            return super().dispatch_line(frame)
        except bdb.BdbQuit:
            sys.settrace(None)
            return None
