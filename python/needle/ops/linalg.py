"""Linear algebra of square matrices: inverse, linear systems, determinants, Cholesky factors.

Every function takes stacks of matrices: the last two axes are a matrix, those before them are batches. LAPACK computes,
through NumPy on the host, whatever device the tensor is on: a compiled function cannot repeat that, and says so.
Integers are computed with in float32.

The derivatives are those collected by Mike Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Spec, TensorOp, Value, sum_node_list
from ..backend_selection import on_host
from ..tensor import Tensor
from .matching import as_tensor, promote
from .rules import with_axes

__all__ = [
    "Cholesky",
    "Cofactor",
    "Det",
    "Inv",
    "LogDet",
    "Solve",
    "cholesky",
    "det",
    "inv",
    "logdet",
    "solve",
]

SINGULAR = "the matrix (of a stack: one of them) is singular"


class MatrixOp(TensorOp):
    """An operator of square matrices, which are the last two axes; whatever is in front of them are batches."""

    def __call__(self, *args: Value) -> Tensor:
        """Make the node, if the matrices are square."""
        if isinstance(args[0], Tensor):
            _check_square(type(self).__name__.lower(), args[0].shape)
        return super().__call__(*args)

    def infer(self, a: Spec) -> Spec:
        """Matrices of the same shape, as floats."""
        return a._replace(dtype=_float(a.dtype))

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """The examples are one batch axis more."""
        return self(*inputs)


class Inv(MatrixOp):
    """B = A^-1; adjoint -B^T g B^T, tangent -B dA B. A singular matrix raises LinAlgError."""

    def compute(self, a: Any) -> Any:
        """The inverse, by an LU decomposition."""
        return _by_lapack(np.linalg.inv, f"inv: {SINGULAR}: it has no inverse", a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """-B^T g B^T."""
        transposed = _transposed(node)
        return -(transposed @ out_grad @ transposed)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """-B dA B, since 0 = d(A B) = dA B + A dB."""
        return -(node @ tangents[0] @ node)  # type: ignore[no-any-return]


def inv(a: Tensor) -> Tensor:
    """Inverse of square matrices.

    Parameters
    ----------
    a : Tensor
        Of shape (..., n, n). `solve` is faster and more accurate than a product with an inverse.

    Returns
    -------
    Tensor
        Of the same shape; in the dtype of `a` if that is a float, else in float32.

    Raises
    ------
    ValueError
        If the matrices are not square.
    numpy.linalg.LinAlgError
        If one is exactly singular. One that is nearly so has a large inverse with few right digits.
    """
    return Inv()(a)


class Solve(MatrixOp):
    """X = A^-1 B, with leading axes that broadcast; adjoints (-gB X^T, gB = A^-T g), tangent A^-1 (dB - dA X).

    A singular matrix raises LinAlgError.
    """

    def __call__(self, *args: Value) -> Tensor:
        """Make the node, if B has as many rows as A."""
        a, b = args
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            self.shape_of(a.shape, b.shape)
        return super().__call__(*args)

    def compute(self, a: Any, b: Any) -> Any:
        """The solution, by an LU decomposition with partial pivoting."""
        return _by_lapack(np.linalg.solve, f"solve: {SINGULAR}: the equations have no single solution", a, b)

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        """One column of the output for each of B."""
        if a.device != b.device:
            raise ValueError(f"solve: the inputs are on different devices: {a.device} and {b.device}")
        return Spec(self.shape_of(a.shape, b.shape), max(_float(a.dtype), _float(b.dtype)), a.device)

    def shape_of(self, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the output; ValueError if `a` and `b` do not fit."""
        _check_square("solve", a)
        if len(b) < 2 or b[-2] != a[-1]:
            raise ValueError(
                f"solve: matrices of shape {a} need right sides of shape (..., {a[-1]}, k), or one of shape "
                f"({a[-1]},), got {b}"
            )
        try:
            return (*np.broadcast_shapes(a[:-2], b[:-2]), *b[-2:])
        except ValueError:
            raise ValueError(f"solve: the leading axes of shapes {a} and {b} do not broadcast together") from None

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor | None, Tensor]:
        """gB = A^-T g, and gA = -gB X^T, summed over the axes along which A or B was broadcast."""
        from .reduce import sum_to

        a, b = node.inputs
        grad_b = self(_transposed(a), out_grad)
        grad_a = sum_to(-(grad_b @ _transposed(node)), a.shape) if a.requires_grad else None
        return grad_a, sum_to(grad_b, b.shape)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """A^-1 (dB - dA X), since dB = d(A X) = dA X + A dX."""
        da, db = tangents
        return self(node.inputs[0], sum_node_list([db, None if da is None else -(da @ node)]))

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """One batch axis more; of one matrix for all examples, the examples are columns."""
        from .shape import permute, reshape

        a, b = inputs
        if batched == (False, True) and a.ndim == 2:
            # To (n, ..., k) and then (n, ... k), so that the matrix is decomposed once; and back.
            last = b.ndim - 2
            rows = permute(b, (last, *range(last), last + 1))
            solved = reshape(self(a, reshape(rows, (rows.shape[0], rows.size // max(rows.shape[0], 1)))), rows.shape)
            return permute(solved, (*range(1, last + 1), 0, last + 1))
        ndim = max(x.ndim - is_batched for x, is_batched in zip(inputs, batched))
        return self(*[with_axes(x, ndim) if is_batched else x for x, is_batched in zip(inputs, batched)])


def solve(a: Tensor, b: Tensor) -> Tensor:
    """Solution x of the linear equations a x = b.

    Parameters
    ----------
    a : Tensor
        Of shape (..., n, n).
    b : Tensor
        Right sides, of shape (..., n, k), or a single one of shape (n,), as in NumPy 2. Leading axes broadcast. Both
        are promoted to one dtype, integers to float32.

    Returns
    -------
    Tensor
        Of shape (..., n, k), or (..., n) for a single right side.

    Raises
    ------
    ValueError
        If the matrices are not square, or the shapes do not fit.
    numpy.linalg.LinAlgError
        If a matrix is exactly singular.
    """
    from .shape import reshape

    a, b = as_tensor(a, b if isinstance(b, Tensor) else None), as_tensor(b, a if isinstance(a, Tensor) else None)
    a, b = promote(a, b)
    if a.device != b.device:
        raise ValueError(f"solve: the matrices are on {a.device}, the right sides on {b.device}")
    _check_square("solve", a.shape)
    if b.ndim == 1 and b.shape[0] == a.shape[-1]:
        return reshape(Solve()(a, reshape(b, (*b.shape, 1))), a.shape[:-1])
    return Solve()(a, b)


class Det(MatrixOp):
    """The determinant; adjoint g C with C the `Cofactor` matrix, which is det(A) A^-T and exists if A is singular, too.

    The first derivative is right for every matrix, the second for all that are not singular.
    """

    def compute(self, a: Any) -> Any:
        """The product of the pivots of an LU decomposition, with its sign."""
        return _by_lapack(np.linalg.det, "det", a)

    def infer(self, a: Spec) -> Spec:
        """One number for each matrix."""
        return super().infer(a)._replace(shape=a.shape[:-2])

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(det A)/dA_ij is the cofactor of A_ij."""
        (a,) = node.inputs
        return _for_each_element(out_grad) * Cofactor()(a)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The sum of C_ij dA_ij."""
        return _inner(Cofactor()(node.inputs[0]), tangents[0])


def det(a: Tensor) -> Tensor:
    """Determinant of square matrices.

    Parameters
    ----------
    a : Tensor
        Of shape (..., n, n). Of large matrices, which overflow or underflow, `logdet` is the better question.

    Returns
    -------
    Tensor
        Of shape (...); in the dtype of `a` if that is a float, else in float32. Its gradient is the matrix of cofactors
        (by a singular value decomposition), for singular matrices, too; the second derivative of a singular matrix is
        NaN.

    Raises
    ------
    ValueError
        If the matrices are not square.
    """
    return Det()(a)


class Cofactor(MatrixOp):
    """C_ij = d(det A)/dA_ij = det(A) A^-T; adjoint and tangent alike (<C, g> C - C g^T C) / det A.

    From a singular value decomposition A = U S V^T: C = det(U) det(V) U diag(prod_{j != i} s_j) V^T, which divides by
    nothing. Its own derivative does, and is NaN where A is singular. A matrix with NaN or Inf has cofactors NaN.
    """

    def compute(self, a: Any) -> Any:
        """The formula above."""
        return _by_lapack(_cofactors, "det: the singular values for the gradient were not found", a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """From dC = d(det A) A^-T - C dA^T A^-T; the Jacobian, a second derivative, is symmetric."""
        (a,) = node.inputs
        along = _for_each_element(_inner(node, out_grad)) * node
        return (along - node @ _transposed(out_grad) @ node) / _for_each_element(Det()(a))

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The gradient rule, since the Jacobian is symmetric."""
        return self.gradient(tangents[0], node)


def _cofactors(a: np.ndarray) -> np.ndarray:
    n = a.shape[-1]
    usable = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    u, s, vh = np.linalg.svd(np.where(usable, a, np.eye(n, dtype=a.dtype)))
    others = np.where(np.eye(n, dtype=bool), a.dtype.type(1), s[..., None, :]).prod(axis=-1)
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vh))
    cofactors: np.ndarray = (u * (others * sign[..., None])[..., None, :]) @ vh
    cofactors[~usable[..., 0, 0]] = np.nan
    return cofactors


class LogDet(MatrixOp):
    """log |det A|, -inf for a singular matrix; adjoint g A^-T, which raises LinAlgError for a singular one."""

    def compute(self, a: Any) -> Any:
        """The sum of the logarithms of the pivots' absolute values."""
        return _by_lapack(lambda a: np.linalg.slogdet(a)[1], "logdet", a)

    def infer(self, a: Spec) -> Spec:
        """One number for each matrix."""
        return super().infer(a)._replace(shape=a.shape[:-2])

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """g A^-T."""
        return _for_each_element(out_grad) * _transposed(inv(node.inputs[0]))

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The trace of A^-1 dA."""
        return _inner(_transposed(inv(node.inputs[0])), tangents[0])


def logdet(a: Tensor) -> Tensor:
    """Logarithm of the absolute value of the determinant of square matrices.

    Parameters
    ----------
    a : Tensor
        Of shape (..., n, n). Determinants of either sign have a logarithm here; `det` has the sign.

    Returns
    -------
    Tensor
        Of shape (...); in the dtype of `a` if that is a float, else in float32. -inf for a singular matrix.

    Raises
    ------
    ValueError
        If the matrices are not square.
    numpy.linalg.LinAlgError
        From the gradient, if a matrix is exactly singular.
    """
    return LogDet()(a)


class Cholesky(MatrixOp):
    """L, lower triangular with L L^T = S = (A + A^T) / 2; adjoint the symmetric part of L^-T P(L^T g) L^-1.

    P takes the lower triangle, with half of the diagonal; tangent L P(L^-1 dS L^-T). All of A is read, and elements
    that mirror each other get equal adjoints. A matrix that is not positive definite raises LinAlgError.
    """

    def compute(self, a: Any) -> Any:
        """The factor of the symmetric part."""
        message = "cholesky: the matrix (of a stack: one of them) is not positive definite"
        return _by_lapack(lambda a: np.linalg.cholesky((a + a.swapaxes(-2, -1)) / 2), message, a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The transpose of the tangent rule."""
        transposed = _transposed(node)
        left = solve(transposed, _lower(transposed @ out_grad))
        return _symmetric(solve(transposed, _transposed(left)))

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """From dS = dL L^T + L dL^T: L^-1 dS L^-T is L^-1 dL, lower triangular, plus its transpose."""
        return node @ _lower(solve(node, _transposed(solve(node, _symmetric(tangents[0])))))


def cholesky(a: Tensor) -> Tensor:
    """Cholesky factor of symmetric positive definite matrices.

    Parameters
    ----------
    a : Tensor
        Of shape (..., n, n). Of a matrix that is not symmetric, its symmetric part (a + a^T) / 2 is decomposed (NumPy
        reads the lower triangle instead).

    Returns
    -------
    Tensor
        The lower triangular matrices l with l l^T = a, of the same shape; in the dtype of `a` if that is a float, else
        in float32. The gradient is a symmetric matrix.

    Raises
    ------
    ValueError
        If the matrices are not square.
    numpy.linalg.LinAlgError
        If one is not positive definite.
    """
    return Cholesky()(a)


def _check_square(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{name}: needs square matrices, of shape (..., n, n), got shape {shape}")


def _float(dtype: str) -> str:
    return "float64" if dtype == "float64" else "float32"


def _by_lapack(function: Callable[..., Any], error: str, *arrays: Any) -> Any:
    """What a function of NumPy arrays gives, integers in float32; `error` is what to say if it finds no answer.

    NumPy's warnings are off: NaN and infinities go through as in other operators.
    """

    def on_floats(*hosts: np.ndarray) -> Any:
        return function(*[x.astype(_float(x.dtype.name), copy=False) for x in hosts])

    try:
        with np.errstate(all="ignore"):
            return on_host(on_floats, *arrays)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(error) from None


def _transposed(a: Tensor) -> Tensor:
    from .shape import transpose

    return transpose(a)


def _symmetric(a: Tensor) -> Tensor:
    """(A + A^T) / 2."""
    return (a + _transposed(a)) / 2


def _lower(a: Tensor) -> Tensor:
    """The lower triangle, with half of the diagonal."""
    n = a.shape[-1]
    return a * Tensor(np.tril(np.ones((n, n))) - np.eye(n) / 2, dtype=a.dtype, device=a.device, requires_grad=False)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The sum of A_ij B_ij, for each matrix."""
    from .reduce import summation

    return summation(a * b, (-2, -1))


def _for_each_element(numbers: Tensor) -> Tensor:
    """One number for each matrix, with the axes of matrices, along which it broadcasts."""
    from .shape import reshape

    return reshape(numbers, (*numbers.shape, 1, 1))
