"""A project of a few files with two assignments, small enough to see at a glance what a release makes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

TOOL = Path(__file__).parents[2] / "hw"

ARITHMETIC = '''"""Arithmetic."""

import math


def add(a, b):
    """a + b."""
    # Nothing is hidden here.
    return a + b


class Divide:
    """a / b."""

    def compute(self, a, b):
        """a / b."""
        quotient = a / b
        return quotient

    def gradient(self, out_grad, a, b):
        """(g / b, -g a / b^2)."""
        by_a = out_grad / b
        by_b = -out_grad * a / b**2
        return by_a, by_b  # both

    def batch(self, inputs):
        """Later."""
        first, second = inputs
        return [a / b for a, b in zip(first, second)]


def root(x):
    """The square root."""
    guess = math.sqrt(x)
    return guess
'''

WALK = '''"""Walks."""


def order(node):
    """Post-order."""
    visited = []
    for x in node.inputs:
        visited += order(x)
    return [*visited, node]


def train(steps):
    """Later: a training loop."""
    for step in range(steps):
        print("step", step)
    return steps
'''

HW1 = """
name = "hw1"
title = "Arithmetic"
hours = 1
backend = "np"
build = false
after = []
files = ["python/needle/arithmetic.py", "python/needle/walk.py"]
leaves_out = ["python/needle/secret/**"]
withholds = ["python/needle/arithmetic.py:Divide.*"]

[[task]]
name = "divide"
title = "Division"
points = 3
hidden_points = 2
functions = ["python/needle/arithmetic.py:Divide.compute", "python/needle/arithmetic.py:Divide.gradient"]

[[task]]
name = "order"
title = "Order"
points = 4
functions = ["python/needle/walk.py:order"]
needs = ["divide"]
hints = ["Inputs first."]
"""

HW2 = """
name = "hw2"
title = "Training"
hours = 1
backend = "np"
build = false
after = ["hw1"]
files = ["python/needle/walk.py"]

[[task]]
name = "train"
title = "Training"
points = 1
functions = ["python/needle/walk.py:train"]
"""

FILES = {
    "pyproject.toml": "[project]\nname = 'small'\n",
    "LICENSE": "MIT\n",
    "python/needle/__init__.py": '__version__ = "9.9"\nfrom . import arithmetic, walk\n',
    "python/needle/arithmetic.py": ARITHMETIC,
    "python/needle/walk.py": WALK,
    "python/needle/secret/compiler.py": "def compiled():\n    return 'a secret'\n",
    "python/needle/data/numbers.bin": "1 2 3",
    "apps/bench/fast.py": "print(1)\n",
    "tests/test_everything.py": "def test_it(): pass\n",
    "docs/page.md": "# Docs\n",
    "hw/hw1/assignment.toml": HW1,
    "hw/hw1/README.md": "# hw1\n\n[the walk](../../python/needle/walk.py), ![a](images/a.svg), [web](https://x.org)\n",
    "hw/hw1/images/a.svg": "<svg/>",
    "hw/hw1/tests/test_divide.py": "def test_divide(): pass\n",
    "hw/hw1/tests/test_order.py": "def test_order(): pass\n",
    "hw/hw1/hidden/test_divide.py": "def test_hidden(): pass\n",
    "hw/hw1/wrong/divide/sign.py": '"""Wrong."""\n',
    "hw/hw1/notes_of_staff.md": "The answer is ...\n",
    "hw/hw2/assignment.toml": HW2,
    "hw/hw2/README.md": "# hw2\n",
    "hw/hw2/tests/test_train.py": "def test_train(): pass\n",
}


def make(root: Path) -> Path:
    """Make the project, with the real tool in it."""
    for path, text in FILES.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    for module in TOOL.glob("*.py"):
        shutil.copyfile(module, root / "hw" / module.name)
    shutil.copytree(TOOL / "templates", root / "hw" / "templates")
    return root


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old, text)
    path.write_text(text.replace(old, new), encoding="utf-8")
