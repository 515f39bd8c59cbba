"""Linear algebra where it is hard: singular matrices, stacks, overflow, few digits; and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle.backend_selection import cpu, cpu_numpy
from needle.batching import run_batched
from tests.autograd.graphs import counted_computations, nd_only, tensor
from tests.ops.cases_linalg import cofactors, dominant

FUNCTIONS = [ndl.inv, ndl.det, ndl.logdet, ndl.cholesky, lambda a: ndl.solve(a, np.ones(a.shape[-1]))]
NAMES = ["inv", "det", "logdet", "cholesky", "solve"]
SOLVERS = [ndl.ops.Inv, ndl.ops.Det, ndl.ops.LogDet, ndl.ops.Cholesky, ndl.ops.Solve]

SINGULAR = {
    "zero": np.zeros((3, 3)),
    "rank 1": np.outer([1.0, 2, 3], [4.0, 5, 6]),
    "rank 2": np.array([[1.0, 2, 3], [4, 5, 6], [5, 7, 9]]),
    "one element": np.zeros((1, 1)),
    "two equal rows": np.array([[1.0, 2.0], [1.0, 2.0]]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_the_gradient_of_det_at_a_singular_matrix_is_the_matrix_of_cofactors(name, device, mode):
    a = tensor(SINGULAR[name], dtype="float64", device=device)
    ndl.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), cofactors(SINGULAR[name]), atol=1e-12)


def test_a_singular_matrix_in_a_stack_leaves_the_others_alone():
    stack = np.stack([dominant(3, 3), SINGULAR["rank 2"], np.full((3, 3), np.nan), -dominant(3, 3, seed=1)])
    a = tensor(stack, dtype="float64")
    ndl.det(a).sum().backward()
    for i in (0, 1, 3):
        np.testing.assert_allclose(a.grad.numpy()[i], cofactors(stack[i]), rtol=1e-11, atol=1e-12)
    assert np.isnan(a.grad.numpy()[2]).all()


def test_the_second_derivative_of_det_is_nan_where_the_matrix_is_exactly_singular_and_right_elsewhere():
    with np.errstate(all="ignore"):
        a = tensor(np.stack([np.zeros((2, 2)), dominant(2, 2)]), dtype="float64")
        ndl.det(a).sum().backward()
        first, a.grad = a.grad, None
        (first * np.array([[1.0, 0], [0, 0]])).sum().backward()
    # The derivative of det = ad - bc by a is d, whose gradient is 1 at d.
    assert np.isnan(a.grad.numpy()[0]).all()
    np.testing.assert_allclose(a.grad.numpy()[1], [[0, 0], [0, 1]], atol=1e-14)


@pytest.mark.parametrize(("function", "name"), [(ndl.inv, "inv"), (FUNCTIONS[4], "solve")], ids=["inv", "solve"])
@pytest.mark.parametrize(
    "matrix", [SINGULAR["zero"], np.stack([np.eye(2), SINGULAR["two equal rows"]])], ids=["1", "2"]
)
def test_a_singular_matrix_has_no_inverse(function, name, matrix, device):
    with pytest.raises(np.linalg.LinAlgError, match=rf"{name}: the matrix \(of a stack: one of them\) is singular"):
        function(tensor(matrix, dtype="float64", device=device))
    with ndl.lazy_mode():
        lazy = function(tensor(matrix, dtype="float64", device=device))
    with pytest.raises(np.linalg.LinAlgError, match=name):
        lazy.numpy()


def test_the_logarithm_of_a_singular_determinant_is_minus_infinity_and_has_no_gradient(device):
    a = tensor(np.zeros((2, 2)), device=device)
    out = ndl.logdet(a)
    assert out.item() == -np.inf
    with pytest.raises(np.linalg.LinAlgError, match=r"inv: .*singular"):
        out.backward()


def test_logdet_neither_overflows_nor_underflows_where_det_does():
    for scale in (1e3, 1e-3):
        a = tensor(scale * np.eye(200), dtype="float32")
        assert ndl.det(a).item() in (np.inf, 0)
        out = ndl.logdet(a)
        np.testing.assert_allclose(out.item(), 200 * np.log(scale), rtol=1e-6)
        out.backward()
        np.testing.assert_allclose(a.grad.numpy(), np.eye(200) / scale, rtol=1e-6)


def test_logdet_is_of_the_absolute_value():
    a = np.array([[0.0, 2.0], [3.0, 0.0]])
    assert ndl.det(tensor(a)).item() == pytest.approx(-6)
    assert ndl.logdet(tensor(a)).item() == pytest.approx(np.log(6))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients_have_the_digits_of_their_dtype(dtype):
    """Against float64 (and, of a Hilbert matrix, against the exact inverse), within a few times eps x condition."""
    n = 4
    hilbert = 1 / (np.arange(n)[:, None] + np.arange(n) + 1.0)
    exact = np.array([[16, -120, 240, -140], [-120, 1200, -2700, 1680], [240, -2700, 6480, -4200]])
    exact = np.vstack([exact, [-140, 1680, -4200, 2800]]).astype("float64")
    tolerance = np.finfo(dtype).eps * np.linalg.cond(hilbert)
    a = tensor(hilbert, dtype=dtype)
    for given, expected in [
        (ndl.inv(a), exact),
        (ndl.solve(a, np.eye(n, dtype=dtype)), exact),
        (ndl.det(a), 1 / 6048000),
        (ndl.cholesky(a) @ ndl.cholesky(a).transpose(), hilbert),
    ]:
        assert given.dtype == dtype
        assert np.abs(given.numpy() - expected).max() <= tolerance * np.abs(expected).max()
    ndl.det(a).backward()
    assert np.abs(a.grad.numpy() - exact / 6048000).max() <= tolerance * np.abs(exact).max() / 6048000


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_integers_are_computed_with_in_float32(function, dtype, mode):
    a = ndl.Tensor(np.eye(3) * (1 if dtype == "bool" else 4), dtype=dtype)
    result = function(a) if function is not FUNCTIONS[4] else ndl.solve(a, ndl.Tensor([1, 1, 1], dtype=dtype))
    expected = function(ndl.Tensor(a.numpy(), dtype="float64"))
    assert result.dtype == "float32" and result.numpy().dtype == np.float32
    np.testing.assert_allclose(result.numpy(), expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_nan_goes_through_without_warning(function, recwarn):
    given = function(tensor([[np.nan, 1.0], [1.0, 2.0]]))
    assert np.isnan(given.numpy()).any() and not recwarn.list


def test_cholesky_decomposes_the_symmetric_part_and_gives_mirrored_elements_equal_gradients():
    a = tensor(dominant(3, 3), dtype="float64")
    factor = ndl.cholesky(a)
    np.testing.assert_allclose((factor @ factor.transpose()).numpy(), (a.numpy() + a.numpy().T) / 2, rtol=1e-14)
    assert (np.triu(factor.numpy(), 1) == 0).all()
    factor.sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), a.grad.numpy().T)


def test_the_gradient_of_cholesky_along_a_symmetric_change_is_that_of_numpys():
    generator = np.random.default_rng(0)
    matrix = dominant(3, 3)
    matrix, change = matrix + matrix.T, generator.standard_normal((3, 3))
    change, weights = change + change.T, generator.standard_normal((3, 3))
    a = tensor(matrix, dtype="float64")
    (ndl.cholesky(a) * weights).sum().backward()
    ahead, behind = (np.linalg.cholesky(matrix + step * change) for step in (1e-5, -1e-5))
    np.testing.assert_allclose(np.sum(a.grad.numpy() * change), np.sum(weights * (ahead - behind)) / 2e-5, rtol=1e-7)


@pytest.mark.parametrize("matrix", [-np.eye(2), np.zeros((2, 2)), np.stack([np.eye(2), [[1.0, 2], [2, 1]]])])
def test_cholesky_refuses_what_is_not_positive_definite(matrix, device):
    with pytest.raises(np.linalg.LinAlgError, match=r"cholesky: the matrix .* is not positive definite"):
        ndl.cholesky(tensor(matrix, device=device))


def test_the_right_side_of_shape_n_is_one_vector_and_any_other_is_a_matrix():
    a = dominant(2, 3, 3)
    for shape in [(3,), (3, 2), (2, 3, 1)]:
        b = np.random.default_rng(1).standard_normal(shape)
        x = ndl.solve(tensor(a, dtype="float64"), tensor(b, dtype="float64"))
        np.testing.assert_allclose(x.numpy(), np.linalg.solve(a, b), rtol=1e-12)
    assert ndl.solve(tensor(np.eye(2), dtype="float64"), [1, 2]).numpy().tolist() == [1, 2]


def test_one_matrix_for_a_batch_of_right_sides_is_decomposed_once(monkeypatch):
    shapes = []
    solve = np.linalg.solve
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: (shapes.append((a.shape, b.shape)), solve(a, b))[1])
    generator, a = np.random.default_rng(0), dominant(3, 3)
    for side in [(3,), (3, 2), (2, 3, 2), (3, 0)]:
        b = generator.standard_normal((5, *side))
        whole = [tensor(a, dtype="float64"), tensor(b, dtype="float64")]
        given = run_batched(ndl.solve, whole, [False, True], 5)
        np.testing.assert_allclose(given.numpy(), [solve(a, one) for one in b], rtol=1e-12)
        assert shapes.pop()[0] == (3, 3) and not shapes


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_a_batch_is_one_call(function):
    whole = tensor(dominant(4, 2, 2), dtype="float64")
    with counted_computations() as counts:
        given = run_batched(function, [whole], [True], 4)
    assert [counts[op.__name__] for op in SOLVERS if counts[op.__name__]] == [1]
    np.testing.assert_allclose(given.numpy(), [function(tensor(a, dtype="float64")).numpy() for a in whole.numpy()])


MISTAKES = {
    **{
        f"{name} of {shape}": (
            lambda function=function, shape=shape: function(tensor(np.ones(shape))),
            rf"{name}: needs square matrices, of shape \(\.\.\., n, n\), got shape \({', '.join(map(str, shape))},?\)",
        )
        for function, name in zip(FUNCTIONS, NAMES)
        for shape in [(2, 3), (3,), (3, 3, 2)]
    },
    "solve: rows": (
        lambda: ndl.solve(tensor(np.eye(3)), tensor(np.ones((2, 3)))),
        r"solve: matrices of shape \(3, 3\) need right sides of shape \(\.\.\., 3, k\), .* \(3,\), got \(2, 3\)",
    ),
    "solve: vector": (
        lambda: ndl.solve(tensor(np.eye(3)), tensor(np.ones(2))),
        r"solve: matrices of shape \(3, 3\) .*got \(2,\)",
    ),
    "solve: batches": (
        lambda: ndl.solve(tensor(np.ones((2, 3, 3))), tensor(np.ones((4, 3, 1)))),
        r"solve: the leading axes of shapes \(2, 3, 3\) and \(4, 3, 1\) do not broadcast",
    ),
    "an op object": (lambda: ndl.ops.Inv()(tensor(np.ones((2, 3)))), r"inv: needs square matrices"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_shapes_that_do_not_fit_are_a_value_error_at_the_call(name, mode):
    call, said = MISTAKES[name]
    with pytest.raises(ValueError, match=said):
        call()


def test_an_array_is_no_tensor():
    with pytest.raises(TypeError, match=r"Inv: input 0 must be a Tensor, not a.*ndarray"):
        ndl.inv(np.eye(2))


@nd_only
def test_operands_of_solve_must_be_on_one_device(mode):
    a, b = tensor(np.eye(2), device=cpu()), tensor(np.ones((2, 1)), device=cpu_numpy())
    with pytest.raises(ValueError, match=r"solve: the matrices are on cpu\(\), the right sides on cpu_numpy\(\)"):
        ndl.solve(a, b)


@nd_only
@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_a_compiled_function_says_that_it_cannot_repeat_lapack(function):
    with pytest.raises(ndl.CompileError, match="reads values"):
        ndl.compile(function)(tensor(dominant(2, 2)))
