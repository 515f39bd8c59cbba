"""A released tree as a student uses it: run in it, write in it; what the tests of each assignment share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hw.functions import find, replaced

PROJECT = Path(__file__).parents[2]

# The Python of these tests may have another Needle installed; a tree's own Python has none.
PREFER = """
import runpy, sys
from pathlib import Path
from hw import trees
trees.prefer(Path.cwd())
sys.argv.pop(0)
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(tree, module, *arguments, typed=""):
    """What ``python -m module`` prints in a tree, where there is no data but what the tree holds."""
    settings = {"NEEDLE_BACKEND": "np", "NEEDLE_DATA": str(tree / "data"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    # A program that is changed within a second would run as it was compiled before.
    settings |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PREFER, module, *arguments],
        cwd=tree,
        env=os.environ | settings,
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


def run_program(tree, program):
    """What a program prints that is saved in a tree."""
    (tree / "program.py").write_text(program, encoding="utf-8")
    return run(tree, "program")


def pytest_in(tree, *arguments):
    return run(tree, "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *arguments)


def write(tree, function, body):
    path = tree / function.file
    text = path.read_text(encoding="utf-8")
    (known,) = find(text, function)
    path.write_text(replaced(text, [(known.body, known.end, body)]), encoding="utf-8")
