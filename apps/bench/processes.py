"""Whole processes: how long one takes from start to end, and how much memory it had at its peak."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from apps.bench.runner import ROOT, Settings, WorkerError
from apps.bench.sides import environment


class Ran(NamedTuple):
    """What a process took and said."""

    seconds: float
    peak_bytes: int
    output: str


def run_process(command: Sequence[str], settings: Settings) -> Ran:
    """Run a Python command line (without the interpreter's own name) to its end.

    Raises
    ------
    WorkerError
        If it fails; with the last line that it printed.
    """
    with tempfile.TemporaryFile("w+") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment(settings.threads),
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        said = text.strip().splitlines()[-1:] or ["nothing"]
        raise WorkerError(f"{command[0]} ended with status {process.returncode}, saying: {said[0][:200]}")
    kilobyte = 1 if sys.platform == "darwin" else 1024  # macOS counts the peak in bytes
    return Ran(seconds, usage.ru_maxrss * kilobyte, text)
