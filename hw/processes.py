"""Child processes with limits, of which nothing is left when they end.

Student's code may loop, allocate without end, print without end, start processes that start processes, or ignore every
signal that can be ignored. `run` gives a command a time limit, and, where the system has them, limits of memory, file
size and processes. With limits on Linux, a *warden* stands between: a small process that adopts whatever its
descendants leave behind (PR_SET_CHILD_SUBREAPER), so that it finds all of them, also those that moved to another
session, and kills them; `hw.prepared` has wardens that stay, and fork. Elsewhere the process group is killed, and what
left the group survives.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import IO, Any

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
#: How long the warden may take longer than the command.
GRACE = 10.0
#: With limits, how many seconds by the clock there are for one of computing: a busy machine is nobody's fault.
BY_CLOCK = 3.0
NOBODY = 65534


@dataclass(frozen=True)
class Limits:
    """What a process that is not trusted gets. Sizes are in bytes."""

    memory: int = 1 << 30  # of address space
    file_size: int = 64 << 20
    processes: int = 48  # in addition to those that the user has; threads count
    user: int | None = None  # whom to run as, if this process is root's


@dataclass
class Ended:
    """How a command ended."""

    status: int  # of its exit; -9 if signal 9 ended it
    timed_out: bool
    seconds: float
    output: bytes
    errors: bytes  # the beginning and the end, if it is long
    flooded: bool  # whether more output came than is kept
    left_behind: int = 0  # processes that were still there


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    input: bytes = b"",
    seconds: float | None = None,
    limits: Limits | None = None,
    keep: int = 64 << 20,
) -> Ended:
    """Run a command; when it has ended or its time is up, kill what belongs to it.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    cwd : Path
        Where it runs.
    env : mapping of str to str
        Its whole environment.
    input : bytes
        What it reads.
    seconds : float, optional
        How long it may take by the clock; with limits, how long it may compute, and three times that by the clock.
    limits : Limits, optional
        For code that is not trusted.
    keep : int
        How many bytes of output are kept.

    Returns
    -------
    Ended
        How it ended, and what it wrote.
    """
    begun = time.monotonic()
    if limits is not None and LINUX:
        return run_under_warden(command, cwd, env, input, seconds, limits, keep)
    options: dict[str, Any] = {}
    if os.name == "posix":
        options = {"start_new_session": True}
        if limits is not None:
            options["preexec_fn"] = lambda: limit_this_process(limits, seconds)
    if limits is not None and seconds is not None:
        seconds *= BY_CLOCK
    process = start(command, cwd, env, **options)
    pipes = Pipes.of(process, input, keep)
    try:
        wait_for(process, 1e6 if seconds is None else seconds)
        timed_out = process.poll() is None
    finally:
        kill_group(process)
    pipes.finish()
    return Ended(process.wait(), timed_out, time.monotonic() - begun, pipes.output(), pipes.errors(), pipes.flooded)


def start(command: Sequence[str], cwd: Path, env: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process with pipes at both ends."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*command], cwd=cwd, env=dict(env), stdin=pipe, stdout=pipe, stderr=pipe, **options)


class Pipes:
    """Feeds a process, and reads what it writes: the first `keep` bytes of output, both ends of the errors."""

    def __init__(self, ends: Sequence[IO[bytes]], input: bytes, keep: int) -> None:
        feed, output, errors = ends
        self.keep, self.flooded = keep, False
        self.read, self.first, self.last = bytearray(), bytearray(), bytearray()
        jobs = [(self.read_output, output), (self.read_errors, errors)]
        self.threads = [(threading.Thread(target=job, args=(pipe,), daemon=True), pipe) for job, pipe in jobs]
        for thread, _ in self.threads:
            thread.start()
        with suppress(OSError):
            feed.write(input)
            feed.close()

    @classmethod
    def of(cls, process: subprocess.Popen[bytes], input: bytes, keep: int) -> Pipes:
        """The pipes of a process that `start` has started."""
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        return cls([process.stdin, process.stdout, process.stderr], input, keep)

    def read_output(self, pipe: IO[bytes]) -> None:
        """Read to the end; what is too much is thrown away, so that the writer is not stopped by it."""
        while data := os.read(pipe.fileno(), 1 << 16):
            room = self.keep - len(self.read)
            self.read += data[:room]
            self.flooded |= len(data) > room

    def read_errors(self, pipe: IO[bytes]) -> None:
        """Read to the end, keeping 4 KB at each end."""
        while data := os.read(pipe.fileno(), 1 << 16):
            room = 4096 - len(self.first)
            self.first += data[:room]
            self.last = (self.last + data[room:])[-4096:]

    def finish(self) -> None:
        """Wait for the ends of the pipes; not for ever, since a process that escaped may hold them open."""
        for thread, pipe in self.threads:
            thread.join(2)
            if not thread.is_alive():
                pipe.close()

    def output(self) -> bytes:
        """What was read."""
        return bytes(self.read)

    def errors(self) -> bytes:
        """The errors; their middle may be missing."""
        return bytes(self.first + self.last)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its group, by a signal that cannot be ignored."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
    if process.poll() is None:
        process.kill()


def run_under_warden(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    input: bytes,
    seconds: float | None,
    limits: Limits,
    keep: int,
) -> Ended:
    """Run a command as a child of a warden, which tells by a pipe of its own how the command ended."""
    told, tell = os.pipe()
    task = {"command": [*command], "seconds": seconds, "tell": tell, "limits": asdict(limits)}
    warden = [sys.executable, "-I", "-S", __file__, json.dumps(task)]
    begun = time.monotonic()
    try:
        process = start(warden, cwd, env, pass_fds=(tell,), start_new_session=True)
    finally:
        os.close(tell)
    with os.fdopen(told, "rb") as report:
        pipes = Pipes.of(process, input, keep)
        try:
            wait_for(process, 1e6 if seconds is None else BY_CLOCK * seconds + GRACE)
        except BaseException:
            process.terminate()  # which the warden answers by killing what it guards
            process.wait()
            raise
        finally:
            kill_group(process)
        pipes.finish()
        process.wait()
        text = report.read(4096)
    try:
        ended = json.loads(text)
        status, timed_out, left = int(ended["status"]), bool(ended["timed_out"]), int(ended["left"])
    except (ValueError, KeyError, TypeError):  # somebody killed the warden
        status, timed_out, left = -int(signal.SIGKILL), False, 0
    return Ended(status, timed_out, time.monotonic() - begun, pipes.output(), pipes.errors(), pipes.flooded, left)


def limit_this_process(limits: Limits, seconds: float | None) -> None:
    """Set the limits, before the command begins."""
    import resource

    wanted = {"RLIMIT_AS": limits.memory, "RLIMIT_FSIZE": limits.file_size, "RLIMIT_CORE": 0}
    if LINUX:
        wanted["RLIMIT_NPROC"] = threads_of(limits.user if limits.user is not None else os.getuid()) + limits.processes
    if seconds is not None:
        wanted["RLIMIT_CPU"] = ceil(seconds)
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            _, highest = resource.getrlimit(kind)
            value = value if highest == resource.RLIM_INFINITY else min(value, highest)
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, value))
    if LINUX:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        with suppress(OSError):  # whom the kernel kills when memory runs out
            Path("/proc/self/oom_score_adj").write_text("1000")


def threads_of(user: int) -> int:
    """How many threads a user has, which is what RLIMIT_NPROC counts."""
    count = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                if entry.stat().st_uid == user:
                    count += int(fields_of(int(entry.name))[17])
    return count


def fields_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, ..."""
    text = Path(f"/proc/{pid}/stat").read_bytes()
    return text[text.rindex(b")") + 2 :].decode().split()


def prctl(option: int, value: int) -> None:
    """Ask the kernel for something that concerns this process."""
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def guard(task: dict[str, Any]) -> None:
    """Be the warden: run the command, kill all its descendants, tell how it ended."""
    become_warden()
    limits, seconds, parent = Limits(**task["limits"]), task["seconds"], os.getppid()
    options: dict[str, Any] = {}
    if limits.user is not None:
        options = {"user": limits.user, "group": limits.user, "extra_groups": []}
    process = subprocess.Popen(
        task["command"], start_new_session=True, preexec_fn=lambda: limit_this_process(limits, seconds), **options
    )
    told = watch(process.pid, seconds, lambda: os.getppid() != parent)
    process.returncode = told["status"]
    os.write(task["tell"], json.dumps(told).encode())


def become_warden() -> None:
    """Adopt what descendants leave behind; at SIGTERM, end by an exception, so that what is guarded is killed."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def watch(pid: int, seconds: float | None, given_up: Callable[[], bool]) -> dict[str, Any]:
    """Wait until a child ends, or its time is up, or nobody wants it any more; kill it and all descendants.

    Returns
    -------
    dict
        Its `status`, whether it `timed_out`, and how many processes were `left`.
    """
    import resource

    def computed() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = computed()
    timed_out, status, left = False, -int(signal.SIGKILL), 0
    deadline = None if seconds is None else time.monotonic() + BY_CLOCK * seconds
    try:
        while not given_up():
            remaining = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
            if remaining <= 0:
                timed_out = True
                break
            if has_ended(pid, remaining):
                break
    finally:
        send_signal(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        # The kernel ends whoever has used up its seconds of computing, and does not say why.
        timed_out |= seconds is not None and status < 0 and computed() - before > ceil(seconds) - 0.2
        left = kill_descendants()
    return {"status": status, "timed_out": timed_out, "left": left}


def has_ended(pid: int, seconds: float) -> bool:
    """Wait until a child has ended, for some time; it is not reaped."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # an old kernel, or a container that forbids it
        until = time.monotonic() + seconds
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def wait_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a process ends, or for some time; without looking again and again, where the kernel can tell."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return
    select.select([descriptor], [], [], seconds)
    os.close(descriptor)


def kill_descendants(patience: float = 5.0) -> int:
    """Kill all descendants of this process, which is their reaper; give their number.

    All are stopped first, so that those which multiply cannot run ahead of the killing.
    """
    seen: set[int] = set()
    until = time.monotonic() + patience
    while time.monotonic() < until:
        alive = descendants()
        new = alive - seen
        for pid in new:
            send_signal(pid, signal.SIGSTOP)
        seen |= new
        if not new:
            for pid in alive:
                send_signal(pid, signal.SIGKILL)
        reap()
        if not alive:
            break
    return len(seen)


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def reap() -> None:
    """Let go of children that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def descendants() -> set[int]:
    """All living processes that come from this one."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                fields = fields_of(int(name))
                if fields[0] not in "ZX":
                    children.setdefault(int(fields[1]), []).append(int(name))
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


if __name__ == "__main__":
    guard(json.loads(sys.argv[1]))
