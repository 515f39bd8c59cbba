"""A small training script with one of twelve bugs in it: a tool names the line, or the cause in plain words."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.debug.anomaly import AnomalyError
from tests.autograd.graphs import tensor

FEATURES, CLASSES, EXAMPLES = 16, 4, 16


class Net(nn.Module):
    """Two layers; `bug` says what is wrong with it."""

    def __init__(self, bug: str) -> None:
        super().__init__()
        self.bug = bug
        self.first, self.second, self.extra = nn.Linear(FEATURES, 32), nn.Linear(32, CLASSES), nn.Linear(32, 32)
        if bug == "dead relus":
            self.first.bias.data = tensor(np.full((1, 32), -100.0))

    def forward(self, x: Any) -> Any:
        if self.bug == "swapped axes":
            x = ndl.transpose(x)
        h = ndl.relu(self.first(x))
        if self.bug == "detached":
            h = h.detach()
        if self.bug != "unreached parameter":
            h = h + self.extra(h)
        logits = self.second(h)
        if self.bug == "double softmax":
            logits = ndl.softmax(logits)
        if self.bug == "log of zero":
            logits = ndl.log(ndl.relu(logits))
        return logits


def data(bug: str, seed: int) -> tuple[Any, Any]:
    """Clusters around the corners of a cube, one for each class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, EXAMPLES)
    images = random.normal(size=(EXAMPLES, FEATURES)) * 0.3 + np.eye(CLASSES, FEATURES)[labels] * 2
    if bug == "no normalization":
        images = np.round((images + 3) * 40)
    if bug == "labels off by one":
        labels = np.concatenate([labels[:-2] + 1, [1, CLASSES]])
    return tensor(images, requires_grad=False), tensor(labels, requires_grad=False)


def loss_of(bug: str) -> Any:
    """Cross-entropy, or the square error of the largest logit against the label."""

    def squared(logits: Any, labels: Any) -> Any:
        difference = ndl.summation(logits, 1, keepdims=True) - labels
        return (difference**2).sum() / EXAMPLES

    return squared if bug == "broadcast" else nn.SoftmaxLoss()


def train(bug: str, seed: int = 0, steps: int = 8) -> list[Any]:
    """The whole script: model, data, loop."""
    np.random.seed(seed)
    model = Net(bug)
    images, labels = data(bug, seed)
    loss_function = loss_of(bug)
    rate = 1e12 if bug == "exploding rate" else 0.05
    optimizer = ndl.optim.SGD(model.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = loss_function(model(images), labels)
        if bug == "change in place":
            model.second.weight.data = model.second.weight.data * 0.9
        optimizer.reset_grad()
        loss.backward(create_graph=bug == "graph kept")
        optimizer.step()
        losses.append(loss if bug == "graph kept" else loss.item())
    return losses


def line(text: str, function: Any) -> str:
    lines, first = inspect.getsourcelines(function)
    return f"test_planted_bugs.py:{first + next(i for i, found in enumerate(lines) if text in found)}"


def checked(bug: str, seed: int = 0) -> str:
    np.random.seed(seed)
    return str(ndl.debug.check(Net(bug), data(bug, seed), loss_of(bug)))


def detected(bug: str) -> str:
    with pytest.raises((AnomalyError, RuntimeError, ValueError)) as caught, ndl.debug.detect_anomaly():
        train(bug)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


CHECKED = {
    "broadcast": [line("difference = ", loss_of), "(16, 1) and (16,) are both broadcast, to (16, 16)"],
    "detached": [line("self.extra(h)", Net.forward), "first.weight", "is detached before it is used"],
    "dead relus": [line("ndl.relu(self.first(x))", Net.forward), "100% of these relus are 0"],
    "unreached parameter": ["extra.weight", "its module, a Linear, is never called"],
    "labels off by one": ["labels: they go from 1 to 4, but the 4 classes are 0 to 3: subtract 1"],
    "no normalization": ["images: their mean is", "normalize them"],
    "swapped axes": [line("self.first(x)", Net.forward), "runs on 16 examples, but not on 8", "is an axis swapped"],
    "double softmax": [line("ndl.softmax(logits)", Net.forward), "applies softmax itself: leave Softmax out"],
    "log of zero": ["gives the first NaN"],
}

DETECTED = {
    "change in place": [line("weight.data * 0.9", train), "was replaced", "MatMul"],
    "log of zero": [line("ndl.log(", Net.forward), "logarithm of 0"],
    "exploding rate": [line("optimizer.step()", train), "has grown to", "learning rate"],
}


@pytest.mark.parametrize("bug", [bug for bug in CHECKED if bug not in DETECTED])
def test_check_names_it(bug: str):
    said = checked(bug)
    for words in CHECKED[bug]:
        assert words in said, said


@pytest.mark.parametrize("bug", DETECTED)
def test_detection_or_an_error_names_it(bug: str):
    said = detected(bug)
    for words in DETECTED[bug]:
        assert words in said, said


def test_the_graph_that_is_kept_is_named_with_the_list_that_keeps_it():
    with pytest.warns(RuntimeWarning) as caught, ndl.debug.watch_growth():
        train("graph kept", steps=12)
    said = "\n".join(str(warning.message) for warning in caught)
    for words in ("list `losses` in train", "10 tensors", line("loss_function(model", train)):
        assert words in said, said


def test_all_twelve_are_there():
    assert len({*CHECKED, *DETECTED, "graph kept"}) == 12


def test_a_clean_script_draws_no_complaint_over_20_seeds(recwarn: pytest.WarningsRecorder):
    for seed in range(20):
        assert checked("", seed) == "nothing found", seed
        with ndl.debug.detect_anomaly(inf=True), ndl.debug.watch_growth():
            losses = train("", seed, steps=8)
        assert losses[-1] < losses[0]
    assert not list(recwarn)
