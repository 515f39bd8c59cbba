"""Batching: a function of one example, computed for a whole batch at once.

Within `needle.func.vmap` the function sees tensors that have the shape of one example. Such a tensor has no data of its
own: behind it stands one with all examples along a first axis, and an op on the former becomes, by the rule of the op
(`Op.batch`), ops on the latter.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .backend_selection import stamps
from .modes import below, interpreting, modes

if TYPE_CHECKING:
    from .autograd import Op, V, Value


class Batching:
    """The interpreter of `vmap`: it knows what stands behind the examples, and puts new nodes in front of new ones."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.whole: WeakKeyDictionary[Value, Any] = WeakKeyDictionary()

    def make(self, kind: type[V], op: Op, inputs: tuple[Value, ...]) -> V:
        """Apply the op to all examples at once, if an input differs from example to example."""
        batched = tuple(x in self.whole for x in inputs)
        with below(self):
            if not any(batched):
                return kind.make_from_op(op, inputs)
            wholes = tuple(self.whole.get(x, x) for x in inputs)
            whole = op.batch_within(self, wholes, batched)
            if whole is NotImplemented:
                whole = _one_by_one(op, wholes, batched, self.size)
        return self.example(kind, whole, op, inputs)

    def whole_of(self, x: Any) -> Any:
        """What stands behind `x`; if that is the same for all examples, `x` for each of them."""
        return self.whole[x] if x in self.whole else repeat(x, self.size)

    def example(self, kind: type[V], whole: Any, op: Any = None, inputs: tuple[Value, ...] = ()) -> V:
        """The node for one example of `whole`: with an op, the result of that; without, a leaf.

        There are two graphs then: that of the examples, for derivatives that are taken within the batch, and that of
        the wholes, for those that are taken outside.
        """
        from .autograd import Spec

        node = kind.__new__(kind)
        spec = whole.spec
        one = [Spec(s.shape[1:], s.dtype, s.device) for s in ([spec] if isinstance(spec, Spec) else spec)]
        node.recorded_spec = one[0] if isinstance(spec, Spec) else tuple(one)
        node.requires_grad = modes.grad_enabled and any(x.requires_grad for x in (whole, *inputs))
        node.stamps = [None]
        if node.requires_grad and op is not None:
            node.op, node.inputs = op, inputs
            node.stamps = stamps([*(x.cached_data for x in inputs), None])
        self.whole[node] = whole
        return node


def is_example(x: Value) -> bool:
    """Whether `x` stands for one example of a batch: it has a shape, but no data of its own."""
    return any(isinstance(i, Batching) and x in i.whole for i in modes.interpreters)


def run_batched(function: Callable[..., Any], inputs: Sequence[Any], batched: Sequence[bool], size: int) -> Any:
    """`function` (of nodes, to a node) for all examples at once, which stand along a first axis of what is batched."""
    batching = Batching(size)
    examples = [batching.example(type(x), x) if b else x for x, b in zip(inputs, batched)]
    with interpreting(batching):
        result = function(*examples)
    return batching.whole_of(result)


def repeat(value: Any, size: int) -> Any:
    """`value` for each of `size` examples, along a new first axis; nothing is copied."""
    from .autograd import TensorTuple
    from .ops import broadcast_to, make_tuple

    if isinstance(value, TensorTuple):
        return make_tuple(*[repeat(x, size) for x in value])
    return broadcast_to(value, (size, *value.shape))


def all_batched(inputs: Sequence[Any], batched: Sequence[bool], size: int) -> list[Any]:
    """The inputs, those that are the same for all examples repeated."""
    return [x if b else repeat(x, size) for x, b in zip(inputs, batched)]


def _one_by_one(op: Op, inputs: Sequence[Any], batched: Sequence[bool], size: int) -> Any:
    """A loop over the examples, for an op that does not say how to do better."""
    from .autograd import TensorTuple
    from .ops import make_tuple, stack

    def example(x: Any, i: int) -> Any:
        return make_tuple(*[y[i] for y in x]) if isinstance(x, TensorTuple) else x[i]

    warnings.warn(
        f"vmap: {type(op).__name__} has no batch rule, so it is applied to the {size} examples one by one; "
        f"{type(op).__name__}.batch(self, inputs, batched, size) would say how to do it at once",
        RuntimeWarning,
        stacklevel=2,
    )
    if size == 0:
        raise ValueError(f"vmap: {type(op).__name__} has no batch rule, and a batch of no examples has no shape")
    outputs = [op(*[example(x, i) if b else x for x, b in zip(inputs, batched)]) for i in range(size)]
    if isinstance(outputs[0], TensorTuple):
        return make_tuple(*[stack(parts) for parts in zip(*outputs)])
    return stack(outputs)  # type: ignore[arg-type]
