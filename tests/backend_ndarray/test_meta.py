"""Meta arrays have a shape and a dtype, no memory and no values; their kernels accept everything and do nothing."""

import numpy as np
import pytest

from needle.backend_ndarray import ndarray_backend_meta as meta
from needle.backend_ndarray import ndarray_backend_numpy as spec


def test_every_kernel_of_the_specification_is_there():
    for name in spec.KERNELS:
        assert callable(getattr(meta, name)), name


@pytest.mark.parametrize("name", [name for name in spec.KERNELS if name != "to_numpy"])
def test_kernels_do_nothing(name):
    a = meta.View.alloc((2, 3))
    assert getattr(meta, name)(a, a, a) is None
    assert a.version == 0


@pytest.mark.parametrize("dtype", spec.DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (4, 5, 6)])
def test_views_look_like_those_of_the_specification(shape, dtype):
    a, expected = meta.View.alloc(shape, dtype), spec.View.alloc(shape, dtype)
    assert (a.shape, a.strides, a.offset, a.dtype) == (shape, expected.strides, 0, dtype)
    assert (a.handle.size, a.handle.dtype, a.handle.nbytes) == (
        expected.handle.size,
        expected.handle.dtype,
        expected.handle.nbytes,
    )


def test_no_memory_is_taken():
    terabytes = meta.View.alloc((10**6, 10**6), "float64")
    assert terabytes.handle.nbytes == 8 * 10**12
    assert not hasattr(terabytes.handle, "array")  # where the elements of the specification are


def test_borrow_takes_size_and_dtype_only():
    buffer = meta.Array.borrow(np.ones((2, 3), "int32"))
    assert (buffer.size, buffer.dtype) == (6, "int32")


@pytest.mark.parametrize("read", [meta.to_numpy, meta.View.as_numpy])
def test_reading_values_says_that_there_are_none(read):
    with pytest.raises(TypeError, match=r"a meta array has no values: only its shape \(2, 3\) and dtype uint8"):
        read(meta.View.alloc((2, 3), "uint8"))
