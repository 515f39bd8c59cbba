"""Which array library stands under the graph: Needle's own (``nd``) or plain NumPy (``np``).

The environment variable ``NEEDLE_BACKEND`` decides, once, when `needle` is imported. Everything above the arrays asks
here: ``array_api`` is the module of array functions, ``NDArray`` the array type, ``Device`` the device type.
"""

from __future__ import annotations

import os

BACKEND = os.environ.get("NEEDLE_BACKEND", "nd")

if BACKEND == "nd":
    from . import backend_ndarray as array_api
    from .backend_ndarray import (
        Device,
        NDArray,
        all_devices,
        cpu,
        cpu_numpy,
        cpu_simple,
        cuda,
        default_device,
        set_num_threads,
    )
    from .backend_ndarray.abstract import (
        abstract_array,
        as_array,
        compute_abstractly,
        on_host,
        settled,
        stamp,
        stamps,
    )
elif BACKEND == "np":
    import numpy as array_api  # type: ignore[no-redef]
    from numpy import ndarray as NDArray  # type: ignore[assignment]  # noqa: N812

    from .backend_numpy import (  # type: ignore[assignment]
        Device,
        abstract_array,
        all_devices,
        as_array,
        compute_abstractly,
        cpu,
        cpu_numpy,
        cpu_simple,
        cuda,
        default_device,
        on_host,
        set_num_threads,
        settled,
        stamp,
        stamps,
    )
else:
    raise RuntimeError(f"NEEDLE_BACKEND is {BACKEND!r}; it must be 'nd' (Needle's arrays) or 'np' (NumPy)")

__all__ = [
    "BACKEND",
    "Device",
    "NDArray",
    "abstract_array",
    "all_devices",
    "array_api",
    "as_array",
    "compute_abstractly",
    "cpu",
    "cpu_numpy",
    "cpu_simple",
    "cuda",
    "default_device",
    "on_host",
    "set_num_threads",
    "settled",
    "stamp",
    "stamps",
]
