"""What a recording took for granted about tensors, though no kernel call shows it; see `Recorder.conditions`.

A program tells tensors apart by their memory: of those that share it, only one is seen. Nor does it show that a
gradient was None. What was so at both recordings must be so at a replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..autograd import Tensor


@dataclass(frozen=True)
class SharesMemory:
    """A captured tensor, or the argument at a position, begins so many elements after another tensor in its memory."""

    of: Tensor | int
    other: Tensor
    distance: int

    def holds(self, arguments: list[Tensor]) -> bool:
        """Whether it is so for these arguments."""
        data, other = _tensor(self.of, arguments).cached_data, self.other.cached_data
        try:
            return bool(data._handle.ptr() == other._handle.ptr() and data.offset - other.offset == self.distance)
        except AttributeError:  # no data, or data that is elsewhere
            return False


@dataclass(frozen=True)
class IsTensor:
    """The argument at a position, which the function changes or returns, is that tensor, or another with its memory."""

    of: int
    other: Tensor
    is_it: bool

    def holds(self, arguments: list[Tensor]) -> bool:
        """Whether it is so for these arguments."""
        return (arguments[self.of] is self.other) == self.is_it


@dataclass(frozen=True)
class HasGradient:
    """A tensor, or the argument at a position, has this gradient, or none; the function has asked."""

    of: Tensor | int
    gradient: Any

    def holds(self, arguments: list[Tensor]) -> bool:
        """Whether it is so for these arguments."""
        return _tensor(self.of, arguments).grad is self.gradient


Condition = SharesMemory | IsTensor | HasGradient


def in_common(first: set[Condition], second: set[Condition], captured: set[Tensor]) -> set[Condition] | None:
    """What a program that was recorded under both takes for granted; None if the two do not add up.

    What was so at one recording alone does not matter: the other, which is alike, shows what happens without it. But a
    tensor that had another part there, with the memory of another argument, may have been read unseen at both.
    """
    for these, those in ((first, second), (second, first)):
        pairs = {(x.of, x.other) for x in those if isinstance(x, SharesMemory)}
        has_part = captured.union(*pairs)
        for x in these - those:
            if isinstance(x, HasGradient):
                continue  # the function may ask, and do the same
            if isinstance(x, SharesMemory) and (x.of, x.other) in pairs:
                continue  # at another distance, which a kernel call would show
            if x.other in has_part and (isinstance(x.of, int) or x.of in has_part):
                return None
    return first & second


def _tensor(x: Tensor | int, arguments: list[Tensor]) -> Tensor:
    return arguments[x] if isinstance(x, int) else x
