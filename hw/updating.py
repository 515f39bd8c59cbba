"""``update DIR``: new tests, handout, tool and library in a tree that a student works in; the student's code stays."""

from __future__ import annotations

import tempfile
from pathlib import Path

from . import UsageError, trees
from .assignment import load
from .releasing import copy, release, write_manifest


def update(tree: Path, root: Path) -> str:
    """Bring a released tree to the state of the project.

    Parameters
    ----------
    tree : Path
        A released tree. Files that a student edits are left as they are, and so are files of the library that the
        student has changed, and a changed notebook. Tests, handout and tool are replaced in any case.
    root : Path
        The project.

    Returns
    -------
    str
        What has happened, in lines for the terminal.
    """
    old = trees.manifest(tree)
    if old is None:
        raise UsageError(f"{tree} is no released tree: it has no {trees.MANIFEST}.")
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "tree"
        release(load(old["assignment"], root), root, fresh, notebook=True)
        new = trees.released_manifest(fresh)
        kept, files = set(old["edited"]), dict(new["files"])
        for path, digest in new["files"].items():
            if path in kept:
                files[path] = old["files"].get(path, digest)
                if path in old["files"] and digest != files[path] and not is_carried(path, old["carried"]):
                    lines.append(f"  {path}: changed in the library; yours is kept (release --from merges)")
                continue
            here = tree / path
            digest_here = trees.sha256(here) if here.is_file() else None
            if digest_here == digest:
                continue
            if is_students(path) and digest_here not in (None, old["files"].get(path)):
                lines.append(f"  {path}: changed by the student; left as it is")
            else:
                copy(fresh / path, here)
                lines.append(f"  {path}: {'new' if digest_here is None else 'replaced'}")
            copy(fresh / trees.RELEASED / path, tree / trees.RELEASED / path)
        for path in sorted(set(old["files"]) - set(new["files"]) - kept):
            (tree / trees.RELEASED / path).unlink(missing_ok=True)
            if (tree / path).is_file() and trees.sha256(tree / path) == old["files"][path]:
                (tree / path).unlink()
                lines.append(f"  {path}: removed")
        write_manifest(tree, new | {"files": files, "carried": old["carried"]})
    return "\n".join([f"{tree}: {old['assignment']} is up to date.", *lines])


def is_students(path: str) -> bool:
    """Whether a student may have changed a file: the library's, and the notebook; not tests, nor the tool."""
    return path.startswith(("python/", "src/", "apps/")) or path.endswith(".ipynb")


def is_carried(path: str, carried: dict[str, str]) -> bool:
    """Whether a file holds answers to earlier assignments, which the release has solved."""
    return any(name.partition(":")[0] == path for name in carried)
