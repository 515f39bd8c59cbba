"""Totals by op, line and module."""

from __future__ import annotations

import pytest

from hw.hw7.profiler import inclusive, profile, total
from hw.hw7.recorder import Node
from hw.hw7.tests.checks import by_hand
from hw.testing import hint, same
from needle.places import Line

FORWARD, TRAIN = Line("net.py", 3, "forward"), Line("train.py", 9, "train")
NODES = [
    Node(1),
    Node(2, name="weight"),
    Node(3, "MatMul", line=FORWARD, module="Net.layers.1", seconds=0.25, nbytes=80),
    Node(4, "ReLU", line=FORWARD, module="Net", seconds=0.125, nbytes=80),
    Node(5, "MatMul", line=FORWARD, module="Net.layers.10", seconds=0.5, nbytes=40),
    Node(6, "Summation", line=TRAIN, seconds=0.0625, nbytes=8),
    Node(7, "EWiseMul", line=TRAIN, nbytes=0),
    Node(8, "ReLU", line=TRAIN, seconds=2.0, nbytes=16),
]
CALLS = ("Net", "Net.layers.1", "Net.layers.10", "Net.layers")


@hint("A node whose seconds are None was not computed.")
@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((3,), (1, 0.25, 80)),
        ((), (0, 0, 0)),
        ((3, 4, 5), (3, 0.875, 200)),
        ((1, 7), (0, 0, 0)),
        ((2, 6, 7), (1, 0.0625, 8)),
    ],
)
def test_total(numbers, expected):
    found = total([NODES[number - 1] for number in numbers])
    same(list(map(float, found)), list(map(float, expected)), of=f"calls, seconds, bytes of nodes {numbers}")


@hint("A node that took no time was computed all the same.")
def test_no_time():
    same(
        list(map(float, total([Node(1, "Alias", seconds=0.0, nbytes=8)]))), [1.0, 0.0, 8.0], of="calls, seconds, bytes"
    )


@hint("Keys in the order of their seconds, the largest first; nodes that were not computed have none.")
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("op", {"ReLU": (2, 2.125, 96), "MatMul": (2, 0.75, 120), "Summation": (1, 0.0625, 8)}),
        ("line", {"train": (2, 2.0625, 24), "forward": (3, 0.875, 200)}),
        (
            "module",
            {"": (2, 2.0625, 24), "Net.layers.10": (1, 0.5, 40), "Net.layers.1": (1, 0.25, 80), "Net": (1, 0.125, 80)},
        ),
    ],
    ids=["op", "line", "module"],
)
def test_profile(by, expected):
    found = profile(by_hand(NODES), by)
    keys = [getattr(key, "function", key) for key in found]
    mistakes = {"the smallest comes first": list(expected)[::-1]}
    same(sorted(keys), sorted(expected), of=f"the keys by {by}")
    same(keys, list(expected), of=f"the order of the keys by {by}", mistakes=mistakes)
    for key, value in zip(keys, found.values()):
        same(
            list(map(float, value)),
            list(map(float, expected[key])),
            of=f"calls, seconds, bytes of {key or 'no module'}",
        )


@hint("By default it is by op.")
def test_default():
    same(list(profile(by_hand(NODES))), ["ReLU", "MatMul", "Summation"], of="the keys")
    same(profile(by_hand(NODES[:2])), {}, of="the profile of leaves")


@hint("The three add up to the same.")
def test_the_sums_agree():
    recorder = by_hand(NODES)
    for by in ("op", "line", "module"):
        values = profile(recorder, by).values()
        sums = [float(sum(each[i] for each in values)) for i in range(3)]
        same(sums, [5.0, 2.9375, 224.0], of=f"the sums of calls, seconds, bytes by {by}")


@hint("Net.layers.10 does not lie within Net.layers.1, but both within Net.")
def test_inclusive():
    found = inclusive(by_hand(NODES, CALLS))
    expected = {
        "Net": (3, 0.875, 200),
        "Net.layers.1": (1, 0.25, 80),
        "Net.layers.10": (1, 0.5, 40),
        "Net.layers": (2, 0.75, 120),
    }
    same(list(found), list(expected), of="the labels", mistakes={"the largest comes first": sorted(expected)})
    for label, value in found.items():
        same(list(map(float, value)), list(map(float, expected[label])), of=f"calls, seconds, bytes within {label}")
