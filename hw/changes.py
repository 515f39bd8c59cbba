"""What a student has changed since the release: ``diff``, and what other commands say about it."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import trees

#: What belongs to nobody: environments, builds, caches, data.
IGNORED = {".git", ".venv", "venv", ".needle-hw", ".idea", ".vscode", "build", "data", "__pycache__", "node_modules"}
IGNORED_ENDINGS = (".so", ".pyd", ".pyc", ".zip", ".json", ".log")


@dataclass(frozen=True)
class Changes:
    """Paths, relative to the tree, of what is not as it was released."""

    edited: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]


def changes(root: Path) -> Changes:
    """Compare a tree with what was released."""
    released = trees.released_manifest(root)["files"]
    missing = tuple(path for path in released if not (root / path).is_file())
    edited = (path for path, digest in released.items() if path not in missing and trees.sha256(root / path) != digest)
    return Changes(tuple(edited), missing, tuple(path for path in own_files(root) if path not in released))


def own_files(root: Path) -> Iterator[str]:
    """Every file of a tree that somebody may have written."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        for path in sorted(folder.iterdir()):
            if path.name in IGNORED or path.is_symlink() or path.name.endswith("_cache"):
                continue
            if path.is_dir():
                waiting.append(path)
            elif not path.name.endswith(IGNORED_ENDINGS):
                yield path.relative_to(root).as_posix()


def run(args: argparse.Namespace) -> int:
    """``diff``: what was changed, line by line; then which changes are not part of what is submitted."""
    root = trees.root()
    submitted = trees.released_manifest(root)["submitted"]
    found = changes(root)
    for path in (*found.edited, *found.missing):
        print(difference(root, path), end="")
    if not (found.edited or found.missing or found.added):
        print("Nothing has changed since the release.")
    other = [path for path in (*found.edited, *found.missing, *found.added) if path not in submitted]
    if other:
        print("\nNot part of what you submit:")
        for path in other:
            state = "new" if path in found.added else "missing" if path in found.missing else "changed"
            print(f"  {state:8} {path}")
    return 0


def difference(root: Path, path: str) -> str:
    """The changes in a file, in the form of ``diff -u``."""
    before, after = (lines_of(folder / path) for folder in (root / trees.RELEASED, root))
    lines = difflib.unified_diff(before, after, f"released/{path}", f"yours/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def lines_of(path: Path) -> list[str]:
    """The lines of a text, whatever ends them; none if there is no file."""
    if not path.is_file():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
