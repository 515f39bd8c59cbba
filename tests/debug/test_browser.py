"""The page of `view` in a browser: it asks for nothing, follows the slider, the keys and clicks, and shows the truth.

The browser is Chromium without a window, over the two pipes of its DevTools protocol: one JSON message after another,
each ended by a zero byte.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.debug.page import view
from tests.autograd.graphs import tensor

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
)
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"no browser: none of {', '.join(NAMES)} is installed")


class Browser:
    """A running Chromium, and one page in it."""

    def __init__(self, folder: Path) -> None:
        (its_input, self.output), (self.input, its_output) = os.pipe(), os.pipe()
        its_input, its_output = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (its_input, its_output))
        actions = [(os.POSIX_SPAWN_DUP2, its_input, 3), (os.POSIX_SPAWN_DUP2, its_output, 4)]
        actions += [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        command = [
            CHROMIUM or "",
            *OPTIONS,
            "--remote-debugging-pipe",
            "--window-size=1280,800",
            f"--user-data-dir={folder}",
        ]
        self.process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        self.received, self.count, self.session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        self.session = ""
        with contextlib.suppress(OSError):
            self.ask("Browser.close")
        os.waitpid(self.process, 0)
        os.close(self.input)
        os.close(self.output)

    def ask(self, method: str, **params: Any) -> Any:
        """What Chromium answers; what it tells meanwhile goes to `events`."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.input], [], [], deadline - time.monotonic())
            some = os.read(self.input, 1 << 20) if ready else b""
            if not some:
                raise OSError("the browser is silent")
            self.received += some
        message, self.received = self.received.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, file: Path, fragment: str = "") -> None:
        self.events.clear()
        self.ask("Page.navigate", url=file.as_uri() + fragment)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.next())

    def run(self, expression: str) -> Any:
        """The value of an expression of the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, selector: str, across: float = 0.5) -> None:
        """Press the mouse where the first such element is to be seen."""
        where = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y, w, h = self.run(f"(r => [r.x, r.y, r.width, r.height])({where})")
        for kind in ("mousePressed", "mouseReleased"):
            at = {"x": x + w * across, "y": y + h / 2}
            self.ask("Input.dispatchMouseEvent", type=kind, **at, button="left", clickCount=1)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, text=key if len(key) == 1 and kind == "keyDown" else ""
            )

    def count_of(self, selector: str) -> int:
        return int(self.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def text(self, selector: str) -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)}).textContent"))

    def picture(self, path: Path) -> bytes:
        data = base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        path.write_bytes(data)
        return data

    def complaints(self) -> list[Any]:
        """Requests that leave the page, errors, and what was written to the console."""
        told = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [u for u in asked if not u.startswith(("file:", "data:"))] + [
            e for e in self.events if e["method"] in told
        ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    running = Browser(tmp_path_factory.mktemp("chromium"))
    yield running
    running.close()


def recording() -> tuple[ndl.debug.Trace, nn.Module]:
    """One step of training."""
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    x = tensor(np.random.randn(16, 4), requires_grad=False)
    labels = tensor(np.arange(16) % 3, requires_grad=False)
    optimizer = ndl.optim.SGD(model.parameters(), lr=0.1)
    with ndl.debug.record() as trace:
        nn.SoftmaxLoss()(model(x), labels).backward(create_graph=False)
        optimizer.step()
    return trace, model


def facts(text: str) -> list[float]:
    """Minimum, maximum, mean, elements and bytes as the page tells them."""
    words = ("min", "max", "mean", "elements", "memory")
    return [float(text.split(f"{word}\n", 1)[1].split("\n", 1)[0].split()[0].replace(",", "")) for word in words]


def told_of(browser: Browser, kind: str) -> list[float]:
    rows = f"[...document.querySelectorAll('#details .{kind} dl > *')].map(e => e.textContent).join('\\n')"
    return facts(f"{browser.run(rows)}\n")


def about(array: np.ndarray) -> Any:
    return pytest.approx([array.min(), array.max(), array.mean(), array.size, array.nbytes], rel=1e-4, abs=1e-6)


def test_a_recording_is_replayed_by_the_slider_and_the_keys(browser: Browser, tmp_path: Path):
    trace, _ = recording()
    browser.open(view(trace, tmp_path / "trace.html"))
    last = int(browser.run("slider.max"))
    assert browser.text("#event") == "stepped SGD" and browser.count_of(".node") == len(trace.all_nodes)
    assert browser.count_of(".node.later") == 0 and browser.count_of(".node.back") > 0
    end = browser.picture(tmp_path / "end.png")

    browser.click("#time", across=0.5)
    assert 0.4 * last < browser.run("+slider.value") < 0.6 * last
    assert 0 < browser.count_of(".node.later") < len(trace.all_nodes)
    assert browser.picture(tmp_path / "middle.png") != end

    browser.press("Home")
    assert (
        browser.count_of(".node.later") == len(trace.all_nodes) and browser.text("#event") == "nothing has happened yet"
    )
    while browser.run("data.steps[slider.value - 1]?.kind") != "computed":
        browser.press("ArrowRight")
    computed = next(event for event in trace.events if event.kind == "computed")
    appeared = {event.node for event in trace.events[: computed.index + 1] if event.node is not None}
    shown = browser.run("[...document.querySelectorAll('.node:not(.later)')].map(e => +e.id.slice(1))")
    assert set(shown) == appeared and browser.run("document.querySelector('.now').id") == f"n{computed.node}"
    assert f"MatMul(#{computed.inputs[0]}, #{computed.inputs[1]})" in browser.text("#event")
    assert "nn.SoftmaxLoss()(model(x), labels).backward" in browser.text("#where")

    began = next(event.index for event in trace.events if event.kind == "backward_began")
    while browser.run("data.steps[slider.value - 1]?.kind") != "share":
        browser.press("ArrowRight")
    share = next(event for event in trace.events[began:] if event.kind == "share" and event.share is not None)
    loss = trace.events[began].node
    assert set(browser.run("[...document.querySelectorAll('.node.back')].map(e => +e.id.slice(1))")) == {
        loss,
        share.node,
    }
    assert browser.text("#phase") == "backward" and browser.count_of(".line.back") > 0
    assert browser.complaints() == []


def test_a_click_shows_values_adjoint_memory_and_source_of_that_moment(browser: Browser, tmp_path: Path):
    trace, _ = recording()
    browser.open(view(trace, tmp_path / "trace.html"))
    weight = trace.node("modules.2.weight")
    browser.click(f"#n{weight.number}")
    before, after = trace.value(weight.number, at=10), trace.value(weight.number)
    adjoint = trace.adjoint(weight.number).total
    assert not np.array_equal(before, after)
    assert told_of(browser, "value") == about(after)
    assert told_of(browser, "grad") == about(adjoint)
    assert browser.count_of("#details .value .histogram rect") == 24
    browser.run("showTime(12)")
    assert told_of(browser, "value") == about(before)
    assert "None has arrived" in browser.text("#details .grad")

    made = trace.nodes(op="MatMul")[-1]
    browser.press("End")
    browser.run(f"uncover({made.number}), follow('n{made.number}')")
    browser.click(f"#n{made.number}")
    assert browser.text("#details .here").endswith("nn.SoftmaxLoss()(model(x), labels).backward(create_graph=False)")
    assert f"Made at {made.place.user}" in browser.text("#details") and "matmul.py" in browser.text("#details ol")
    assert "operation of a backward walk" in browser.text("#details .kind")
    assert browser.complaints() == []


def test_modules_fold_and_unfold_and_keep_their_lines(browser: Browser, tmp_path: Path):
    trace, model = recording()
    browser.open(view(trace, tmp_path / "trace.html"))
    group = browser.run("[...groups.values()].find(g => g.path === 'modules.2' && !g.backward).number")
    inside = {node.number for node in trace.all_nodes if node.module == "modules.2" and node.op}
    inside |= {trace.node(parameter).number for parameter in model.modules[2].parameters()}
    crossing = {
        (x, node.number) for node in trace.all_nodes for x in node.inputs if (x in inside) != (node.number in inside)
    }
    folded = f"document.getElementById('g{group}').ariaExpanded === 'false'"
    assert all(browser.count_of(f"#n{n}") for n in inside) and not browser.run(folded)
    browser.run("showAll()")
    browser.click(f"#g{group} .sign")
    assert not any(browser.count_of(f"#n{n}") for n in inside) and browser.run(folded)
    pairs = browser.run(f"edgesOf().filter(e => [e.source, e.target].includes('g{group}')).flatMap(e => e.pairs)")
    assert {tuple(pair) for pair in pairs} == crossing and len(crossing) > 2
    assert browser.text("#details h2") == "Linear" and "modules.2" in browser.text("#details dl")
    browser.click(f"#g{group}")
    assert all(browser.count_of(f"#n{n}") for n in inside) and not browser.run(folded)
    browser.press("[")
    assert browser.count_of(".node") + browser.count_of(".group") < 8
    browser.run("document.getElementById('find').focus()")
    for key in "Greater":
        browser.press(key)
    browser.ask("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    assert browser.text("#details h2") == "Greater" and browser.count_of(".node.selected") == 1
    assert browser.complaints() == []


def test_2000_nodes_open_folded_and_answer_quickly(browser: Browser, tmp_path: Path):
    draw = np.random.RandomState(0)
    values = [tensor([0.0, 0.0])]
    while len(values) < 1999:
        i, j = draw.randint(max(0, len(values) - 9), len(values), 2)
        values.append(values[-1] + values[i] if draw.rand() < 0.5 else ndl.relu(values[-1]) - values[j])
    browser.open(view(values[-1], tmp_path / "big.html"))
    assert browser.run("nodes.size") == 2000 and 10 < browser.count_of(".node") + browser.count_of(".group") < 150
    seconds = browser.run(
        "(t => { unfoldMore(); showTime(1000); return (performance.now() - t) / 1000; })(performance.now())"
    )
    assert browser.count_of(".node") == 2000 and seconds < 20
    assert browser.complaints() == []


def test_in_print_all_of_the_drawing_is_on_sheets_with_the_table_behind(browser: Browser, tmp_path: Path):
    trace, _ = recording()
    browser.open(view(trace, tmp_path / "trace.html"))
    pdf = base64.b64decode(browser.ask("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") >= 3
    assert browser.count_of("#sheets figure") == 0
    browser.ask("Emulation.setEmulatedMedia", media="print")
    browser.run("byId('sheets').replaceChildren(...sheets())")
    views = browser.run(
        "[...document.querySelectorAll('#sheets svg')].map(s => s.getAttribute('viewBox').split(' ').map(Number))"
    )
    width, height = browser.run("[scene.width, scene.height]")
    assert (
        len(views) > 1 and max(y + h for _, y, _, h in views) >= height and max(x + w for x, _, w, _ in views) >= width
    )
    seen = "(s => getComputedStyle(document.querySelector(s)).display !== 'none')"
    assert [browser.run(f"{seen}('{part}')") for part in ("#sheets", "#listing", "main", "footer")] == [
        True,
        True,
        False,
        False,
    ]
    assert browser.count_of("#listing tbody tr") == len(trace.all_nodes)
    browser.ask("Emulation.setEmulatedMedia", media="")
    assert browser.complaints() == []


def nested(draw: np.random.RandomState, cyclic: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A tree of groups and edges between its boxes; if `cyclic`, a group is needed by what it needs."""
    root: dict[str, Any] = {"key": "root", "members": [], "width": 0}
    edges: list[dict[str, Any]] = []
    for g in range(5):
        inner: dict[str, Any] = {"key": f"h{g}", "members": [], "width": 40}
        group: dict[str, Any] = {"key": f"g{g}", "members": [inner], "width": 60}
        root["members"].append(group)
        for n in range(12 * g, 12 * g + 12):
            outside = n % 12 == 11 or (cyclic and n % 12 == 3)
            level = root if outside else inner if 5 <= n % 12 <= 7 else group
            level["members"].append({"key": f"n{n}", "width": 50 + 10 * (n % 4), "height": 40})
            sources = draw.randint(max(0, n - 15), n, draw.randint(0, 4)) if n else []
            edges += [{"source": f"n{x}", "target": f"n{n}", "slot": s, "slots": 3} for s, x in enumerate(sources)]
    return root, edges


@pytest.mark.parametrize("cyclic", [False, True])
def test_boxes_stand_below_their_inputs_in_their_groups_and_nothing_runs_through_them(
    browser: Browser, tmp_path: Path, cyclic: bool
):
    browser.open(view(tensor([1.0]), tmp_path / "small.html"))
    for seed in range(4):
        root, edges = nested(np.random.RandomState(seed), cyclic)
        told = "(r => ({boxes: Object.fromEntries(r.boxes), lines: r.lines.map(l => l.points)}))"
        found = browser.run(f"{told}(arrange({json.dumps(root)}, {json.dumps(edges)}))")
        boxes, single = found["boxes"], [box for key, box in found["boxes"].items() if key[0] == "n"]
        assert len(single) == 60
        stand_apart(root, boxes)
        for line in found["lines"] if not cyclic else []:
            for (x, top), (other, bottom) in pairwise(line):
                assert x != other or not any(runs_through(x, top, bottom, box) for box in single)
        for edge in edges if not cyclic else []:
            source, target = boxes[edge["source"]], boxes[edge["target"]]
            assert source["y"] + source["height"] < target["y"]


def runs_through(x: float, top: float, bottom: float, box: dict[str, float]) -> bool:
    within = abs(x - box["x"]) < box["width"] / 2 - 1
    return within and top < box["y"] + box["height"] / 2 - 1 and bottom > box["y"] - box["height"] / 2 + 1


def stand_apart(group: dict[str, Any], boxes: dict[str, Any]) -> None:
    members = [boxes[member["key"]] for member in group["members"]]
    for i, a in enumerate(members):
        for b in members[:i]:
            beside = abs(a["x"] - b["x"]) >= (a["width"] + b["width"]) / 2
            assert beside or abs(a["y"] - b["y"]) >= (a["height"] + b["height"]) / 2
        if group["key"] != "root":
            around = boxes[group["key"]]
            assert abs(a["x"] - around["x"]) <= (around["width"] - a["width"]) / 2
            assert abs(a["y"] - around["y"]) <= (around["height"] - a["height"]) / 2
    for member in group["members"]:
        if "members" in member:
            stand_apart(member, boxes)
