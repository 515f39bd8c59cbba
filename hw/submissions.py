"""What a student handed in: a zip or a folder, from which only the files of the assignment are taken."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from . import UsageError, trees
from .packing import MARKER

#: The longest file that is taken.
LONGEST = 2 << 20
Read = Callable[[str], bytes]


@dataclass
class Submission:
    """The files of an assignment that were handed in."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # for the student
    assignment: str | None = None  # as `pack` wrote it down


def read_submission(path: Path, wanted: Iterable[str]) -> Submission:
    """Take the `wanted` files out of a zip or a folder; what is missing or unusable is noted.

    The files may lie below another folder, as they do when somebody zips a folder, or side by side without any.
    """
    submission = Submission(path.name.removesuffix(".zip"))
    try:
        if path.is_dir():
            take(submission, [*folder_names(path)], lambda name: read_at_most(path / name), wanted)
        else:
            with ZipFile(path) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir()]
                take(submission, names, lambda name: read_member(archive, name), wanted)
    except (BadZipFile, OSError, NotImplementedError, RuntimeError) as error:  # the last: a zip with a password
        submission.notes.append(f"{path.name} cannot be read as a zip: {error}")
    return submission


def assignment_of(path: Path) -> str | None:
    """Which assignment a submission says that it is of."""
    if path.is_dir():
        try:
            found = trees.manifest(path)
        except UsageError:
            found = None
        return found["assignment"] if found else None
    try:
        with ZipFile(path) as archive:
            marker = json.loads(read_member(archive, MARKER))
    except (BadZipFile, OSError, KeyError, ValueError, RuntimeError):
        return None
    name = marker.get("assignment") if isinstance(marker, dict) else None
    return name if isinstance(name, str) else None


def folder_names(folder: Path) -> Iterable[str]:
    """The files of a folder; links are not followed, environments and caches not searched."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(files):
            path = Path(place, name)
            if not path.is_symlink():
                yield path.relative_to(folder).as_posix()


def read_at_most(path: Path) -> bytes:
    """A file's content, of which there may not be too much."""
    if path.stat().st_size > LONGEST:
        raise ValueError(f"it has more than {LONGEST >> 20} MB")
    return path.read_bytes()


def read_member(archive: ZipFile, name: str) -> bytes:
    """The content of a zip's file, of which there may not be too much, whatever the zip says."""
    with archive.open(name) as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise ValueError(f"it has more than {LONGEST >> 20} MB")
    return content


def take(submission: Submission, names: list[str], read: Read, wanted: Iterable[str]) -> None:
    """Find the wanted files among the names, and read them."""
    names = [name for name in names if ".." not in name.split("/") and not name.startswith(("/", "__MACOSX/"))]
    for file in wanted:
        below = [name for name in names if name == file or name.endswith(f"/{file}")]
        flat = [name for name in names if PurePosixPath(name).name == PurePosixPath(file).name and "/" not in name]
        found = min(below, key=len, default=None) or next(iter(flat), None)
        if found is None:
            submission.notes.append(f"{file} is missing; the released one is used.")
            continue
        try:
            submission.files[file] = read(found)
        except ValueError as error:
            submission.notes.append(f"{file} is not used: {error}.")
