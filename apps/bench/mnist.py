"""From the start of the process to 98 % test accuracy on MNIST: needle's application against a plain PyTorch script."""

from __future__ import annotations

import functools
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from apps.bench.processes import Ran, run_process
from apps.bench.runner import Benchmark, Pair, Report, Row, Settings, WorkerError
from apps.bench.sides import SIDES

PEERS = ("torch",)
SEEDS = (0, 1, 2)
EPOCHS = 5
TARGET = 98.0


def find_mnist() -> Path | None:
    """The folder of the four files: ``$NEEDLE_DATA``, or ``mnist`` in it, or where needle's own download puts them."""
    from needle.data.mnist import find

    return find()


def commands(folder: Path, seed: int, out: str, threads: int) -> dict[str, list[str]]:
    """What each side runs, after the name of the interpreter."""
    common = f"--hidden 256,128 --epochs {EPOCHS} --batch-size 100 --lr 0.002 --until {TARGET} --seed {seed}".split()
    common += ["--threads", str(threads)]
    return {
        "needle": ["apps/mnist_mlp.py", "--data", str(folder), *common, "--no-plots", "--out", out],
        "torch": ["apps/bench/torch_mnist.py", str(folder), *common],
    }


def accuracy(output: str) -> float:
    """The last test accuracy that a run printed, in percent."""
    found = re.findall(r"test accuracy (\d+\.\d+) %", output)
    if not found:
        last = (output.strip().splitlines() or ["nothing"])[-1]
        raise WorkerError(f"no test accuracy in its output, which ends: {last[:200]}")
    return float(found[-1])


@functools.cache
def measured(settings: Settings) -> tuple[dict[str, list[Ran]], list[str]]:
    """Every side's runs, one for each seed, in turn; and what there is to say about them. Done once, for two tables."""
    folder = find_mnist()
    if folder is None:
        return {}, ["mnist and memory are left out: MNIST was not found; NEEDLE_DATA names the folder of its files"]
    sides = ["needle", *(name for name in PEERS if name in settings.peers and not SIDES[name].missing())]
    runs: dict[str, list[Ran]] = {name: [] for name in sides}
    said: list[str] = []
    for seed in SEEDS[:1] if settings.quick else SEEDS:
        for name in sides:
            with tempfile.TemporaryDirectory() as out:
                command = commands(folder.resolve(), seed, out, settings.threads)[name]
                try:
                    ran = run_process(command, settings)
                    reached = accuracy(ran.output)
                except WorkerError as error:
                    return {}, [*said, f"mnist and memory are left out: {name} broke: {error}"]
            runs[name].append(ran)
            epochs = len(re.findall(r"^epoch ", ran.output, re.MULTILINE))
            warning = "" if reached >= TARGET else f"WARNING: short of {TARGET} %: "
            said.append(f"{warning}seed {seed}: {name} has {reached:.2f} % after {epochs} epochs, {ran.seconds:.2f} s")
    return runs, said


def rows(benchmark: str, case: str, of: Callable[[Ran], float], settings: Settings, report: Report) -> Iterator[Row]:
    """One row: the means over the seeds of what `of` takes from a run. Seeds are not pairs, for they share no draws."""
    runs, said = measured(settings)
    for sentence in said:
        report(sentence)
    if not runs:
        return
    means = {name: statistics.mean(map(of, ran)) for name, ran in runs.items()}
    ours = means.pop("needle")
    yield Row(benchmark, case, "needle", ours, pairs={name: Pair([ours], [theirs]) for name, theirs in means.items()})


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Seconds to the target, mean over the seeds."""
    return rows("mnist", f"to {TARGET:.0f} %", lambda ran: ran.seconds, settings, report)


BENCHMARK = Benchmark("mnist", "whole process, mean over the seeds: MNIST, 784-256-128-10, Adam", "s", PEERS, run)
