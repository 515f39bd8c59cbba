"""A plugin of pytest that runs a single case, by its number in the file; for `check` under a debugger."""

from __future__ import annotations

import os
from typing import Any

#: The environment variable with the number.
CASE = "NEEDLE_HW_CASE"


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Keep the case that is asked for."""
    number = int(os.environ[CASE])
    items[:] = items[number - 1 : number]
