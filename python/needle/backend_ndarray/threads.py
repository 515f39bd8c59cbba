"""The C++ device's settings: threads, instruction set, memory."""

from __future__ import annotations

from .device import cpu


def isa() -> str:
    """The instruction set that the kernels of `cpu()` use: ``baseline``, ``avx2`` or ``avx512``."""
    return cpu().isa()  # type: ignore[no-any-return]


def num_threads() -> int:
    """How many threads the kernels of `cpu()` use."""
    return cpu().num_threads()  # type: ignore[no-any-return]


def set_num_threads(n: int) -> None:
    """Let the kernels of `cpu()` use `n` threads. Results do not depend on it."""
    cpu().set_num_threads(n)


def memory_stats() -> dict[str, int]:
    """Bytes that `cpu()` holds, uses and has used at most."""
    return cpu().memory_stats()  # type: ignore[no-any-return]


def empty_cache() -> None:
    """Give memory that no array uses back to the system."""
    cpu().empty_cache()


def reset_peak() -> None:
    """Start measuring the peak of memory in use anew."""
    cpu().reset_peak()
