"""C++: sums and maxima."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import UNSET, behind, buffer, counted, elements, result_of
from hw.testing import hint, same
from needle.backend_ndarray.device import simple_kernels

F = np.float32


def mistakes_of(kernel, a):
    """What comes out if rows and columns are exchanged, or if the first element is forgotten."""
    rows, size = a.shape
    exchanged = a.reshape(size, rows).T
    reduce = np.sum if kernel == "reduce_sum" else np.max
    results = {
        "elements out.size apart are taken, not neighbours": reduce(exchanged, axis=1),
        "the first element is missing": reduce(a[:, 1:], axis=1) if size > 1 else None,
        "the last element is missing": reduce(a[:, :-1], axis=1) if size > 1 else None,
        "it begins with 0": np.maximum(a.max(1), 0) if kernel == "reduce_max" else None,
        "all rows are reduced to one": np.full(rows, reduce(a)),
    }
    right = reduce(a, axis=1)
    return {what: x for what, x in results.items() if x is not None and not np.allclose(x, right)}


@hint("out[i] is the sum of reduce_size neighbours, beginning with a[i * reduce_size].")
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (2, 3), (3, 2), (4, 5)])
def test_sum(shape):
    a = random(*shape, dtype="float32")
    found = result_of("reduce_sum", shape[0], a, after=(shape[1],))
    of = f"out, after reduce_sum(a, out, {shape[1]}), a of {a.size} elements"
    given = {"a": a.ravel()}
    same(found, a.sum(1), of=of, given=given, mistakes=mistakes_of("reduce_sum", a))


@hint("out[i] is the largest of reduce_size neighbours.")
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (2, 3), (3, 2), (4, 5)])
def test_max(shape):
    a = random(*shape, dtype="float32", seed=3)
    found = result_of("reduce_max", shape[0], a, after=(shape[1],))
    of = f"out, after reduce_max(a, out, {shape[1]}), a of {a.size} elements"
    same(found, a.max(1), of=of, given={"a": a.ravel()}, mistakes=mistakes_of("reduce_max", a))


@hint("The largest of negative numbers is negative.")
@pytest.mark.parametrize("shape", [(1, 2), (2, 3)])
def test_max_of_negative_numbers(shape):
    a = -counted(*shape) - 1
    found = result_of("reduce_max", shape[0], a, after=(shape[1],))
    same(found, a.max(1), of="out, after reduce_max", given={"a": a.ravel()}, mistakes=mistakes_of("reduce_max", a))


@hint("NaN if one of them is: no comparison with NaN holds, so ask for it.")
@pytest.mark.parametrize("row", [[np.nan, 1, 2], [1, np.nan, 2], [1, 2, np.nan]])
def test_nan(row):
    a = F([row, [3, 4, 5]])
    same(result_of("reduce_max", 2, a, after=(3,)), [np.nan, 5], of="out, after reduce_max(a, out, 3)", given={"a": a})
    same(result_of("reduce_sum", 2, a, after=(3,)), [np.nan, 12], of="out, after reduce_sum(a, out, 3)", given={"a": a})


@hint("a is read, and not written to.")
@pytest.mark.parametrize("kernel", ["reduce_sum", "reduce_max"])
def test_the_input_stays(kernel):
    a = buffer(counted(2, 3))
    getattr(simple_kernels(), kernel)(a, buffer(np.zeros(2)), 3)
    same(elements(a), counted(6), of=f"a, after {kernel}")


@hint("There are out.size blocks: the loop over them ends before out.size.")
@pytest.mark.parametrize("kernel", ["reduce_sum", "reduce_max"])
def test_nothing_is_written_behind_the_buffer(kernel):
    found = behind(kernel, counted(3, 2), after=(2,))
    same(found, UNSET, of=f"the memory behind out, which was {UNSET}, after {kernel}")
