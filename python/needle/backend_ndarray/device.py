"""A device: a name, and the kernels that run there.

The kernels of the device's module become attributes of the device, so that ``array.device.ewise_add`` is the kernel
itself. What they must do is stated in `needle.backend_ndarray.ndarray_backend_numpy`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ..recording import each_time
from . import ndarray_backend_meta, ndarray_backend_numpy
from .flat import lift

if TYPE_CHECKING:
    from .ndarray import NDArray


#: What a device's module offers beside kernels.
HOUSEKEEPING = {
    "Array",
    "View",
    "Chain",
    "Replay",
    "held",
    "unshared",
    "isa",
    "num_threads",
    "set_num_threads",
    "memory_stats",
}
HOUSEKEEPING |= {"empty_cache", "reset_peak"}
#: Kernels that do the work of several others; there are none while somebody listens, who hears the others.
WHOLE_STEPS = {"sgd_plain_step", "sgd_step", "adam_step"}

#: Called instead of a kernel, with its name, itself and its arguments; gives what the kernel would.
Listener = Callable[[str, Callable[..., Any], tuple[Any, ...]], Any]


class Device:
    """A place where arrays live and kernels run. Devices are equal when their names are."""

    def __init__(self, name: str, module: Any) -> None:
        self.name = name
        self.module = module
        if module is not None:
            self.__dict__.update({key: getattr(module, key) for key in dir(module) if key not in dir(Device)})
            self.__tile_size__ = getattr(module, "__tile_size__", 1)

    def __repr__(self) -> str:
        return f"{self.name}()"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Device) and self.name == other.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> Any:
        return named, (self.name,)

    if TYPE_CHECKING:

        def __getattr__(self, kernel: str) -> Any: ...

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Within the block, `listener` is called in the place of every kernel that this thread calls."""
        thread = threading.get_ident()

        def watched(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(kernel)
            def call(*args: Any) -> Any:
                return listener(name, kernel, args) if threading.get_ident() == thread else kernel(*args)

            return call

        kernels = {name: x for name, x in vars(self).items() if callable(x) and name not in HOUSEKEEPING}
        self.__dict__.update({name: watched(name, kernel) for name, kernel in kernels.items()})
        self.__dict__.update(dict.fromkeys(WHOLE_STEPS & kernels.keys()))
        try:
            yield
        finally:
            self.__dict__.update(kernels)

    def enabled(self) -> bool:
        """Whether arrays can be made here."""
        return self.module is not None

    def empty(self, shape: tuple[int, ...], dtype: str = "float32") -> NDArray:
        """An array whose elements are not set yet."""
        from .functions import empty

        return empty(shape, dtype=dtype, device=self)

    def full(self, shape: tuple[int, ...], fill_value: float, dtype: str = "float32") -> NDArray:
        """An array of one number."""
        from .functions import full

        return full(shape, fill_value, dtype=dtype, device=self)

    def rand(self, *shape: int, dtype: str = "float32") -> NDArray:
        """Uniform draws from [0, 1), by ``np.random.rand``."""
        from .functions import array

        return array(each_time(lambda: np.asarray(np.random.rand(*shape), dtype)), dtype=dtype, device=self)

    def randn(self, *shape: int, dtype: str = "float32") -> NDArray:
        """Standard normal draws, by ``np.random.randn``."""
        from .functions import array

        return array(each_time(lambda: np.asarray(np.random.randn(*shape), dtype)), dtype=dtype, device=self)

    def one_hot(self, n: int, i: Any, dtype: str = "float32") -> NDArray:
        """Rows of the identity: shape ``(*i.shape, n)``, 1 at each index of `i`."""
        from .functions import one_hot

        return one_hot(n, i, dtype=dtype, device=self)


@cache
def cpu() -> Device:
    """The processor, by the C++ kernels of ``src/``.

    Each rung of the ladder of matrix products can be called on its own, on the views of three arrays::

        a, b, c = nd.array(x), nd.array(y), nd.empty((m, n))
        nd.cpu().matmul_simd(a._view, b._view, c._view)  # c <- a b

    ==================  =================================  ==========================================================
    rung                of                                 idea
    ==================  =================================  ==========================================================
    ``matmul_naive``    every dtype but bool               the three loops of the textbook
    ``matmul_tiled``    float32, float64                   tiles of 8 x 8, which stay in the first-level cache
    ``matmul_simd``     float32, float64                   a tile of C in vector registers, operands where they lie
    ``matmul_packed``   float32, float64                   the same, operands packed block by block for the caches
    ``matmul_dot``      float32, float64                   dot products, where C has few rows
    ``matmul``          every dtype but bool               the last three on all cores, whichever suits: what `@` calls
    ==================  =================================  ==========================================================

    All take operands of any strides and any number of leading axes; all but the last run on the calling thread.
    ``matmul_tiled(a, b, c, m, n, p)`` is the product of flat buffers that hold matrices cut into tiles beforehand.
    The first lines of ``src/matmul_*.cpp`` say what each costs; ``python -m apps.bench --only gemm --ladder`` measures.
    """
    try:
        ndarray_backend_cpu = import_module(".ndarray_backend_cpu", __package__)
    except ImportError as error:
        raise ImportError(
            f"Needle's C++ extension cannot be loaded ({error}). Build it with `make build` or `pip install .`, "
            "or do without it: NEEDLE_BACKEND=np"
        ) from error
    return Device("cpu", ndarray_backend_cpu)


@cache
def cpu_numpy() -> Device:
    """The processor, by the NumPy kernels that specify what a device does."""
    return Device("cpu_numpy", ndarray_backend_numpy)


@cache
def cpu_simple() -> Device:
    """The processor, by the two dozen flat kernels of ``src/cpu_simple.cpp``, lifted by `needle.backend_ndarray.flat`.

    One file in which a whole device can be read: loops over float32, one for each kernel, and a product of tiles.
    """
    return Device("cpu_simple", lift(simple_kernels()))


def simple_kernels() -> Any:
    """The module of `cpu_simple()`: an extension of its own, where one was built, or a part of that of `cpu()`."""
    if _is_built("ndarray_backend_cpu_simple"):
        return import_module(".ndarray_backend_cpu_simple", __package__)
    return cpu().module.simple


def _is_built(extension: str) -> bool:
    """Whether there is an extension of this name."""
    return find_spec(f"{__package__}.{extension}") is not None


@cache
def cuda() -> Device:
    """A GPU. There are no kernels for it yet: ``cuda().enabled()`` is False."""
    return Device("cuda", None)


@cache
def meta() -> Device:
    """Nowhere: arrays with a shape and a dtype and no elements, for inferring both."""
    return Device("meta", ndarray_backend_meta)


@cache
def default_device() -> Device:
    """Where arrays are made when no device is named: `cpu()`, or `cpu_simple()` where that is all that was built."""
    only_simple = _is_built("ndarray_backend_cpu_simple") and not _is_built("ndarray_backend_cpu")
    return cpu_simple() if only_simple else cpu()


def all_devices() -> list[Device]:
    """Every device, enabled or not."""
    return list(dict.fromkeys([default_device(), cuda(), cpu_numpy(), cpu_simple()]))


def named(name: str) -> Device:
    """The device of that name."""
    devices = {"cpu": cpu, "cpu_numpy": cpu_numpy, "cpu_simple": cpu_simple, "cuda": cuda, "meta": meta}
    return devices[name]()
