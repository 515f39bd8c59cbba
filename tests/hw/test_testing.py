"""What test files import: `same`, `raises`, `hint`, and the message of a mismatch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hw import testing
from hw.records import decode, encode, opened, sealer
from hw.testing import Mismatch, difference, hint, plain, raises, same


class Tensorlike:
    """Something whose array is behind ``numpy()``, as a Tensor's is."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def numpy(self) -> Any:
        return self.data


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (np.ones((2, 3)), np.ones((2, 3))),
        (np.ones((2, 3), "float32"), np.ones((2, 3))),
        (Tensorlike(np.ones(3)), np.ones(3)),
        (Tensorlike(np.ones(3, "float32")), [1, 1, 1]),
        ([Tensorlike(np.ones(3)), 2.0], (np.ones(3), 2.0)),
        (3.00001, 3.0),
        (np.float32(3), 3.0),
        (True, np.True_),
        (None, None),
        ("a", "a"),
        ({"a": [1, 2]}, {"a": (1, 2)}),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf])),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.arange(3), [0, 1, 2]),
    ],
)
def test_what_agrees_passes(found: Any, expected: Any) -> None:
    same(found, expected)


@pytest.mark.parametrize(
    ("found", "expected", "problem"),
    [
        (np.ones((3, 2)), np.ones((2, 3)), "shape (2, 3) expected, (3, 2) found"),
        (np.ones(3, "int64"), np.ones(3), "floating-point numbers expected, integers found (int64)"),
        (np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]), "1 of 3 values differs, the first at [2]"),
        (np.zeros((2, 2)), np.eye(2), "2 of 4 values differ, the first at [0, 0]"),
        (np.zeros(2), np.ones(2), "all 2 values differ"),
        (2.0, 3.0, "not what is expected"),
        (np.array([10001]), np.array([10000]), "the value is not what is expected"),
        (np.array([np.nan]), np.array([1.0]), "the value is not what is expected"),
        (None, np.ones(2), "None found; does the function return its result?"),
        (object(), np.ones(2), "an array expected, an object of type object found"),
        (np.array(["x"], object), np.ones(1), "an array expected, an object of type array of dtype object found"),
        ([1, 2, 3], [1, 2], "2 elements expected, 3 found"),
        ([1.0, np.ones(2)], [1.0, np.zeros(2)], "element 1: all 2 values differ"),
        ({"a": 1}, {"b": 1}, "the keys b expected, a found"),
        ({"a": 1}, {"a": 2}, "at a: not what is expected"),
        ("a", "b", "not what is expected"),
    ],
)
def test_what_differs_is_said_in_a_few_words(found: Any, expected: Any, problem: str) -> None:
    with pytest.raises(Mismatch) as raised:
        same(found, expected, of="x")
    assert raised.value.problem == problem
    assert str(raised.value).startswith(f"x: {problem}")


def test_the_shape_is_compared_before_the_kind_and_the_kind_before_the_values() -> None:
    assert "shape" in str(difference(np.zeros(2, int), np.ones(3), 0, 0, None))
    assert "integers" in str(difference(np.zeros(3, int), np.ones(3), 0, 0, None))


def test_tolerances_are_those_of_numpy() -> None:
    same(1.0 + 5e-4, 1.0, rtol=1e-3, atol=0)
    same(5e-4, 0.0, rtol=0, atol=1e-3)
    with pytest.raises(Mismatch):
        same(1.0 + 5e-4, 1.0, rtol=1e-4, atol=0)


def test_the_exact_dtype_is_compared_where_it_is_asked_for() -> None:
    same(np.ones(2, "float32"), np.ones(2), dtype="float32")
    with pytest.raises(Mismatch, match="dtype float32 expected, float64 found"):
        same(np.ones(2), np.ones(2), dtype="float32")


def test_a_plausible_mistake_is_recognized() -> None:
    x = np.array([1.0, 2.0])
    mistakes = {"you forgot the minus sign": x, "the result is None": None, "the shape is another": np.ones(5)}
    with pytest.raises(Mismatch) as raised:
        same(x, -x, mistakes=mistakes)
    assert raised.value.mistake == "you forgot the minus sign"
    assert str(raised.value).endswith("It looks as if you forgot the minus sign.")
    with pytest.raises(Mismatch) as raised:
        same(x + 5, -x, mistakes=mistakes)
    assert raised.value.mistake is None


def test_the_message_shows_what_was_given_expected_and_found() -> None:
    with pytest.raises(Mismatch) as raised:
        same(np.zeros((2, 3)), np.arange(6.0).reshape(2, 3), of="sum", given={"a": np.ones(2), "axis": 1})
    assert str(raised.value).splitlines() == [
        "sum: 5 of 6 values differ, the first at [0, 1]",
        "  given a     [1. 1.]   (2,) float64",
        "  given axis  1",
        "  expected   (2, 3) float64",
        "      [[0. 1. 2.]",
        "       [3. 4. 5.]]",
        "  found   (2, 3) float64",
        "      [[0. 0. 0.]",
        "       [0. 0. 0.]]",
    ]


@pytest.mark.parametrize(
    "value",
    [
        np.random.default_rng(0).normal(size=(40, 50)) * 1e6,
        np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32"),
        np.arange(10_000),
        [np.ones((3, 4))] * 100,
        "word " * 100,
        {f"key{i}": np.ones(3) * i for i in range(30)},
        [f"node {i}" for i in range(200)],
    ],
)
def test_a_message_fits_into_80_columns_and_a_screen(value: Any) -> None:
    other = [value] if isinstance(value, np.ndarray) else np.zeros(1)
    with pytest.raises(Mismatch) as raised:
        same(value, other, of="something", given={"x": value})
    lines = str(raised.value).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 150


def test_the_arrays_are_copied_when_they_are_compared() -> None:
    x = np.ones(2)
    with pytest.raises(Mismatch) as raised:
        same(x, np.zeros(2))
    x[:] = 5
    assert raised.value.found.tolist() == [1, 1]


def test_subclasses_of_array_cannot_say_that_they_are_equal() -> None:
    class Equal(np.ndarray):
        def __eq__(self, other: object) -> Any:
            return True

        __ne__ = __lt__ = __gt__ = lambda self, other: False  # type: ignore[assignment]

    with pytest.raises(Mismatch):
        same(np.zeros(2).view(Equal), np.ones(2))


def test_expecting_what_cannot_be_compared_is_the_tests_own_error() -> None:
    with pytest.raises(TypeError, match="same compares arrays"):
        same(1.0, object())


def test_raises_expects_an_error() -> None:
    with raises(ValueError):
        raise ValueError("as it should")
    with raises(ArithmeticError):
        raise ZeroDivisionError
    with pytest.raises(Mismatch, match="1 / 0"), raises(ValueError, of="1 / 0"):
        pass
    with pytest.raises(Mismatch) as raised, raises(ValueError):
        raise KeyError("k")
    assert "KeyError: 'k'" in str(raised.value)


def test_raises_lets_what_is_not_written_yet_pass() -> None:
    with pytest.raises(NotImplementedError), raises(RuntimeError):
        raise NotImplementedError("hw1, task t: f in file")


def test_hint_leaves_the_test_as_it_is() -> None:
    @hint("look here")
    def test_it() -> int:
        return 5

    assert test_it() == 5
    assert test_it.hint == "look here"  # type: ignore[attr-defined]


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, ...]]]:
    """What observers are told."""
    told: list[tuple[Any, ...]] = []
    testing.observers.append(lambda *what: told.append(what))
    yield told
    testing.observers.pop()


def test_observers_hear_of_every_comparison_and_where_it_stands(heard: list[tuple[Any, ...]]) -> None:
    same(1.0, 1.0, of="a", rtol=0.5)
    with raises(ValueError, of="b"):
        raise ValueError
    with pytest.raises(Mismatch):
        same(1.0, 2.0, of="c", varies=True)
    assert [what[1] for what in heard] == ["a", "b", "c"]
    assert heard[0][4] == 0.5
    assert heard[2][7] is True
    lines = [what[0].split(":") for what in heard]
    assert {file for file, _ in lines} == {"test_testing.py"}
    assert [int(line) - int(lines[0][1]) for _, line in lines] == [0, 1, 4]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        3.5,
        np.arange(6, dtype="float32").reshape(2, 3),
        np.zeros((0, 2)),
        np.array([np.nan, -np.inf]),
        [1, [True, "x"], {"a": np.ones(2)}],
    ],
)
def test_values_survive_the_way_from_the_judge(value: Any) -> None:
    assert difference(plain(decode(encode(plain(value)))), plain(value), 0, 0, None) is None


@pytest.mark.parametrize(
    "record",
    [
        {},
        5,
        {"dtype": "<f8", "shape": [2], "data": ""},
        {"dtype": "object", "shape": [1], "data": "AAAAAAAAAAA="},
        {"dtype": "<f8", "shape": [-1, -1], "data": "AAAAAAAAAAA="},
        {"dtype": "<f8", "shape": [1], "data": "not base64"},
    ],
)
def test_values_that_the_judge_would_not_send_are_refused(record: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode(record)


def test_records_count_once_in_their_order_and_with_their_seal() -> None:
    key = b"k" * 32
    seal = sealer(key)
    first, second = seal({"event": "a"}), seal({"event": "b"})
    assert opened(first + second, key) == ([{"event": "a"}, {"event": "b"}], 0)
    assert opened(first + b"noise\n" + first + second, key) == ([{"event": "a"}, {"event": "b"}], 2)
    assert opened(second, key) == ([], 1)
    assert opened(first + second, b"x" * 32) == ([], 2)
    assert opened(first.replace(b'"a"', b'"b"'), key) == ([], 1)
    assert opened(first[:-1], key) == ([], 1)
