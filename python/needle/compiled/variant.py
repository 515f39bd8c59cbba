"""`Variant`: one way that a compiled function goes, and when it does."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..autograd import Tensor
from ..nn.module import Module
from .compare import assert_alike
from .conditions import Condition, in_common
from .passes import Pass, improve
from .program import Program
from .recorder import CompileError
from .replay import Replayer


class Recorded(NamedTuple):
    """One call, recorded.

    Attributes
    ----------
    result : Any
        What the function returned.
    program : Program
    memory : dict of int to Array
        Of the program's buffers.
    modules : dict of Module to dict
        Those that took part, with their settings.
    conditions : set of Condition
        What was so before the call.
    """

    result: Any
    program: Program
    memory: dict[int, Any]
    modules: dict[Module, dict[str, Any]]
    conditions: set[Condition]


class Variant:
    """One way that a function goes: recorded once, or twice and ready to be replayed.

    It is for calls before which all is so that was so before every recording. A recording that is like the others,
    although something is not so, shows that this does not matter.
    """

    def __init__(self, first: Recorded) -> None:
        self.program = first.program
        self.replayer: Replayer | None = None
        self.conditions = first.conditions
        self.captured = first.program.captured
        self.early = first.program.tape.split()[0]
        read = [(operator.itemgetter(*found), module) for module, found in first.modules.items() if found]
        self.settings = [functools.partial(get, vars(module)) for get, module in read]
        self.values = [get(first.modules[module]) for get, module in read]

    def is_in_its_modes(self) -> bool:
        """Whether the modules have the modes and settings that were recorded."""
        try:
            return [setting() for setting in self.settings] == self.values
        except KeyError:  # one is gone
            return False

    def goes(self) -> bool:
        """Whether the next call may go this way: modules are in these modes, and numbers branch as they did."""
        return self.is_in_its_modes() and self.program.tape.run(self.early)

    def views(self, arguments: list[Tensor]) -> list[Any] | None:
        """The memory to replay on; None if it is not ready, or not for these arguments, modes and numbers."""
        if self.replayer is None or not self.is_in_its_modes() or not self.captured.isdisjoint(arguments):
            return None
        for condition in self.conditions:
            if not condition.holds(arguments):
                return None
        return self.replayer.views_if_it_fits(arguments)

    def takes(self, other: Recorded, passes: Iterable[Pass]) -> bool:
        """Whether `other` is a call like this: the second makes it ready, later ones may make it for more arguments.

        CompileError if a second one should be like the first, and is not.
        """
        captured = self.captured | other.program.captured
        still = in_common(self.conditions, other.conditions, captured)
        if still is None or (self.replayer is not None and len(still) == len(self.conditions)):
            return False
        try:
            assert_alike(self.program, other.program)
        except CompileError:
            if self.replayer is None:
                raise
            return False
        if self.replayer is None:
            self.replayer = Replayer(improve(other.program, passes), other.memory)
            self.captured = captured
        self.conditions = still
        return True
