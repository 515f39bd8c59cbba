"""Whether a model keeps its examples apart: row i of the output may depend on row i of the input alone.

An axis that was swapped, and happens to fit since both have the same length, gives no error; but it mixes examples. So
the model is run, in evaluation mode, on all examples and on half of them: the outputs of that half must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..listening import listening
from .causes import arrays_of
from .frames import crashed_at
from .rules import Finding
from .witness import Made, Pass, Witness

RULE = "examples mixed"
ADVICE = "is an axis swapped that happens to fit?"


def mixed_examples(found: Pass) -> Iterator[Finding]:
    """The first operation that mixes examples, or that fails on half of them."""
    count = found.images.shape[0] if found.images.shape else 0
    if count < 4:
        return
    half = count // 2
    found.model.eval()
    try:
        whole, again = (_nodes(found, found.images) for _ in range(2))
        if not _alike(whole, again, count):
            return  # it draws random numbers, also in evaluation mode
        part = _nodes(found, found.images[:half])
    except Exception as error:
        _, where = crashed_at(error.__traceback__)
        message = f"the model runs on {count} examples, but not on {half} of them: {error}; {ADVICE}"
        yield Finding(RULE, "model" if where is None else f"{where}: {where.text}", message)
        return
    finally:
        found.model.train()
    if not whole or not part or _is_apart(whole[-1], part[-1], count, half):
        return
    for one, other in zip(whole, part):
        if type(one.op) is not type(other.op) or not _is_apart(one, other, count, half):
            message = f"what it gives for the first {half} examples changes if there are {count}: {ADVICE}"
            yield Finding(RULE, one.where, message)
            return


def _is_apart(one: Made, other: Made, count: int, half: int) -> bool:
    """Whether a node of all examples and that of half of them agree, or have nothing to do with examples."""
    if one.node.shape == other.node.shape:
        return True
    apart = one.node.shape[:1] == (count,) and other.node.shape[:1] == (half,)
    return apart and _alike([one], [other], half)


def _nodes(found: Pass, images: Any) -> list[Made]:
    """All that the model makes of `images`, in order."""
    witness = Witness(found.model, found.witness.caller)
    with listening(witness):
        found.model(images)
    return witness.made_nodes


def _alike(ours: list[Made], theirs: list[Made], count: int) -> bool:
    """Whether the first `count` rows of all nodes are the same, but for rounding."""
    for one, other in zip(ours, theirs):
        for a, b in zip(_rows(one, count), _rows(other, count)):
            if a.shape == b.shape and not np.allclose(a, b, rtol=1e-3, atol=1e-5 * float(np.abs(a).max(initial=0))):
                return False
    return True


def _rows(made: Made, count: int) -> list[np.ndarray]:
    made.node.realize_cached_data()
    arrays = arrays_of(made.node.cached_data)
    return [array[:count].astype("float64") for array in arrays if array.shape and np.isfinite(array).all()]
