"""When the result of a kernel is right: bit for bit where arithmetic is exact or rounded once, else within a bound."""

import numpy as np

from tests.backend_ndarray.kernel_cases import FLOATS, same_bits

Wide = np.longdouble


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


#: Functions whose last digits are not prescribed, and how many ulp (units in the last place) a device may be off.
INEXACT = {
    "log": (np.log, 2),
    "exp": (np.exp, 2),
    "tanh": (np.tanh, 2),
    "sin": (np.sin, 2),
    "cos": (np.cos, 2),
    "sigmoid": (_sigmoid, 2),
    "power": (np.power, 2),
    "rpower": (lambda x, y: np.power(y, x), 2),
}

#: NumPy's own vectorised functions promise up to 4 ulp.
NUMPY_ULP = 4

#: Kernels of which one zero is as good as another.
ZEROS_ALIKE = ("maximum", "minimum", "relu", "max", "min")


def assert_right(call, got, expected, ulp=None, position=-1):
    """Check the buffer of an out after a call against the specification's; `ulp` overrides the bounds of `INEXACT`."""
    out = call.outs[position]
    inside = np.zeros(got.size, bool)
    positions = out.layout.positions()
    inside[positions] = True
    untouched = same_bits(got, out.data) | inside
    assert untouched.all(), f"{call.kernel} wrote outside its out, at {np.flatnonzero(~untouched)[:5]}"
    right = closeness(call, ulp)(got[positions], expected[positions])
    if not right.all():
        wrong = np.argwhere(~right)[0]
        raise AssertionError(
            f"{call.kernel}: {got[positions][tuple(wrong)]!r} at {tuple(map(int, wrong))}, "
            f"expected {expected[positions][tuple(wrong)]!r} ({(~right).sum()} of {right.size} are wrong)"
        )


def closeness(call, ulp):
    """Return the test (got, expected) -> where it is right, that suits the kernel and the dtype of a call."""
    family, _, name = call.kernel.partition("_")
    is_float = str(call.out.data.dtype) in FLOATS
    if is_float and family in ("ewise", "scalar") and name in INEXACT:
        function, allowed = INEXACT[name]
        inputs = [np.asarray(getattr(x, "elements", x), call.out.data.dtype).astype(Wide) for x in call.operands[:-1]]
        with np.errstate(all="ignore"):
            exact = function(*inputs)
        slack = 1 if np.finfo(Wide).nmant <= np.finfo(call.out.data.dtype).nmant else 0  # the reference is no better
        left_open = _root_of_minus_zero_or_infinity(name, inputs)
        return lambda got, _: left_open | (ulp_error(got, exact) <= (ulp or allowed) + slack)
    if is_float and call.kernel == "reduce_sum":
        return lambda got, _: _is_sum(got, call.operands[0].elements)
    if call.kernel == "logsumexp":
        return lambda got, _: _is_logsumexp(got, call.operands[0].elements)
    if call.kernel == "softmax":
        return lambda got, _: _is_softmax(got, call.operands[0].elements)
    if is_float and call.kernel == "matmul":
        return lambda got, _: _is_product(got, call.operands[0].elements, call.operands[1].elements)
    if is_float and name in ZEROS_ALIKE:
        return lambda got, expected: (got == expected) | same_bits(got, expected)
    return same_bits


def _root_of_minus_zero_or_infinity(name, inputs):
    """Where a power is (-0)^0.5 or (-inf)^0.5: C says 0 and inf, NumPy -0 and NaN if the exponent is a scalar."""
    if name not in ("power", "rpower"):
        return np.False_
    base, exponent = inputs if name == "power" else inputs[::-1]
    return (exponent == 0.5) & np.signbit(base) & ((base == 0) | np.isinf(base))


def ulp_error(got, exact):
    """Return how many ulp `got` is from the exact value; infinite where one is a NaN, or has the sign of zero wrong."""
    info = np.finfo(got.dtype)
    beyond = Wide(2) ** info.maxexp  # infinity takes the place of the next number after the largest
    with np.errstate(all="ignore"):
        near, exact = (np.clip(x, -beyond, beyond) for x in (got.astype(Wide), exact))
        unit = np.spacing(np.minimum(np.abs(exact), Wide(info.max)).astype(got.dtype)).astype(Wide)
        error = np.abs(near - exact) / unit
    both_nan = np.isnan(got) & np.isnan(exact)
    wrong_zero = (got == 0) & (exact == 0) & (np.signbit(got) != np.signbit(exact))
    return np.where(both_nan, 0, np.where(np.isnan(error) | wrong_zero, np.inf, error))


def _is_sum(got, a):
    """Whether `got` is the sum of `a`, to what n - 1 roundings in any order can do (Higham 2002, equation 4.4)."""
    axes = tuple(axis for axis, (n, m) in enumerate(zip(a.shape, got.shape)) if n != m)
    n = a.size // max(got.size, 1)
    with np.errstate(all="ignore"):
        exact = a.astype(Wide).sum(axis=axes, keepdims=True)
        size = np.abs(a).astype(Wide).sum(axis=axes, keepdims=True)
    return _within(got, exact, n * np.finfo(got.dtype).eps / 2 * size)


def _is_product(got, a, b):
    """Whether `got` is the matrix product, by the same argument for k products and k - 1 sums."""
    k = a.shape[-1]
    with np.errstate(all="ignore"):
        exact = a.astype(Wide) @ b.astype(Wide)
        size = np.abs(a).astype(Wide) @ np.abs(b).astype(Wide)
    return _within(got, exact, (k + 1) * np.finfo(got.dtype).eps / 2 * size)


def _shifted_exp(a, axes):
    """Return a - m, its exponential and m, the largest element over `axes` within the finite range of the dtype."""
    limit = np.finfo(a.dtype).max
    largest = np.clip(np.max(a, axis=axes, keepdims=True, initial=-np.inf), -limit, limit).astype(Wide)
    shifted = a.astype(Wide) - largest
    return shifted, np.exp(shifted), largest


def _is_logsumexp(got, a):
    """Whether `got` is log(sum exp a) over the axes where it has extent 1.

    Each of the n exponentials, which are at most 1 and of which one is 1, is off by 4 ulp and by what the rounding of
    its argument does (x exp(-x) < 1/2). Adding them costs n roundings, the logarithm 4 ulp, and the result is rounded.
    """
    axes = tuple(axis for axis, (n, m) in enumerate(zip(a.shape, got.shape)) if n != m)
    n = a.size // max(got.size, 1)
    with np.errstate(all="ignore"):
        _, terms, largest = _shifted_exp(a, axes)
        exact = np.log(terms.sum(axis=axes, keepdims=True)) + largest
        return _within(got, exact, np.finfo(got.dtype).eps * (n + 8 + 4 * np.log(max(n, 1)) + np.abs(exact)))


def _is_softmax(got, a):
    """Whether `got` is exp(a) / sum exp(a) along the last axis, to the same errors, relative to each quotient."""
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        shifted, terms, _ = _shifted_exp(a, -1)
        exact = terms / terms.sum(axis=-1, keepdims=True)
        relative = info.eps * (a.shape[-1] + 8 + np.abs(np.nan_to_num(np.where(exact == 0, 0, shifted))))
        return _within(got, exact, exact * relative + 4 * info.smallest_subnormal)


def _within(got, exact, bound):
    """Where `got` is within the bound of a finite value, or the very infinity or NaN."""
    with np.errstate(all="ignore"):
        close = np.abs(got - exact) <= bound
    return np.where(np.isfinite(exact), close, (got == exact) | (np.isnan(got) & np.isnan(exact)))
