"""The matrix product."""

from __future__ import annotations

from math import prod
from typing import Any

from ..autograd import TensorOp
from ..tensor import Tensor
from .matching import as_tensor, promote
from .reduce import sum_to
from .rules import Multilinear, with_axes
from .shape import reshape, transpose

__all__ = ["MatMul", "matmul"]


class MatMul(Multilinear, TensorOp):
    """a @ b over the last two axes; leading axes are batches and broadcast; adjoints (g b^T, a^T g)."""

    def compute(self, a: Any, b: Any) -> Any:
        """a @ b: (..., m, k) times (..., k, n) gives (..., m, n)."""
        return a @ b

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """For C = A B: dL/dA = G B^T and dL/dB = A^T G, summed over the axes along which A or B was broadcast."""
        a, b = node.inputs
        grad_a = sum_to(out_grad @ transpose(b), a.shape) if a.requires_grad else None
        grad_b = sum_to(transpose(a) @ out_grad, b.shape) if b.requires_grad else None
        return grad_a, grad_b

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """One product: the examples join the rows of A if B is the same for all, and are leading axes otherwise."""
        a, b = inputs
        if min(x.ndim - is_batched for x, is_batched in zip(inputs, batched)) < 2:
            shapes = [x.shape[is_batched:] for x, is_batched in zip(inputs, batched)]
            raise ValueError(f"matmul: both operands need two axes or more, got {shapes[0]} and {shapes[1]}")
        if batched == (True, False) and b.ndim == 2:
            rows = reshape(a, (size * prod(a.shape[1:-1]), a.shape[-1]))
            return reshape(self(rows, b), (*a.shape[:-1], b.shape[-1]))
        ndim = max(x.ndim - is_batched for x, is_batched in zip(inputs, batched))
        return self(*[with_axes(x, ndim) if is_batched else x for x, is_batched in zip(inputs, batched)])


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product of the last two axes; leading axes broadcast."""
    a, b = as_tensor(a, b), as_tensor(b, a)
    if a.dtype != b.dtype:
        a, b = promote(a, b)
    return MatMul()(a, b)
