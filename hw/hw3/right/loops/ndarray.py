"""Views are made in other ways: by make, or element by element."""

import math

FILE = "python/needle/backend_ndarray/ndarray.py"


class NDArray:
    def is_compact(self):
        size = math.prod(self.shape)
        return self._handle.size == size and tuple(self.strides) == compact_strides(tuple(self.shape))

    def reshape(self, new_shape, *more):
        if isinstance(new_shape, int):
            new_shape = (new_shape, *more)
        shape = complete_shape(tuple(new_shape), self.shape)
        if shape == self.shape:
            return self.as_strided(self.shape, self.strides)
        if not is_row_major(self.shape, self.strides):
            self = self.compact()
        return NDArray.make(shape, compact_strides(shape), self.device, self._handle, self.offset)

    def permute(self, axes):
        axes = check_permutation(tuple(axes), self.shape)
        shape, strides = [], []
        for axis in axes:
            shape.append(self.shape[axis])
            strides.append(self.strides[axis])
        return NDArray.make(shape, strides, self.device, self._handle, self.offset)

    def broadcast_to(self, shape):
        return self.as_strided(shape, broadcast_strides(self.shape, self.strides, tuple(shape)))
