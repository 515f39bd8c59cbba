"""`view` writes one page that tells a graph or a recording, and everything in it is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.debug.page import view
from needle.debug.page_values import facts_of
from needle.debug.trace import Trace
from tests.autograd.graphs import counted_computations, tensor

VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """Reads a page: its elements, whether they nest, and the data in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: dict[str, str] = {}
        self.feed(text)
        self.data: dict[str, Any] = json.loads(self.words["script data"])
        self.nodes = {box["number"]: box for box in self.data["boxes"]}
        self.steps = self.data["steps"]
        self.kinds = [step["kind"] for step in self.steps]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        tag, attributes = self.elements[-1] if self.elements else ("", {})
        key = f"{tag} {attributes.get('id', attributes.get('class', ''))}".strip()
        self.words[key] = self.words.get(key, "") + text

    def known(self, number: int, which: str = "values", at: int | None = None) -> Any:
        """The facts of a node's value or adjoint at a position of the slider; None if it has none there."""
        past = [value for since, value in self.nodes[number][which] if at is None or since <= at]
        return self.data["values"][past[-1]] if past and past[-1] is not None else None


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    yield lambda *args, **options: Page(view(args[0], tmp_path / "g.html", *args[1:], **options).read_text("utf-8"))


def loss_of(model: nn.Module) -> ndl.Tensor:
    return (model(tensor([[1.0, 2.0, 3.0]], requires_grad=False)) ** 2).sum()


def recorded(keep: int = 2**20, steps: int = 1) -> Trace:
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = ndl.optim.SGD(model.parameters(), lr=0.1)
    with ndl.debug.record(keep) as trace:
        for _ in range(steps):
            loss_of(model).backward(create_graph=False)
            optimizer.step()
    return trace


# Of a tensor ----------------------------------------------------------------------------------------------------------


def test_the_page_is_whole_and_asks_for_nothing_from_outside(tmp_path: Path):
    for shown in (loss_of(nn.Linear(3, 2)), recorded()):
        written = view(shown, tmp_path / "graph.html")
        assert written == tmp_path / "graph.html"
        text = written.read_text("utf-8")
        read = Page(text)
        assert not read.open
        links = [a[name] for _, a in read.elements for name in ("src", "href", "action") if name in a]
        assert links == ["data:,"] and not re.search(r"https?://(?!www.w3.org)|@import|url\(|fetch\(|XMLHttp", text)
        ids = [a["id"] for _, a in read.elements if "id" in a]
        assert len(ids) == len(set(ids))


def test_a_graph_is_told_in_its_order_with_its_inputs(page: Any):
    x = tensor([1.0, 2.0])
    y = ndl.exp(x) * x * x
    read = page(y)
    assert [box["inputs"] for box in read.data["boxes"]] == [[], [1], [2, 1], [3, 1]]
    assert read.data["outputs"] == [4] and [step["node"] for step in read.steps] == [1, 2, 3, 4]
    assert read.kinds == ["seen", "made", "made", "made"] and read.steps[2]["text"] == "made #3 = EWiseMul(#2, #1)"


def test_parameters_have_their_paths_and_leaves_are_told_apart(page: Any):
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    read = page(loss_of(model), model)
    assert [box["kind"] for box in read.data["boxes"][:3]] == ["constant", "parameter", "op"]
    assert read.nodes[2]["name"] == "modules.0.weight" and read.nodes[3]["op"] == "MatMul"
    assert read.nodes[4]["attributes"] in ("scalar=2", "scalar=2.0")


def test_statistics_are_those_of_numpy(page: Any):
    values = np.random.RandomState(0).randn(40, 30).astype("float32")
    (facts,) = page(tensor(values) * 2).known(1)
    for name in ("min", "max", "mean", "std"):
        assert float(facts[name]) == pytest.approx(float(getattr(values, name)()), rel=1e-3)
    assert (facts["size"], facts["bytes"], facts["nan"], facts["inf"], facts["zero"]) == (1200, 4800, 0, 0, 0)
    counts, _ = np.histogram(values.astype("float64"), bins=len(facts["histogram"]["counts"]))
    assert facts["histogram"]["counts"] == counts.tolist()


def test_nan_inf_zeros_and_the_largest_numbers_are_counted_and_shown():
    big = float(np.finfo("float32").max)
    facts = facts_of(np.array([np.nan, np.inf, -np.inf, 0.0, -big, big], "float32"))
    assert (facts["nan"], facts["inf"], facts["zero"]) == (1, 2, 1)
    assert sum(facts["histogram"]["counts"]) == 3 and facts["first"][:3] == ["nan", "inf", "-inf"]
    empty = facts_of(np.zeros((0, 3), "float32"))
    assert empty["size"] == 0 and "min" not in empty
    flags = facts_of(np.array([True, False, True]))
    assert (flags["min"], flags["max"], flags["zero"]) == ("0", "1", 1)


def test_the_adjoint_is_shown_where_a_gradient_is_kept_and_the_walk_back_replayed(page: Any):
    x = tensor([1.0, -2.0, 4.0])
    c = tensor([1.0, 1.0, 1.0], requires_grad=False)
    y = (x * x + c).sum()
    assert "share" not in page(y).kinds
    y.backward()
    read = page(y)
    assert read.known(1, "adjoints")[0]["first"] == ["2", "-4", "8"]
    assert read.known(2, "adjoints") is None and read.nodes[3]["kind"] == "constant"
    assert read.kinds[5:] == ["backward_began", "share", "share", "share", "backward_ended"]
    assert [(s["consumer"], s["node"]) for s in read.steps if s["kind"] == "share"] == [(5, 4), (4, 2), (2, 1)]
    assert read.known(1, "adjoints", at=8) is None


def test_a_freed_graph_and_one_that_is_cut_say_so(page: Any):
    y = loss_of(nn.Linear(3, 2))
    assert "p note" not in page(y).words
    assert "more nodes" in page(y, max_nodes=3).words["p note"] and len(page(y, max_nodes=3).nodes) == 3
    y.backward(create_graph=False)
    assert "was freed by backward(create_graph=False)" in page(y).words["p note"]


def test_no_name_breaks_out_of_the_page(page: Any):
    name = '</script><b onclick="x">{data}&amp; {style}'
    x = tensor([1.0])
    for shown in (x * 2, recorded_with(name)):
        read = page(shown, {name: x})
        assert read.nodes[1]["name"] == name and not read.open
        assert not any("onclick" in attributes for _, attributes in read.elements)


def recorded_with(name: str) -> Trace:
    with ndl.debug.record() as trace:
        _ = ndl.debug.name(tensor([1.0]), name) * 2
    return trace


def test_tuples_and_a_students_operator_are_shown(page: Any):
    class Both(ndl.TensorTupleOp):
        def compute(self, a: Any) -> Any:
            return a * 2, a * 3

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return out_grad[0] * 2 + out_grad[1] * 3

    with ndl.debug.record() as trace:
        y = Both()(tensor([1.0]))[1]
    for shown in (y, trace):
        read = page(shown)
        assert [facts["first"] for facts in read.known(2)] == [["2"], ["3"]] and read.nodes[2]["op"] == "Both"


# Of a recording -------------------------------------------------------------------------------------------------------


def test_the_steps_of_a_recording_are_its_events_in_order(page: Any):
    trace = recorded()
    read = page(trace)
    kinds = [event.kind for event in trace.events]
    told = {step["kind"] for step in read.steps}
    assert set(kinds) - told <= {"made"} and len(read.steps) == len(kinds) - kinds.count("made")
    shares = [event for event in trace.events if event.kind == "share"]
    assert [(s["node"], s["consumer"]) for s in read.steps if s["kind"] in ("share", "no share")] == [
        (event.node, event.consumer) for event in shares
    ]
    computed = next(step for step in read.steps if step["kind"] == "computed")
    assert computed["text"].startswith("made and computed #") and "= MatMul(" in computed["text"]


def test_at_each_step_a_node_has_the_value_that_it_had_then(page: Any):
    trace = recorded()
    read = page(trace)
    weight = trace.node("modules.0.weight").number
    replaced = next(p for p, s in enumerate(read.steps, 1) if (s["kind"], s["node"]) == ("replaced", weight))
    event = next(e.index for e in trace.events if (e.kind, e.node) == ("replaced", weight))
    for position, at in ((replaced - 1, event - 1), (replaced, event), (None, None)):
        (facts,) = read.known(weight, at=position)
        assert float(facts["mean"]) == pytest.approx(float(trace.value(weight, at=at).mean()), rel=1e-4)
    assert read.known(weight, at=replaced - 1) != read.known(weight, at=replaced)
    made = trace.nodes(op="ReLU")[0].number
    position = next(p for p, s in enumerate(read.steps, 1) if s["node"] == made)
    assert read.known(made, at=position - 1) is None and read.known(made, at=position) is not None


def test_an_adjoint_grows_with_each_share(page: Any):
    x = tensor([1.0, 2.0])
    with ndl.debug.record() as trace:
        (x * 3 + ndl.exp(x)).sum().backward()
    read, number = page(trace), trace.node(x).number
    positions = [p for p, s in enumerate(read.steps, 1) if (s["kind"], s["node"]) == ("share", number)]
    assert len(positions) == 2
    seen = [read.known(number, "adjoints", at=position) for position in (positions[0] - 1, *positions)]
    assert seen[0] is None
    shares = trace.adjoint(x).shares
    assert float(seen[1][0]["max"]) == pytest.approx(float(trace.value(shares[0].share).max()), rel=1e-4)
    assert float(seen[2][0]["max"]) == pytest.approx(3 + np.exp(2.0), rel=1e-4)


def test_a_dropped_value_leaves_its_statistics(page: Any):
    trace = recorded(keep=0)
    (facts,) = page(trace).known(trace.nodes(op="ReLU")[0].number)
    expected = trace.statistics(trace.nodes(op="ReLU")[0].number)
    assert facts["dropped"] and "histogram" not in facts and facts["bytes"] == expected.size * 4
    assert float(facts["max"]) == pytest.approx(expected.maximum, rel=1e-4)


def test_each_node_has_its_source_line_with_those_around_it_and_those_of_the_library(page: Any):
    trace = recorded()
    read = page(trace)
    node = trace.nodes(op="ReLU")[0]
    user, *library = (read.data["lines"][i] for i in read.nodes[node.number]["lines"])
    assert (
        user["file"] == __file__
        and user["text"] == "return (model(tensor([[1.0, 2.0, 3.0]], requires_grad=False)) ** 2).sum()"
    )
    texts = dict(user["around"])
    assert texts[node.place.user.number].strip() == user["text"] and len(texts) == 5
    assert any(line["function"] == "relu" for line in library)
    step = next(step for step in read.steps if step["kind"] == "stepped")
    assert read.data["lines"][step["line"]]["text"] == "optimizer.step()"


def test_a_recording_that_was_saved_and_loaded_is_shown_alike(page: Any, tmp_path: Path):
    trace = recorded()
    trace.save(tmp_path / "t.json")
    first, second = page(trace).data, page(Trace.load(tmp_path / "t.json")).data
    for part in ("groups", "steps", "values", "opened"):
        assert first[part] == second[part]
    assert first["boxes"] == second["boxes"]


def test_the_first_nodes_of_a_long_recording_are_shown_and_the_page_says_so(page: Any):
    read = page(recorded(steps=3), max_nodes=30)
    assert set(read.nodes) == set(range(1, 31)) and "until 30 of them were there" in read.words["p note"]
    assert all(n is None or n <= 30 for step in read.steps for n in (step["node"], step["consumer"]))


def test_what_cannot_be_shown_is_refused(tmp_path: Path):
    for shown, error in ((3, TypeError), ([tensor([1.0]), "x"], TypeError)):
        with pytest.raises(error):
            view(shown, tmp_path / "g.html")
    for shown in (recorded(), tensor([1.0])):
        with pytest.raises(ValueError, match="max_nodes"):
            view(shown, tmp_path / "g.html", max_nodes=0)
    assert not (tmp_path / "g.html").exists()


# Lazy -----------------------------------------------------------------------------------------------------------------


def test_a_lazy_graph_is_shown_and_nothing_of_it_computed(page: Any):
    with ndl.debug.record() as trace, ndl.lazy_mode():
        y = ndl.exp(tensor([1.0, 2.0])) + 1
    with counted_computations() as counts:
        read, of_trace = page(y), page(trace)
    assert not counts and y.cached_data is None
    assert [(read.known(n) is not None, read.nodes[n]["notes"]) for n in (1, 2, 3)] == [
        (True, []),
        (False, ["lazy"]),
        (False, ["lazy"]),
    ]
    assert [of_trace.known(n) is not None for n in (1, 2, 3)] == [True, False, False]
    assert of_trace.kinds == ["seen", "made", "made"]


def test_of_a_lazy_step_making_and_computing_are_apart_and_the_adjoint_comes_when_it_is_computed(page: Any):
    x = tensor([1.0, 2.0])
    with ndl.debug.record() as trace, ndl.lazy_mode():
        y = ndl.exp(x).sum()
        y.backward()
        x.grad.numpy()
    with counted_computations() as counts:
        read = page(trace)
    assert not counts
    number = trace.node(x).number
    share = next(p for p, s in enumerate(read.steps, 1) if (s["kind"], s["node"]) == ("share", number))
    made = next(p for p, s in enumerate(read.steps, 1) if s["kind"] == "made")
    computed = next(p for p, s in enumerate(read.steps, 1) if s["kind"] == "computed")
    assert made < share < computed and read.known(number, "adjoints", at=share) is None
    assert float(read.known(number, "adjoints")[0]["max"]) == pytest.approx(np.exp(2.0), rel=1e-4)
