"""Short texts for `repr`: of any value, quick on any size, and never an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .listening import known

if TYPE_CHECKING:
    from .autograd import Op, Value


def attributes(op: Any) -> str:
    """The attributes of an op, each in a word: ``axes=(1,), keepdims=False``."""
    return in_words(getattr(op, "__dict__", {}))


def kept_attributes(held: dict[str, Any]) -> dict[str, Any] | str:
    """The attributes that an op has now, for `in_words` when somebody looks; in words at once if one is no number."""
    for value in held.values():
        kind = type(value)
        if kind not in _PLAIN and (kind is not tuple or not _PLAIN.issuperset(map(type, value))):
            return in_words(held)
    return held.copy()


def in_words(held: dict[str, Any] | str) -> str:
    """What `kept_attributes` kept."""
    return held if isinstance(held, str) else ", ".join([f"{name}={word(value)}" for name, value in held.items()])


_PLAIN = frozenset((type(None), bool, int, float, complex))


def word(value: Any, depth: int = 2) -> str:
    """A value in a word: numbers and strings, tuples of them, arrays by their shape, of all else the class."""
    if value is None or isinstance(value, (bool, int, float, complex)):
        return repr(value)
    if isinstance(value, (np.number, np.bool_)):
        return repr(value.item())
    if isinstance(value, slice):
        parts = ["" if part is None else word(part, 0) for part in (value.start, value.stop, value.step)]
        return ":".join(parts if value.step is not None else parts[:2])
    if isinstance(value, (str, np.dtype)):
        text = str(value)
        return repr(text if len(text) <= 20 else text[:17] + "...")
    if isinstance(value, (tuple, list)) and depth:
        words = [word(item, depth - 1) for item in value[:6]] + ["..."] * (len(value) > 6)
        return f"({', '.join(words)}{',' if len(words) == 1 else ''})"
    if hasattr(type(value), "shape"):
        return f"<array {value.shape}>"
    return getattr(value, "__name__", type(value).__name__)


def call(op: Op, inputs: tuple[str, ...] = ()) -> str:
    """An op as a call: the names of its inputs, where they have some, and its attributes."""
    return f"{type(op).__name__}({', '.join(filter(None, [*inputs, attributes(op)]))})"


def described(node: Value, form: str) -> str:
    """A node in a line: kind, number, name, `form`, op, state, place; number, name and place if somebody keeps them."""
    facts = known(node)
    kind = type(node).__name__ if type(node).__name__ in ("Parameter", "TensorTuple") else "Tensor"
    number = f" #{facts.number}" if facts is not None and facts.number else ""
    name = f" {facts.name!r}" if facts is not None and facts.name else ""
    made = "" if node.op is None else f" = {made_by(node)}"
    state = ", lazy" if node.cached_data is None else ""
    place = "" if facts is None or facts.line is None else f", at {facts.line}"
    return f"{kind}{number}{name}{form}{made}{state}{place}"


def made_by(node: Value) -> str:
    """The op of a node, with the numbers of its inputs where somebody numbers nodes."""
    inputs = [known(x) for x in node.inputs]
    numbers = tuple(f"#{x.number}" for x in inputs if x is not None and x.number)
    return of_op(node.op, numbers if len(numbers) == len(inputs) else ())


def of_op(op: Any, inputs: tuple[str, ...] = ()) -> str:
    """The `repr` of an op, with its inputs if it has no `repr` of its own; its class where that fails or is long."""
    from .autograd import Op

    try:
        is_plain = type(op).__repr__ is Op.__repr__  # type: ignore[comparison-overlap]
        text = call(op, inputs) if is_plain else repr(op)
    except Exception:
        text = ""
    return text if 0 < len(text) <= 120 and "\n" not in text else f"{type(op).__name__}(...)"


def glance(data: Any, size: int) -> str:
    """The first few elements, in the same time for any size."""
    values = data if isinstance(data, np.ndarray) else data.peek()
    few = [values[index] for index, _ in zip(np.ndindex(values.shape), range(4))]
    text = ", ".join(f"{x:.4g}" if isinstance(x, np.floating) else str(x) for x in few)
    return f"[{text}{', ...' if size > 4 else ''}]"
