"""A dataset is anything with a length that gives its i-th sample: a tuple of arrays, such as an image and its label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

#: What indexes a dataset: a position, a slice, or an array of positions.
Index = int | slice | np.ndarray[Any, Any]


class Dataset:
    """The base of all datasets: define ``__getitem__`` and ``__len__``.

    Parameters
    ----------
    transforms : sequence of callable, optional
        What `apply_transforms` applies to an image, one after the other.

    Attributes
    ----------
    takes_index_arrays : bool
        Whether ``dataset[indices]``, with an array of positions, gives the samples at these positions stacked along a
        new first axis. `DataLoader` then asks for a whole batch at once instead of stacking samples itself. A class
        that defines ``__getitem__`` says so for itself: the promise is not inherited together with another method.
    """

    takes_index_arrays = False

    def __init__(self, transforms: Sequence[Callable[[Any], Any]] | None = None) -> None:
        self.transforms = transforms

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__getitem__" in vars(cls) and "takes_index_arrays" not in vars(cls):
            cls.takes_index_arrays = False

    def __getitem__(self, index: Any) -> Any:
        """Give the sample at `index`; raise IndexError past the end."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index)")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self)")

    def apply_transforms(self, x: Any) -> Any:
        """Apply the transforms to one image, in order."""
        for transform in self.transforms or ():
            x = transform(x)
        return x


class NDArrayDataset(Dataset):
    """Samples that are the rows of arrays held in memory: ``dataset[i]`` is ``(arrays[0][i], arrays[1][i], ...)``.

    Parameters
    ----------
    *arrays : array_like, NDArray or Tensor
        Arrays with the same extent along their first axis.
    """

    takes_index_arrays = True

    def __init__(self, *arrays: Any) -> None:
        super().__init__()
        self.arrays = tuple(x.numpy() if hasattr(x, "numpy") else np.asarray(x) for x in arrays)
        if not self.arrays or any(x.ndim == 0 or len(x) != len(self.arrays[0]) for x in self.arrays):
            shapes = ", ".join(str(x.shape) for x in self.arrays) or "none"
            raise ValueError(f"NDArrayDataset takes arrays with the same extent along their first axis, got {shapes}")

    def __getitem__(self, index: Index) -> tuple[Any, ...]:
        return tuple(x[index] for x in self.arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])
