"""The layers of a multilayer perceptron: linear maps, activations, flattening and dropout."""

from __future__ import annotations

import math

from .. import init, ops
from ..autograd import Tensor
from ..backend_selection import Device
from ..fused import fused
from .module import Module, Parameter


def _dropout(module: Dropout, x: Tensor) -> Tensor:
    """`Dropout.forward` while training, as one operator."""
    if not module.training:
        return NotImplemented  # type: ignore[no-any-return]
    mask = init.randb(*x.shape, p=1 - module.p, device=x.device, dtype=x.dtype)
    return ops.Dropout(module.p)(x, mask)


class Linear(Module):
    """An affine map of the last axis: ``y = x W + b``.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last axis before and after.
    bias : bool
        Whether to add b.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight : Parameter
        W, of shape (in_features, out_features), Kaiming uniform.
    bias : Parameter or None
        b, of shape (1, out_features), Kaiming uniform with fan_in = out_features; drawn after W.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Device | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(init.kaiming_uniform(in_features, out_features, device=device, dtype=dtype))
        self.bias: Parameter | None = None
        if bias:
            row = (1, out_features)
            self.bias = Parameter(init.kaiming_uniform(out_features, 1, shape=row, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        if len(x.shape) < 2 or x.shape[-1] != self.in_features:
            raise ValueError(f"Linear: the input must have shape (..., {self.in_features}); got {x.shape}")
        y = ops.matmul(x, self.weight)
        if self.bias is not None:
            y = y + ops.broadcast_to(self.bias, y.shape)
        return y

    def extra_repr(self) -> str:
        """Give the arguments."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """Give the input: ``y = x``."""

    def forward(self, x: Tensor) -> Tensor:
        """Give `x` itself."""
        return x


class Flatten(Module):
    """Merge all axes but the first: (batch, ...) becomes (batch, features)."""

    def forward(self, x: Tensor) -> Tensor:
        """Reshape to two axes."""
        if not x.shape:
            raise ValueError("Flatten: the input must have shape (batch, ...); got a 0-d tensor")
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class ReLU(Module):
    """The rectified linear unit: ``y = max(x, 0)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to each element."""
        return ops.relu(x)


class Sigmoid(Module):
    """The logistic function: ``y = 1 / (1 + exp(-x))``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to each element."""
        return ops.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent: ``y = tanh(x)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to each element."""
        return ops.tanh(x)


class Dropout(Module):
    """Set random elements to zero while training; the identity in evaluation, where nothing is drawn.

    An element is kept with probability 1 - p, and divided by 1 - p so that its expectation stays what it was.

    Parameters
    ----------
    p : float
        Probability of a zero, ``0 <= p < 1``.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p must be a probability with 0 <= p < 1; got {p}")
        self.p = p

    @fused(_dropout)
    def forward(self, x: Tensor) -> Tensor:
        """Give ``x * mask / (1 - p)`` while training, else `x` itself."""
        if not self.training:
            return x
        mask = init.randb(*x.shape, p=1 - self.p, device=x.device, dtype=x.dtype)
        return x * mask / (1 - self.p)

    def extra_repr(self) -> str:
        """Give the arguments."""
        return f"p={self.p}"
