"""What all tests share: the devices and the modes that a promise is checked on.

The environment variable NEEDLE_BACKEND chooses the array library under test, as it does for users. Run the tests of the
graph layer under both of its values.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

import needle as ndl
from needle.backend_selection import BACKEND, cpu, cpu_numpy, cpu_simple

DEVICES = [cpu(), cpu_numpy(), cpu_simple()] if BACKEND == "nd" else [cpu()]
#: Those that have kernels for every dtype, and the fused ones.
WHOLE_DEVICES = DEVICES[:2]


def pytest_report_header() -> str:
    """Say which array library is under test."""
    return f"NEEDLE_BACKEND={BACKEND}"


@pytest.fixture(autouse=True)
def few_objects() -> Iterator[None]:
    """Hide what is there before a test from the garbage collector, and from what looks through its objects.

    Among the objects of thousands of collected tests, one collection takes 0.2 s, and so does recording a compiled
    function.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=DEVICES, ids=str)
def device(request: pytest.FixtureRequest) -> Any:
    """Every device of the array library under test."""
    return request.param


@pytest.fixture(params=["eager", "lazy"])
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test eagerly and in lazy mode."""
    with ndl.lazy_mode() if request.param == "lazy" else nullcontext():
        yield request.param
