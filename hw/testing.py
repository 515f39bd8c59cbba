"""What the tests of an assignment import: `same` compares, `raises` expects an error, `hint` says where to look.

A test names what it compares and what was given, and may list the results of plausible mistakes:

    @hint("d(a/b)/db = -a/b^2: look at the sign")
    @pytest.mark.parametrize("shape", [(1,), (2, 3)])
    def test_gradient_of_the_denominator(shape):
        ...
        same(found, expected, of="gradient of b", given={"a": a, "b": b}, mistakes={"the sign is missing": -expected})

What is compared must not depend on how a correct solution goes about its work: the grader compares the list of
comparisons of each case with that of the staff's solution.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

__all__ = ["Mismatch", "hint", "raises", "same"]

#: How wide a message is: two columns less than a terminal, since it is shown indented.
WIDTH = 78
F = TypeVar("F", bound=Callable[..., Any])
#: Is told of every comparison: its line, what it is of, found, expected, rtol, atol, dtype, whether expected varies.
Observer = Callable[[str, str, Any, Any, float, float, "str | None", bool], None]
observers: list[Observer] = []


class Mismatch(AssertionError):  # noqa: N818 (what it is, not that it is an error, is shown to students)
    """What was found is not what was expected.

    Attributes
    ----------
    of : str
        What was compared.
    problem : str
        How it differs, in a few words.
    found, expected : object
        As plain arrays, strings, or lists of them.
    given : mapping
        What the function was called with.
    mistake : str or None
        Which of the test's plausible mistakes gives the same result.
    """

    def __init__(
        self, of: str, problem: str, found: Any, expected: Any, given: Mapping[str, Any], mistake: str | None = None
    ) -> None:
        self.of, self.problem, self.found, self.expected = of, problem, found, expected
        self.given, self.mistake = dict(given), mistake
        super().__init__(f"{of}: {problem}")

    def __str__(self) -> str:
        blocks = [wrap(f"{self.of}: {self.problem}")]
        values = [(f"given {name}", value) for name, value in self.given.items()]
        values += [("expected", self.expected), ("found", self.found)]
        wide = min(20, max(len(label) for label, _ in values))
        blocks += [shown(f"{label:{wide}}", value) for label, value in values]
        if self.mistake:
            blocks.append(wrap(f"It looks as if {self.mistake}."))
        return "\n".join(blocks)


def hint(text: str) -> Callable[[F], F]:
    """Say what is worth a look when this test fails."""

    def remember(test: F) -> F:
        test.hint = text  # type: ignore[attr-defined]
        return test

    return remember


def same(
    found: Any,
    expected: Any,
    *,
    of: str = "the result",
    given: Mapping[str, Any] | None = None,
    mistakes: Mapping[str, Any] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    dtype: str | None = None,
    varies: bool = False,
) -> None:
    """Compare what a student's code gave with what is right: first the shape, then the kind of dtype, then the values.

    Parameters
    ----------
    found : object
        Tensor, array, number, string, None, or a list, tuple or dict of them.
    expected : object
        The same, from an independent source: NumPy, a closed form, finite differences. A list of numbers is compared
        as an array.
    of : str
        What is compared: ``"gradient of b"``.
    given : mapping of str to object, optional
        What the function was called with, to be shown.
    mistakes : mapping of str to object, optional
        Results of plausible mistakes, by what was done wrong (``"the sign is missing"``).
    rtol, atol : float
        Values agree when ``|found - expected| <= atol + rtol * |expected|``.
    dtype : str, optional
        The exact dtype, where it matters.
    varies : bool
        Whether `expected` rightly depends on what the student's code did (where a random draw was made, for instance);
        otherwise the grader insists that it is what it was with the staff's solution.

    Raises
    ------
    Mismatch
        If they differ.
    """
    __tracebackhide__ = True
    compare(found, expected, of, given, mistakes, rtol, atol, dtype, varies, place(sys._getframe(1)))


def compare(
    found: Any,
    expected: Any,
    of: str,
    given: Mapping[str, Any] | None,
    mistakes: Mapping[str, Any] | None,
    rtol: float,
    atol: float,
    dtype: str | None,
    varies: bool,
    line: str,
) -> None:
    """Make a comparison and tell the observers of it; raise Mismatch if it fails."""
    __tracebackhide__ = True
    seen, wanted = plain(found), in_form_of(plain(found), plain(expected))
    if has_strangers(wanted):
        raise TypeError(f"same compares arrays, numbers, strings and lists of them; expected is a {type(expected)}")
    for tell in observers:
        tell(line, of, seen, wanted, rtol, atol, dtype, varies)
    problem = difference(seen, wanted, rtol, atol, dtype)
    if problem is None:
        return
    mistake = None
    for what, result in (mistakes or {}).items():
        if difference(seen, in_form_of(seen, plain(result)), rtol, atol, None) is None:
            mistake = what
            break
    raise Mismatch(of, problem, seen, wanted, {name: plain(value) for name, value in (given or {}).items()}, mistake)


@contextmanager
def raises(
    error: type[BaseException], *, of: str = "this call", given: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Expect an error of this type from the code inside: ``with raises(ValueError, of="a + b with shapes ..."):``."""
    __tracebackhide__ = True
    line = place(sys._getframe(2))
    found = "no error"
    try:
        yield
    except NotImplementedError:
        raise
    except Exception as raised:
        found = error.__name__ if isinstance(raised, error) else f"{type(raised).__name__}: {raised}"
    compare(found, error.__name__, of, given, None, 0, 0, None, False, line)


def place(frame: Any) -> str:
    """The line of a test, as ``test_divide.py:12``."""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


class Stranger:
    """Stands for an object that is no array, number, string or list."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def plain(value: Any) -> Any:
    """A copy that cannot change any more, of arrays, strings, None, lists and dicts; a Stranger for anything else."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return standard(np.asarray(value))
    if type(value) is dict:
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if not isinstance(value, np.ndarray) and callable(getattr(value, "numpy", None)):
        value = value.numpy()
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return standard(value)
    return Stranger(type(value).__name__)


def standard(array: np.ndarray) -> Any:
    """A compact copy of an array of numbers."""
    if array.dtype.kind not in "biufc":
        return Stranger(f"array of dtype {array.dtype}")
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C", subok=False)


def in_form_of(found: Any, expected: Any) -> Any:
    """`expected`; where an array was found and a list of numbers is expected, that list as an array."""
    if isinstance(found, np.ndarray) and isinstance(expected, list):
        try:
            return np.array(expected, dtype=found.dtype if is_whole(expected) else None)
        except (TypeError, ValueError):
            return expected
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [in_form_of(f, e) for f, e in zip(found, expected)]
    return expected


def is_whole(value: Any) -> bool:
    """Whether a nested list holds whole numbers only: written as integers, they may be meant as floats."""
    if isinstance(value, list):
        return all(is_whole(each) for each in value)
    return isinstance(value, np.ndarray) and value.dtype.kind in "iu"


def has_strangers(value: Any) -> bool:
    """Whether there is something in it that cannot be compared."""
    if isinstance(value, (list, dict)):
        return any(has_strangers(each) for each in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, Stranger)


KINDS = {"b": "booleans", "i": "integers", "u": "integers", "f": "floating-point numbers", "c": "complex numbers"}


def difference(found: Any, expected: Any, rtol: float, atol: float, dtype: str | None) -> str | None:
    """How `found` differs from `expected`, both plain, in a few words; None if they agree."""
    if isinstance(expected, np.ndarray) and isinstance(found, np.ndarray):
        return difference_of_arrays(found, expected, rtol, atol, dtype)
    if isinstance(expected, list) and isinstance(found, list):
        if len(found) != len(expected):
            return f"{len(expected)} elements expected, {len(found)} found"
        pairs = [(f"element {i}", f, e) for i, (f, e) in enumerate(zip(found, expected))]
    elif isinstance(expected, dict) and isinstance(found, dict):
        if found.keys() != expected.keys():
            return f"the keys {', '.join(expected) or 'none'} expected, {', '.join(found) or 'none'} found"
        pairs = [(f"at {key}", found[key], expected[key]) for key in expected]
    elif type(found) is type(expected) and not isinstance(found, Stranger):
        return None if found == expected else "not what is expected"
    elif found is None:
        return "None found; does the function return its result?"
    else:
        return f"{name_of(expected)} expected, {name_of(found)} found"
    for where, f, e in pairs:
        problem = difference(f, e, rtol, atol, dtype)
        if problem is not None:
            return f"{where}: {problem}"
    return None


def difference_of_arrays(
    found: np.ndarray, expected: np.ndarray, rtol: float, atol: float, dtype: str | None
) -> str | None:
    """How an array differs: in shape, in dtype, or in values."""
    if found.shape != expected.shape:
        return f"shape {expected.shape} expected, {found.shape} found"
    kinds = KINDS[found.dtype.kind], KINDS[expected.dtype.kind]
    if kinds[0] != kinds[1]:
        return f"{kinds[1]} expected, {kinds[0]} found ({found.dtype})"
    if dtype is not None and found.dtype.name != dtype:
        return f"dtype {dtype} expected, {found.dtype.name} found"
    if expected.dtype.kind in "fc":
        with np.errstate(all="ignore"):
            wrong = ~np.isclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)
    else:
        wrong = np.asarray(found != expected)
    count = int(wrong.sum())
    if count == 0:
        return None
    if wrong.ndim == 0:
        return "not what is expected"
    if wrong.size == 1:
        return "the value is not what is expected"
    if count == wrong.size:
        return f"all {count} values differ"
    at = ", ".join(str(int(i)) for i in np.argwhere(wrong)[0])
    return f"{count} of {wrong.size} values {'differs' if count == 1 else 'differ'}, the first at [{at}]"


def name_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, np.ndarray):
        return "a number" if value.ndim == 0 else "an array"
    if isinstance(value, Stranger):
        return f"an object of type {value.kind}"
    return {type(None): "None", str: "a string", list: "a list", dict: "a dict"}[type(value)]


def shown(label: str, value: Any) -> str:
    """A value under its label; on the same line where it fits."""
    text = printed(value)
    kind = ""
    if isinstance(value, np.ndarray) and value.ndim:
        kind = f"   {value.shape} {value.dtype}"
    line = f"  {label}  {text}{kind}"
    if "\n" not in text and len(line) <= WIDTH:
        return line
    return "\n".join([f"  {label.rstrip()}{kind}", *(f"      {each}" for each in text.splitlines())])


def printed(value: Any) -> str:
    """A value, abbreviated so that a terminal holds it."""
    if isinstance(value, np.ndarray):
        with np.printoptions(precision=5, suppress=bool(np.all(np.abs(value) < 1e5)), nanstr="nan", infstr="inf"):
            if value.ndim == 0:
                return str(value[()])
            return np.array2string(value, max_line_width=WIDTH - 8, threshold=60, edgeitems=3)
    if isinstance(value, Stranger):
        return f"an object of type {value.kind}"
    if isinstance(value, (list, dict)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        parts = [f"{key}: {printed(each)}" if isinstance(value, dict) else printed(each) for key, each in pairs]
        line = ("{" if isinstance(value, dict) else "[") + ", ".join(parts) + ("}" if isinstance(value, dict) else "]")
        if "\n" not in line and len(line) <= WIDTH - 8:
            return line
        return "\n".join(abbreviated(parts))
    return wrap(repr(value), WIDTH - 8) if isinstance(value, str) else str(value)


def abbreviated(parts: list[str]) -> list[str]:
    """At most twelve of them."""
    return parts if len(parts) <= 12 else [*parts[:6], f"... {len(parts) - 12} more ...", *parts[-6:]]


def wrap(text: str, width: int = WIDTH) -> str:
    """Break long lines between words; what is longer than a line stays whole."""
    lines = [textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) for line in text.splitlines()]
    return "\n".join("\n".join(line) for line in lines)
