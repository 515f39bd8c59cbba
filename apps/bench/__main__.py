"""``python -m apps.bench``: needle against PyTorch, JAX and NumPy, in turn, on this machine."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.bench import deep, ewise, gemm, import_, ladder, machine, memory, mlp, mnist, overhead, passes, reduce
from apps.bench.runner import Benchmark, Row, Settings, WorkerError
from apps.bench.sides import PEERS, SIDES, Absent
from apps.bench.table import Table

MODULES = (mlp, gemm, ewise, reduce, overhead, deep, mnist, memory, import_)
BENCHMARKS = {module.BENCHMARK.name: module.BENCHMARK for module in MODULES}
TABLES = {"ladder": ladder.LadderTable, "passes": passes.PassesTable}
QUICK: dict[str, Any] = {"rounds": 5, "seconds": 0.01, "quick": True}


def names(known: Sequence[str], text: str) -> tuple[str, ...]:
    """Read ``NAME,NAME``; every name must be known."""
    chosen = tuple(name.strip() for name in text.split(",") if name.strip())
    if unknown := [name for name in chosen if name not in known]:
        raise argparse.ArgumentTypeError(f"no {', '.join(map(repr, unknown))}; there are {', '.join(known)}")
    return chosen


def positive(text: str) -> int:
    """Read a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m apps.bench",
        description="Measure needle against its peers, in turn, each in a process of its own.",
        epilog=f"Benchmarks: {', '.join(BENCHMARKS)}. Peers: {', '.join(PEERS)}; those not installed are left out.",
    )
    add = parser.add_argument
    add("--only", type=lambda text: names(tuple(BENCHMARKS), text), metavar="NAME,...", help="some benchmarks only")
    add("--peers", type=lambda text: names(PEERS, text), default=PEERS, metavar="NAME,...", help="some peers only")
    add("--threads", type=positive, default=min(2, machine.cores()), metavar="N", help="threads for every side (2)")
    add("--rounds", type=positive, metavar="N", help=f"turns that each side takes ({Settings.rounds})")
    add("--quick", action="store_true", help="fewer and shorter turns, without the largest cases: only a look")
    add("--ladder", action="store_true", help="with --only gemm: the rungs of needle's own product, without peers")
    add(
        "--passes",
        action="store_true",
        help="with --only mlp: what each pass over a compiled step brings, without peers",
    )
    add("--json", type=Path, metavar="FILE", help="write everything measured to FILE too")
    add("--verbose", action="store_true", help="show what the workers print to standard error")
    options = parser.parse_args(arguments)
    if options.threads > machine.cores():
        parser.error(f"argument --threads: {options.threads}, but this process may use {machine.cores()} cores")
    if options.ladder and options.only != ("gemm",):
        parser.error("argument --ladder: goes with --only gemm")
    if options.passes and options.only != ("mlp",):
        parser.error("argument --passes: goes with --only mlp")
    return options


def settings_of(options: argparse.Namespace) -> Settings:
    """Turn the options into settings."""
    peers = () if options.ladder or options.passes else options.peers
    settings = Settings(threads=options.threads, peers=peers, verbose=options.verbose)
    if options.quick:
        settings = dataclasses.replace(settings, **QUICK)
    return dataclasses.replace(settings, rounds=options.rounds) if options.rounds else settings


class Output:
    """What the user sees as it happens, and what goes into the file."""

    def __init__(self, settings: Settings, file: Path | None) -> None:
        self.file = file
        self.said: list[str] = []
        self.results: dict[str, Any] = {"settings": dataclasses.asdict(settings), "rows": [], "said": self.said}

    def show(self, *lines: str) -> None:
        """Print."""
        for line in lines:
            print(line, flush=True)

    def report(self, sentence: str) -> None:
        """Print a sentence, once."""
        if sentence not in self.said:
            self.said.append(sentence)
            self.show(f"({sentence})")

    def keep(self, row: Row, benchmark: Benchmark) -> None:
        """Add a row to the results."""
        peers = {
            name: {"median": pair.peer, "ratio": pair.ratio, "ours": pair.ours, "theirs": pair.theirs}
            for name, pair in row.pairs.items()
        }
        fields = {name: getattr(row, name) for name in ("benchmark", "case", "variant", "value", "amount", "floor")}
        self.results["rows"].append({**fields, "unit": benchmark.unit, "peers": peers})

    def write(self) -> None:
        """Write the file anew, so that an interrupted run leaves what it has."""
        if self.file is not None:
            self.file.write_text(json.dumps(self.results, indent=1) + "\n")


def run_one(benchmark: Benchmark, settings: Settings, output: Output) -> None:
    """Run a benchmark and show its table."""
    table = TABLES.get(benchmark.name, Table)(benchmark, settings.peers)
    output.show(*table.head())
    rows = []
    for row in benchmark.run(settings, output.report):
        rows.append(row)
        output.keep(row, benchmark)
        output.show(table.line(row))
    output.show(*table.summary(rows))
    output.write()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; give the exit status."""
    options = parse(arguments)
    settings = settings_of(options)
    if missing := SIDES["needle"].missing():
        print(f"{missing[0]} is not installed; `pip install -e .` in the project's folder does it", file=sys.stderr)
        return 1
    output = Output(settings, options.json)
    try:
        output.results["machine"] = machine.describe(settings, output.report)
        output.show(*machine.head(output.results["machine"]))
        chosen = [BENCHMARKS[name] for name in options.only or BENCHMARKS]
        chosen = [ladder.BENCHMARK] if options.ladder else [passes.BENCHMARK] if options.passes else chosen
        for benchmark in chosen:
            run_one(benchmark, settings, output)
    except KeyboardInterrupt:
        output.write()
        print("\nstopped", file=sys.stderr)
        return 130
    except (Absent, WorkerError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
