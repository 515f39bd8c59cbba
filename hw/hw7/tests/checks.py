"""What the tests share: small programs to listen to, modules, recorders that are filled by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hw.hw7.recorder import Node, Recorder
from needle import nn
from needle.autograd import Tensor
from needle.places import Line


def leaf(*shape: int, value: float | None = None, requires_grad: bool = True) -> Tensor:
    """A float64 leaf: 1, 2, 3, ..., or the same number everywhere."""
    counted = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    return Tensor(counted if value is None else np.full(shape, value), requires_grad=requires_grad)


def double(x: Any) -> Any:
    """One addition, in a function of its own."""
    return x + x


def square(x: Any) -> Any:
    """One multiplication, in a function of its own."""
    return x * x


def in_threads(count: int, work: Callable[[], Any]) -> None:
    """Do the same in several threads at once; an error in one of them is raised here."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait(5)
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def function_of(line: Line | None) -> str | None:
    """The function that a line is in; tests do not know line numbers."""
    return None if line is None else line.function


def by_hand(nodes: Iterable[Node], calls: Sequence[str] = ()) -> Recorder:
    """A recorder that has written down these nodes and calls."""
    recorder = Recorder()
    recorder.nodes = {node.number: node for node in nodes}
    recorder.calls = dict.fromkeys(calls, 1)
    return recorder


def graph(**inputs: Sequence[int]) -> Recorder:
    """A recorder that knows ``graph(n1=(), n2=(1,), n3=(1, 2))``: nodes with their inputs, those without are leaves."""
    return by_hand(
        Node(int(name[1:]), op="EWiseMul" if given else "", inputs=tuple(given), shape=(2,))
        for name, given in inputs.items()
    )


class Layer(nn.Module):
    """A product with a weight."""

    def __init__(self, n: int, m: int, value: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(np.full((n, m), value))

    def forward(self, x: Any) -> Any:
        """x @ weight."""
        return x @ self.weight


class Net(nn.Module):
    """Two layers in a list."""

    def __init__(self, sizes: Sequence[int] = (3, 4, 2)) -> None:
        super().__init__()
        self.layers = [Layer(n, m) for n, m in pairwise(sizes)]

    def forward(self, x: Any) -> Any:
        """Doubles between the layers."""
        for each in self.layers[:-1]:
            x = each(x)
            x = x + x
        return self.layers[-1](x)
