"""The matrix product."""

from __future__ import annotations

from typing import Any

from ..autograd import TensorOp
from ..tensor import Tensor
from .matching import as_tensor, promote

__all__ = ["MatMul", "matmul"]


class MatMul(TensorOp):
    """a @ b over the last two axes; leading axes are batches and broadcast; adjoints (g b^T, a^T g)."""

    def compute(self, a: Any, b: Any) -> Any:
        """a @ b: (..., m, k) times (..., k, n) gives (..., m, n)."""
        return a @ b

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """For C = A B: dL/dA = G B^T and dL/dB = A^T G, summed over the axes along which A or B was broadcast."""
        from .reduce import sum_to
        from .shape import transpose

        a, b = node.inputs
        grad_a = sum_to(out_grad @ transpose(b), a.shape) if a.requires_grad else None
        grad_b = sum_to(transpose(a) @ out_grad, b.shape) if b.requires_grad else None
        return grad_a, grad_b


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product of the last two axes; leading axes broadcast."""
    a, b = as_tensor(a, b), as_tensor(b, a)
    if a.dtype != b.dtype:
        a, b = promote(a, b)
    return MatMul()(a, b)
