"""What an operation costs beside its arithmetic: 200 operations on 8 x 8 tensors, and their derivatives."""

from __future__ import annotations

from collections.abc import Iterator

from apps.bench.runner import Benchmark, Case, Report, Row, Settings, run_cases

REPEATS = 100
SIDE = 8
OPERATIONS = 2 * REPEATS
PEERS = ("torch", "numpy")


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Without gradient, recorded for a gradient, and with it."""
    cases = [
        Case("no gradient", "overhead", {"gradient": False, "backward": False}, amount=OPERATIONS),
        Case("forward", "overhead", {"gradient": True, "backward": False}, amount=OPERATIONS),
        Case("forward + backward", "overhead", {"gradient": True, "backward": True}, amount=OPERATIONS),
    ]
    return run_cases("overhead", cases, PEERS, settings, report)


BENCHMARK = Benchmark("overhead", "time per operation of `y = y + 1.0 * y` on 8 x 8 tensors", "s", PEERS, run)
