"""One training step of an MLP: forward, softmax loss, backward, update. And the floor under it.

The floor of a step is what remains if everything but the unavoidable cost nothing: for each of its matrix products the
fastest time that anyone reached for that very shape in the same run; its parameters' traffic through memory (Adam reads
weight, gradient and two moments and writes three, SGD reads two and writes one) at the bandwidth that this working set
reached; and, with dropout, NumPy's random draws for the masks. The inputs need no gradient.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise

import numpy as np

from apps.bench import gemm
from apps.bench.machine import IN_CACHE, bandwidth
from apps.bench.runner import Benchmark, Case, Report, Row, Settings, Worker, compare, start
from apps.bench.sides import OURS, SIDES

PEERS = ("torch", "torch.compile", "jax", "numpy")
LEARNING_RATE = {"sgd": 0.1, "adam": 0.001}
CASES = (
    Case("W1", "mlp", {"widths": (784, 100, 10), "batch": 100, "optimizer": "sgd"}),
    Case("W2", "mlp", {"widths": (784, 256, 128, 10), "batch": 64, "optimizer": "adam"}),
    # The dropout masks differ, and with them the losses, but hardly their mean.
    Case("W3", "mlp_resnet", {"batch": 100}, tolerance=0.1, random=True),
    Case("W4", "mlp", {"widths": (784, 512, 512, 10), "batch": 128, "optimizer": "adam"}),
)
# The MLPResNet of W3.
DIM, HIDDEN, BLOCKS, CLASSES, DROP = 784, 100, 3, 10, 0.1

CHECKED_STEPS = 20
"""Losses of so many first steps are compared between the sides."""


def batches(batch: int, features: int = 784, classes: int = 10) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sixteen batches of images and labels: (batch, features) in [0, 1), and (batch,) class numbers.

    Every image comes twice, with another label each time: no network learns that by heart, so gradients stay of
    ordinary size however many steps the benchmark takes.
    """
    rng = np.random.default_rng(0)
    images = [rng.random((batch, features), dtype=np.float32) for _ in range(8)]
    labels = [rng.integers(classes // 2, size=batch) for _ in range(8)]
    return [*zip(images, labels), *zip(images, [label + classes // 2 for label in labels])]


def linear(rng: np.random.Generator, fan_in: int, fan_out: int) -> list[np.ndarray]:
    """Weight (fan_in, fan_out) and bias (fan_out,) of `needle.nn.Linear`, Kaiming uniform."""
    weight = rng.uniform(-1, 1, (fan_in, fan_out)) * np.sqrt(6 / fan_in)
    bias = rng.uniform(-1, 1, fan_out) * np.sqrt(6 / fan_out)
    return [weight.astype(np.float32), bias.astype(np.float32)]


def mlp_parameters(widths: Sequence[int]) -> list[np.ndarray]:
    """Weight, bias, weight, bias, ... with which every side begins."""
    rng = np.random.default_rng(1)
    return [array for pair in pairwise(widths) for array in linear(rng, *pair)]


def resnet_parameters() -> list[np.ndarray]:
    """The parameters of MLPResNet in the order of its modules: Linear, blocks of Linear, norm, Linear, norm; Linear."""
    rng = np.random.default_rng(1)
    parameters = linear(rng, DIM, HIDDEN)
    for _ in range(BLOCKS):
        for fan_in, fan_out in ((HIDDEN, HIDDEN // 2), (HIDDEN // 2, HIDDEN)):
            parameters += linear(rng, fan_in, fan_out)
            parameters += [np.ones(fan_out, np.float32), np.zeros(fan_out, np.float32)]
    return parameters + linear(rng, HIDDEN, CLASSES)


def products(layers: Sequence[tuple[int, int]], batch: int) -> list[Case]:
    """The matrix products of a step: X W, X^T G, and, but for the first layer, G W^T."""
    cases = []
    for i, (fan_in, fan_out) in enumerate(layers):
        cases += [gemm.case(batch, fan_in, fan_out, "A B"), gemm.case(fan_in, batch, fan_out, "A^T B")]
        if i > 0:
            cases.append(gemm.case(batch, fan_out, fan_in, "A B^T"))
    return cases


def layers_of(case: Case) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of every linear layer."""
    if case.work == "mlp":
        widths = case.arguments["widths"]
        return list(pairwise(widths))
    block = [(HIDDEN, HIDDEN // 2), (HIDDEN // 2, HIDDEN)]
    return [(DIM, HIDDEN), *block * BLOCKS, (HIDDEN, CLASSES)]


def traffic(case: Case) -> tuple[int, int]:
    """The parameters' count, and the bytes that their update moves."""
    parameters = mlp_parameters(case.arguments["widths"]) if case.work == "mlp" else resnet_parameters()
    count = sum(array.size for array in parameters)
    return count, count * 4 * (3 if case.arguments.get("optimizer") == "sgd" else 7)


class Floors:
    """Measures the floors, with the workers of the benchmark itself."""

    def __init__(
        self, ours: Sequence[Worker], theirs: Sequence[Worker], numpy: Worker, settings: Settings, report: Report
    ) -> None:
        self.ours, self.theirs, self.numpy, self.report = ours, theirs, numpy, report
        self.settings = dataclasses.replace(settings, rounds=max(3, settings.rounds // 2), seconds=settings.seconds / 2)
        self.fastest: dict[str, float] = {}

    def product(self, case: Case) -> float:
        """The fastest time of anyone for a matrix product, measured once for each shape."""
        if case.name not in self.fastest:
            rows = compare("gemm", case, self.ours, self.theirs, self.settings, self.report)
            times = [row.value for row in rows] + [pair.peer for row in rows for pair in row.pairs.values()]
            self.fastest[case.name] = min(times, default=float("nan"))
        return self.fastest[case.name]

    def alone(self, case: Case) -> float:
        """The median time of work that only NumPy does."""
        self.numpy.prepare(case, self.settings.seconds)
        return float(np.median([self.numpy.measure() for _ in range(self.settings.rounds)]))

    def floor(self, case: Case) -> float:
        """The floor of a training step in seconds."""
        seconds = sum(self.product(product) for product in products(layers_of(case), case.arguments["batch"]))
        count, moved = traffic(case)
        # Weight, gradient and moments stay in the cache from step to step if it holds them. Below a few MB the calls
        # of NumPy would show in the measurement.
        working_set = 4 * count * (2 if case.arguments.get("optimizer") == "sgd" else 4)
        seconds += moved / bandwidth(self.numpy, max(working_set, IN_CACHE), self.settings)
        if case.work == "mlp_resnet":
            shape = (case.arguments["batch"], HIDDEN // 2)
            seconds += BLOCKS * self.alone(Case("draws", "draws", {"shape": shape}))
        return seconds


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """W1 to W4, eager and compiled."""
    with ExitStack() as stack:
        ours = start(OURS, settings, stack, report)
        theirs = start([name for name in PEERS if name in settings.peers], settings, stack, report)
        floors = Floors(ours, theirs, stack.enter_context(Worker(SIDES["numpy"], settings)), settings, report)
        for case in CASES:
            rows = compare("mlp", case, ours, theirs, settings, report)
            floor = floors.floor(case) if rows else None
            for row in rows:
                row.case += " eager" if row.variant == "needle" else f" {row.variant}"
                row.floor = floor
                yield row


BENCHMARK = Benchmark("mlp", "one training step (forward, loss, backward, update)", "s", PEERS, run)
