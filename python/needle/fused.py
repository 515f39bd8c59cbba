"""The switch between a method's textbook definition and a fused kernel that does the same in one pass over memory.

A method with a fused kernel has one line above it, ``@fused(name)``, and holds its textbook definition as ever::

    @fused("softmax")
    def compute(self, a): ...

``NEEDLE_FUSED=0`` turns all fused kernels off; the methods are then exactly what their source says.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from .backend_selection import BACKEND

__all__ = ["FUSED", "fused"]

Method = TypeVar("Method", bound=Callable[..., Any])

#: Whether fused kernels are used. Only Needle's own arrays have them; under ``NEEDLE_BACKEND=np`` there are none.
FUSED = os.environ.get("NEEDLE_FUSED", "1") != "0" and BACKEND == "nd"


def fused(by: str | Callable[..., Any]) -> Callable[[Method], Method]:
    """Let ``needle.backend_ndarray.fused.<name>(self, *arrays)`` do the work of a method on arrays, where it can.

    Where it cannot (another axis, mixed dtypes, a device without the kernel), it returns NotImplemented, and the
    method itself runs. For a method on Tensors a function is given instead of a name: it makes the one node that the
    method's several stand for.
    """
    if not FUSED:
        return lambda textbook: textbook
    from .backend_ndarray import fused as kernels

    in_one_pass = getattr(kernels, by) if isinstance(by, str) else by

    def switch(textbook: Method) -> Method:
        @wraps(textbook)
        def method(self: Any, *arrays: Any) -> Any:
            result = in_one_pass(self, *arrays)
            return textbook(self, *arrays) if result is NotImplemented else result

        return cast(Method, method)

    return switch
