"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from .. import init
from ..autograd import Tensor
from ..fused import fused
from .optimizer import Optimizer, in_range, store


class SGD(Optimizer):
    """Stochastic gradient descent.

    For a parameter w and its gradient::

        g <- grad + weight_decay * w
        u <- momentum * u + (1 - momentum) * g        (u is 0 at first)
        w <- w - lr * u

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
        Learning rate.
    momentum : float
        How much of the former direction u stays, ``0 <= momentum < 1``.
    weight_decay : float
        Strength of the pull towards 0 (the gradient of ``weight_decay / 2 * |w|^2``).

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964 (momentum; here in the form of a
    moving average).
    """

    moments: ClassVar[tuple[str, ...]] = ("u",)

    def __init__(
        self, params: Iterable[Tensor], lr: float = 0.01, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr)
        self.momentum = in_range("SGD: momentum", momentum, 0, 1)
        self.weight_decay = in_range("SGD: weight_decay", weight_decay, 0)
        self.u = [init.zeros_like(param, dtype=param.dtype) for param in self.params] if momentum else []

    @fused("sgd_step")
    def step(self) -> None:
        """Move every parameter that has a gradient against its averaged gradient."""
        for index, param, w, g in self.updates():
            u, w = self._updated(self.u[index].cached_data if self.momentum else None, w, g)
            if self.momentum:
                store(self.u[index], u)
            store(param, w)
        self.has_stepped()

    @fused("sgd")
    def _updated(self, u: Any, w: Any, g: Any) -> tuple[Any, Any]:
        """Give the new direction and parameter, from the old ones and the gradient (all of them arrays).

        Without momentum `u` is None, and the direction is the gradient itself.
        """
        if self.weight_decay:
            g = g + self.weight_decay * w
        u = self.momentum * u + (1 - self.momentum) * g if self.momentum else g
        return u, w - self.lr * u
