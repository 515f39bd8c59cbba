"""Looking for what goes wrong most: `check` runs a model on one batch and says what is suspicious."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import nn, optim
from ..autograd import Tensor
from ..listening import Listener, listening
from ..places import users_line
from .mixing import mixed_examples
from .rules import RULES, Finding
from .witness import Loss, Pass, Witness, restored

#: How many steps, at which rates, the loss gets to fall on one batch; and by which part of itself it must.
STEPS, RATES, FALL = 30, (1e-2, 1e-3), 0.01


class Report(list[Finding]):
    """The findings of a `check`; printed as sentences. Empty if nothing was found."""

    def __str__(self) -> str:
        return "\n".join(f"{number}. {finding}" for number, finding in enumerate(self, 1)) or "nothing found"

    __repr__ = __str__


def check(model: nn.Module, batch: Sequence[Tensor], loss: Loss | None = None) -> Report:
    """Run a model forward and backward on one batch, then try to overfit it, and look for common mistakes.

    Looked for: parameters that get no gradient, dead relus, saturated units, exploding and vanishing gradients, data
    that is not normalized, labels that are no classes, softmax applied twice, NaN, two operands that are both broadcast
    (a column and a row, say), examples that are mixed (an axis swapped), and a loss that does not fall in 30 steps on
    this one batch. The model is in training mode meanwhile, but for one look at it in evaluation mode. Afterwards its
    parameters, gradients, buffers (running statistics) and modes and NumPy's random state are what they were.

    Parameters
    ----------
    model : Module
        What is checked.
    batch : pair of Tensor
        Images (or whatever `model` takes) and labels (whatever `loss` takes). With 10 examples or more the shares of
        dead units mean something.
    loss : callable, optional
        Gives the scalar loss of ``(model(images), labels)``; ``nn.SoftmaxLoss()`` by default.

    Returns
    -------
    Report
        A list of `Finding`.

    Raises
    ------
    TypeError
        If the batch is no pair of Tensors or the loss is no Tensor of one element.
    ValueError, IndexError
        What the model raises, or the loss for another reason than wrong labels.

    Examples
    --------
    >>> print(ndl.debug.check(model, (images, labels)))
    1. labels: they go from 1 to 10, but the 10 classes are 0 to 9: subtract 1.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"check: the model must be a Module, not a {type(model).__name__}")
    if isinstance(batch, Tensor):
        raise TypeError("check: the batch must be a pair of Tensors, (images, labels); got one Tensor")
    if len(batch) != 2 or not all(isinstance(x, Tensor) for x in batch):
        given = ", ".join(type(x).__name__ for x in batch)
        raise TypeError(f"check: the batch must be a pair of Tensors, (images, labels); got ({given})")
    images, labels = batch
    if not images.size:
        raise ValueError(f"check: the batch is empty: images of shape {images.shape}")
    classifies = loss is None or isinstance(loss, nn.SoftmaxLoss)
    function: Loss = nn.SoftmaxLoss() if loss is None else loss
    with restored(model):
        model.train()
        witness = Witness(model, users_line())
        found = Pass(model, images, labels, witness, classifies)
        with listening(witness):
            found.run(function)
        report = Report(finding for rule in RULES for finding in rule(found))
        if found.error is not None and not any(finding.where == "labels" for finding in report):
            raise found.error
        if found.loss is not None and not any(finding.rule == "nan" for finding in report):
            with listening(Listener()):  # so that compiled functions are not recorded for this
                report += mixed_examples(found)
                report += _does_not_fall(found, function)
    return report


def _does_not_fall(found: Pass, loss: Loss) -> Iterator[Finding]:
    """Whether the loss of this one batch does not fall, with a large and with a small rate."""
    first = float(found.loss.numpy())
    if not found.loss.requires_grad:
        yield Finding("loss does not fall", "loss", "it depends on no parameter that requires a gradient.")
        return
    classes = found.logits.shape[-1] if found.classifies else 0
    if classes and first < 0.1 * np.log(max(classes, 2)):
        return
    start = [(parameter, parameter.detach()) for parameter in found.model.parameters()]
    lowest = first
    for rate in RATES:
        for parameter, data in start:
            parameter.data = data
        lowest = min(lowest, _overfitted(found, loss, rate))
        if first - lowest > FALL * abs(first):
            return
    yield Finding(
        "loss does not fall",
        "loss",
        f"it was {first:.4g} and is still {lowest:.4g} after {STEPS} steps of Adam on this one batch, which any model "
        "that learns can overfit: is a gradient wrong, or something between model and loss detached?",
    )


def _overfitted(found: Pass, loss: Loss, rate: float) -> float:
    """The mean of the last losses of a short training on the batch; infinite if it comes to NaN."""
    parameters = [parameter for parameter in found.model.parameters() if parameter.requires_grad]
    optimizer = optim.Adam(parameters, lr=rate)
    losses: list[float] = []
    for _ in range(STEPS):
        optimizer.reset_grad()
        value: Any = loss(found.model(found.images), found.labels)
        losses.append(float(value.numpy()))
        if not np.isfinite(losses[-1]):
            return float("inf")
        value.backward(create_graph=False)
        optimizer.step()
    return float(np.mean(losses[-5:]))
