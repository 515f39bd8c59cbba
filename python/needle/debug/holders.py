"""`holders`: which variables, lists, attributes, closures and graphs keep a node alive.

The search goes from the node outwards: first along the graph, to what was made from the node, since a node holds its
inputs; then, ring by ring, to the objects that refer to those (`gc.get_referrers`), until something with a name comes.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from dataclasses import dataclass, replace
from types import AsyncGeneratorType, CellType, CoroutineType, FrameType, FunctionType, GeneratorType
from types import MemberDescriptorType as Slot
from typing import Any

from ..autograd import Value
from ..places import Line
from .drawing import form_of
from .names import given_name
from .variables import Variables, watches, where_of

#: How many rings of objects are searched, and from how many objects of a ring the search goes on.
RINGS, WIDEST = 8, 24

#: Of the nodes in whose graph a node is, so many are searched for holders: the nearest that have some.
NEAREST = 24

#: How many holders are told at most.
MOST = 20


@dataclass(frozen=True, repr=False)
class Holder:
    """Something with a name that keeps a node alive. It prints as one line, and holds nothing itself.

    Attributes
    ----------
    kind : str
        ``"local"``, ``"global"``, ``"attribute"``, ``"closure variable"``, or the class of a container, as in
        ``"list"``.
    name : str
        The variable or attribute, or the container that the node is in, as in ``losses`` or ``self.history``.
    path : str
        An expression for the very object, as in ``losses[12]``.
    where : str
        The function and line, or the module, to which the name belongs.
    tensors : int or None
        How many nodes the container holds, itself or in containers in it; None if it is no such container.
    limit : int or None
        How much a deque takes, if it has a limit and the node is in it.
    hops : int
        0 if `path` is the node itself; otherwise `path` was made from it in so many steps.
    link : str
        In this case, what the node is in the graph of `path`.
    """

    kind: str
    name: str
    path: str
    where: str
    tensors: int | None = None
    limit: int | None = None
    hops: int = 0
    link: str = ""

    def __str__(self) -> str:
        count = "" if self.tensors is None else f", {_counted(self.tensors, 'tensor')}"
        graph = f", in whose graph it is {self.link}" if self.link else ""
        back = f", {_counted(self.hops, 'node')} back" if self.hops > 1 else ""
        return f"{self.kind} `{self.name}` in {self.where}{count}{graph}{back}"

    __repr__ = __str__


def holders(tensor: Any) -> list[Holder]:
    """Find out what keeps `tensor` alive, and with it the graph behind it.

    Parameters
    ----------
    tensor : Tensor or TensorTuple
        Any node of a graph, for instance ``loss.inputs[0]``.

    Returns
    -------
    list of Holder
        The nearest first, 20 at most: variables of running functions, of suspended generators, of modules and of
        closures, and what is reached from these through attributes, lists, dicts and the graph.

    Raises
    ------
    TypeError
        If `tensor` is no node of a graph.

    Notes
    -----
    Nothing is computed. What only Python's interpreter holds (an argument that is being passed) has no name and is not
    found, nor is what only a library written in C knows.
    """
    if not isinstance(tensor, Value):
        raise TypeError(f"holders: only a Tensor has holders, not a {type(tensor).__name__}")
    names = Variables()
    try:
        nodes, graph = _in_graph(tensor)
        found = _search(nodes, names, graph)
    finally:
        names.release()
    found.sort(key=lambda holder: (holder.hops, len(holder.path)))
    nearest: dict[Any, Holder] = {}
    for holder in found:
        nearest.setdefault((holder.kind, holder.name, holder.where), holder)
    return list(nearest.values())[:MOST]


@dataclass(frozen=True, eq=False, slots=True)
class _Thing:
    """An object on the way outwards, and the steps from it back to a node.

    Attributes
    ----------
    value : object
    steps : tuple of str
        As in ``(".history", "[12]")``.
    holds_by : str
        How it holds what is `inner`: by an ``"index"``, an ``"attribute"``, or in a way that is no step.
    inner : _Thing or None
        Where the search came from.
    hops, link
        Of the node, as in `Holder`.
    """

    value: Any
    steps: tuple[str, ...] = ()
    holds_by: str = ""
    inner: _Thing | None = None
    hops: int = 0
    link: str = ""

    def indexed(self, outer: Any, index: str) -> _Thing:
        """`outer` holds this under an index or a key."""
        return replace(self, value=outer, steps=(f"[{index}]", *self.steps), holds_by="index", inner=self)

    def attribute(self, outer: Any, name: str) -> _Thing:
        """`outer` holds this as an attribute."""
        return replace(self, value=outer, steps=(f".{name}", *self.steps), holds_by="attribute", inner=self)

    def within(self, outer: Any) -> _Thing:
        """`outer` holds this somehow."""
        return replace(self, value=outer, holds_by="", inner=self)

    def chain(self) -> list[_Thing]:
        """All things from here to the node."""
        things, thing = [], self
        while thing.inner is not None:
            things.append(thing)
            thing = thing.inner
        return [*things, thing]

    def containers(self) -> list[Any]:
        """What the last steps index, as far as these are indices: one for each, the outermost first."""
        found: list[Any] = []
        for thing in self.chain():
            if thing.holds_by == "attribute":
                found.clear()
            elif thing.holds_by == "index":
                found.append(thing.value)
        return found

    def holder(self, kind: str, root: str, where: str) -> Holder:
        """What to say if the object is named `root`: of containers in containers the largest counts."""
        containers = self.containers()
        sizes = [len(container) for container in containers]
        shown, tensors, limit = len(self.steps), None, None
        if sizes:
            largest = sizes.index(max(sizes))
            kind = type(containers[largest]).__name__
            tensors = _tensors_in(containers[largest]) or None
            shown -= len(sizes) - largest
            limit = min((x.maxlen for x in containers if isinstance(x, deque) and x.maxlen), default=None)
        elif self.steps:
            kind = "attribute"
        name, path = root + "".join(self.steps[:shown]), root + "".join(self.steps)
        return Holder(kind, name, path, where, tensors, limit, self.hops, self.link)


# The graph ------------------------------------------------------------------------------------------------------------


def _in_graph(tensor: Value) -> tuple[list[_Thing], set[int]]:
    """The node, and of those in whose graph it is the nearest that something else than the graph holds.

    Also the ids of all that belongs to the graph from the node on.
    """
    users = _users()
    seen = {id(tensor)}
    waiting = deque([(tensor, 0, "")])
    found = [_Thing(tensor)]
    probe = object()
    held_here = sys.getrefcount(probe)  # what counts for a variable of this function
    while waiting:
        node, hops, link = waiting.popleft()
        for user, position in users.get(id(node), ()):
            if id(user) not in seen:
                seen |= {id(user), id(user.inputs)}
                link_of_user = (
                    link or f"{'the grad' if position is None else f'input {position}'} of {_described(user)}"
                )
                in_users = len(user.inputs) + (user.grad is not None)
                if sys.getrefcount(user) > held_here + in_users + len(users.get(id(user), ())) and len(found) < NEAREST:
                    found.append(_Thing(user, hops=hops + 1, link=link_of_user))
                waiting.append((user, hops + 1, link_of_user))
    return found, seen


def _users() -> dict[int, list[tuple[Value, int | None]]]:
    """By the id of a node, what has it as an input, and at which position; None: what has it as its grad."""
    users: dict[int, list[tuple[Value, int | None]]] = {}
    is_node: dict[type, bool] = {}
    for x in gc.get_objects():
        kind = type(x)
        if kind not in is_node:
            is_node[kind] = issubclass(kind, Value)
        if is_node[kind]:
            for position, source in enumerate(x.inputs):
                users.setdefault(id(source), []).append((x, position))
            if x.grad is not None:
                users.setdefault(id(x.grad), []).append((x, None))
    return users


def _described(node: Value) -> str:
    kind = type(node if node.op is None else node.op).__name__
    name = given_name(node)
    return f"{kind} {name!r} {form_of(node)}" if name else f"{kind} {form_of(node)}"


# Outwards -------------------------------------------------------------------------------------------------------------


def _search(ring: list[_Thing], names: Variables, graph: set[int]) -> list[Holder]:
    """Go outwards from the nodes in `ring`, but not within the `graph`, of which the ids are given.

    A list that is made here refers to what is in it, and would be found: so objects are kept in `_Thing` only.
    """
    found = [holder for thing in ring for holder in _locals(thing, names)]
    ignored = graph | names.ignored
    for _ in range(RINGS):
        inside: dict[int, list[_Thing]] = {}
        for thing in ring[:WIDEST]:
            inside.setdefault(id(thing.value), []).append(thing)
        ring = []
        for outer in gc.get_referrers(*(things[0].value for things in inside.values())):
            if id(outer) not in ignored and not watches(outer):
                for thing in _held(outer, inside):
                    holders, further = _around(outer, thing, names)
                    found += holders
                    ring += further
        if not ring or len(found) > 5 * MOST:
            break
    return found


def _held(outer: Any, inside: dict[int, list[_Thing]]) -> list[_Thing]:
    """What `outer` holds of the things inside, and does not itself belong to; of a sequence or a set, the nearest."""
    referents = {id(x) for x in gc.get_referents(outer)}
    held = [thing for key, things in inside.items() if key in referents for thing in things]
    held = [thing for thing in held if all(each.value is not outer for each in thing.chain())]
    return held[:1] if isinstance(outer, (list, tuple, deque, set, frozenset)) else held


def _around(outer: Any, thing: _Thing, names: Variables) -> tuple[list[Holder], list[_Thing]]:
    """What names there are for `thing` in `outer`, and from where to go on: not from what is known by its name."""
    if id(outer) in names.namespaces:
        return [thing.holder("global", str(_key(outer, thing.value)), names.namespaces[id(outer)])], []
    if isinstance(outer, (FrameType, GeneratorType, CoroutineType, AsyncGeneratorType)):
        return _in_frame(outer, thing, names), []
    if isinstance(outer, FunctionType):
        return _in_function(outer, thing, names), []
    if isinstance(outer, (dict, list, tuple, deque, set, frozenset)):
        further = thing.indexed(outer, _index(outer, thing.value))
    elif isinstance(outer, CellType):
        further = thing.within(outer)
    else:
        further = _in_object(outer, thing)
    if isinstance(outer, type):
        return [further.holder("attribute", outer.__qualname__, names.module(outer.__module__))], []
    return _locals(further, names), [further]


def _locals(thing: _Thing, names: Variables) -> list[Holder]:
    return [thing.holder("local", name, where) for name, where in names.of(thing.value)]


def _in_object(outer: Any, thing: _Thing) -> _Thing:
    """`outer` is an instance or a class: its attribute, or that which its dict holds."""
    x = thing.value
    if thing.inner is not None and isinstance(x, dict) and (isinstance(outer, type) or _dict_of(outer) is x):
        return thing.inner.attribute(outer, str(_key(x, thing.inner.value)))
    for name, value in (_dict_of(outer) or {}).items():
        if value is x:
            return thing.attribute(outer, name)
    for kind in type(outer).__mro__:
        for name, slot in vars(kind).items():
            if isinstance(slot, Slot) and _slot(slot, outer) is x:
                return thing.attribute(outer, name)
    return thing.within(outer)


def _in_function(function: FunctionType, thing: _Thing, names: Variables) -> list[Holder]:
    """The variable of a closure, unless the function that it belongs to still runs; or a default argument."""
    where = str(Line(function.__code__.co_filename, function.__code__.co_firstlineno, function.__name__))
    cell = thing.inner
    if thing.value is function.__defaults__:
        return [thing.attribute(function, "__defaults__").holder("attribute", function.__qualname__, where)]
    if thing.value is not function.__closure__ or cell is None or cell.inner is None:
        return [_in_object(function, thing).holder("attribute", function.__qualname__, where)]
    variable = function.__code__.co_freevars[int(_position(thing.value, cell.value))]
    if any(name == variable for name, _ in names.of(cell.inner.value)):
        return []
    return [cell.inner.holder("closure variable", variable, f"{function.__qualname__} ({where})")]


def _in_frame(owner: Any, thing: _Thing, names: Variables) -> list[Holder]:
    """Variables of a generator that waits, or of a frame that has ended and that an error's traceback keeps."""
    frame = owner
    for attribute in ("gi_frame", "cr_frame", "ag_frame"):
        frame = getattr(frame, attribute, frame)
    if frame is None or id(frame) in names.ignored:
        return []
    where = f"{where_of(frame)}, which is not running"
    return [thing.holder("local", name, where) for name, x in names.variables(frame).items() if x is thing.value]


# What there is to say of an object, without running its code ----------------------------------------------------------


def _dict_of(x: Any) -> Any:
    try:
        held = object.__getattribute__(x, "__dict__")
    except Exception:
        return None
    return held if isinstance(held, dict) else None


def _slot(slot: Slot, x: Any) -> Any:
    try:
        return slot.__get__(x)
    except Exception:
        return None


def _key(mapping: Any, x: Any) -> Any:
    return next((key for key, value in list(dict.items(mapping)) if value is x), "...")


def _position(sequence: Any, x: Any) -> str:
    return next((str(i) for i, item in enumerate(tuple(sequence)) if item is x), "...")


def _index(container: Any, x: Any) -> str:
    if isinstance(container, dict):
        key = _key(container, x)
        return repr(key) if isinstance(key, (str, int, float, tuple)) and key != "..." else "..."
    return "..." if isinstance(container, (set, frozenset)) else _position(container, x)


def _tensors_in(container: Any) -> int:
    """How many nodes a container holds, also in containers in it, two deep."""
    count = 0
    for x in list(container.values() if isinstance(container, dict) else container):
        if isinstance(x, Value):
            count += 1
        elif isinstance(x, (list, tuple, dict, set, deque)):
            count += sum(isinstance(y, Value) for y in (x.values() if isinstance(x, dict) else x))
    return count


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
