"""The smallest device there can be: the required part that `needle.backend_ndarray.flat` lists, and nothing else."""

import math

import numpy as np

__device_name__ = "minimal"


class Array:
    """A flat buffer of float32."""

    def __init__(self, size):
        self.elements = np.full(size, np.float32(-7.25))  # whoever reads what was never written finds this

    @property
    def size(self):
        return self.elements.size

    def ptr(self):
        return self.elements.ctypes.data


def _positions(array, shape, strides, offset):
    """The position in the buffer of every element of a view: no stride trick, so nothing is shared by mistake."""
    positions = np.full(shape, offset)
    for index, stride in zip(np.indices(shape, sparse=True), strides):
        positions = positions + index * stride
    assert positions.size and positions.min() >= 0 and positions.max() < array.size, "a view outside its buffer"
    return positions


def from_numpy(a, out):
    assert a.dtype == np.float32 and a.flags.c_contiguous and a.size == out.size > 0
    out.elements[:] = a.ravel()


def to_numpy(a, shape, strides, offset):
    return a.elements[_positions(a, shape, strides, offset)]


def fill(out, val):
    assert out.size > 0
    out.elements[:] = val


def compact(a, out, shape, strides, offset):
    assert out.size == math.prod(shape)
    out.elements[:] = a.elements[_positions(a, shape, strides, offset)].ravel()


def ewise_setitem(a, out, shape, strides, offset):
    out.elements[_positions(out, shape, strides, offset)] = a.elements.reshape(shape)


def scalar_setitem(size, val, out, shape, strides, offset):
    assert size == math.prod(shape)
    out.elements[_positions(out, shape, strides, offset)] = val


def _binary(function):
    def ewise(a, b, out):
        assert a.size == b.size == out.size > 0
        with np.errstate(all="ignore"):
            out.elements[:] = function(a.elements, b.elements)

    def scalar(a, val, out):
        assert isinstance(val, float) and a.size == out.size > 0
        with np.errstate(all="ignore"):
            out.elements[:] = function(a.elements, np.float32(val))

    return ewise, scalar


ewise_add, scalar_add = _binary(np.add)
ewise_mul, scalar_mul = _binary(np.multiply)
ewise_div, scalar_div = _binary(np.divide)
ewise_maximum, scalar_maximum = _binary(np.maximum)
ewise_eq, scalar_eq = _binary(np.equal)
ewise_ge, scalar_ge = _binary(np.greater_equal)
_, scalar_power = _binary(np.power)


def _unary(function):
    def ewise(a, out):
        assert a.size == out.size > 0
        with np.errstate(all="ignore"):
            out.elements[:] = function(a.elements)

    return ewise


ewise_log = _unary(np.log)
ewise_exp = _unary(np.exp)
ewise_tanh = _unary(np.tanh)


def matmul(a, b, out, m, n, p):
    assert m * n * p > 0
    with np.errstate(all="ignore"):
        out.elements[:] = (a.elements.reshape(m, n) @ b.elements.reshape(n, p)).ravel()


def reduce_sum(a, out, reduce_size):
    assert a.size == out.size * reduce_size > 0
    out.elements[:] = a.elements.reshape(out.size, reduce_size).sum(axis=1)


def reduce_max(a, out, reduce_size):
    assert a.size == out.size * reduce_size > 0
    out.elements[:] = a.elements.reshape(out.size, reduce_size).max(axis=1)
