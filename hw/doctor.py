"""``doctor``: what is wrong with this machine or this tree, each finding with what to do about it."""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import trees
from .changes import changes

#: Findings about this Python, printed as JSON by a process of its own: what students' programs see.
ASK = """
import importlib.util, json, sys
seen = {"version": sys.version_info[:3], "missing": [], "needle": None}
for name in sys.argv[1:]:
    if importlib.util.find_spec(name) is None:
        seen["missing"].append(name)
spec = importlib.util.find_spec("needle")
if spec is not None:
    seen["needle"] = spec.origin or str(spec.submodule_search_locations)
print(json.dumps(seen))
"""

Finding = tuple[str, str]  # what is wrong, what to do


def run(args: argparse.Namespace) -> int:
    """``doctor``: print what is wrong; the status is 1 if anything is."""
    root = trees.root()
    released = trees.manifest(root)
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"tree:    {root}")
    print(f"holds:   {released['assignment'] if released else 'the project itself'}")
    print(f"python:  {sys.executable} ({python})")
    findings = list(examine(root, released))
    for wrong, advice in findings:
        print(f"\n- {wrong}\n  {advice}")
    print(f"\n{len(findings)} found." if findings else "\nNothing is wrong.")
    return 1 if findings else 0


def examine(root: Path, released: dict[str, Any] | None) -> Iterator[Finding]:
    """Everything that is wrong."""
    if released is None:
        yield from missing_modules(["numpy", "pytest", "tree_sitter", "tree_sitter_cpp"], "pip install 'needle-dl[hw]'")
        if shutil.which("git") is None:
            yield "git is not installed.", "release --from needs it, to merge."
        return
    for examination in EXAMINATIONS:
        yield from examination(root, released)


def environment(root: Path, released: dict[str, Any]) -> Iterator[Finding]:
    """The Python that runs this: its packages, and the Needle that it would import."""
    if not trees.venv_python(root).exists():
        yield "There is no environment in this tree.", "Run: python -m hw setup"
    elif not trees.in_own_environment(root):
        yield "The environment .venv is not the Python that runs this.", "Run: python -m hw setup"
    needed = ["numpy", "pytest", "debugpy", *(["pybind11"] if released["build"] else [])]
    yield from missing_modules(needed, "Run: python -m hw setup")
    # Without PYTHONPATH and from another folder, as a student's own script would see it.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, cwd=Path(sys.prefix), env=clean, check=False
    )
    place = json.loads(done.stdout)["needle"] if done.returncode == 0 else None
    if place is None and trees.in_own_environment(root) and trees.holds_needle(root):
        yield "The environment .venv does not find the tree: was it moved?", "Run: python -m hw setup"
    if place is not None and trees.is_foreign(place, root) and trees.holds_needle(root):
        yield (
            f"This Python imports another Needle, outside of the tree:\n    found: {place}\n    tree:  {root}",
            "Use the tree's own Python: python -m hw setup, then activate .venv.",
        )
    wanted = os.environ.get("NEEDLE_BACKEND")
    if wanted is not None and wanted != released["backend"]:
        yield (
            f"NEEDLE_BACKEND is {wanted!r}; this assignment is written for {released['backend']!r}.",
            "Unset it, or your own programs run on other arrays than the tests.",
        )


def missing_modules(names: list[str], advice: str) -> Iterator[Finding]:
    """Packages that this Python lacks."""
    done = subprocess.run([sys.executable, "-c", ASK, *names], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"Python does not work: {done.stderr.strip().splitlines()[-1:]}", advice
        return
    missing = json.loads(done.stdout)["missing"]
    if missing:
        yield f"Not installed: {', '.join(missing)}.", advice


def compiler(root: Path, released: dict[str, Any]) -> Iterator[Finding]:
    """What the C++ build needs, and whether it was made."""
    if not released["build"]:
        return
    if not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++", "cl"))):
        yield (
            "There is no C++ compiler.",
            "Debian, Ubuntu: apt install g++. macOS: xcode-select --install. Windows: use WSL, or the command prompt "
            "of Visual Studio's Build Tools.",
        )
    if not trees.extensions(root):
        yield "The C++ is not built.", "Run: python -m hw build"


def needle_is_here(root: Path, released: dict[str, Any]) -> Iterator[Finding]:
    """Whether check and grade would use the tree's Needle."""
    try:
        trees.refuse_foreign(root)
    except SystemExit as error:
        first, *rest = str(error).splitlines()
        yield first, "\n  ".join(line.strip() for line in rest) or "Release the assignment again."


def files(root: Path, released: dict[str, Any]) -> Iterator[Finding]:
    """Files that are not as they were released, though nobody submits them."""
    found = changes(root)
    for path in found.missing:
        yield f"{path} is missing.", f"Copy it from {trees.RELEASED}/{path}"
    submitted = released["edited"]
    tests = [path for path in found.edited if "/tests/" in path]
    if tests:
        yield f"Tests were edited: {', '.join(tests)}.", "Your submission is graded with the released ones."
    other = [path for path in found.edited if path not in submitted and path not in tests]
    if other:
        yield f"Changed, but not part of what you submit: {', '.join(other)}.", "python -m hw diff shows how."
    extra = [path for path in found.added if path.startswith("python/")]
    if extra:
        yield f"New in the library, but not part of what you submit: {', '.join(extra)}.", "Do not depend on them."


def syntax(root: Path, released: dict[str, Any]) -> Iterator[Finding]:
    """Syntax errors in what a student edits."""
    for path in released["edited"]:
        if path.endswith(".py") and (root / path).is_file():
            try:
                ast.parse((root / path).read_bytes(), path)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None)
                yield f"{path}{f', line {line}' if line else ''}: {error.args[0]}.", "Mend it first: nothing else runs."


EXAMINATIONS: tuple[Callable[[Path, dict[str, Any]], Iterator[Finding]], ...] = (
    environment,
    compiler,
    needle_is_here,
    files,
    syntax,
)
