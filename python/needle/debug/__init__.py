"""Watching a graph: recordings of what happens, and tools that explain it.

Everything here listens at `needle.listening`; nothing below knows of it. It is imported when somebody uses it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .names import name
from .recorder import record
from .trace import Trace

if TYPE_CHECKING:
    from .anomaly import detect_anomaly
    from .check import check
    from .drawing import to_dot, to_mermaid
    from .page import view
    from .profile import profile
    from .summary import summary

__all__ = [
    "Trace",
    "check",
    "detect_anomaly",
    "name",
    "profile",
    "record",
    "summary",
    "to_dot",
    "to_mermaid",
    "view",
]

#: In which module of this package the tools are that are imported when somebody uses them.
LATER = {
    "check": "check",
    "detect_anomaly": "anomaly",
    "profile": "profile",
    "summary": "summary",
    "to_dot": "drawing",
    "to_mermaid": "drawing",
    "view": "page",
}


def __getattr__(name: str) -> Any:
    """The tools of `LATER`."""
    if name in LATER:
        return getattr(import_module(f".{LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Package(ModuleType):
    """The package, in which ``summary`` is the function, also when the module of that name has been imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in LATER and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
