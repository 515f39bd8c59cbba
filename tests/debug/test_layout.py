"""Boxes of a drawn graph: below what they were made from, beside each other, and not in the way of lines."""

from __future__ import annotations

import time

import numpy as np
import pytest

from needle.debug.layout import HEIGHT, Layout, arrange, layers_of

Inputs = dict[int, list[int]]


def random_graph(seed: int, size: int = 60) -> Inputs:
    draw = np.random.RandomState(seed)
    return {n: [] if draw.rand() < 0.2 else before(n, draw) for n in range(1, size)}


def before(n: int, draw: np.random.RandomState) -> list[int]:
    """Up to three nodes among the last dozen before n."""
    return [int(x) for x in draw.randint(max(n - 12, 0), n, size=draw.randint(1, 4)) if x]


def arranged(inputs: Inputs) -> Layout:
    return arrange(dict(inputs), {n: 80.0 + n % 7 * 10 for n in inputs})


@pytest.mark.parametrize("seed", range(5))
def test_every_box_is_below_its_inputs_and_touches_no_other(seed: int):
    inputs = random_graph(seed)
    layout = arranged(inputs)
    for n, sources in inputs.items():
        assert all(layout.boxes[x].y + HEIGHT < layout.boxes[n].y for x in sources)
    for a in inputs:
        for b in range(a + 1, len(inputs) + 1):
            u, v = layout.boxes[a], layout.boxes[b]
            assert u.layer != v.layer or abs(u.x - v.x) > (u.width + v.width) / 2
            assert u.x - u.width / 2 > -1e-6 and u.x + u.width / 2 < layout.width + 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_a_line_passes_beside_the_boxes_of_the_layers_it_crosses(seed: int):
    inputs = random_graph(seed)
    layout = arranged(inputs)
    crossed = 0
    for line in layout.lines:
        for x, y in line.points[1:-1]:
            row = [box for box in layout.boxes.values() if box.y == y]
            assert all(abs(box.x - x) > box.width / 2 for box in row)
            crossed += len(row)
    assert crossed > 20


def test_there_is_a_line_for_each_input_and_inputs_arrive_from_left_to_right():
    layout = arranged({1: [], 2: [], 3: [1, 2, 1]})
    assert sorted((line.source, line.target, line.slot) for line in layout.lines) == [(1, 3, 0), (1, 3, 2), (2, 3, 1)]
    ends = [line.points[-1][0] for line in sorted(layout.lines, key=lambda line: line.slot)]
    assert ends == sorted(ends) and len(set(ends)) == 3


def test_a_leaf_and_what_is_made_of_it_alone_stand_right_above_their_consumer():
    chain = {1: [], **{n: [n - 1] for n in range(2, 10)}, 10: [], 11: [10], 12: [9, 11], 13: []}
    layers, hanging = layers_of({**chain, 14: [12, 13]})
    assert (layers[11], layers[10], layers[13]) == (layers[12] - 1, layers[12] - 2, layers[14] - 1)
    assert {10, 11, 13} <= hanging and 12 not in hanging


def test_symmetric_inputs_are_placed_symmetrically():
    layout = arrange({1: [], 2: [], 3: [1, 2]}, {1: 100.0, 2: 100.0, 3: 50.0})
    left, right, below = (layout.boxes[n].x for n in (1, 2, 3))
    assert below == pytest.approx((left + right) / 2, abs=1) and left < right


def test_a_deep_graph_stays_narrow():
    inputs: Inputs = {1: [], 2: []}
    for n in range(3, 1000, 3):
        inputs |= {n: [1], n + 1: [n - 1, n], n + 2: [n + 1, 2]}
    assert arranged(inputs).width < 1200


def test_2000_nodes_are_placed_in_a_moment():
    inputs = random_graph(0, size=2000)
    start = time.process_time()
    assert len(arranged(inputs).boxes) == 1999
    assert time.process_time() - start < 4
