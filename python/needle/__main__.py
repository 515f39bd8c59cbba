"""``python -m needle``: what a bug report needs to say about this installation."""

from __future__ import annotations

import os
import platform
import sys
from importlib.util import find_spec

import numpy as np

from . import __version__, backend_selection


def report() -> str:
    """Versions, backend, instruction set, threads, devices and memory, one to a line."""
    facts = {
        "needle": f"{__version__} ({os.path.dirname(os.path.abspath(__file__))})",
        "python": f"{platform.python_version()} ({sys.executable})",
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "backend": f"{backend_selection.BACKEND} (NEEDLE_BACKEND)",
        **(_extension() if backend_selection.BACKEND == "nd" else {}),
        "devices": ", ".join(f"{device!r}{'' if device.enabled() else ' (not enabled)'}" for device in _devices()),
        "extras": ", ".join(name if find_spec(name) else f"{name} (missing)" for name in _EXTRAS),
    }
    width = max(map(len, facts))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items())


_EXTRAS = ("safetensors", "pooch", "matplotlib", "tqdm")


def _extension() -> dict[str, str]:
    from . import backend_ndarray as nd

    try:
        stats = nd.memory_stats()
    except ImportError as error:
        return {"extension": f"missing: {error}"}
    return {
        "extension": str(nd.cpu().module.__file__),
        "instructions": f"{nd.isa()} (NEEDLE_ISA forces a lower set)",
        "threads": f"{nd.num_threads()} of {os.cpu_count()} processors (NEEDLE_NUM_THREADS)",
        "memory": ", ".join(f"{name} {value}" for name, value in stats.items()),
    }


def _devices() -> list[backend_selection.Device]:
    try:
        return backend_selection.all_devices()
    except ImportError:
        return [backend_selection.cpu_numpy(), backend_selection.cuda()]


if __name__ == "__main__":
    print(report())
