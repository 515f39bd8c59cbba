"""How the values of an array reach the host: NumPy, Python numbers, other libraries, and what a person sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..recording import value_read

if TYPE_CHECKING:
    from .device import Device


class OnHost:
    """The part of `NDArray` that reads values. Memory that is shared with others is read-only to them."""

    __slots__ = ()

    shape: tuple[int, ...]
    dtype: str
    device: Device
    _view: Any

    @property
    def size(self) -> int:
        """Number of elements."""
        raise NotImplementedError

    def numpy(self) -> np.ndarray:
        """A NumPy array of its own with these elements."""
        value_read("numpy()")
        return self.device.to_numpy(self._view)  # type: ignore[no-any-return]

    def as_numpy(self) -> np.ndarray:
        """A read-only NumPy array over the same memory."""
        value_read("as_numpy()")
        return self._view.as_numpy()  # type: ignore[no-any-return]

    def peek(self) -> np.ndarray:
        """`as_numpy` for those who only show an array to a person."""
        return self._view.as_numpy()  # type: ignore[no-any-return]

    def item(self) -> float | int | bool:
        """The one element of a one-element array, as a Python number."""
        if self.size != 1:
            raise ValueError(f"item: only an array of one element is a number, this one has shape {self.shape}")
        return self.as_numpy().item()  # type: ignore[no-any-return]

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of an array of shape {self.shape} is ambiguous; only one element has one")
        return bool(self.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy() if copy else self.as_numpy()
        if dtype is None or array.dtype == np.dtype(dtype):
            return array
        if copy is False:
            raise ValueError(f"an array of dtype {self.dtype} becomes {dtype} only by copying")
        return array.astype(dtype)

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self.as_numpy().data)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.as_numpy().__dlpack_device__()

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: Any = None,
        copy: bool | None = None,
    ) -> Any:
        """Export by DLPack: shared and marked read-only where the consumer knows the mark (version 1), else a copy."""
        if copy or max_version is None or max_version < (1, 0):
            if copy is False:
                raise BufferError("this consumer's DLPack cannot mark memory as read-only; Needle shares no other")
            return self.numpy().__dlpack__()
        return self.as_numpy().__dlpack__(max_version=max_version)

    def __reduce__(self) -> Any:
        """Copies and pickles are compact arrays of their own."""
        return type(self), (self.numpy(), self.device, self.dtype)

    def __repr__(self) -> str:
        values = np.array2string(self.peek(), separator=", ", threshold=64, edgeitems=2, prefix="NDArray(")
        return f"NDArray({values}, shape={self.shape}, dtype={self.dtype}, device={self.device})"

    def __str__(self) -> str:
        return str(self.peek())
