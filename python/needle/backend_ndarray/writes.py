"""A door for those who keep a view of a buffer instead of a copy: they are told before it is written in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Each is called with the buffer (the handle of a view) that is about to be written.
keepers: list[Callable[[Any], None]] = []


def about_to_write(handle: Any) -> None:
    """Tell all keepers."""
    for keeper in tuple(keepers):
        keeper(handle)
