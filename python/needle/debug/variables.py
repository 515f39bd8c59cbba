"""The variables of all functions that are running, and the modules: what gives names to objects that are found."""

from __future__ import annotations

import sys
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from .frames import line_of

#: Modules whose frames and objects only watch.
WATCHERS = (
    "bdb",
    "cmd",
    "pdb",
    "debugpy",
    "pydevd",
    "_pydevd_bundle",
    "_pydev_bundle",
    "needle.debug",
    "needle.listening",
)


class Variables:
    """The variables of all running functions, by what they hold, and the dicts of all modules."""

    def __init__(self) -> None:
        self.namespaces: dict[int, str] = {}
        for name, module in list(sys.modules.items()):
            if isinstance(module, ModuleType):
                self.namespaces[id(vars(module))] = f"module {name}"
        self.ignored: set[int] = set()
        self._known: dict[int, list[tuple[str, str]]] = {}
        self._snapshots: list[tuple[FrameType, Any]] = []
        for frame in running_frames():
            self._read(frame)

    def of(self, x: Any) -> list[tuple[str, str]]:
        """The local variables that hold `x`, each with where it is."""
        return self._known.get(id(x), [])

    def module(self, name: str) -> str:
        """What is said of a module: the name of the file if it is that of a running program."""
        module = sys.modules.get(name)
        return self.namespaces[id(vars(module))] if isinstance(module, ModuleType) else f"module {name}"

    def _read(self, frame: FrameType) -> None:
        self.ignored.add(id(frame))
        module, file = frame.f_globals.get("__name__", ""), Path(frame.f_code.co_filename).name
        if module == "__main__" or id(frame.f_globals) not in self.namespaces:
            self.namespaces[id(frame.f_globals)] = file
        if frame.f_code.co_flags & CO_OPTIMIZED:
            for name, x in self.variables(frame).items():
                self._known.setdefault(id(x), []).append((name, where_of(frame)))
        else:
            self.namespaces.setdefault(id(frame.f_locals), where_of(frame))

    def variables(self, frame: FrameType) -> Any:
        """The local variables of a function's frame."""
        self._snapshots.append((frame, frame.f_locals))
        self.ignored.add(id(self._snapshots[-1][1]))
        return self._snapshots[-1][1]

    def release(self) -> None:
        """Empty the copies of local variables that Python before 3.13 keeps once somebody has asked for them.

        They would keep alive what a variable held. But where somebody else has such a copy, or a debugger may write it
        back into the variables, it is left.
        """
        untouchable = sys.version_info >= (3, 13) or sys.gettrace() is not None or sys.getprofile() is not None
        while self._snapshots:
            frame, variables = self._snapshots.pop()
            held_by_frame_and_here = 3
            if not untouchable and frame.f_trace is None and sys.getrefcount(variables) <= held_by_frame_and_here:
                variables.clear()


def where_of(frame: FrameType) -> str:
    """The function and the line that it is at."""
    line = line_of(frame)
    return f"{line.function} ({line})"


def running_frames() -> list[FrameType]:
    """Those of all threads, without those of watchers."""
    found = []
    waiting = list(sys._current_frames().values())
    while waiting:
        frame = waiting.pop()
        if frame.f_back is not None:
            waiting.append(frame.f_back)
        if not watches(frame):
            found.append(frame)
    del frame  # which is that of this function: a cycle
    return found


def watches(x: Any) -> bool:
    """Whether an object, or a frame, belongs to a debugger."""
    module = x.f_globals.get("__name__") if isinstance(x, FrameType) else type(x).__module__
    return isinstance(module, str) and any(module == name or module.startswith(f"{name}.") for name in WATCHERS)
