"""What happens to a graph, written down: nodes get numbers, and with them where they were made, from what, and when.

A recorder keeps no node alive. What it writes down is numbers and words, and it stays when the nodes are gone.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from needle.autograd import Op, Value
from needle.listening import Known, Listener
from needle.places import Line, here

#: The files of this folder are the tool; those in the folders within it (tests, programs) are not.
FOLDER = os.path.dirname(__file__)


@dataclass
class Node:
    """What is written down of a node.

    Attributes
    ----------
    number : int
        From 1 on, in the order in which nodes were met.
    op : str
        The class of its op: ``"EWiseAdd"``. Empty for a node that was there before anybody listened, and for leaves.
    inputs : tuple of int
        The numbers of what it was made from.
    shape, dtype : tuple, str
        Of its data; the dtype of a TensorTuple is empty.
    line : Line or None
        The user's line that made it.
    module : str
        The label of the innermost module that was being called; empty outside of modules.
    walk : int
        The number of the backward walk that made it; 0 for none, that is, in a forward pass.
    name : str
        Of a parameter: its path in the model.
    seconds : float or None
        How long it took to compute it; None if that did not happen while the recorder listened.
    nbytes : int
        The size of its data, once it is computed.
    changed : Line or None
        The user's line that replaced its data last.
    """

    number: int
    op: str = ""
    inputs: tuple[int, ...] = ()
    shape: tuple[Any, ...] = ()
    dtype: str = ""
    line: Line | None = None
    module: str = ""
    walk: int = 0
    name: str = ""
    seconds: float | None = None
    nbytes: int = 0
    changed: Line | None = None


class Share(NamedTuple):
    """In a walk, `consumer` handed to `node`, its input `position`, the share number `share` (None for none)."""

    walk: int
    node: int
    consumer: int
    position: int
    share: int | None


class Here(threading.local):
    """What a thread is in the middle of: calls of modules, and backward walks, the innermost last."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self.walks: list[int] = []
        self.labels: dict[int, str] = {}  # of the parts of the outermost module, by their identity

    @property
    def module(self) -> str:
        """The label of the innermost module; empty for none."""
        return self.modules[-1] if self.modules else ""

    @property
    def walk(self) -> int:
        """The number of the innermost walk; 0 for none."""
        return self.walks[-1] if self.walks else 0


def frames() -> Iterator[FrameType]:
    """The frames of the running program: that of the caller, then the one that called it, and so on outwards."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def bytes_of(data: Any) -> int:
    """The size of the data of a node: an array, a tuple of arrays, or None."""
    if isinstance(data, tuple):
        return sum(map(bytes_of, data))
    return 0 if data is None else int(np.prod(data.shape)) * np.dtype(data.dtype).itemsize


def users_line() -> Line:
    """The line of the user's program that is being executed: the innermost that is neither Needle's nor this tool's.

    `needle.places.here` looks for the user's line from a frame on outwards, and knows which frames are Needle's; that
    the files in `FOLDER` itself are no user's either, it does not know.
    """
    outside = next(frame for frame in frames() if os.path.dirname(frame.f_code.co_filename) != FOLDER)
    return here(frame=outside).user


class Recorder(Listener):
    """Writes down what it is told.

    Attributes
    ----------
    nodes : dict of int to Node
        What is known of the nodes, by their numbers.
    shares : list of Share
        Who handed on what, in the order in which it happened.
    calls : dict of str to int
        How often each module was called, by its label.
    walks : int
        How many backward walks have begun.
    """

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self.shares: list[Share] = []
        self.calls: dict[str, int] = {}
        self.walks = 0
        self.here = Here()
        self.lock = threading.RLock()  # events come from all threads
        self.numbers: WeakKeyDictionary[Value, int] = WeakKeyDictionary()

    # Nodes ------------------------------------------------------------------------------------------------------------

    def number(self, node: Value) -> int:
        """The number of a node. One that was not met before gets the next number, and a `Node` without an op.

        Its shape and dtype are written down in any case.
        """
        with self.lock:
            if node not in self.numbers:
                number = len(self.nodes) + 1
                self.numbers[node] = number
                self.nodes[number] = Node(number, shape=node.shape, dtype=getattr(node, "dtype", ""))
            return self.numbers[node]

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Write down op, inputs, line, module and walk of a node that is new; its inputs get their numbers first."""
        with self.lock:
            self._write(node, op, inputs)

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write down how long it took, and the size of the data.

        In eager mode this is the first that is heard of the node, and all that `made` writes down is written down now.
        In lazy mode (then ``node.recorded_spec`` is not None) the node was made some time ago, at another line; if that
        was before anybody listened, it stays without an op.
        """
        with self.lock:
            if node.recorded_spec is None:
                self._write(node, op, inputs)
            record = self.nodes[self.number(node)]
            record.seconds, record.nbytes = seconds, bytes_of(node.cached_data)

    def _write(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Write down a node that is made now, once."""
        if node in self.numbers:
            return
        numbers = tuple(self.number(x) for x in inputs)
        record = self.nodes[self.number(node)]
        record.op, record.inputs, record.line = type(op).__name__, numbers, users_line()
        record.module, record.walk = self.here.module, self.here.walk

    # Modules ----------------------------------------------------------------------------------------------------------

    def entered(self, module: Any) -> None:
        """Put the label of a module on the thread's stack, ``here.modules``, and count the call in `calls`.

        The outermost module's label is the name of its class, ``"MLP"``. The parts of it are told by their paths
        (`named_modules`): ``"MLP.layers.0"``. A module that is no part of it is told by its class, behind the label
        that it is called from: ``"MLP.layers.0.ReLU"``. Parameters of an outermost module (`named_parameters`) get
        their paths as names, if they have none yet.
        """
        with self.lock:
            stack, name = self.here.modules, type(module).__name__
            if stack:
                label = self.here.labels.get(id(module), f"{stack[-1]}.{name}")
            else:
                label = name
                self.here.labels = {id(m): f"{name}.{path}" if path else name for path, m in module.named_modules()}
                for path, parameter in module.named_parameters():
                    record = self.nodes[self.number(parameter)]
                    record.name = record.name or path
            stack.append(label)
            self.calls[label] = self.calls.get(label, 0) + 1

    def left(self, module: Any, output: Any) -> None:
        """Take it off again; a call that was under way before anybody listened was never put there."""
        if self.here.modules:
            self.here.modules.pop()

    # Walks and shares -------------------------------------------------------------------------------------------------

    def backward_began(self, outputs: Sequence[Value]) -> None:
        """Count the walk, from 1 on, and put its number on the thread's stack, ``here.walks``."""
        with self.lock:
            self.walks += 1
            self.here.walks.append(self.walks)

    def backward_ended(self, outputs: Sequence[Value]) -> None:
        """Take it off again."""
        if self.here.walks:
            self.here.walks.pop()

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """Write down a `Share`, with the number of the thread's innermost walk."""
        with self.lock:
            given = None if share is None else self.number(share)
            self.shares.append(Share(self.here.walk, self.number(node), self.number(consumer), position, given))

    # What Needle itself asks ------------------------------------------------------------------------------------------

    def replaced(self, tensor: Value, before: Any) -> None:
        """Write down the user's line that gave `tensor` other data."""
        with self.lock:
            self.nodes[self.number(tensor)].changed = users_line()

    def known(self, node: Value) -> Known | None:
        """Line, number, name and last change of a node, for its `repr` and for errors; None if it was never met."""
        number = self.numbers.get(node)
        if number is None:
            return None
        record = self.nodes[number]
        return Known(record.line, number, record.name, record.changed)
