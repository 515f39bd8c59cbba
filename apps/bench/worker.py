"""The process in which one side works: prepares a case, measures when asked, and is quiet in between.

It reads commands from standard input and answers on standard output, one JSON object a line:

* ``{"do": "prepare", "work": "gemm", "arguments": {...}, "seconds": 0.04}``: build the work, do it once for its answer,
  warm up, and find how many repetitions fill `seconds`. Answers ``{"answer": [...]}``.
* ``{"do": "measure"}``: answers ``{"seconds": time of one repetition}``.

Where the side cannot do the work, the answer is ``{"absent": reason}``; where it breaks, ``{"error": message}``.
Waiting is a blocking read: a worker that waits costs the other side nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any, TextIO

import numpy as np

from apps.bench.sides import Absent, Work, keep_to_cores

SAMPLES = 64


def fingerprint(result: np.ndarray) -> list[float]:
    """The mean, the root mean square and up to 64 evenly spaced elements of a result: enough to tell two apart."""
    flat = np.asarray(result, dtype=np.float64).reshape(-1)
    picked = flat[np.linspace(0, flat.size - 1, min(flat.size, SAMPLES)).astype(int)]
    return [float(flat.mean()), float(np.sqrt(np.mean(flat**2))), *map(float, picked)]


def timed(work: Work, repetitions: int) -> float:
    """The seconds that `repetitions` steps take, the last one's end included."""
    step = work.step
    start = time.perf_counter()
    for _ in range(repetitions):
        step()
    work.finish()
    return time.perf_counter() - start


def repetitions_for(work: Work, seconds: float) -> int:
    """Warm up for a while, and say how many repetitions fill `seconds` (at least one)."""
    repetitions, spent = 1, 0.0
    while True:
        took = timed(work, repetitions)
        spent += took
        fitting = max(1, round(repetitions * seconds / max(took, 1e-9)))
        if spent >= 5 * seconds or took >= 2 * seconds:
            return fitting
        repetitions = min(fitting, 10 * repetitions)


def wait_until_quiet(limit: float = 0.5) -> None:
    """Sleep until no thread of this process works any more.

    Thread pools spin for a while after their work (OpenBLAS for some 30 ms), and would take the cores from the side
    whose turn it is.
    """
    deadline = time.perf_counter() + limit
    while time.perf_counter() < deadline:
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.0005:
            return


class Server:
    """Holds the work that was prepared last, and answers commands."""

    def __init__(self, side: str) -> None:
        self.side = importlib.import_module(side)
        self.work: Work | None = None
        self.repetitions = 1

    def hello(self) -> dict[str, Any]:
        """What the side says of itself."""
        return {"about": self.side.about()}

    def prepare(self, work: str, arguments: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Build the work, get its answer, warm up."""
        self.work = None  # free the last one's memory first
        make = getattr(self.side, work, None)
        if make is None:
            raise Absent("does not do this")
        prepared: Work = make(**arguments)
        answer = fingerprint(prepared.answer())
        self.repetitions = repetitions_for(prepared, seconds)
        self.work = prepared
        wait_until_quiet()
        return {"answer": answer}

    def measure(self) -> dict[str, Any]:
        """Time the work, after a tenth of it unmeasured: the other side has just emptied the caches."""
        if self.work is None:
            raise RuntimeError("nothing was prepared")
        timed(self.work, max(1, self.repetitions // 10) if self.repetitions > 1 else 0)
        seconds = timed(self.work, self.repetitions) / self.repetitions
        wait_until_quiet()
        return {"seconds": seconds}


def answer_one(server: Server, line: str) -> dict[str, Any]:
    """The answer to one command."""
    command = json.loads(line)
    try:
        reply: dict[str, Any] = getattr(server, command.pop("do"))(**command)
        return reply
    except Absent as reason:
        return {"absent": str(reason)}
    except Exception as error:  # whatever a peer throws is a line in the table, not the end of the run
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def serve(side: str, commands: TextIO, replies: TextIO) -> None:
    """Answer until there are no more commands. The first line, without being asked, is the side's ``hello``."""

    def send(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    try:
        server = Server(side)
    except Absent as reason:
        return send({"absent": str(reason)})
    except Exception as error:
        traceback.print_exc()
        return send({"error": f"{type(error).__name__}: {error}"})
    send(server.hello())
    for line in commands:
        send(answer_one(server, line))
    return None


def main() -> None:
    """``python -m apps.bench.worker MODULE THREADS``."""
    side, threads = sys.argv[1], int(sys.argv[2])
    keep_to_cores(threads)
    # Replies go where standard output pointed; what a library prints goes to standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(side, sys.stdin, replies)


if __name__ == "__main__":
    main()
