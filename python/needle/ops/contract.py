"""Sums of products over named axes: Einstein's notation, and the dot and outer products, which it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..autograd import TensorOp
from ..backend_selection import array_api
from ..tensor import Tensor
from .matching import as_tensor, promote
from .rules import Multilinear

__all__ = ["Dot", "Einsum", "Outer", "dot", "einsum", "outer"]

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#: What may name an axis: letters, as in NumPy, and for the axes that batches add some more.
LABELS = _LETTERS + "".join(map(chr, range(192, 400)))


class Einsum(Multilinear, TensorOp):
    """The sum over all labels that the output lacks of the product; an adjoint is the einsum of g and the other one.

    For ``"ij,jk->ik"``: adjoints ``"ik,jk->ij"`` of (g, b) and ``"ik,ij->jk"`` of (g, a), repeated along labels that
    the operand alone had. The subscripts are explicit, of one operand or two, with no label twice in one of them and
    one extent per label: `einsum` brings NumPy's notation into this form.
    """

    def __init__(self, subscripts: str) -> None:
        self.subscripts = subscripts

    def compute(self, *arrays: Any) -> Any:
        """Sums over what one operand alone has; then one matrix product, for each element of the labels in all three.

        Where the matrices would be single rows and columns, a product of elements and a sum. Bools are counted, which
        says whether there is any.
        """
        operands, output = _parsed(self.subscripts)
        extents = _extents(self.subscripts, operands, [a.shape for a in arrays])
        if all(a.dtype == "bool" for a in arrays):
            return (self.compute(*[a.astype("int64") for a in arrays]) != 0).astype("bool")
        if len(operands) == 1:
            summed, labels = _summed(arrays[0], operands[0], output)
            return _ordered(summed, labels, output)
        a, left = _summed(arrays[0], operands[0], operands[1] + output)
        b, right = _summed(arrays[1], operands[1], operands[0] + output)
        shared = [x for x in left if x in right and x in output]
        contracted = [x for x in left if x in right and x not in output]
        rows = [x for x in left if x not in right]
        columns = [x for x in right if x not in left]
        a = _ordered(a, left, [*shared, *rows, *contracted])
        b = _ordered(b, right, [*shared, *contracted, *columns])
        front, m, k, n = ([extents[x] for x in part] for part in (shared, rows, contracted, columns))
        if contracted and shared and not rows and not columns:
            return _ordered(*_summed(a * b, "".join([*shared, *contracted]), output), output)
        if contracted:
            a = array_api.reshape(a, (*front, prod(m), prod(k)))
            b = array_api.reshape(b, (*front, prod(k), prod(n)))
            product = array_api.reshape(array_api.matmul(a, b), (*front, *m, *n))
        else:
            product = array_api.reshape(a, (*front, *m, *[1] * len(n))) * array_api.reshape(
                b, (*front, *[1] * len(m), *n)
            )
        return _ordered(product, [*shared, *rows, *columns], output)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor | None, ...]:
        """The output's labels and the operand's exchange their places; a label that is in no other gets g repeated."""
        from .shape import broadcast_to, reshape

        operands, output = _parsed(self.subscripts)
        shares: list[Tensor | None] = []
        for position, (x, labels) in enumerate(zip(node.inputs, operands)):
            if not x.requires_grad:
                shares.append(None)
                continue
            others = [(y, term) for i, (y, term) in enumerate(zip(node.inputs, operands)) if i != position]
            terms = [output, *(term for _, term in others)]
            kept = "".join(label for label in labels if any(label in term for term in terms))
            share = Einsum(f"{','.join(terms)}->{kept}")(out_grad, *[y for y, _ in others])
            if kept != labels:
                with_ones = tuple(n if label in kept else 1 for n, label in zip(x.shape, labels))
                share = broadcast_to(reshape(share, with_ones), x.shape)
            shares.append(share)
        return tuple(shares)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """The examples are one label more, in front."""
        operands, output = _parsed(self.subscripts)
        example = next(label for label in LABELS if label not in self.subscripts)
        terms = [example + term if is_batched else term for term, is_batched in zip(operands, batched)]
        return Einsum(f"{','.join(terms)}->{example}{output}")(*inputs)


def _parsed(subscripts: str) -> tuple[list[str], str]:
    """The labels of each operand and those of the output, from explicit subscripts."""
    operands, _, output = subscripts.partition("->")
    return operands.split(","), output


def _extents(
    subscripts: str, operands: Sequence[str], shapes: Sequence[tuple[int, ...]], stretch: bool = False
) -> dict[str, int]:
    """The extent of each label; ValueError if there are several (1 beside another is none, if it may `stretch`)."""
    extents: dict[str, int] = {}
    for labels, shape in zip(operands, shapes, strict=True):
        for label, extent in zip(labels, shape, strict=True):
            known = extents.setdefault(label, extent)
            if stretch and known == 1:
                extents[label] = extent
            elif known != extent and not (stretch and extent == 1):
                name = repr(label) if label in subscripts else "an axis of '...'"
                raise ValueError(
                    f"einsum: {name} of {subscripts!r} has extents {known} and {extent}; the operands have shapes "
                    f"{', '.join(map(str, shapes))}"
                )
    return extents


def _summed(a: Any, labels: str, needed: str) -> tuple[Any, str]:
    """`a` summed, in its dtype, over the labels that nobody needs any more; and those that are left."""
    axes = tuple(axis for axis, label in enumerate(labels) if label not in needed)
    if not axes:
        return a, labels
    total = array_api.sum(a, axis=axes)
    return total if total.dtype == a.dtype else total.astype(a.dtype), "".join(x for x in labels if x in needed)


def _ordered(a: Any, labels: Sequence[str], order: Sequence[str]) -> Any:
    """`a` with its axes in another order of their labels."""
    axes = tuple(labels.index(label) for label in order)
    return a if axes == tuple(range(len(axes))) else array_api.transpose(a, axes)


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Sum of products over named axes, in NumPy's notation.

    ``einsum("ij,jk->ik", a, b)`` is a matrix product: every axis of an operand has a label, the output keeps the axes
    that stand behind the arrow, and the product is summed over all others.

    Parameters
    ----------
    subscripts : str
        The labels (letters) of each operand, with commas between operands, and behind ``->`` those of the output.
        Without ``->`` the output has the labels that occur once, in alphabetical order. ``...`` stands for the axes
        without a label, which broadcast together. A label twice in one operand takes the diagonal. Spaces do not count.
    *operands : Tensor
        One or more. They are promoted to one dtype, which the output has, too (of bools: whether any product is 1).

    Returns
    -------
    Tensor
        More than two operands are contracted in pairs, in the order of ``numpy.einsum_path(..., "greedy")``.

    Raises
    ------
    ValueError
        If the subscripts are not as above or do not fit the operands. A label has one extent; an extent of 1 beside it
        broadcasts, as it does in NumPy.
    """
    if not isinstance(subscripts, str):
        raise TypeError(
            f"einsum: the subscripts must be a string such as 'ij,jk->ik', not a {type(subscripts).__name__}; they "
            "come first, the operands after them"
        )
    like = next((x for x in operands if isinstance(x, Tensor)), None)
    tensors = [as_tensor(x, like) for x in operands]
    terms, output = _explicit(subscripts, [x.shape for x in tensors])
    pending = [_diagonal(subscripts, x, labels) for x, labels in zip(promote(*tensors), terms)]
    extents = _extents(subscripts, [labels for _, labels in pending], [x.shape for x, _ in pending], stretch=True)
    pending = [_unstretched(x, labels, extents) for x, labels in pending]
    if len(pending) == 1:
        ((x, labels),) = pending
        return Einsum(f"{labels}->{output}")(x)
    for step in _path(pending, output):
        chosen = [pending.pop(position) for position in sorted(step, reverse=True)]
        while len(chosen) > 1:
            (a, left), (b, right) = chosen.pop(), chosen.pop()
            others = "".join(labels for _, labels in (*pending, *chosen))
            if pending or chosen:
                kept = "".join(x for x in dict.fromkeys(left + right) if x in others + output)
            else:
                kept = output
            chosen.append((Einsum(f"{left},{right}->{kept}")(a, b), kept))
        pending += chosen
    return pending[0][0]


def _explicit(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[str], str]:
    """The labels of each operand and of the output, with letters for the axes that ``...`` stands for."""
    text = "".join(subscripts.split())
    left, arrow, output = text.partition("->")
    terms = left.split(",")
    for term in (*terms, output):
        if not re.fullmatch(r"[A-Za-z]*(\.\.\.[A-Za-z]*)?", term):
            raise ValueError(
                f"einsum: {term!r} in {subscripts!r} does not name axes: that is done by letters, and by one '...' for "
                "all axes without a letter"
            )
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {subscripts!r} is for {len(terms)} operands, got {len(shapes)}")
    unnamed = []
    for position, (term, shape) in enumerate(zip(terms, shapes)):
        named = len(term.replace("...", ""))
        if named > len(shape) or (named < len(shape) and "..." not in term):
            raise ValueError(
                f"einsum: {term!r} names {named} axes, operand {position} has {len(shape)} (its shape is {shape})"
                + ("; '...' stands for axes without a name" if named < len(shape) else "")
            )
        unnamed.append(len(shape) - named)
    free = [label for label in _LETTERS if label not in text]
    if max(unnamed) > len(free):
        raise ValueError(f"einsum: {subscripts!r} and the axes of '...' need more than the 52 letters there are")
    dots = "".join(free[: max(unnamed)])
    terms = [term.replace("...", dots[len(dots) - count :]) for term, count in zip(terms, unnamed)]
    if not arrow:
        every = "".join(terms)
        return terms, dots + "".join(x for x in sorted(set(every)) if every.count(x) == 1 and x not in dots)
    if dots and "..." not in output:
        raise ValueError(f"einsum: the output of {subscripts!r} needs '...', too: its axes are not summed over")
    output = output.replace("...", dots)
    for label in output:
        if output.count(label) > 1:
            raise ValueError(f"einsum: {label!r} stands twice in the output of {subscripts!r}")
        if not any(label in term for term in terms):
            raise ValueError(f"einsum: {label!r} is in the output of {subscripts!r}, but in no operand")
    return terms, output


def _diagonal(subscripts: str, x: Tensor, labels: str) -> tuple[Tensor, str]:
    """`x` and its labels with each of them once: of axes with one label, the elements with equal indices.

    Of n x n elements in a row these are every (n + 1)-th.
    """
    from .indexing import getitem
    from .shape import permute, reshape

    for label in [x for x in dict.fromkeys(labels) if labels.count(x) > 1]:
        axes = [axis for axis, other in enumerate(labels) if other == label]
        extents = [x.shape[axis] for axis in axes]
        if len(set(extents)) > 1:
            raise ValueError(
                f"einsum: {label!r} stands for axes of extents {' and '.join(map(str, extents))} of one operand in "
                f"{subscripts!r}; only axes of one extent have a diagonal"
            )
        n, others = extents[0], [axis for axis in range(x.ndim) if axis not in axes]
        rows = reshape(permute(x, (*axes, *others)), (n ** len(axes), *(x.shape[axis] for axis in others)))
        x = getitem(rows, slice(None, None, sum(n**power for power in range(len(axes)))))
        labels = label + labels.replace(label, "")
    return x, labels


def _unstretched(x: Tensor, labels: str, extents: dict[str, int]) -> tuple[Tensor, str]:
    """`x` and its labels without the axes of extent 1 that another operand has with more: there it is the same."""
    from .shape import reshape

    kept = "".join(label for label, extent in zip(labels, x.shape) if extent == extents[label])
    return (x if kept == labels else reshape(x, tuple(extents[label] for label in kept))), kept


def _path(pending: Sequence[tuple[Tensor, str]], output: str) -> Iterable[tuple[int, ...]]:
    """Which operands to contract, step by step; what a step gives becomes the last operand."""
    if len(pending) == 2:
        return [(0, 1)]
    subscripts = f"{','.join(labels for _, labels in pending)}->{output}"
    shaped = [np.broadcast_to(np.zeros(()), x.shape) for x, _ in pending]
    return np.einsum_path(subscripts, *shaped, optimize="greedy")[0][1:]


class Dot(Einsum):
    """The sum over the last axis of a and the last but one (or only) of b; adjoints as of `Einsum`: (g b^T, a^T g).

    ``Dot(m, n)`` is for a of m axes and b of n; if either has none, it multiplies the other.
    """

    def __init__(self, left: int, right: int) -> None:
        a, b = LABELS[:left], LABELS[left : left + right]
        output = a + b
        if a and b:
            contracted = max(right - 2, 0)
            output = a[:-1] + b[:contracted] + b[contracted + 1 :]
            b = b[:contracted] + a[-1] + b[contracted + 1 :]
        super().__init__(f"{a},{b}->{output}")


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Dot product, as ``numpy.dot``.

    Parameters
    ----------
    a, b : Tensor
        Promoted to one dtype. Of shapes (n,) and (n,): the inner product, of shape (). Of (..., n) and (n,), or
        (..., n) and (..., n, k): the inner products of all rows of `a` with all columns of `b`, of shape (..., ..., k).
        If either has no axes: the product.

    Raises
    ------
    ValueError
        If the last extent of `a` is not the last but one (or only) of `b`.
    """
    a, b = promote(*_tensors(a, b))
    if a.ndim and b.ndim and a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
        axis = "its only axis" if b.ndim == 1 else "its last axis but one"
        raise ValueError(
            f"dot: shapes {a.shape} and {b.shape} do not fit: the last extent of the first, {a.shape[-1]}, must be "
            f"that of the second along {axis}, {b.shape[max(b.ndim - 2, 0)]}"
        )
    return Dot(a.ndim, b.ndim)(a, b)


class Outer(Einsum):
    """a_i b_j, of two vectors; adjoints (g b, g^T a)."""

    def __init__(self) -> None:
        super().__init__("i,j->ij")


def outer(a: Tensor, b: Tensor) -> Tensor:
    """Outer product, as ``numpy.outer``: all products of an element of `a` and one of `b`.

    Parameters
    ----------
    a, b : Tensor
        Of any shapes, which are flattened; promoted to one dtype.

    Returns
    -------
    Tensor
        Of shape (a.size, b.size): element (i, j) is the i-th of `a` times the j-th of `b`.
    """
    from .shape import reshape

    a, b = (x if x.ndim == 1 else reshape(x, (x.size,)) for x in promote(*_tensors(a, b)))
    return Outer()(a, b)


def _tensors(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    like = a if isinstance(a, Tensor) else b if isinstance(b, Tensor) else None
    return as_tensor(a, like), as_tensor(b, like)
