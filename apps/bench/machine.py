"""What it ran on: the machine, the libraries, and what the machine can do at best, measured in the same run."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from apps.bench.runner import Case, Report, Settings, Worker, start

IN_MEMORY, IN_CACHE = 256 * 2**20, 4 * 2**20


def processor() -> str:
    """The processor's name for itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fma_peak(threads: int) -> float | None:
    """Multiply-adds a second on registers, as `fma_peak.cpp` beside this file finds; None without a C++ compiler."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        return None
    source = Path(__file__).with_name("fma_peak.cpp")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "fma_peak")
        build = [compiler, "-O3", "-march=native", "-ffp-contract=fast", "-pthread", str(source), "-o", program]
        try:
            subprocess.run(build, check=True, capture_output=True)
            done = subprocess.run([program, str(threads)], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError):
            return None
    return float(done.stdout)


def bandwidth(numpy: Worker, size: int, settings: Settings) -> float:
    """Bytes a second in a pass over `size` bytes, two read for one written; a write counts once, as in STREAM."""
    passes = max(1, 2**26 // size)  # so many that handing work to a thread does not count
    arguments = {"size": size, "threads": settings.threads, "passes": passes}
    numpy.prepare(Case("bandwidth", "bandwidth", arguments), settings.seconds)
    return size * passes / statistics.median(numpy.measure() for _ in range(5))


def describe(settings: Settings, report: Report) -> dict[str, Any]:
    """Everything that the head of the table says."""
    with ExitStack() as stack:
        # numpy also measures the bandwidth; torch.compile is of the same package as torch.
        names = dict.fromkeys(("needle", *settings.peers, "numpy"))
        names.pop("torch.compile", None)
        workers = {worker.side.name: worker for worker in start(list(names), settings, stack, report)}
        sides = {name: worker.about for name, worker in workers.items()}
        numpy = workers["numpy"]
        memory, cache = (bandwidth(numpy, size, settings) for size in (IN_MEMORY, IN_CACHE))
    return {
        "processor": processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "threads": settings.threads,
        "sides": sides,
        "fma_flops": fma_peak(settings.threads),
        "bandwidth_memory": memory,
        "bandwidth_cache": cache,
    }


def head(machine: dict[str, Any]) -> list[str]:
    """The lines above the table."""
    peak = machine["fma_flops"]
    reach = [
        "multiply-add not measured (no C++ compiler)" if peak is None else f"{peak / 1e9:.0f} GFLOP/s multiply-add",
        f"{machine['bandwidth_memory'] / 1e9:.0f} GB/s from memory",
        f"{machine['bandwidth_cache'] / 1e9:.0f} GB/s in 4 MB of cache",
    ]
    cores = f"{machine['cores']} cores" if machine["cores"] > 1 else "1 core"
    return [
        f"machine   {machine['processor']}, {cores}, {machine['system']}, Python {machine['python']}",
        *(f"{name:9} {about}" for name, about in machine["sides"].items()),
        f"threads   {machine['threads']}; they reach {', '.join(reach)}",
        "",
        "Medians of times taken in turn; the number beside a peer's time is the median of the paired",
        "ratios, above 1 where needle is faster (smaller).",
    ]
