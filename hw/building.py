"""Building the C++ of submissions, in trees that stay: after the first time only what differs is compiled."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, LifoQueue

from . import processes, trees
from .assignment import BUILD_FILE
from .functions import CPP
from .images import Image, written
from .processes import Limits

#: What a compiler may use, in bytes and seconds.
MEMORY, FILE_SIZE, SECONDS = 4 << 30, 1 << 30, 60.0


class Builder:
    """Builds the extensions of trees, each set of sources once.

    Parameters
    ----------
    workplace : Path
        Where the trees are written.
    backend : str
        The assignment's.
    user : int, optional
        As whom the compiler runs: an ``#include`` reads what that user can read.
    """

    def __init__(self, workplace: Path, backend: str, user: int | None) -> None:
        self.workplace, self.backend, self.user = workplace, backend, user
        self.known: dict[tuple[tuple[str, bytes], ...], tuple[Image, str]] = {}
        self.free: LifoQueue[BuildTree] = LifoQueue()
        self.places = ExitStack()

    def close(self) -> None:
        """Remove the trees."""
        self.places.close()

    def build(self, image: Image) -> tuple[Image, str]:
        """Build the extensions of a tree.

        Parameters
        ----------
        image : Image
            The tree.

        Returns
        -------
        tuple of Image and str
            The tree with its extensions; and what the compiler said, if it did not work.
        """
        sources = {name: image[name] for name in sorted(image) if name.endswith(CPP) or name == BUILD_FILE}
        key = tuple(sources.items())
        if key not in self.known:
            try:
                tree = self.free.get_nowait()
            except Empty:
                tree = BuildTree(self.places.enter_context(written(image, self.workplace, self.user)), self)
            try:
                self.known[key] = tree.build(sources)
            finally:
                self.free.put(tree)
        extensions, problem = self.known[key]
        return {**image, **extensions}, problem


class BuildTree:
    """A tree in which one set of sources after another is compiled.

    Tests may run as the same user as the compiler, and a submission that was compiled here knows where that was
    (``__FILE__``). So the tree is closed to that user but for the time of a build.
    """

    def __init__(self, place: tuple[Path, Path], builder: Builder) -> None:
        self.tree, self.scratch = place
        self.builder = builder
        self.sources: dict[str, bytes] = {}
        self.tree.parent.chmod(0o700)
        if builder.user is not None:
            for path in (self.tree, *self.tree.rglob("*")):
                os.chown(path, builder.user, builder.user)

    def build(self, sources: Mapping[str, bytes]) -> tuple[Image, str]:
        """Write the sources that differ from those before, and build: the extensions, and what went wrong."""
        for name, text in sources.items():
            if self.sources.get(name) != text:
                (self.tree / name).write_bytes(text)
        self.sources = {**sources}
        self.tree.parent.chmod(0o711)
        try:
            ended = processes.run(
                [sys.executable, "-m", "hw", "build"],
                cwd=self.tree,
                env=trees.environment(self.tree, self.builder.backend) | {"HOME": str(self.scratch)},
                seconds=SECONDS,
                limits=Limits(MEMORY, FILE_SIZE, user=self.builder.user),
            )
        finally:
            self.tree.parent.chmod(0o700)
        if ended.timed_out:
            return {}, "It took too long."
        if ended.status != 0:
            said = ended.errors.decode(errors="replace").replace(f"{self.tree}/", "").strip()
            return {}, said or "The compiler was ended."
        return {path.relative_to(self.tree).as_posix(): path.read_bytes() for path in trees.extensions(self.tree)}, ""
