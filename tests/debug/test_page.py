"""`view` writes one page that shows the graph, and everything in it is true."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.debug.page import statistics, view
from tests.autograd.graphs import counted_computations, tensor

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
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
        self.nodes = {node["number"]: node for node in self.data["nodes"]}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        tag, attributes = self.elements[-1] if self.elements else ("", {})
        key = f"{tag} {attributes.get('id', attributes.get('class', ''))}".strip()
        self.words[key] = self.words.get(key, "") + text

    def of_class(self, name: str) -> list[dict[str, str]]:
        return [attributes for _, attributes in self.elements if name in attributes.get("class", "").split()]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    yield lambda *args, **options: Page(view(args[0], tmp_path / "g.html", *args[1:], **options).read_text("utf-8"))


def loss_of(model: nn.Module) -> ndl.Tensor:
    return (model(tensor([[1.0, 2.0, 3.0]], requires_grad=False)) ** 2).sum()


def test_the_page_is_whole_and_asks_for_nothing_from_outside(tmp_path: Path):
    written = view(loss_of(nn.Linear(3, 2)), tmp_path / "graph.html")
    assert written == tmp_path / "graph.html"
    text = written.read_text("utf-8")
    read = Page(text)
    assert not read.open
    links = [a[name] for _, a in read.elements for name in ("src", "href", "action") if name in a]
    assert links == ["data:,"] and not re.search(r"https?://|@import|url\(|fetch\(|XMLHttp", text)
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_there_is_a_box_for_each_node_and_a_line_for_each_input(page: Any):
    x = tensor([1.0, 2.0])
    y = ndl.exp(x) * x * x
    read = page(y)
    assert [node["inputs"] for node in read.data["nodes"]] == [[], [1], [2, 1], [3, 1]]
    assert [a["id"] for a in read.of_class("node")] == ["n1", "n2", "n3", "n4"]
    lines = {(int(a["data-source"]), int(a["data-target"])) for a in read.of_class("line")}
    assert lines == {(1, 2), (2, 3), (1, 3), (3, 4), (1, 4)} and len(read.of_class("line")) == 5
    assert read.data["outputs"] == [4] and "output" in read.of_class("node")[3]["class"]


def test_parameters_have_their_paths_and_leaves_are_told_apart(page: Any):
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    read = page(loss_of(model), model)
    assert [node["kind"] for node in read.data["nodes"][:3]] == ["constant", "parameter", "op"]
    assert read.nodes[2]["name"] == "modules.0.weight" and read.nodes[3]["op"] == "MatMul"
    assert read.nodes[4]["attributes"]["scalar"] in ("2", "2.0")


def test_statistics_are_those_of_numpy(page: Any):
    values = np.random.RandomState(0).randn(40, 30).astype("float32")
    (facts,) = page(tensor(values) * 2).nodes[1]["value"]
    for name, expected in (
        ("min", values.min()),
        ("max", values.max()),
        ("mean", values.mean()),
        ("std", values.std()),
    ):
        assert float(facts[name]) == pytest.approx(float(expected), rel=1e-3)
    assert (facts["size"], facts["bytes"], facts["nan"], facts["inf"], facts["zero"]) == (1200, 4800, 0, 0, 0)
    counts, _ = np.histogram(values.astype("float64"), bins=len(facts["histogram"]["counts"]))
    assert facts["histogram"]["counts"] == counts.tolist()


def test_nan_inf_zeros_and_the_largest_numbers_are_counted_and_shown():
    big = float(np.finfo("float32").max)
    (facts,) = statistics(tensor([np.nan, np.inf, -np.inf, 0.0, -big, big]))
    assert (facts["nan"], facts["inf"], facts["zero"]) == (1, 2, 1)
    assert sum(facts["histogram"]["counts"]) == 3 and facts["first"][:3] == ["nan", "inf", "-inf"]
    (empty,) = statistics(tensor(np.zeros((0, 3))))
    assert empty["size"] == 0 and "min" not in empty
    (flags,) = statistics(tensor([True, False, True], dtype="bool"))
    assert (flags["min"], flags["max"], flags["zero"]) == ("0", "1", 1)


def test_the_adjoint_is_shown_where_a_gradient_is_kept_and_the_walk_back_replayed(page: Any):
    x = tensor([1.0, -2.0, 4.0])
    c = tensor([1.0, 1.0, 1.0], requires_grad=False)
    y = (x * x + c).sum()
    assert page(y).data["backward"] == []
    y.backward()
    read = page(y)
    assert read.nodes[1]["grad"][0]["first"] == ["2", "-4", "8"]
    assert read.nodes[2]["grad"] == []
    assert read.data["backward"] == [5, 4, 2, 1] and read.nodes[3]["kind"] == "constant"


def test_a_lazy_graph_is_shown_and_nothing_of_it_computed(page: Any):
    with ndl.lazy_mode():
        y = ndl.exp(tensor([1.0, 2.0])) + 1
    with counted_computations() as counts:
        read = page(y)
    assert not counts and y.cached_data is None
    assert [(node["value"] == [], node["notes"]) for node in read.data["nodes"]] == [
        (False, []),
        (True, ["lazy"]),
        (True, ["lazy"]),
    ]


def test_a_freed_graph_and_one_that_is_cut_say_so(page: Any):
    y = loss_of(nn.Linear(3, 2))
    assert "p note" not in page(y).words
    assert "more nodes" in page(y, max_nodes=3).words["p note"] and len(page(y, max_nodes=3).nodes) == 3
    y.backward(create_graph=False)
    assert "was freed by backward(create_graph=False)" in page(y).words["p note"]


def test_no_name_breaks_out_of_the_page(page: Any):
    name = '</script><b onclick="x">{svg}&amp; {data}'
    x = tensor([1.0])
    read = page(x * 2, {name: x})
    assert name in read.of_class("node")[0]["aria-label"]
    assert read.nodes[1]["name"] == name and not any(tag == "b" for tag, _ in read.elements) and not read.open


def test_tuples_and_a_students_operator_are_shown(page: Any):
    class Both(ndl.TensorTupleOp):
        def compute(self, a: Any) -> Any:
            return a * 2, a * 3

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return out_grad[0] * 2 + out_grad[1] * 3

    read = page(Both()(tensor([1.0]))[1])
    assert [facts["first"] for facts in read.nodes[2]["value"]] == [["2"], ["3"]] and read.nodes[2]["op"] == "Both"


CLICKS = """<script>
const press = key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const seen = [], count = kind => document.querySelectorAll(".node." + kind).length;
const note = () => seen.push({step: byId("step").value, later: count("later"), back: count("back"),
  details: details.textContent, box: svg.getAttribute("viewBox")});
window.addEventListener("error", event => seen.push(String(event.message)));
note();
slider.value = 1; slider.dispatchEvent(new Event("input")); note();
press("ArrowRight"); note();
press("End"); note();
byId("n3").querySelector("rect").dispatchEvent(new MouseEvent("click", {bubbles: true})); note();
press("ArrowUp"); note();
press("+"); note();
document.body.append(Object.assign(document.createElement("pre"), {id: "seen", textContent: JSON.stringify(seen)}));
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no browser here")
def test_in_a_browser_the_slider_the_keys_and_a_click_change_what_is_shown(tmp_path: Path):
    x = tensor([1.0, -2.0, 4.0])
    y = (x * x).sum()
    y.backward()
    file = view(y, tmp_path / "graph.html", {"x": x})
    file.write_text(file.read_text("utf-8").replace("</body>", CLICKS + "</body>"), "utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run([*command, file.as_uri()], capture_output=True, text=True, timeout=60)
    assert "CONSOLE" not in done.stderr
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.S)
    assert found
    opened, first, second, end, clicked, up, closer = json.loads(html.unescape(found[1]))
    assert (opened["later"], opened["back"]) == (0, 0) and opened["step"].startswith("built: 3 nodes")
    assert first["later"] == 2 and first["step"] == "forward 1 of 3: #1 x (3,) float32"
    assert second["later"] == 1 and "#2 EWiseMul" in second["step"]
    assert (end["later"], end["back"]) == (0, 3) and end["step"] == "backward 3 of 3: #1 x has its gradient"
    assert "Summation" in clicked["details"] and "max21" in clicked["details"]
    assert "EWiseMul" in up["details"] and "max16" in up["details"]
    assert float(closer["box"].split()[2]) < float(up["box"].split()[2])
