"""Layers that bring activations to mean 0 and variance 1: over each sample, or over the batch."""

from __future__ import annotations

from .. import init, ops
from ..autograd import Tensor
from ..backend_selection import Device
from ..fused import fused
from ..recording import repeating
from .module import Module, Parameter


def _layer_norm(module: LayerNorm1d, x: Tensor) -> Tensor:
    """`LayerNorm1d.forward` as one operator."""
    if len(x.shape) < 2 or x.shape[-1] != module.dim:
        return NotImplemented  # type: ignore[no-any-return]
    return ops.layer_norm(x, module.weight, module.bias, module.eps)


def _batch_norm(module: BatchNorm1d, x: Tensor) -> Tensor:
    """`BatchNorm1d.forward` while training, as one operator, and one for the running estimates."""
    if not module.training or len(x.shape) != 2 or x.shape[1] != module.dim or x.dtype != module.running_mean.dtype:
        return NotImplemented  # type: ignore[no-any-return]
    if not repeating():
        mean, var = module.running_mean, module.running_var
        mean.data, var.data = ops.MovingMoments(module.momentum)(mean.data, var.data, x.data)
    return ops.batch_norm(x, module.weight, module.bias, module.eps)


class LayerNorm1d(Module):
    """Normalize each sample over its features, then scale and shift.

    ``y = weight * (x - mean) / sqrt(var + eps) + bias``, where mean and (biased) variance are taken over the last axis.

    Parameters
    ----------
    dim : int
        Length of the last axis.
    eps : float
        Added to the variance, so that a constant sample does not divide by zero.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight, bias : Parameter
        Ones and zeros of shape (dim,).

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", 2016.
    """

    def __init__(self, dim: int, eps: float = 1e-5, device: Device | None = None, dtype: str = "float32") -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps
        self.weight = Parameter(init.ones(dim, device=device, dtype=dtype))
        self.bias = Parameter(init.zeros(dim, device=device, dtype=dtype))

    @fused(_layer_norm)
    def forward(self, x: Tensor) -> Tensor:
        """Normalize a tensor of shape (..., dim)."""
        if len(x.shape) < 2 or x.shape[-1] != self.dim:
            raise ValueError(f"LayerNorm1d: the input must have shape (..., {self.dim}); got {x.shape}")
        centered = x - ops.mean(x, axes=-1, keepdims=True)
        var = ops.mean(centered * centered, axes=-1, keepdims=True)
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias

    def extra_repr(self) -> str:
        """Give the arguments."""
        return f"dim={self.dim}, eps={self.eps}"


class BatchNorm1d(Module):
    """Normalize each feature over the batch, then scale and shift.

    ``y = weight * (x - mean) / sqrt(var + eps) + bias``. While training, mean and (biased) variance are those of the
    batch, and the running estimates follow them: ``running <- (1 - momentum) * running + momentum * observed``. In
    evaluation the running estimates take their place.

    Parameters
    ----------
    dim : int
        Number of features.
    eps : float
        Added to the variance, so that a constant feature does not divide by zero.
    momentum : float
        Weight of a new batch in the running estimates.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight, bias : Parameter
        Ones and zeros of shape (dim,).
    running_mean, running_var : Tensor
        Zeros and ones of shape (dim,) at first; they are part of the state, but not learned.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", ICML 2015.
    """

    def __init__(
        self,
        dim: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        device: Device | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps
        self.momentum = momentum
        self.weight = Parameter(init.ones(dim, device=device, dtype=dtype))
        self.bias = Parameter(init.zeros(dim, device=device, dtype=dtype))
        self.running_mean = init.zeros(dim, device=device, dtype=dtype)
        self.running_var = init.ones(dim, device=device, dtype=dtype)

    @fused(_batch_norm)
    def forward(self, x: Tensor) -> Tensor:
        """Normalize a tensor of shape (batch, dim)."""
        if len(x.shape) != 2 or x.shape[1] != self.dim:
            raise ValueError(f"{type(self).__name__}: the input must have shape (batch, {self.dim}); got {x.shape}")
        if self.training:
            mean = ops.mean(x, axes=0)
            centered = x - mean
            var = ops.mean(centered * centered, axes=0)
            if not repeating():
                self._follow(self.running_mean, mean)
                self._follow(self.running_var, var)
        else:
            centered, var = x - self.running_mean, self.running_var
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias

    def _follow(self, running: Tensor, observed: Tensor) -> None:
        """Let a running estimate follow the observed value: only its data changes, so that no graph grows."""
        observed = ops.cast(observed.data, running.dtype)
        running.data = (1 - self.momentum) * running.data + self.momentum * observed

    def extra_repr(self) -> str:
        """Give the arguments."""
        return f"dim={self.dim}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm2d(BatchNorm1d):
    """Normalize each channel of images N C H W over batch, rows and columns; else as `BatchNorm1d`."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize a tensor of shape (batch, dim, height, width): each pixel counts as one sample of dim features."""
        if len(x.shape) != 4 or x.shape[1] != self.dim:
            raise ValueError(f"BatchNorm2d: the input must have shape (batch, {self.dim}, h, w); got {x.shape}")
        n, c, h, w = x.shape
        pixels = ops.reshape(ops.transpose(ops.transpose(x, axes=(1, 2)), axes=(2, 3)), (n * h * w, c))
        y = ops.reshape(super().forward(pixels), (n, h, w, c))
        return ops.transpose(ops.transpose(y, axes=(2, 3)), axes=(1, 2))
