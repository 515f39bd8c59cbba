"""Taking turns: needle and a peer, A B A B ..., each in a process of its own; the median of the paired ratios."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from apps.bench.sides import PEERS, SIDES, Absent, Side, environment

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """What the command line chose."""

    threads: int = 2
    rounds: int = 11
    seconds: float = 0.04
    peers: tuple[str, ...] = PEERS
    quick: bool = False
    verbose: bool = False


@dataclass(frozen=True)
class Case:
    """One line of a benchmark: some work with its arguments.

    Attributes
    ----------
    name
        As shown in the table.
    work
        The function of a side's module that does it.
    arguments
        Given to that function; anything JSON can carry.
    amount
        How much one repetition does: floating point operations where the benchmark shows a rate, else operations or
        nodes, over which the time is shared out.
    tolerance
        How far, relative to the root mean square of the answer, the sides' answers may lie apart.
    random
        Whether the sides draw random numbers of their own, so that only the means of their answers are compared.
    """

    name: str
    work: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    amount: float = 1.0
    tolerance: float = 1e-3
    random: bool = False


@dataclass
class Pair:
    """Needle's and a peer's measurements of one case, taken in turn."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the paired ratios; above 1 where needle is better (faster, smaller)."""
        return statistics.median(theirs / ours for ours, theirs in zip(self.ours, self.theirs))

    @property
    def peer(self) -> float:
        """The peer's median."""
        return statistics.median(self.theirs)


@dataclass
class Row:
    """A line of the table: one case, as one of needle's variants did it."""

    benchmark: str
    case: str
    variant: str
    value: float
    amount: float = 1.0
    pairs: dict[str, Pair] = field(default_factory=dict)
    floor: float | None = None


Report = Callable[[str], None]
"""Takes a sentence for the user: who is left out, who disagrees."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as the command line knows it.

    Attributes
    ----------
    name, title
        For ``--only``, and for the head of the table.
    unit
        What the table shows: ``"s"`` (time per `amount`), ``"GFLOP/s"`` (`amount` per time) or ``"MB"``.
    peers
        The sides that needle meets in it.
    run
        Yields the rows as they are measured.
    """

    name: str
    title: str
    unit: str
    peers: tuple[str, ...]
    run: Callable[[Settings, Report], Iterator[Row]]


class WorkerError(Exception):
    """A worker could not be started, broke, or ended."""


class Worker:
    """One side, alive in a process of its own; it works when asked and sleeps otherwise.

    Raises
    ------
    Absent
        Where the side cannot take part; the message says why.
    WorkerError
        Where it broke.
    """

    def __init__(self, side: Side, settings: Settings) -> None:
        if missing := side.missing():
            raise Absent(f"{' and '.join(missing)} not installed")
        self.side = side
        self._process = subprocess.Popen(
            [sys.executable, "-m", "apps.bench.worker", side.module, str(settings.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if settings.verbose else subprocess.DEVNULL,
            text=True,
            bufsize=1,
            cwd=ROOT,
            env=environment(settings.threads),
        )
        try:
            self.about: str = self._receive()["about"]
        except BaseException:
            self.close()
            raise

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"its process ended with status {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        if "absent" in reply:
            raise Absent(reply["absent"])
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply

    def _ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the process is gone, and reading says with which status
        return self._receive()

    def prepare(self, case: Case, seconds: float) -> np.ndarray:
        """Build the case's work and warm up, so that a measurement takes about `seconds`; its answer's fingerprint."""
        reply = self._ask(do="prepare", work=case.work, arguments=dict(case.arguments), seconds=seconds)
        return np.array(reply["answer"])

    def measure(self) -> float:
        """The seconds of one repetition, now."""
        return float(self._ask(do="measure")["seconds"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(names: Sequence[str], settings: Settings, stack: ExitStack, report: Report) -> list[Worker]:
    """The workers of those sides that can take part; a plain word about the others."""
    workers = []
    for name in names:
        try:
            workers.append(stack.enter_context(Worker(SIDES[name], settings)))
        except Absent as reason:
            if str(reason):
                report(f"{name} is left out: {reason}")
        except WorkerError as error:
            report(f"{name} is left out: it could not start ({error})")
    return workers


def prepared(
    case: Case, workers: Sequence[Worker], settings: Settings, report: Report
) -> list[tuple[Worker, np.ndarray]]:
    """The workers that have the case ready, each with its answer."""
    ready = []
    for worker in workers:
        try:
            ready.append((worker, worker.prepare(case, settings.seconds)))
        except Absent:
            continue
        except WorkerError as error:
            report(f"{case.name}: {worker.side.name} is left out: it broke ({first_line(error)})")
    return ready


def first_line(error: Exception) -> str:
    """An error's message without its often long rest."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def disagreement(case: Case, ours: np.ndarray, theirs: np.ndarray) -> float | None:
    """The largest difference of two fingerprints relative to the answer's root mean square, if it is not tolerable."""
    if ours.shape != theirs.shape:
        return float("inf")
    compared = slice(1) if case.random else slice(None)
    worst = float(np.max(np.abs(ours - theirs)[compared])) / max(float(ours[1]), 1e-30)
    return None if worst <= case.tolerance else worst


def compare(
    benchmark: str, case: Case, ours: Sequence[Worker], theirs: Sequence[Worker], settings: Settings, report: Report
) -> list[Row]:
    """Measure a case with every variant of needle against every peer, in turn; one row for each variant."""
    ready_ours = prepared(case, ours, settings, report)
    ready_theirs = prepared(case, theirs, settings, report)
    if not ready_ours:
        return []
    for worker, answer in ready_ours[1:] + ready_theirs:
        far = disagreement(case, ready_ours[0][1], answer)
        if far is not None:
            report(
                f"WARNING: {case.name}: {worker.side.name} and {ready_ours[0][0].side.name} give different results"
                f" (by {far:.1e}, tolerated {case.tolerance:.0e})"
            )
    variants = [worker for worker, _ in ready_ours]
    peers = [worker for worker, _ in ready_theirs]
    return [
        Row(benchmark, case.name, variant.side.name, statistics.median(times), case.amount, pairs)
        for variant, (times, pairs) in zip(variants, take_turns(variants, peers, settings.rounds))
    ]


def run_cases(
    benchmark: str, cases: Sequence[Case], peers: Sequence[str], settings: Settings, report: Report
) -> Iterator[Row]:
    """Every case of a benchmark against those of its peers that were asked for, in one set of workers."""
    with ExitStack() as stack:
        ours = start(("needle",), settings, stack, report)
        theirs = start([name for name in peers if name in settings.peers], settings, stack, report)
        for case in cases:
            yield from compare(benchmark, case, ours, theirs, settings, report)


def take_turns(
    variants: Sequence[Worker], peers: Sequence[Worker], rounds: int
) -> Iterator[tuple[list[float], dict[str, Pair]]]:
    """For each variant: all its times, and its pairs with each peer."""
    times: list[list[float]] = [[] for _ in variants]
    pairs: list[dict[str, Pair]] = [{peer.side.name: Pair() for peer in peers} for _ in variants]
    for _ in range(rounds):
        for i, variant in enumerate(variants):
            for peer in peers:
                ours, theirs = variant.measure(), peer.measure()
                times[i].append(ours)
                pairs[i][peer.side.name].ours.append(ours)
                pairs[i][peer.side.name].theirs.append(theirs)
            if not peers:
                times[i].append(variant.measure())
    return zip(times, pairs)
