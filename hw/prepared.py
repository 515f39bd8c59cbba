"""Prepared processes, on Linux: they have imported NumPy and pytest, and fork for each run.

Judging a task takes a tenth of a second, starting Python with all that it needs ten times as long. A prepared process
is a warden (`hw.processes`) that stays. It never runs code of a submission, nor the library. For a run it is told, by a
socket, where and within which limits, and is handed the three pipes; it forks, and guards the child as any warden does.
The child closes every descriptor but the pipes before it goes on. The key that seals its records comes by its own
input, so there is none in the memory that it shares; and nothing but the prepared process and its own children writes
there.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from . import processes, trees
from .processes import BY_CLOCK, GRACE, LINUX, Ended, Limits, Pipes
from .running import start_judge

#: How long a process may take to prepare itself.
PATIENCE = 60.0


class Pool:
    """Prepared processes for the runs of a grader, as many as run at the same time.

    Parameters
    ----------
    tool : mapping of str to bytes
        The files of the tool that students' trees have.
    environment : mapping of str to str
        The environment to prepare in; what Python and NumPy read when they start has to be that of the runs.
    workplace : Path
        Where the tool is written to for a moment.
    """

    def __init__(self, tool: Mapping[str, bytes], environment: Mapping[str, str], workplace: Path) -> None:
        self.tool = {**tool, "hw/prepared.py": Path(__file__).read_bytes()}
        self.environment, self.workplace = environment, workplace
        self.idle: list[Prepared] = []
        self.usable = LINUX

    def run(
        self, cwd: Path, environment: Mapping[str, str], input: bytes, seconds: float | None, limits: Limits | None
    ) -> Ended:
        """Run the judge in a tree, by a prepared process if there can be one; see `start_judge`."""
        if not self.usable or limits is None:
            return start_judge(cwd, environment, input, seconds, limits)
        try:
            prepared = self.another()
        except OSError:
            self.usable = False
            return self.run(cwd, environment, input, seconds, limits)
        ended = prepared.run(cwd, environment, input, seconds, limits)
        if ended.status == 0 and not ended.left_behind:
            self.idle.append(prepared)
        else:  # it may have been tampered with
            prepared.close()
        return ended

    def another(self) -> Prepared:
        """One that is idle, or a new one. Once it is prepared, its files can go."""
        with suppress(IndexError):
            while (prepared := self.idle.pop()).process.poll() is not None:
                prepared.close()
            return prepared
        with tempfile.TemporaryDirectory(dir=self.workplace) as folder:
            for name, content in self.tool.items():
                (Path(folder) / name).parent.mkdir(exist_ok=True)
                (Path(folder) / name).write_bytes(content)
            return Prepared(Path(folder), self.environment)

    def close(self) -> None:
        """End all of them."""
        while self.idle:
            self.idle.pop().close()


class Prepared:
    """A prepared process, seen from the grader.

    Raises
    ------
    OSError
        If it does not come to be.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hw.prepared", str(theirs.fileno())],
                cwd=folder,
                env={**environment, "PYTHONPATH": str(folder)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            if self.told(PATIENCE) is None:
                raise OSError("no process could be prepared")
        except BaseException:
            self.close()
            raise

    def run(
        self,
        cwd: Path,
        environment: Mapping[str, str],
        input: bytes,
        seconds: float | None,
        limits: Limits,
        keep: int = 64 << 20,
    ) -> Ended:
        """Run the judge in a folder, as `processes.run` does."""
        begun = time.monotonic()
        task = {"cwd": str(cwd), "environment": dict(environment), "seconds": seconds, "limits": asdict(limits)}
        (reads, feed), (output, writes), (errors, complains) = os.pipe(), os.pipe(), os.pipe()
        theirs = [reads, writes, complains]
        try:
            with suppress(OSError):  # it is gone, which `told` notices
                socket.send_fds(self.socket, [json.dumps(task).encode()], theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        pipes = Pipes([os.fdopen(feed, "wb", 0), os.fdopen(output, "rb"), os.fdopen(errors, "rb")], input, keep)
        ended = None
        try:
            ended = self.told(1e6 if seconds is None else BY_CLOCK * seconds + GRACE)
        finally:
            if ended is None:
                self.close()
            pipes.finish()
        if ended is None:  # somebody killed it
            ended = {"status": -9, "timed_out": False, "left": 0}
        status, timed_out, left = int(ended["status"]), bool(ended["timed_out"]), int(ended["left"])
        return Ended(status, timed_out, time.monotonic() - begun, pipes.output(), pipes.errors(), pipes.flooded, left)

    def told(self, seconds: float) -> Any:
        """What the process says within some time; None if it says nothing, or has ended."""
        try:
            if not select.select([self.socket], [], [], seconds)[0]:
                return None
            return json.loads(self.socket.recv(1 << 12))
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """End it, with what it guards."""
        self.socket.close()
        self.process.terminate()
        self.process.send_signal(signal.SIGCONT)  # a submission may have stopped it
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        processes.kill_group(self.process)
        self.process.wait()


def prepare() -> None:
    """Import what every run needs. Nothing of it starts a thread, which a fork would not have."""
    import _pytest.config

    from . import judging

    import_module("numpy.testing")
    for name in getattr(_pytest.config, "default_plugins", ()):
        if name not in judging.UNUSED.split():
            import_module(f"_pytest.{name}")


def serve(mine: socket.socket) -> None:
    """Be a prepared process: fork and guard, as often as the grader asks."""
    processes.become_warden()
    prepare()
    mine.send(b"true")
    while True:
        message, descriptors, _, _ = socket.recv_fds(mine, 1 << 16, 3)
        if not message:
            return
        task = json.loads(message)
        pid = os.fork()
        if pid == 0:
            try:
                judge(task, descriptors)
            finally:
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)
        told = processes.watch(pid, task["seconds"], lambda: bool(select.select([mine], [], [], 0)[0]))
        mine.send(json.dumps(told).encode())


def judge(task: dict[str, Any], descriptors: list[int]) -> None:
    """Be a child: take the pipes, the place, the environment and the limits, and run the judge."""
    import hw

    from . import judging

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with suppress(OSError):  # the folder's own
                os.close(int(name))
    limits = Limits(**task["limits"])
    if limits.user is not None:
        os.setgroups([])
        os.setgid(limits.user)
        os.setuid(limits.user)
    processes.limit_this_process(limits, task["seconds"])
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["cwd"])
    # The tool's other modules, and the tests, are the tree's.
    sys.path[:] = [folder for folder in sys.path if Path(folder) != trees.home()]
    hw.__path__ = [str(Path(task["cwd"], "hw"))]
    judging.main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
