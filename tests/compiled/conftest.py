"""Recording looks at every object that the garbage collector knows; here only at those that a test has made."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def few_objects() -> Iterator[None]:
    """Hide what was there before the test."""
    gc.freeze()
    yield
    gc.unfreeze()
