"""What the processor's extension does for those who record; without it, all of them say: look yourself.

There is none under ``NEEDLE_BACKEND=np``, and in a tree that was not built.
"""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import Any

from ..backend_selection import BACKEND


def nothing(*args: Any) -> None:
    """Stands for a function of the extension where there is none."""


trail: Any = nothing
numbers_of: Any = nothing

if BACKEND == "nd":
    with contextlib.suppress(ImportError):
        _extension = import_module("needle.backend_ndarray.ndarray_backend_cpu")
        trail, numbers_of = _extension.trail, _extension.numbers_of
