"""Functions from exponentials and logarithms that keep their digits: log1p, expm1, erf, gelu, softplus and their kin.

Written down as they are defined, most of these lose digits or overflow somewhere: log(1 + a) for a tiny a, exp(a) - 1,
log(exp a + exp b). Here each is written so that the error is a few units in the last place wherever the result is a
normal number, and infinities give their limits. The coefficients at the end are our own minimax polynomials (Remez'
algorithm in 60 digits).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import TensorOp
from ..backend_selection import array_api
from ..tensor import Tensor
from .compare import equal, not_equal
from .elementwise import clip, maximum
from .functions import Sigmoid, abs, exp, sigmoid
from .matching import ElementwiseOp, match
from .rules import Elementwise

__all__ = [
    "Arctan2",
    "Cosh",
    "Erf",
    "Expm1",
    "Gaussian",
    "Gelu",
    "Log1p",
    "LogAddExp",
    "NormalCdf",
    "Silu",
    "Sinh",
    "Softplus",
    "arctan2",
    "cosh",
    "erf",
    "expm1",
    "gelu",
    "log1p",
    "logaddexp",
    "silu",
    "sinh",
    "softplus",
]

# Logarithm and exponential near 1 -------------------------------------------------------------------------------------


class Log1p(Elementwise, TensorOp):
    """log(1 + a), with all digits for tiny a; adjoint g / (1 + a). -inf at a = -1, NaN below."""

    def compute(self, a: Any) -> Any:
        """Kahan's formula: the logarithm of the rounded sum u, times a / (u - 1), which undoes the rounding."""
        a = in_floats(a)
        # For a from 2^60 on the factor is 1, as for 2^60: not infinity / infinity.
        limited = array_api.minimum(a, 2.0**60)
        step = (limited + 1) - 1
        lost = step == 0
        return array_api.where(lost, a, array_api.log(a + 1) * (limited / array_api.where(lost, 1, step)))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d log(1 + a)/da = 1 / (1 + a)."""
        return out_grad / (node.inputs[0] + 1)  # type: ignore[no-any-return]


def log1p(a: Tensor) -> Tensor:
    """log(1 + a) of every element, with all digits for small ones.

    Notes
    -----
    W. Kahan's formula, log(u) a / (u - 1) with u the rounded 1 + a; see theorem 4 of D. Goldberg, "What every computer
    scientist should know about floating-point arithmetic", ACM Computing Surveys 23, 1991.
    """
    return Log1p()(a)


class Expm1(Elementwise, TensorOp):
    """exp(a) - 1, with all digits for tiny a; adjoint g exp a."""

    def compute(self, a: Any) -> Any:
        """tanh(a/2) (exp(a) + 1), where nothing cancels; a itself where exp(a) rounds to 1."""
        a = in_floats(a)
        e = array_api.exp(a)
        return array_api.where(e == 1, a, array_api.tanh(a / 2) * (e + 1))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(exp(a) - 1)/da = exp a; not this node + 1, which is 0 for a = -40."""
        return out_grad * exp(node.inputs[0])


def expm1(a: Tensor) -> Tensor:
    """exp(a) - 1 of every element, with all digits for small ones."""
    return Expm1()(a)


# Hyperbolic functions -------------------------------------------------------------------------------------------------


class Sinh(Elementwise, TensorOp):
    """(exp(a) - exp(-a)) / 2; adjoint g cosh a."""

    def compute(self, a: Any) -> Any:
        """tanh(a) cosh(a), where nothing cancels."""
        a = in_floats(a)
        return array_api.tanh(a) * Cosh().compute(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(sinh a)/da = cosh a."""
        return out_grad * cosh(node.inputs[0])


def sinh(a: Tensor) -> Tensor:
    """Hyperbolic sine of every element."""
    return Sinh()(a)


class Cosh(Elementwise, TensorOp):
    """(exp(a) + exp(-a)) / 2; adjoint g sinh a."""

    def compute(self, a: Any) -> Any:
        """h + 1/(4h) with h = exp|a| / 2, from exp(|a| - 40) for large ones: exp|a| overflows before its half does."""
        size = array_api.abs(in_floats(a))
        large = size > 40
        e = array_api.exp(array_api.where(large, size - 40, size))
        half = array_api.where(large, e * (math.exp(40) / 2), e * 0.5)
        return half + 0.25 / half

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(cosh a)/da = sinh a."""
        return out_grad * sinh(node.inputs[0])


def cosh(a: Tensor) -> Tensor:
    """Hyperbolic cosine of every element."""
    return Cosh()(a)


# The normal distribution ----------------------------------------------------------------------------------------------


class Gaussian(Elementwise, TensorOp):
    """exp(-rate a^2); adjoint -2 rate a g exp(-rate a^2). Its derivatives are 0 at infinity."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def compute(self, a: Any) -> Any:
        """exp(-rate h^2) exp(-rate (|a| - h) (|a| + h)), h being |a| with half of its digits: so h^2 is exact."""
        return _gaussian(_size(in_floats(a)), self.rate)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d/da = -2 rate a times this node."""
        return out_grad * (_moderate(node.inputs[0]) * (-2 * self.rate) * node)


class Erf(Elementwise, TensorOp):
    """2/sqrt(pi) times the integral of exp(-t^2) from 0 to a; adjoint g 2/sqrt(pi) exp(-a^2)."""

    def compute(self, a: Any) -> Any:
        """An odd polynomial for |a| < 1, from there on 1 - exp(-a^2) times what is left of the tail without it."""
        a = in_floats(a)
        size = _size(a)
        small = array_api.minimum(size, 1)
        near_0 = a * _polynomial(small * small, _ERF[str(a.dtype)])
        tail = _gaussian(size, 1) * _scaled_tail(size)
        return array_api.where(size < 1, near_0, array_api.sign(a) * (1 - tail))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(erf a)/da = 2/sqrt(pi) exp(-a^2)."""
        return out_grad * (Gaussian(1)(*node.inputs) * (2 / math.sqrt(math.pi)))


def erf(a: Tensor) -> Tensor:
    """The error function of every element: 2/sqrt(pi) times the integral of exp(-t^2) from 0 to a."""
    return Erf()(a)


class NormalCdf(Elementwise, TensorOp):
    """Phi(a): how likely a standard normal number is below a; adjoint g phi(a) with phi = exp(-a^2/2) / sqrt(2 pi)."""

    def compute(self, a: Any) -> Any:
        """The tail beyond |a|, with all digits where it is tiny; for a > 0, 1 minus that."""
        a = in_floats(a)
        size = _size(a)
        tail = _gaussian(size, 0.5) * _scaled_tail(size * math.sqrt(0.5)) / 2
        return array_api.where(a < 0, tail, 1 - tail)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """dPhi/da = phi(a)."""
        return out_grad * _density(*node.inputs)


class Gelu(Elementwise, TensorOp):
    """a Phi(a), or with "tanh" a sigmoid(2u), u = sqrt(2/pi) (a + 0.044715 a^3); adjoint g (Phi(a) + a phi(a)).

    With "tanh" that is g (s + 2 a u' s (1 - s)), s being the sigmoid. At -inf all are 0, at inf the slope is 1.
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def compute(self, a: Any) -> Any:
        """a times its weight, which is 0 already where a is replaced by -40: at -inf the product is 0, too."""
        a = in_floats(a)
        above = array_api.maximum(a, -_FAR)
        if self.approximate == "none":
            return above * NormalCdf().compute(a)
        moderate = array_api.minimum(above, _FAR)
        return above * Sigmoid().compute(_gelu_argument(moderate))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The product rule."""
        a = _moderate(node.inputs[0])
        if self.approximate == "none":
            return out_grad * (NormalCdf()(a) + a * _density(a))
        argument = _gelu_argument(a)
        slope = (a * a * (3 * _GELU_CUBIC) + 1) * _GELU_LINEAR
        weight = sigmoid(argument)
        return out_grad * (weight + a * slope * weight * sigmoid(-argument))


def gelu(a: Tensor, approximate: str = "none") -> Tensor:
    """The Gaussian error linear unit of every element: a Phi(a), Phi being the normal distribution function.

    Parameters
    ----------
    a : Tensor
        Of any shape. Integers give float32.
    approximate : {"none", "tanh"}
        "tanh" gives a (1 + tanh(u)) / 2 with u = sqrt(2/pi) (a + 0.044715 a^3), which differs by less than 5e-4 and
        which some trained models expect.

    Raises
    ------
    ValueError
        If `approximate` is anything else.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415, 2016.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate is {approximate!r}; it must be "none" or "tanh"')
    return Gelu(approximate)(a)


# The logistic function's kin ------------------------------------------------------------------------------------------


class Silu(Elementwise, TensorOp):
    """a s with s = sigmoid(a); adjoint g s (1 + a (1 - s)). At -inf both are 0, at inf the slope is 1."""

    def compute(self, a: Any) -> Any:
        """a sigmoid(a); where a is replaced by -800, the sigmoid is 0 already, and so is the product at -inf."""
        a = in_floats(a)
        return array_api.maximum(a, -_NOTHING) * Sigmoid().compute(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(a s)/da = s (1 + a (1 - s)), where 1 - s is sigmoid(-a)."""
        a = clip(node.inputs[0], -_NOTHING, _NOTHING)
        return out_grad * (sigmoid(a) * (a * sigmoid(-a) + 1))


def silu(a: Tensor) -> Tensor:
    """a sigmoid(a) of every element, the sigmoid linear unit, also known as swish.

    References
    ----------
    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function approximation in reinforcement
    learning", Neural Networks 107, 2018.
    """
    return Silu()(a)


class Softplus(Elementwise, TensorOp):
    """log(1 + exp a), a smooth relu; adjoint g sigmoid(a)."""

    def compute(self, a: Any) -> Any:
        """max(a, 0) + log1p(exp(-|a|)), where nothing overflows."""
        a = in_floats(a)
        return array_api.maximum(a, 0) + Log1p().compute(array_api.exp(-array_api.abs(a)))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d log(1 + exp a)/da = sigmoid(a)."""
        return out_grad * sigmoid(node.inputs[0])


def softplus(a: Tensor) -> Tensor:
    """log(1 + exp(a)) of every element; neither overflows for large ones nor loses digits for very negative ones."""
    return Softplus()(a)


class LogAddExp(ElementwiseOp):
    """log(exp a + exp b); adjoints (g sigmoid(a - b), g sigmoid(b - a)), one half each where both are -inf or inf."""

    def compute(self, a: Any, b: Any) -> Any:
        """The larger m, plus log1p(exp(smaller - m)); infinities take part in that difference as largest numbers."""
        a, b = in_floats(a), in_floats(b)
        larger, bound = array_api.maximum(a, b), largest_number(a.dtype)
        m = array_api.minimum(array_api.maximum(larger, -bound), bound)
        # 800 below, the smaller one counts for nothing; no sooner, the difference could overflow.
        smaller = array_api.maximum(array_api.minimum(a, b), m - _NOTHING)
        return larger + Log1p().compute(array_api.exp(array_api.minimum(smaller, m) - m))

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of a and b in exp a + exp b."""
        a, b = map(_finite, node.inputs)
        difference = a - b
        return out_grad * sigmoid(difference), out_grad * sigmoid(-difference)


def logaddexp(a: Tensor, b: Tensor) -> Tensor:
    """log(exp(a) + exp(b)), elementwise, stable for elements of any size.

    Parameters
    ----------
    a, b : Tensor
        Of shapes that broadcast together; one of them may be a number or an array.

    Notes
    -----
    The sum of two probabilities that are given by their logarithms, -inf for 0. As in NumPy, the error is a few units
    in the last place of a or b: near 0 the result has fewer digits than they.
    """
    return Tensor.make_from_op(LogAddExp(), match(a, b, "logaddexp"))


# Angles ---------------------------------------------------------------------------------------------------------------


class Arctan2(ElementwiseOp):
    """The angle of the point (x, y), from -pi to pi; adjoints (g x / r^2, -g y / r^2) with r^2 = x^2 + y^2.

    At the origin, where there is no angle, the value is NumPy's (0 or pi, by the signs of the zeros), and all
    derivatives are 0.
    """

    def compute(self, y: Any, x: Any) -> Any:
        """The arctangent of the smaller by the larger of |x| and |y|, at most pi/4, put into the right octant."""
        y, x = in_floats(y), in_floats(x)
        height, width = array_api.abs(y), array_api.abs(x)
        small, large = array_api.minimum(height, width), array_api.maximum(height, width)
        same = small == large  # 0 and 0, inf and inf: their quotient is 0 and 1
        quotient = array_api.where(same, array_api.sign(large), small / array_api.where(same, 1, large))
        angle = _arctan(quotient)
        angle = array_api.where(height > width, math.pi / 2 - angle, angle)
        angle = array_api.where(_is_negative(x), math.pi - angle, angle)
        return array_api.where(_is_negative(y), -angle, angle)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """From x and y divided by the larger of them, whose squares neither overflow nor vanish.

        For that divisor no derivative is needed: the result is the same for every divisor.
        """
        y, x = map(_finite, node.inputs)
        largest = maximum(abs(y.detach()), abs(x.detach()))
        at_origin, elsewhere = equal(largest, 0), not_equal(largest, 0)
        scale = largest + at_origin
        y, x = y * elsewhere / scale, x * elsewhere / scale
        square = x * x + y * y + at_origin
        return out_grad * (x / square / scale), out_grad * (-y / square / scale)


def arctan2(y: Tensor, x: Tensor) -> Tensor:
    """The angle between the positive x-axis and the direction to the point (x, y), elementwise, from -pi to pi.

    Parameters
    ----------
    y, x : Tensor
        Of shapes that broadcast together; one of them may be a number or an array. As in NumPy, y comes first.

    Notes
    -----
    Signed zeros and infinities give what IEEE 754 recommends, and NumPy: arctan2(0, -0) is pi, arctan2(-0, -0) is -pi.
    """
    return Tensor.make_from_op(Arctan2(), match(y, x, "arctan2"))


# Shared parts ---------------------------------------------------------------------------------------------------------

#: From here on exp(-a^2 / 2) is 0, and erf, Phi and gelu's weight are what they are at infinity.
_FAR = 40.0

#: exp(-800) is 0.
_NOTHING = 800.0

#: The argument of gelu's approximation is 2 sqrt(2/pi) (a + 0.044715 a^3).
_GELU_LINEAR = 2 * math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


def in_floats(a: Any) -> Any:
    """An array of floats as it is, any other in float32."""
    return a if str(a.dtype).startswith("float") else a.astype("float32")


def largest_number(dtype: Any) -> float:
    """The largest number of a dtype."""
    return float(np.finfo(str(dtype)).max)


def _finite(a: Tensor) -> Tensor:
    """`a`, with the largest numbers in place of infinities."""
    if not a.dtype.startswith("float"):
        return a
    bound = largest_number(a.dtype)
    return clip(a, -bound, bound)


def _moderate(a: Tensor) -> Tensor:
    """`a`, limited to where its exponentials differ from 0."""
    return clip(a, -_FAR, _FAR)


def _size(a: Any) -> Any:
    """|a|, at most 40."""
    return array_api.minimum(array_api.abs(a), _FAR)


def _density(a: Tensor) -> Tensor:
    """phi(a), the density of the standard normal distribution."""
    return Gaussian(0.5)(a) / math.sqrt(2 * math.pi)


def _gelu_argument(a: Any) -> Any:
    """2 sqrt(2/pi) (a + 0.044715 a^3), of an array or a Tensor."""
    return (a * a * _GELU_CUBIC + 1) * a * _GELU_LINEAR


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule."""
    value = x * coefficients[-1] + coefficients[-2]
    for c in coefficients[-3::-1]:
        value = value * x + c
    return value


def _gaussian(size: Any, rate: float) -> Any:
    """exp(-rate size^2), for 0 <= size <= 40. A rounding error of the square would count size^2 times as much."""
    shifted = size * (2.0**27 + 1 if str(size.dtype) == "float64" else 2.0**12 + 1)
    half = shifted - (shifted - size)  # its leading digits: T. J. Dekker's splitting, Numerische Mathematik 18, 1971
    return array_api.exp(half * half * -rate) * array_api.exp((half - size) * (half + size) * rate)


def _scaled_tail(x: Any) -> Any:
    """exp(x^2) erfc(x) for x >= 0: (1 + x) times that is a smooth function of (x - 3) / (x + 3)."""
    return _polynomial((x - 3) / (x + 3), _SCALED_TAIL[str(x.dtype)]) / (x + 1)


def _arctan(q: Any) -> Any:
    """The arctangent, for 0 <= q <= 1: above tan(pi/8) as pi/4 + arctan((q - 1) / (q + 1))."""
    steep = q > math.sqrt(2) - 1
    r = array_api.where(steep, (q - 1) / (q + 1), q)
    square = r * r
    angle = r + r * square * _polynomial(square, _ARCTAN[str(q.dtype)])
    return array_api.where(steep, angle + math.pi / 4, angle)


def _is_negative(a: Any) -> Any:
    """Where a < 0 or a is -0: only its reciprocal tells that from 0."""
    zero = a == 0
    with np.errstate(divide="ignore"):
        reciprocal = 1 / array_api.where(zero, a, 1)
    return array_api.where(zero, reciprocal, a) < 0


# Coefficients of minimax polynomials of the relative error, which is smaller than the rounding error of the dtype.

#: erf(x) / x by powers of x^2, for 0 <= x <= 1
_ERF = {
    "float32": (
        1.1283791657270887,
        -0.3761262582510113,
        0.11283585150676004,
        -0.0268538118463975,
        0.005188327319515221,
        -0.0008010189247274423,
        7.853844045899821e-05,
    ),
    "float64": (
        1.1283791670955126,
        -0.3761263890318352,
        0.11283791670944185,
        -0.026866170643111375,
        0.00522397760611762,
        -0.0008548325929271576,
        0.00012055293575585293,
        -1.492471227639966e-05,
        1.644713125315939e-06,
        -1.6206311317613116e-07,
        1.3710969859773255e-08,
        -7.77944891324782e-10,
    ),
}

#: (1 + x) exp(x^2) erfc(x) by powers of (x - 3) / (x + 3), for x >= 0
_SCALED_TAIL = {
    "float32": (
        0.716004604689202,
        -0.2309273139643305,
        0.09902075100119025,
        -0.01023592162498745,
        -0.02380381796147569,
        0.021962007631905617,
        -0.009751387073300432,
        0.0016039567595473418,
        0.000647821061468445,
        -0.0003422794825894806,
        -2.3178335986386835e-05,
        3.4342006533144527e-05,
    ),
    "float64": (
        0.7160046047255597,
        -0.2309273330838094,
        0.0990207536794522,
        -0.01023538889899254,
        -0.023803913109255084,
        0.021957764012262192,
        -0.009750689281742624,
        0.0016185691318898864,
        0.0006458140966516312,
        -0.00036728851345735873,
        -2.0550999432604454e-05,
        5.6119521968990345e-05,
        -1.5165821841433031e-06,
        -8.990480219276755e-06,
        2.6588054192894993e-07,
        1.5894975052198401e-06,
        5.252645354257334e-08,
        -2.9429044150200946e-07,
        -3.836212470961516e-08,
        5.15886190493864e-08,
        1.0481577953798719e-08,
        -7.311198387931102e-09,
        -1.2816197653060825e-09,
        5.997512685862785e-10,
    ),
}

#: (arctan(x) / x - 1) / x^2 by powers of x^2, for |x| <= tan(pi/8)
_ARCTAN = {
    "float32": (
        -0.33333315185077905,
        0.1999847136685721,
        -0.14243531270822407,
        0.10593801807154035,
        -0.060781969062427145,
    ),
    "float64": (
        -0.3333333333333015,
        0.19999999999088897,
        -0.14285714195258484,
        0.11111106653513571,
        -0.09090782411288797,
        0.07690068288414394,
        -0.06641121109700668,
        0.05692538640138152,
        -0.04359094385163248,
        0.021259834978975375,
    ),
}
