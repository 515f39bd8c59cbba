"""Peak resident memory of the processes that the `mnist` benchmark runs."""

from __future__ import annotations

from collections.abc import Iterator

from apps.bench.mnist import PEERS, rows
from apps.bench.runner import Benchmark, Report, Row, Settings


def run(settings: Settings, report: Report) -> Iterator[Row]:
    """Bytes at the peak, mean over the seeds."""
    return rows("memory", "peak resident", lambda ran: ran.peak_bytes, settings, report)


BENCHMARK = Benchmark("memory", "peak resident memory of those processes", "MB", PEERS, run)
