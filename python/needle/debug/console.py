"""The terminal itself: the real one, also while the program's input and output are captured (by pytest, say)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Console:
    """Standard input and output as they were when this was made; or other streams, if they are given."""

    def __init__(self, stdin: Any = None, stdout: Any = None) -> None:
        self.stdin, self.stdout = stdin or sys.stdin, stdout or sys.stdout
        self._saved = [None if stdin else _duplicate(0), None if stdout else _duplicate(1)]

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Within the block, standard input and output are those of this console."""
        streams = sys.stdin, sys.stdout
        for stream in streams:
            _flushed(stream)
        present = [None if saved is None else _duplicate(number) for number, saved in enumerate(self._saved)]
        _connect(self._saved)
        sys.stdin, sys.stdout = self.stdin, self.stdout
        try:
            yield
        finally:
            _flushed(self.stdout)
            sys.stdin, sys.stdout = streams
            _connect(present)
            for descriptor in present:
                if descriptor is not None:
                    os.close(descriptor)


def _duplicate(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:
        return None


def _connect(descriptors: list[int | None]) -> None:
    for number, descriptor in enumerate(descriptors):
        if descriptor is not None:
            os.dup2(descriptor, number)


def _flushed(stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stream.flush()
