"""What may have happened to a graph since it was made: data was replaced or written in place, or the graph was freed.

Every node remembers what identified the data that it was computed from (`Value.stamps`). Where a derivative needs data
that is there no more, it raises; a derivative that does not need it (that of a sum, say) goes through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .backend_selection import stamps
from .listening import known

if TYPE_CHECKING:
    from .autograd import Value


class Freed(tuple):  # type: ignore[type-arg]
    """The inputs of a node whose graph an earlier ``backward(create_graph=False)`` has let go of."""

    __slots__ = ()


FREED = Freed()
FREED_MESSAGE = (
    "backward: the graph behind this tensor was freed by an earlier backward(create_graph=False); "
    "run the forward pass again, or keep the graph with create_graph=True"
)


_DATA = attrgetter("cached_data")


class Stale:
    """Stands for data that changed between forward and backward: it has a shape, and any use of its values raises."""

    def __init__(self, array: Any, message: str) -> None:
        self.shape, self.dtype, self.device = array.shape, array.dtype, getattr(array, "device", None)
        self._message = message

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(self._message)

    def _raise(self, *operands: object, **options: object) -> Any:
        raise RuntimeError(self._message)

    __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = _raise
    __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __neg__ = __getitem__ = __len__ = __iter__ = __array__ = _raise
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __array_ufunc__ = _raise
    __hash__ = None  # type: ignore[assignment]


@contextmanager
def _stale(values: list[tuple[Value, str]]) -> Iterator[None]:
    """Within the block, the data of each value cannot be read, only its shape."""
    saved = [(value, value.cached_data) for value, _ in values]
    for value, message in values:
        data = value.cached_data
        value.cached_data = tuple(Stale(x, message) for x in data) if isinstance(data, tuple) else Stale(data, message)
    try:
        yield
    finally:
        for value, data in saved:
            value.cached_data = data


def gradients_of_inputs(node: Any, adjoint: Any) -> tuple[Any, ...]:
    """What `node` hands to each of its inputs: its op's gradient, on the data that the forward pass read.

    Data that was replaced or written in place since the node was computed cannot be read meanwhile: a derivative that
    needs it raises, one that does not (that of a sum, say) goes through.
    """
    if node.inputs is FREED:
        raise RuntimeError(FREED_MESSAGE)
    if stamps([*map(_DATA, node.inputs), node.cached_data]) == node.stamps:
        return node.op.gradient_as_tuple(adjoint, node)  # type: ignore[no-any-return]
    with _stale(_changed(node)):
        return node.op.gradient_as_tuple(adjoint, node)  # type: ignore[no-any-return]


def _changed(node: Any) -> list[tuple[Value, str]]:
    """Of the values that `node` was made of, and itself, those whose data changed since; and what to say of each."""
    values = (*node.inputs, node)
    roles = [*(f"its input {position}" for position in range(len(node.inputs))), "its output"]
    now = stamps([value.cached_data for value in values])
    found = []
    for value, role, before, after in zip(values, roles, node.stamps, now):
        if before is None and value.stamps:  # a lazy value, which was computed since
            before = value.stamps[-1]
        if before is not None and before != after:
            found.append((value, _changed_message(node, role, value)))
    return found


def _changed_message(node: Any, role: str, value: Any) -> str:
    facts = known(value)
    where = "" if facts is None or facts.changed is None else f", at {facts.changed}: {facts.changed.text}"
    return (
        f"backward: the derivative of {type(node.op).__name__} needs {role} (shape {value.shape}), but that data was "
        f"replaced or written in place after the forward pass{where}; compute the gradient first, or work on a copy"
    )
