"""What Jupyter is shown: well-formed HTML without script, that computes nothing and leaves out nothing unsaid."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import needle as ndl
from needle import nn
from needle.debug.layers import HEIGHT, layers_of, place
from needle.debug.notebook import module_html, tensor_html
from tests.autograd.graphs import counted_computations, live_values, tensor

SVG = "{http://www.w3.org/2000/svg}"


def parsed(html: str) -> ET.Element:
    """The tree of elements: what is not well-formed raises; there is no script, and nothing is loaded."""
    root = ET.fromstring(html)
    for element in root.iter():
        assert not element.tag.lower().endswith("script")
        assert not any(name.startswith("on") or name in ("href", "src") for name in element.attrib)
    return root


def texts(root: ET.Element, tag: str) -> list[str]:
    return ["".join(element.itertext()) for element in root.iter(tag)]


def test_a_tensor_shows_its_repr_statistics_and_graph():
    a, b = tensor(np.ones((2, 3))), tensor(np.full((3, 2), 2.0), requires_grad=False)
    root = parsed(tensor_html((a @ b).sum()))
    assert texts(root, "code") == [repr((a @ b).sum())]
    assert "min 24  max 24  mean 24" in "".join(root.itertext())
    titles = texts(root, f"{SVG}title")
    assert [title.split(" ")[1].split("\n")[0].split("(")[0] for title in titles] == [
        "variable",
        "constant",
        "MatMul",
        "Summation",
    ]
    assert len(list(root.iter(f"{SVG}rect"))) == 4 and len(list(root.iter(f"{SVG}path"))) == 3


def test_a_leaf_has_no_graph_and_nan_is_counted():
    root = parsed(tensor_html(tensor([1.0, np.nan, np.inf])))
    assert not list(root.iter(f"{SVG}svg"))
    assert "1 NaN  1 Inf" in "".join(root.itertext())


def test_showing_computes_nothing_and_changes_nothing():
    a = tensor(np.ones((2, 2)))
    with ndl.lazy_mode():
        y = ndl.exp(a @ a)
        parts = ndl.split(y, 0)
    before = live_values(), dict(vars(y))
    with counted_computations() as counts:
        root = parsed(tensor_html(y))
        parsed(tensor_html(parts))
    assert not counts and (live_values(), dict(vars(y))) == before
    assert "not computed" in "".join(root.itertext()) and "lazy" in texts(root, f"{SVG}title")[-1]


def test_of_a_large_graph_the_nearest_nodes_are_drawn_and_dots_stand_for_the_others():
    y = tensor([1.0])
    for _ in range(500):
        y = y + 1
    root = parsed(tensor_html(y))
    assert len(list(root.iter(f"{SVG}rect"))) == 30
    assert "471 more nodes" in "".join(root.itertext())
    assert texts(root, f"{SVG}text").count("⋯") == 1
    assert "1 of its inputs are not drawn" in texts(root, f"{SVG}title")[0]


def test_freed_graphs_tuples_and_empty_arrays_are_shown():
    x = tensor([[1.0, 2.0]])
    y = (x * 2).sum()
    y.backward(create_graph=False)
    assert "graph freed" in texts(parsed(tensor_html(y)), f"{SVG}title")[-1]
    assert "min 1  max 2" in "".join(parsed(tensor_html(ndl.split(x, 1))).itertext())
    assert "no elements" in "".join(parsed(tensor_html(tensor(np.ones((0, 3))))).itertext())


def test_names_and_attributes_are_escaped():
    class Odd(ndl.TensorOp):
        def __init__(self) -> None:
            self.note = "<script>alert('&')</script>"

        def compute(self, a: Any) -> Any:
            return a + 1

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return out_grad

    class Strange(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = {"<b>&\"'": nn.Linear(2, 2)}

    x = ndl.debug.name(tensor([1.0]), '<img src="x" onerror="1">')
    root = parsed(tensor_html(Odd()(x)))
    assert "<script>" in texts(root, f"{SVG}title")[-1] and any("<img" in text for text in texts(root, f"{SVG}text"))
    assert "layers.<b>&\"'" in texts(parsed(module_html(Strange())), "td")


def cells(html: str) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in parsed(html).iter("tr")]


def test_a_module_shows_each_layer_with_its_own_parameters_and_is_not_run():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)
            self.layers = nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False))
            self.scale = nn.Parameter(np.ones(5))

        def forward(self, x: Any) -> Any:
            raise AssertionError("it was run")

    model = Model()
    html = module_html(model)
    assert cells(html) == [
        ["layer", "class", "parameters", "elements"],
        ["(model)", "Model", "scale (5,)", "5"],
        ["fc", "Linear", f"weight (3, 4), bias {model.fc.bias.shape}", "16"],
        ["layers", "Sequential", "", ""],
        ["layers.modules.0", "ReLU", "", ""],
        ["layers.modules.1", "Linear", "weight (4, 2)", "8"],
    ]
    assert "29 parameters" in html


def test_with_the_shape_of_the_input_outputs_and_flops_are_shown():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with counted_computations() as counts:
        table = cells(module_html(model, (5, 3)))
    assert not counts
    assert table[0] == ["layer", "class", "output", "parameters", "flops"]
    flops = ndl.debug.summary(model, (5, 3))["modules.0"].flops
    assert table[2] == ["modules.0", "Linear", "(5, 4)", "16", f"{flops}"]


@st.composite
def graphs(draw: Any) -> dict[int, list[int]]:
    n = draw(st.integers(1, 14))
    return {i: draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [] for i in range(n)}


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(40, 160))
def test_boxes_do_not_touch_and_lines_lead_downwards(inputs, width):
    widths = {n: width + 7 * (n % 5) for n in inputs}
    placed = place(inputs, widths)
    layers = layers_of(inputs)
    assert all(layers[x] < layers[n] for n, sources in inputs.items() for x in sources)
    for a, b in combinations(inputs, 2):
        (xa, ya), (xb, yb) = placed.boxes[a], placed.boxes[b]
        assert abs(ya - yb) >= HEIGHT or abs(xa - xb) >= (widths[a] + widths[b]) / 2 - 1e-6
    for n, (x, y) in placed.boxes.items():
        assert widths[n] / 2 - 1e-6 <= x <= placed.width - widths[n] / 2 + 1e-6 and y <= placed.height
    assert sorted((line[0], line[-1]) for line in placed.lines) == sorted(
        (placed.boxes[x], placed.boxes[n]) for n, sources in inputs.items() for x in set(sources)
    )
    for line in placed.lines:
        assert all(y0 < y1 for (_, y0), (_, y1) in pairwise(line))


@pytest.mark.parametrize("side", ["width", "height"])
def test_the_drawing_holds_all_boxes(side):
    x = tensor(np.ones((2, 2)))
    root = parsed(tensor_html((x @ x + x).sum() * x.sum()))
    (svg,) = root.iter(f"{SVG}svg")
    left, top, width, height = map(float, svg.attrib["viewBox"].split())
    start, length, size = (left, width, "width") if side == "width" else (top, height, "height")
    for box in root.iter(f"{SVG}rect"):
        at = float(box.attrib["x" if side == "width" else "y"])
        assert start <= at and at + float(box.attrib[size]) <= start + length
    assert re.fullmatch(r"[\d.]+", svg.attrib["width"])
