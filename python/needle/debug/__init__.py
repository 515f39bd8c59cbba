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
    from .entering import pm, set_trace
    from .gradcheck import gradcheck
    from .growth import watch_growth
    from .holders import holders
    from .page import view
    from .profile import profile
    from .summary import summary

__all__ = [
    "Trace",
    "check",
    "detect_anomaly",
    "gradcheck",
    "holders",
    "name",
    "pm",
    "profile",
    "record",
    "set_trace",
    "summary",
    "to_dot",
    "to_mermaid",
    "view",
    "watch_growth",
]

#: In which module of this package the tools are that are imported when somebody uses them.
LATER = {
    "check": "check",
    "detect_anomaly": "anomaly",
    "gradcheck": "gradcheck",
    "holders": "holders",
    "pm": "entering",
    "profile": "profile",
    "set_trace": "entering",
    "summary": "summary",
    "to_dot": "drawing",
    "to_mermaid": "drawing",
    "view": "page",
    "watch_growth": "growth",
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
