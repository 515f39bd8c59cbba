"""How exact exp, log, tanh, sigmoid, sin and cos are: within 2 ulp of the true value, over the whole range.

The reference for float32 is float64, for float64 the long double of the C library (where that is no wider, one ulp
more is allowed, for the reference's own error). Every instruction set of this processor is measured.
"""

import numpy as np
import pytest

from tests.backend_ndarray.kernel_cases import kernels_of, same_bits
from tests.backend_ndarray.kernel_checks import INEXACT, ulp_error

FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "sin", "cos")
DTYPES = ("float32", "float64")

CPU = kernels_of("cpu")


def evaluate(name, x):
    """Compute ewise_<name> of a compact NumPy array of one axis on the C++ device."""
    a, out = CPU.View.alloc(x.shape, x.dtype.name), CPU.View.alloc(x.shape, x.dtype.name)
    CPU.from_numpy(x, a)
    getattr(CPU, f"ewise_{name}")(a, out)
    return CPU.to_numpy(out)


def samples(dtype):
    """Numbers from one end of the dtype to the other, then more where the functions bend, overflow and vanish."""
    info, rng = np.finfo(dtype), np.random.default_rng(0)
    unsigned = np.uint32 if dtype == "float32" else np.uint64
    patterns = np.arange(200_000, dtype=unsigned) * unsigned(np.iinfo(unsigned).max // 200_000 | 1)
    limits = [np.log(info.max), np.log(info.tiny), np.log(info.smallest_subnormal)]
    parts = [
        patterns.view(dtype),
        rng.uniform(-1, 1, 100_000),
        rng.uniform(-30, 30, 200_000),
        rng.uniform(-1000, 1000, 50_000),
        1 + rng.normal(size=50_000) * 10.0 ** rng.uniform(-15, 0, 50_000),
        *(x + rng.uniform(-1, 1, 10_000) for x in limits),
        info.smallest_subnormal * np.arange(1000),
    ]
    return np.concatenate([np.asarray(part).astype(dtype) for part in parts])


def hard_angles(dtype):
    """Return the numbers next to multiples of pi / 2, where nearly all digits cancel, and angles of any size."""
    rng = np.random.default_rng(1)
    quarters = np.concatenate([np.arange(1, 10_000), rng.integers(1, 2**21, 20_000)]).astype(np.longdouble)
    multiples = (quarters * np.arctan2(np.longdouble(1), np.longdouble(0))).astype(dtype)
    large = 10.0 ** rng.uniform(5, np.log10(np.finfo(dtype).max), 5_000)
    near_bound = 2.0**20 + rng.uniform(-100, 100, 1_000)
    x = np.concatenate([multiples, large.astype(dtype), near_bound.astype(dtype)])
    return np.concatenate([x, -x])


def assert_within_two_ulp(name, x):
    """Compare with the function in a wider type."""
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    slack = 1 if np.finfo(wide).nmant == np.finfo(x.dtype).nmant else 0
    with np.errstate(all="ignore"):
        error = ulp_error(evaluate(name, x), INEXACT[name][0](x.astype(wide)).astype(np.longdouble))
    worst = np.argmax(error)
    assert error[worst] <= 2 + slack, f"{name}({x[worst]!r}) is off by {error[worst]:.2f} ulp under {CPU.isa()}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_numbers_are_within_two_ulp(name, dtype):
    assert_within_two_ulp(name, samples(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_hard_and_large_angles_are_within_two_ulp(name, dtype):
    assert_within_two_ulp(name, hard_angles(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "arguments", "values"),
    [
        ("exp", [0.0, -0.0, np.inf, -np.inf, np.nan, 1e9, -1e9], [1, 1, np.inf, 0, np.nan, np.inf, 0]),
        ("log", [1.0, 0.0, -0.0, -1.0, np.inf, -np.inf, np.nan], [0, -np.inf, -np.inf, np.nan, np.inf, np.nan, np.nan]),
        ("tanh", [0.0, -0.0, np.inf, -np.inf, np.nan, 50.0, -50.0], [0.0, -0.0, 1, -1, np.nan, 1, -1]),
        ("sigmoid", [0.0, -0.0, np.inf, -np.inf, np.nan, 1e9, -1e9], [0.5, 0.5, 1, 0, np.nan, 1, 0]),
        ("sin", [0.0, -0.0, np.inf, -np.inf, np.nan], [0.0, -0.0, np.nan, np.nan, np.nan]),
        ("cos", [0.0, -0.0, np.inf, -np.inf, np.nan], [1, 1, np.nan, np.nan, np.nan]),
    ],
)
def test_special_values_are_exact(name, arguments, values, dtype):
    # Fifteen times each, so that whole vectors of them are met and not only the last, scalar elements.
    x, expected = (np.repeat(np.array(numbers, dtype), 15) for numbers in (arguments, values))
    got = evaluate(name, x)
    assert same_bits(got, expected).all(), got[::15]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_element_has_the_same_bits_wherever_it_falls(name, dtype):
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=900) * 3, [1e7, -3e30, np.nan, np.inf], rng.normal(size=50)]).astype(dtype)
    together = evaluate(name, x)
    for start, stop in ((1, 954), (5, 20), (640, 903), (890, 930)):
        assert same_bits(evaluate(name, x[start:stop]), together[start:stop]).all()
    alone = np.concatenate([evaluate(name, x[i : i + 1]) for i in range(850, x.size)])
    assert same_bits(alone, together[850:]).all()
