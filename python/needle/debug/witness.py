"""One forward and backward pass of a model, with all that happened in it: what `check` looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import nn
from ..autograd import Op, Tensor, Value
from ..backend_selection import as_array
from ..listening import Listener
from ..modes import enable_grad
from ..optim.optimizer import store
from ..places import Line, users_line
from .causes import Array, arrays_of

Loss = Callable[[Any, Any], Any]


@dataclass
class Made:
    """A node of the pass, with what made it. `where` says it to a person."""

    node: Any
    op: Op
    inputs: tuple[Any, ...]
    line: Line
    module: str
    caller: Line

    @property
    def where(self) -> str:
        """The module and, unless it is that of the check, the line."""
        own = self.line if self.line[::2] != self.caller[::2] else None
        parts = [self.module, f"{own}: {own.text}" if own is not None and own.text else str(own or "")]
        return ", ".join(filter(None, parts)) or str(self.line)

    @property
    def values(self) -> list[Array]:
        """What was computed; a lazy node is computed now."""
        self.node.realize_cached_data()
        return arrays_of(self.node.cached_data)


class Witness(Listener):
    """Keeps what is made, in order, with line and module. It holds the graph: only for one pass."""

    def __init__(self, model: nn.Module, caller: Line) -> None:
        self.caller = caller
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.inside: list[str] = []
        self.called: set[int] = set()
        self.made_nodes: list[Made] = []

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Keep the node."""
        module = self.inside[-1] if self.inside else ""
        self.made_nodes.append(Made(node, op, inputs, users_line(), module, self.caller))

    def entered(self, module: Any) -> None:
        """Note that what follows is done in `module`."""
        self.called.add(id(module))
        path = self.paths.get(id(module), "")
        self.inside.append(f"{path} ({type(module).__name__})" if path else type(module).__name__)

    def left(self, module: Any, output: Any) -> None:
        """Go back to the module around it."""
        if self.inside:
            self.inside.pop()


@dataclass
class Pass:
    """What a forward and a backward pass left; `loss` is None if it could not be computed."""

    model: nn.Module
    images: Tensor
    labels: Tensor
    witness: Witness
    classifies: bool
    logits: Any = None
    loss: Any = None
    error: Exception | None = None
    forward: list[Made] = field(default_factory=list)
    reached: set[Value] = field(default_factory=set)
    grads: dict[str, Array | None] = field(default_factory=dict)

    @property
    def maker(self) -> dict[int, Made]:
        """What made a node, by the node's id."""
        return {id(made.node): made for made in self.forward}

    def run(self, loss: Loss) -> None:
        """Run the model forward, and backward if there is something to differentiate.

        An error of the loss is kept, if the model classifies, since the labels may be the reason.
        """
        for parameter in self.model.parameters():
            parameter.grad = None
        self.logits = self.model(self.images)
        try:
            self.loss = loss(self.logits, self.labels)
        except (IndexError, ValueError) as error:
            self.error = error
            self.forward = list(self.witness.made_nodes)
            return
        if not isinstance(self.loss, Tensor) or self.loss.size != 1:
            raise TypeError(f"check: the loss must be a Tensor of one element; it gave {self.loss!r}")
        self.forward = list(self.witness.made_nodes)
        self.reached = _reached(self.loss)
        if self.loss.requires_grad:
            self.loss.backward(create_graph=False)
        for path, parameter in self.model.named_parameters():
            self.grads[path] = None if parameter.grad is None else parameter.grad.numpy().astype(np.float64)


def _reached(loss: Value) -> set[Value]:
    """What gradients of the loss can come to: nothing that lies behind a node without a gradient."""
    reached, waiting = {loss}, [loss]
    while waiting:
        node = waiting.pop()
        new = [x for x in node.inputs if x not in reached] if node.requires_grad else []
        reached.update(new)
        waiting += new
    return reached


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """After the block, parameters, gradients, buffers, modes and NumPy's random state are what they were."""
    tensors = [tensor for _, tensor in (*model.named_parameters(), *model.named_buffers())]
    kept = [(tensor, tensor.realize_cached_data(), tensor.numpy(), tensor.grad) for tensor in tensors]
    modes = [(module, module.training) for _, module in model.named_modules()]
    random = np.random.get_state()
    try:
        with enable_grad():
            yield
    finally:
        np.random.set_state(random)
        for module, training in modes:
            module.training = training
        for tensor, data, copy, grad in kept:
            tensor.grad = grad
            if not np.array_equal(arrays_of(data)[0], copy, equal_nan=copy.dtype.kind in "fc"):
                store(tensor, as_array(copy, device=tensor.device, dtype=str(copy.dtype)))
            elif tensor.cached_data is not data:
                store(tensor, data)
