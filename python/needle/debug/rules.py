"""The rules of `check`: each looks at one pass of a model for one kind of mistake, and says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..display import of_op
from .causes import is_bad
from .witness import Made, Pass

#: A layer of relus, of which more are 0 on the whole batch, is called dead; one of saturated outputs, saturated.
SHARE = 0.9
#: A gradient this many times larger than its parameter explodes; one that is this many times smaller, in
#: comparison with the layer where it is largest, vanishes.
EXPLODING, VANISHING = 1e2, 1e5
#: Data beyond these is not normalized.
LARGE_MEAN, LARGE_VALUE = 10.0, 20.0


class Finding(NamedTuple):
    """Something that is probably wrong.

    Attributes
    ----------
    rule : str
        A short name of the kind of mistake.
    where : str
        The parameter's path, the module or the line.
    message : str
        What is wrong, in a sentence.
    """

    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def not_a_number(found: Pass) -> Iterator[Finding]:
    """The first NaN, in the data, in a parameter, in the forward pass, or else in a gradient."""
    for name, tensor in (("images", found.images), *found.model.named_parameters()):
        if is_bad(tensor.numpy()):
            yield Finding("nan", name, "holds NaN before anything is computed.")
            return
    for made in found.forward:
        if any(is_bad(array) for array in made.values):
            advice = "detect_anomaly says how it arose"
            yield Finding("nan", made.where, f"{of_op(made.op)} gives the first NaN of the forward pass; {advice}.")
            return
    for name, grad in found.grads.items():
        if grad is not None and is_bad(grad):
            yield Finding("nan", name, "its gradient holds NaN, the forward pass none; detect_anomaly says why.")
            return


def data_range(found: Pass) -> Iterator[Finding]:
    """Images that are not normalized."""
    values = found.images.numpy()
    if values.dtype.kind != "f" or not values.size or not np.isfinite(values).all():
        return
    mean, largest = float(values.mean(dtype=np.float64)), float(np.abs(values).max())
    if abs(mean) > LARGE_MEAN or largest > LARGE_VALUE:
        yield Finding(
            "data range",
            "images",
            f"their mean is {mean:.4g} and their largest value {largest:.4g}: normalize them, to mean 0 and variance 1 "
            "or to [0, 1] (pixels: divide by 255).",
        )


def labels(found: Pass) -> Iterator[Finding]:
    """Labels that are no classes, such as 1..n for n classes."""
    if not found.classifies or len(found.logits.shape) != 2:
        return
    values, classes = found.labels.numpy(), found.logits.shape[1]
    wrong = np.flatnonzero((values < 0) | (values >= classes) | (values != np.floor(values)))
    if not wrong.size:
        return
    first = int(wrong[0])
    label = values.reshape(-1)[first]
    if (values == np.floor(values)).all() and values.min() >= 1 and values.max() == classes:
        yield Finding(
            "labels off by one",
            "labels",
            f"they go from {values.min():.0f} to {classes}, but the {classes} classes are 0 to {classes - 1}: "
            "subtract 1.",
        )
    else:
        yield Finding(
            "labels out of range",
            "labels",
            f"label {label:g} at position {first} is none of the {classes} classes 0 to {classes - 1} of the model's "
            f"outputs; {wrong.size} of {values.size} labels are wrong.",
        )


def without_gradient(found: Pass) -> Iterator[Finding]:
    """Parameters that do not require a gradient, that the loss does not reach, or that get none."""
    for path, parameter in found.model.named_parameters():
        if not parameter.requires_grad:
            yield Finding("requires no gradient", path, "it does not require a gradient, so it will not be trained.")
        elif found.loss is not None and parameter not in found.reached:
            yield Finding("not reached", path, f"the loss does not depend on it: {_why_not_reached(found, parameter)}.")
        elif found.loss is not None and found.grads.get(path) is None:
            yield Finding("no gradient", path, "it gets no gradient: an op between it and the loss gives None.")
        elif _is_matrix(parameter.shape) and not np.any(found.grads.get(path, 1)):
            yield Finding("zero gradient", path, "its gradient is 0 in every element.")


def _why_not_reached(found: Pass, parameter: object) -> str:
    """Follow what was made from a parameter up to where it ends, and say what is there."""
    last, depends, copies = None, {id(parameter)}, {}
    for made in found.forward:
        if made.node.requires_grad and any(id(x) in depends for x in made.inputs):
            depends.add(id(made.node))
            last = made
            if made.node.cached_data is not None:
                copies[id(made.node.cached_data)] = made
    end = id(parameter if last is None else last.node)
    for made in found.forward:
        for x in made.inputs:
            source = copies.get(id(x.cached_data)) if x.op is None and id(x) not in depends else None
            if source is last is not None:
                return f"what is made of it at {last.where} is detached before it is used at {made.where}"
        if any(id(x) == end for x in made.inputs) and not made.node.requires_grad:
            return f"at {made.where}, {of_op(made.op)} is computed without a graph (detached, or within no_grad)"
    if last is not None:
        end_of_it = f"what is made of it ends at {last.where}, in {of_op(last.op)}"
        return f"{end_of_it}, and is not used, or only its numbers are"
    owner = next((m for _, m in found.model.named_modules() if any(v is parameter for v in vars(m).values())), None)
    if owner is not None and id(owner) not in found.witness.called:
        return f"its module, a {type(owner).__name__}, is never called"
    return "nothing is computed from it"


def _is_matrix(shape: tuple[int, ...]) -> bool:
    """Whether this is a weight: of a bias before a normalization, say, the gradient may rightly be 0."""
    return len(shape) > 1 and min(shape) > 1


def dead_relus(found: Pass) -> Iterator[Finding]:
    """Layers of relus whose units are 0 for every example."""
    for made in found.forward:
        if type(made.op).__name__ == "ReLU" and len(made.node.shape) > 1 and made.node.shape[0] > 1:
            dead = float((made.values[0] == 0).all(axis=0).mean())
            if dead > SHARE:
                message = f"{dead:.0%} of these relus are 0 for the whole batch, and so learn nothing."
                yield Finding("dead relus", made.where, message)


def saturated(found: Pass) -> Iterator[Finding]:
    """Layers of tanh or sigmoid units at their limits, where they are flat."""
    for made in found.forward:
        name = type(made.op).__name__
        if name in ("Tanh", "Sigmoid"):
            limit = made.values[0] if name == "Tanh" else 2 * made.values[0] - 1
            share = float((np.abs(limit) > 0.99).mean())
            if share > SHARE:
                message = f"{share:.0%} of these {name.lower()} outputs are within 1 % of their limits: no gradient."
                yield Finding("saturated", made.where, message)


def gradient_size(found: Pass) -> Iterator[Finding]:
    """Weights whose gradient is far too large, or far smaller than that of other layers."""
    ratios: dict[str, float] = {}
    for path, parameter in found.model.named_parameters():
        grad, size = found.grads.get(path), float(np.linalg.norm(parameter.numpy().astype(np.float64)))
        if grad is not None and _is_matrix(grad.shape) and size > 0 and np.isfinite(grad).all():
            ratios[path] = float(np.linalg.norm(grad)) / size
    largest = max(ratios.values(), default=0.0)
    for path, ratio in ratios.items():
        if ratio > EXPLODING:
            message = f"its gradient is {ratio:.3g} times as large as the parameter itself: it explodes."
            yield Finding("exploding gradient", path, message)
        elif 0 < ratio * VANISHING < largest <= EXPLODING:
            message = (
                f"its gradient, relative to the parameter, is {largest / ratio:.3g} times smaller than the largest"
            )
            yield Finding("vanishing gradient", path, f"{message} of all layers: it vanishes on the way back.")


def softmax_twice(found: Pass) -> Iterator[Finding]:
    """Probabilities where `SoftmaxLoss` expects logits."""
    maker = found.maker
    for made in found.forward:
        if type(made.op).__name__ != "SoftmaxLoss":
            continue
        source = maker.get(id(made.inputs[0]))
        while source is not None and type(source.op).__name__ in ("Reshape", "Cast", "Alias"):
            source = maker.get(id(source.inputs[0]))
        name = "" if source is None else type(source.op).__name__
        if source is not None and name in ("Softmax", "LogSoftmax"):
            message = f"the output of {name} goes into SoftmaxLoss, which applies softmax itself: leave {name} out."
            yield Finding("softmax twice", source.where, message)
            return
        rows = made.inputs[0].numpy()
        if len(rows) > 1 and rows.shape[1] > 1 and (rows >= 0).all() and np.allclose(rows.sum(1), 1, atol=1e-4):
            message = "SoftmaxLoss gets probabilities (rows that sum to 1), but it applies softmax itself: give logits."
            yield Finding("softmax twice", made.where if source is None else source.where, message)
            return


def both_broadcast(found: Pass) -> Iterator[Finding]:
    """An operation of which both operands are broadcast: a column and a row become a matrix."""
    maker = found.maker
    for made in found.forward:
        if len(made.inputs) != 2:
            continue
        sources = [_before_broadcast(maker, x) for x in made.inputs]
        grew = [source for source, x in zip(sources, made.inputs) if 1 < source.size < x.size]
        if len(grew) == 2:
            shapes = " and ".join(str(source.shape) for source in sources)
            message = f"{shapes} are both broadcast, to {made.node.shape}: reshape one of them, if that is not meant."
            yield Finding("broadcast", made.where, message)
            return


def _before_broadcast(maker: dict[int, Made], x: Any) -> Any:
    """What `x` was before it was broadcast; `x` itself if it was not."""
    made = maker.get(id(x))
    while made is not None and type(made.op).__name__ == "BroadcastTo":
        x = made.inputs[0]
        made = maker.get(id(x))
        if made is not None and type(made.op).__name__ == "Reshape" and made.inputs[0].size == x.size:
            x = made.inputs[0]
            made = maker.get(id(x))
    return x


#: In the order in which they are reported.
RULES: tuple[Callable[[Pass], Iterator[Finding]], ...] = (
    not_a_number,
    data_range,
    labels,
    without_gradient,
    softmax_twice,
    both_broadcast,
    dead_relus,
    saturated,
    gradient_size,
)
