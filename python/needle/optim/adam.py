"""Adam: gradient descent with a step size for each element."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from .. import init
from ..autograd import Tensor
from ..backend_selection import array_api
from ..fused import fused
from .optimizer import Optimizer, in_range, store


class Adam(Optimizer):
    """Adam, adaptive moment estimation.

    For a parameter w and its gradient, in the t-th step::

        g <- grad + weight_decay * w
        m <- beta1 * m + (1 - beta1) * g              (m and v are 0 at first)
        v <- beta2 * v + (1 - beta2) * g^2
        m_hat = m / (1 - beta1^t)
        v_hat = v / (1 - beta2^t)
        w <- w - lr * m_hat / (sqrt(v_hat) + eps)

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
        Learning rate: about the largest step that an element takes.
    beta1, beta2 : float
        How much of the former moments m and v stays, each ``0 <= beta < 1``.
    eps : float
        Keeps the step finite where v_hat is 0.
    weight_decay : float
        Strength of the pull towards 0, added to the gradient.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    """

    moments: ClassVar[tuple[str, ...]] = ("m", "v")
    numbers: ClassVar[tuple[str, ...]] = ("lr", "t")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        self.beta1 = in_range("Adam: beta1", beta1, 0, 1)
        self.beta2 = in_range("Adam: beta2", beta2, 0, 1)
        self.eps = in_range("Adam: eps", eps, 0)
        self.weight_decay = in_range("Adam: weight_decay", weight_decay, 0)
        self.t = 0
        self.m = [init.zeros_like(param, dtype=param.dtype) for param in self.params]
        self.v = [init.zeros_like(param, dtype=param.dtype) for param in self.params]

    @fused("adam_step")
    def step(self) -> None:
        """Move every parameter that has a gradient, and count the step."""
        self.t += 1
        for index, param, w, g in self.updates():
            m, v, w = self._updated(self.m[index].cached_data, self.v[index].cached_data, w, g)
            store(self.m[index], m)
            store(self.v[index], v)
            store(param, w)
        self.has_stepped()

    @fused("adam")
    def _updated(self, m: Any, v: Any, w: Any, g: Any) -> tuple[Any, Any, Any]:
        """Give the new moments and parameter, from the old ones and the gradient (all of them arrays).

        The two bias corrections are folded into the numbers ``lr`` and ``eps`` (the end of section 2 of the paper),
        which saves two passes over the arrays: with c = sqrt(1 - beta2^t),

            lr * m_hat / (sqrt(v_hat) + eps)  =  (lr * c / (1 - beta1^t)) * m / (sqrt(v) + eps * c)
        """
        if self.weight_decay:
            g = g + self.weight_decay * w
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * (g * g)
        c = (1 - self.beta2**self.t) ** 0.5
        rate = self.lr * c / (1 - self.beta1**self.t)
        return m, v, w - rate * (m / (array_api.sqrt(v) + self.eps * c))
