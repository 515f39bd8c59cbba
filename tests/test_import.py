"""``import needle`` loads what is needed to begin with: NumPy, Needle, and little of the standard library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import needle

LOADED = """
import json, sys
import numpy
before = set(sys.modules)
import needle
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that importing Needle loads, besides those that NumPy had loaded."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(done.stdout))


def test_what_is_slow_to_import_waits_until_it_is_used(loaded):
    slow = {
        "asyncio",
        "dataclasses",
        "gzip",
        "logging",
        "numpy.typing",
        "pathlib",
        "subprocess",
        "tempfile",
        "unittest",
    }
    assert not slow & loaded


def test_no_module_that_few_need_is_loaded(loaded):
    assert not {name for name in loaded if name.startswith(("needle.compiled", "needle.debug"))}
    assert {name.partition(".")[0] for name in loaded} <= {"needle"} | sys.stdlib_module_names


@pytest.mark.parametrize("name", ["data.idx.read_images", "debug.summary", "compile", "grad"])
def test_what_is_not_loaded_comes_when_it_is_asked_for(name):
    program = f"import needle; print(callable(needle.{name}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "True\n"


def test_what_is_not_there_is_named():
    with pytest.raises(AttributeError, match=r"module 'needle\.data' has no attribute 'idk'"):
        needle.data.idk  # noqa: B018
