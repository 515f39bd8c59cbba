"""Trees that are kept in memory, and written out anew for each run.

Code that runs as the same user can write wherever the grader can. What it changes in its own tree goes with that tree;
the next one is written from memory.
"""

from __future__ import annotations

import os
import py_compile
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source
from pathlib import Path, PurePosixPath

from . import trees

#: The files of a tree, by their paths.
Image = dict[str, bytes]
#: What sources were compiled to, None if they could not be; which file it is, Python notes when it imports one.
compiled: dict[bytes, bytes | None] = {}


def read_image(tree: Path) -> Image:
    """Read the files of a tree; not the untouched copies that a student's tree keeps, nor what a build leaves over."""
    image: Image = {}
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        if path.is_file() and not name.startswith((f"{trees.RELEASED}/", "build/")):
            image[name] = path.read_bytes()
    return image


def compile_tree(tree: Path) -> None:
    """Compile the Python files of a tree, so that not every process does; compiled files do not look at the source."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for folder in ("python", "hw"):
        for path in (tree / folder).rglob("*.py"):
            source, target = path.read_bytes(), Path(cache_from_source(str(path)))
            if source not in compiled:
                py_compile.compile(str(path), quiet=2, invalidation_mode=mode)
                compiled[source] = target.read_bytes() if target.exists() else None
            elif (content := compiled[source]) is not None:
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)


def with_files(image: Image, files: Mapping[str, bytes]) -> Image:
    """An image with some files in place of its own, whose compiled forms go."""
    stems = {PurePosixPath(file).with_suffix("") for file in files}
    kept = {name: content for name, content in image.items() if source_of(name) not in stems}
    return {**kept, **files}


def source_of(name: str) -> PurePosixPath | None:
    """What a compiled file was compiled from, without the ending; None for other files."""
    path = PurePosixPath(name)
    return path.parent.parent / path.name.split(".")[0] if path.suffix == ".pyc" else None


@contextmanager
def written(image: Image, workplace: Path, user: int | None) -> Iterator[tuple[Path, Path]]:
    """Write a tree, and make a folder to write into; both are removed afterwards, whatever became of them.

    Parameters
    ----------
    image : Image
        The files.
    workplace : Path
        Where to write it.
    user : int, optional
        Whose the folder is; the tree stays the grader's.

    Yields
    ------
    tuple of Path
        The tree, and the folder.
    """
    workplace.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=workplace))
    try:
        place.chmod(0o711)
        tree, scratch = place / "tree", place / "scratch"
        for folder in {str(PurePosixPath(name).parent) for name in image}:
            (tree / folder).mkdir(parents=True, exist_ok=True)
        for name, content in image.items():
            (tree / name).write_bytes(content)
        scratch.mkdir()
        if user is not None:
            os.chown(scratch, user, user)
        yield tree, scratch
    finally:
        remove(place)


def remove(folder: Path) -> None:
    """Remove a folder, also if folders in it are closed."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for parent, _, _ in os.walk(folder):
            with suppress(OSError):
                os.chmod(parent, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
