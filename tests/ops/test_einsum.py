"""Einstein's notation as NumPy reads it, what it may not say, and the products that are named after people."""

from __future__ import annotations

import string

import numpy as np
import pytest

import needle as ndl
from needle.batching import run_batched
from tests.autograd.graphs import counted_computations, nd_only, np_only, op_names, tensor


def draws(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal draws."""
    return np.random.default_rng(seed).standard_normal(shape)


def random_calls(count: int) -> list[tuple[str, list[tuple[int, ...]]]]:
    """Subscripts for 1 to 4 operands with repeated labels, ellipses and extents of 0, 1 and more; and the shapes."""
    generator = np.random.default_rng(7)
    calls = []
    for _ in range(count):
        extents = dict(zip("abcdXY", generator.integers(0, 4, 6)))
        unnamed = tuple(int(n) for n in generator.integers(1, 4, 2))
        terms, shapes = [], []
        for _ in range(generator.integers(1, 5)):
            labels = "".join(generator.choice(list(extents), generator.integers(0, 4)))
            cut, width = generator.integers(0, len(labels) + 1), generator.integers(0, 4)
            shape = [int(extents[x]) for x in labels]
            if width < 3:
                tail = [int(generator.choice([1, n])) for n in unnamed[2 - width :]]
                labels, shape = f"{labels[:cut]}...{labels[cut:]}", [*shape[:cut], *tail, *shape[cut:]]
            terms.append(labels)
            shapes.append(tuple(shape))
        text = ",".join(terms)
        if generator.random() < 0.7:
            used = sorted(set(text) & set(extents))
            kept = generator.permutation(used)[: generator.integers(0, len(used) + 1)] if used else []
            text += "->..." + "".join(kept)
        calls.append((text, shapes))
    return calls


@pytest.mark.parametrize(("subscripts", "shapes"), random_calls(150), ids=str)
def test_einsum_reads_the_notation_as_numpy_does(subscripts, shapes):
    operands = [draws(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    expected = np.einsum(subscripts, *operands)
    given = ndl.einsum(subscripts, *[tensor(x, dtype="float64") for x in operands])
    assert given.shape == expected.shape
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shapes", [((1,), (3,)), ((3,), (1,)), ((1,), (0,)), ((1,), (1,))])
def test_an_extent_of_1_broadcasts_as_in_numpy(shapes):
    a, b = (tensor(draws(*shape), dtype="float64") for shape in shapes)
    for subscripts in ("i,i", "i,i->i"):
        given = ndl.einsum(subscripts, a, b)
        np.testing.assert_allclose(given.numpy(), np.einsum(subscripts, a.numpy(), b.numpy()))
        given.sum().backward()
        np.testing.assert_allclose(
            a.grad.numpy().sum(), b.numpy().sum() * (3 if b.shape == (1,) and a.size == 3 else 1)
        )
        assert a.grad.shape == a.shape and b.grad.shape == b.shape


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_the_result_has_the_dtype_of_the_operands(dtype, device):
    values = np.arange(12).reshape(3, 4) % 3
    x = ndl.Tensor(values, dtype=dtype, device=device)
    for subscripts, count in [("ij,kj->ik", 2), ("ij->i", 1), ("ij,ij->ij", 2), ("ij,ij,ij->", 3)]:
        expected = np.einsum(subscripts, *[values.astype(dtype)] * count)
        given = ndl.einsum(subscripts, *[x] * count)
        assert given.dtype == dtype
        np.testing.assert_array_equal(given.numpy(), expected)


def test_operands_are_promoted_and_arrays_and_numbers_are_taken():
    a, b = ndl.Tensor([1, 2, 3], dtype="int32"), tensor([1.5, 2.0, 0.5])
    assert ndl.einsum("i,i", a, b).dtype == "float32" and ndl.einsum("i,i", a, b).item() == 7
    double = ndl.einsum("i,i", b, tensor([1.0, 1, 1], dtype="float64"))
    assert double.dtype == "float64" and double.item() == 4
    assert ndl.einsum("i,->i", b, 2).numpy().tolist() == [3, 4, 1]
    assert ndl.dot(b, np.ones(3, "float32")).item() == ndl.dot(np.ones(3, "float32"), b).item() == 4
    assert ndl.outer(b, 2).numpy().tolist() == [[3], [4], [1]]


def test_two_operands_are_one_node_and_one_operand_is_one_node():
    a, b = tensor(draws(2, 3)), tensor(draws(3, 4))
    assert op_names(ndl.einsum("ij,jk->ki", a, b)) == ["Einsum"]
    assert op_names(ndl.einsum("ij->j", a)) == ["Einsum"]
    assert op_names(ndl.dot(a, b)) == ["Dot"]
    assert op_names(ndl.outer(a[0], b[0])) == ["GetItem", "GetItem", "Outer"]


def test_many_operands_are_contracted_in_the_cheap_order():
    """A vector from the left of n x n matrices: no product of two matrices."""
    n = 8
    v, *matrices = tensor(draws(n)), *(tensor(draws(n, n, seed=seed)) for seed in range(3))
    result = ndl.einsum("ab,bc,cd,d->a", *matrices, v)
    order = ndl.autograd.find_topo_sort([result])
    assert [x.shape for x in order if x.op is not None] == [(n,)] * 3


def test_a_batch_is_one_einsum_with_one_label_more():
    a, b = draws(5, 2, 3), draws(3, 4)
    for batched, inputs in [((True, False), (a, b)), ((False, True), (b.T, a)), ((True, True), (a, draws(5, 3, 4)))]:
        function = {(False, True): "ij,kj->ki"}.get(batched, "ij,jk->ki")
        whole = [tensor(x, dtype="float64") for x in inputs]
        with counted_computations() as counts:
            given = run_batched(lambda x, y, s=function: ndl.einsum(s, x, y), whole, batched, 5)
        assert counts == {"Einsum": 1}
        examples = [[x[i] if is_batched else x for x, is_batched in zip(inputs, batched)] for i in range(5)]
        np.testing.assert_allclose(given.numpy(), [np.einsum(function, *example) for example in examples])


def test_all_52_letters_and_no_more():
    letters = string.ascii_letters
    terms = ",".join(letters[i : i + 13] for i in range(0, 52, 13))
    operands = [tensor(np.full((2, *[1] * 12), value)) for value in (1.0, 2.0, 3.0, 4.0)]
    assert ndl.einsum(f"{terms}->aA", *operands).numpy().tolist() == [[96, 96], [96, 96]]
    whole = [ndl.stack([x, x * 2]) for x in operands]
    given = run_batched(lambda *examples: ndl.einsum(f"{terms}->aA", *examples), whole, [True] * 4, 2)
    assert given.numpy().tolist() == [[[96, 96], [96, 96]], [[1536, 1536], [1536, 1536]]]
    with pytest.raises(ValueError, match=r"einsum: .*52 letters"):
        ndl.einsum(f"{terms},...", *operands, tensor([1.0]))


@np_only
def test_a_batch_finds_a_label_when_all_letters_are_taken():
    letters = string.ascii_letters
    whole = tensor(np.ones((3, 2, *[1] * 51)))
    given = run_batched(lambda x: ndl.einsum(f"{letters}->a", x), [whole], [True], 3)
    assert given.numpy().tolist() == [[1, 1]] * 3


def test_the_gradient_of_an_operand_that_needs_none_is_not_computed():
    a, b = tensor(draws(2, 3)), ndl.Tensor(draws(3, 4), dtype="float32", requires_grad=False)
    out = ndl.einsum("ij,jk->ik", a, b)
    with counted_computations() as counts:
        out.sum().backward(create_graph=False)
    assert counts["Einsum"] == 1 and b.grad is None and a.grad.shape == (2, 3)


A, B, V = (tensor(np.ones(shape)) for shape in ((2, 3), (4, 5), (3,)))

MISTAKES = {
    "extents": (lambda: ndl.einsum("ij,jk", A, B), r"einsum: 'j' of 'ij,jk' has extents 3 and 4; .*\(2, 3\), \(4, 5\)"),
    "extents of ...": (lambda: ndl.einsum("...,...", A, B), r"einsum: an axis of '\.\.\.'.* has extents 2 and 4"),
    "extents in one": (lambda: ndl.einsum("ii", A), r"einsum: 'i' stands for axes of extents 2 and 3"),
    "1 in one": (lambda: ndl.einsum("ii", A[:1]), r"einsum: 'i' stands for axes of extents 1 and 3"),
    "too few": (lambda: ndl.einsum("ij,jk", A), r"einsum: 'ij,jk' is for 2 operands, got 1"),
    "too many": (lambda: ndl.einsum("ij", A, A), r"einsum: 'ij' is for 1 operands, got 2"),
    "none": (lambda: ndl.einsum("ij"), r"einsum: 'ij' is for 1 operands, got 0"),
    "too few labels": (lambda: ndl.einsum("i", A), r"einsum: 'i' names 1 axes, operand 0 has 2 .*'\.\.\.' stands for"),
    "too many labels": (lambda: ndl.einsum("i,ijk", V, A), r"einsum: 'ijk' names 3 axes, operand 1 has 2"),
    "too many beside ...": (lambda: ndl.einsum("ij...k", A), r"einsum: 'ij\.\.\.k' names 3 axes, operand 0 has 2"),
    "unknown": (lambda: ndl.einsum("i->j", V), r"einsum: 'j' is in the output of 'i->j', but in no operand"),
    "twice": (lambda: ndl.einsum("i->ii", V), r"einsum: 'i' stands twice in the output"),
    "no ...": (lambda: ndl.einsum("...i->i", A), r"einsum: the output of '\.\.\.i->i' needs '\.\.\.'"),
    "dots": (lambda: ndl.einsum("i..", A), r"einsum: 'i\.\.' in 'i\.\.' does not name axes"),
    "two ...": (lambda: ndl.einsum("...i...", A), r"einsum: '\.\.\.i\.\.\.' in .* does not name axes"),
    "digits": (lambda: ndl.einsum("1", V), r"einsum: '1' in '1' does not name axes"),
    "two arrows": (lambda: ndl.einsum("i->i->i", V), r"einsum: 'i->i' in 'i->i->i' does not name axes"),
    "half an arrow": (lambda: ndl.einsum("i>i", V), r"einsum: 'i>i' in 'i>i' does not name axes"),
    "dot": (
        lambda: ndl.dot(A, B),
        r"dot: shapes \(2, 3\) and \(4, 5\) do not fit: .* 3, must be .*last axis but one, 4",
    ),
    "dot of a vector": (lambda: ndl.dot(B, V), r"dot: shapes \(4, 5\) and \(3,\) do not fit: .* 5, .*only axis, 3"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_value_error_that_says_what_is_wrong(name, mode):
    call, said = MISTAKES[name]
    with pytest.raises(ValueError, match=said):
        call()


def test_numpys_other_notation_is_a_type_error():
    with pytest.raises(TypeError, match=r"einsum: the subscripts must be a string .* not a Tensor"):
        ndl.einsum(A, [0, 1])


def test_an_op_object_refuses_extents_that_differ(mode):
    with pytest.raises(ValueError, match=r"einsum: 'j' of 'ij,jk->ik' has extents 3 and 4"):
        ndl.ops.Einsum("ij,jk->ik")(A, B)


@nd_only
def test_an_einsum_can_be_compiled():
    a, b = tensor(draws(2, 3)), tensor(draws(3, 4))
    product = ndl.compile(lambda x, y: ndl.einsum("ij,jk->ki", x, y))
    for _ in range(3):
        np.testing.assert_allclose(product(a, b).numpy(), (a.numpy() @ b.numpy()).T, rtol=1e-5)
        a = a * 2
