"""A tiny project with a course of one assignment: two tasks in two files, with public and hidden tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import hw

HW = Path(hw.__file__).parent

FILES = {
    "pyproject.toml": "",
    "python/needle/__init__.py": '"""Tiny."""\n__version__ = "0"\nfrom . import first, second\n',
    "python/needle/first.py": (
        'def double(x):\n    """2 x."""\n    return x + x\n\n\n'
        'def helper(x):\n    """A part of no task."""\n    return x\n'
    ),
    "python/needle/second.py": 'from . import first\n\n\ndef negate(x):\n    """-x."""\n    return first.helper(-x)\n',
    "hw/hw1/__init__.py": "",
    "hw/hw1/README.md": "# Tiny\n",
    "hw/hw1/assignment.toml": """
name = "hw1"
title = "Tiny"
hours = 1
backend = "np"
build = false
files = ["python/needle/first.py", "python/needle/second.py"]

[[task]]
name = "double"
title = "Twice as much"
points = 4
hidden_points = 2
functions = ["python/needle/first.py:double"]
hints = ["What is x + x?", "Return it."]

[[task]]
name = "negate"
title = "The other way"
points = 3
hidden_points = 1
functions = ["python/needle/second.py:negate"]
needs = ["double"]
""",
    "hw/hw1/tests/test_double.py": '''"""Public."""
import numpy as np
import pytest
from hw.testing import hint, same
from needle.first import double


@hint("Add x to itself.")
@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_values(shape):
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    same(double(x), 2 * x, of="double(x)", given={"x": x}, mistakes={"x came back": x, "you squared": x**2})


def test_a_number():
    same(double(3.0), 6.0, of="double(3.0)")
''',
    "hw/hw1/tests/test_negate.py": '''"""Public."""
import numpy as np
from hw.testing import same
from needle.second import negate


def test_values():
    x = np.array([1.0, -2.0, 0.0])
    same(negate(x), 0 - x, of="negate(x)", given={"x": x})


def test_twice():
    same(negate(negate(5.0)), 5.0, of="negate(negate(5.0))")
''',
    "hw/hw1/hidden/test_double.py": '''"""Hidden."""
import numpy as np
from hw.testing import same
from needle.first import double


def test_of_a_matrix():
    x = np.ones((3, 4))
    same(double(x), x * 2.0, of="double(x)", given={"x": x})


def test_of_nothing():
    same(double(np.zeros((0, 2))), np.zeros((0, 2)), of="double of no elements")
''',
    "hw/hw1/hidden/test_negate.py": '''"""Hidden."""
import numpy as np
from hw.testing import same
from needle.second import negate


def test_of_a_matrix():
    same(negate(np.eye(3)), -1.0 * np.eye(3), of="negate(x)")
''',
    "hw/hw1/wrong/double/squares.py": (
        '"""x squared."""\nFILE = "python/needle/first.py"\n\n\ndef double(x):\n    return x * x\n'
    ),
    "hw/hw1/wrong/double/halves.py": (
        '"""Half as much."""\nFILE = "python/needle/first.py"\n\n\ndef double(x):\n    return x / 2\n'
    ),
    "hw/hw1/wrong/negate/absolute.py": (
        '"""|x| with a minus."""\nFILE = "python/needle/second.py"\n\n\ndef negate(x):\n    return -abs(x)\n'
    ),
    "hw/hw1/right/by_products.py": (
        '"""A product, not a sum."""\nFILE = "python/needle/first.py"\n\n\ndef double(x):\n    return 2 * x\n'
    ),
}


def make_project(folder: Path) -> Path:
    """Write the project, with the course's tool in it."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in HW.glob("*.py"):
        shutil.copy(path, folder / "hw" / path.name)
    shutil.copytree(HW / "templates", folder / "hw" / "templates")
    return folder
