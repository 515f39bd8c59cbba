"""Every part of an index becomes a slice first."""

FILE = "python/needle/backend_ndarray/indexing.py"


def index_view(shape, strides, offset, index):
    parts = list(_expand_ellipsis(index if isinstance(index, tuple) else (index,), len(shape)))
    new_shape, new_strides, move = (), (), 0
    shape, strides, axis = list(shape), list(strides), 0
    while parts:
        part = parts.pop(0)
        if part is None:
            new_shape += (1,)
            new_strides += (1,)
            continue
        extent, stride = shape.pop(0), strides.pop(0)
        if not isinstance(part, slice):
            at = _position(part, extent, axis)
            part = slice(at, at + 1)
        axis += 1
        chosen = range(extent)[part]
        new_shape += (len(chosen),)
        new_strides += (stride * chosen.step,)
        move += stride * chosen.start
    if 0 in new_shape:
        move = 0
    return new_shape, new_strides, offset + move


def flip_strides(shape, strides, offset, axes):
    strides = list(strides)
    for axis, extent in enumerate(shape):
        if axis in axes:
            if 0 not in shape:
                offset = offset + strides[axis] * extent - strides[axis]
            strides[axis] *= -1
    return tuple(strides), offset
