"""What the first cell of a handout's notebook does: the kernel works on the tree that the notebook lies in."""

from __future__ import annotations

import importlib
import os
import sys

from . import UsageError, trees


def begin() -> None:
    """Let this kernel import what is in the tree, built if it has to be, and say which tree it is.

    Raises
    ------
    UsageError
        If the notebook lies in no released tree, or if another Needle was imported already.
    """
    tree = trees.root()
    released = trees.manifest(tree)
    if released is None:
        raise UsageError(f"{tree} is no released tree: open the notebook in the folder that you were given.")
    backend = str(released["backend"])
    loaded = sys.modules.get("needle")
    ours = loaded is None or not trees.is_foreign(str(loaded.__file__), tree)
    if loaded is not None and not (ours and os.environ.get("NEEDLE_BACKEND") == backend):
        raise UsageError("Needle was imported before: restart the kernel, and run this cell first.")
    os.environ.update({name: value for name, value in trees.environment(tree, backend).items() if "NEEDLE" in name})
    os.chdir(tree)
    if loaded is None:
        trees.prefer(tree)
    error = trees.build(tree) if released["build"] else ""
    if error:
        print(f"The C++ code does not compile:\n\n{error}\n")
    print(f"{released['assignment']} in {tree}")
    if trees.holds_needle(tree):
        needle = importlib.import_module("needle")
        trees.count_as_students(tree)
        print(f"Needle {needle.__version__} from {os.path.dirname(str(needle.__file__))}")
