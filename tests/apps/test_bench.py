"""The benchmark's machinery: turns, pairs, workers, tables, arguments. No test depends on how long anything takes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.bench import __main__ as bench
from apps.bench import deep, ewise, gemm, import_, ladder, machine, memory, mlp, mnist, overhead, reduce, runner, worker
from apps.bench.runner import Benchmark, Case, Pair, Row, Settings, Worker, WorkerError, compare, start, take_turns
from apps.bench.sides import PEERS, SIDES, Absent, Side, Work
from apps.bench.table import Table, show, show_time

FAST = Settings(threads=1, rounds=2, seconds=0.001, quick=True)

FAKE_SIDE = """
import os
import numpy as np
from apps.bench.sides import Absent, Work

print("what a library prints must not disturb the replies")

def about():
    return "fake 1.0"

def gives(answer):
    return Work(lambda: None, lambda: np.array(answer))

def says_where():
    return gives([os.getpid()])

def surroundings():
    names = ("NEEDLE_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return gives([*(float(os.environ[name]) for name in names), len(os.sched_getaffinity(0))])

def overhead(gradient, backward):
    return gives([1.0])

def breaks():
    raise ValueError("no such thing\\nand more")

def dies():
    os._exit(3)

def declines():
    raise Absent("not today")
"""


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Side]:
    """Sides by their usual names, all of which are the module above; ``jax`` is not installed."""
    (tmp_path / "fake_side.py").write_text(FAKE_SIDE)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    for name in SIDES:
        needs = ("there_is_no_such_package",) if name == "jax" else ()
        monkeypatch.setitem(SIDES, name, Side(name, "fake_side", needs))
    return SIDES


# Turns and pairs ------------------------------------------------------------------------------------------------------


class Scripted:
    """Stands for a worker: its measurements are given, and every turn is noted."""

    def __init__(self, name: str, times: Sequence[float], turns: list[str]) -> None:
        self.side = Side(name, "", ())
        self._times = iter(times)
        self._turns = turns

    def measure(self) -> float:
        self._turns.append(self.side.name)
        return next(self._times)


def test_needle_is_measured_right_before_each_peer() -> None:
    turns: list[str] = []
    ours: Any = Scripted("needle", [1.0, 2.0, 3.0, 4.0], turns)
    peers: Any = [Scripted("torch", [5.0, 6.0], turns), Scripted("numpy", [7.0, 8.0], turns)]

    ((times, pairs),) = take_turns([ours], peers, rounds=2)

    assert turns == ["needle", "torch", "needle", "numpy"] * 2
    assert times == [1.0, 2.0, 3.0, 4.0]
    assert pairs == {"torch": Pair([1.0, 3.0], [5.0, 6.0]), "numpy": Pair([2.0, 4.0], [7.0, 8.0])}


def test_without_peers_needle_is_measured_alone() -> None:
    ours: Any = Scripted("needle", [1.0, 2.0, 3.0], [])
    assert list(take_turns([ours], [], rounds=3)) == [([1.0, 2.0, 3.0], {})]


def test_each_variant_of_needle_meets_each_peer() -> None:
    turns: list[str] = []
    variants: Any = [Scripted("needle", [1.0], turns), Scripted("compiled", [0.5], turns)]
    peers: Any = [Scripted("torch", [2.0, 3.0], turns)]

    _, (_, pairs) = take_turns(variants, peers, rounds=1)

    assert turns == ["needle", "torch", "compiled", "torch"]
    assert pairs["torch"].ratio == 6.0


def test_ratio_is_the_median_of_the_ratios_not_the_ratio_of_the_medians() -> None:
    pair = Pair(ours=[1.0, 2.0, 4.0], theirs=[2.0, 2.0, 40.0])
    assert pair.ratio == 2.0
    assert pair.peer == 2.0


def test_a_rung_is_compared_with_the_rung_before_and_with_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    answer = np.array(worker.fingerprint(np.ones(3)))
    slow, fast = (Scripted(name, times, turns) for name, times in (("slow", [8.0, 9.0]), ("fast", [2.0, 3.0])))
    for rung in (slow, fast):
        monkeypatch.setattr(rung, "prepare", lambda *_: answer, raising=False)
    cases = [Case("naive", "rung", amount=16.0), Case("simd", "rung", amount=16.0)]
    workers: Any = [slow, fast]

    bottom, top = ladder.climb(cases, workers, [None, 10.0], FAST, print)

    assert turns == ["slow", "fast"] * 2
    assert (bottom.value, bottom.pairs, bottom.floor) == (8.5, {}, None)
    assert (top.value, top.pairs[ladder.BEFORE].ratio, top.floor) == (2.5, 3.5, 1.6)
    lines = [ladder.LadderTable(ladder.BENCHMARK, ()).line(row).split() for row in (bottom, top)]
    assert lines == [["naive", "1.88e-09", "-"], ["simd", "6.4e-09", "3.50", "64.0", "%"]]


def test_the_ladder_ends_with_one_thread_and_with_all() -> None:
    top = [(rung.name, rung.kernel, rung.threads) for rung in ladder.rungs(2)[-2:]]
    assert top == [("@, 1 thread", "matmul", 1), ("@, 2 threads", "matmul", 2)]
    assert [rung.name for rung in ladder.rungs(1)] == ["naive", "tiled", "simd", "packed", "@, 1 thread"]


# Workers --------------------------------------------------------------------------------------------------------------


def prepare(name: str, work: str, **arguments: Any) -> np.ndarray:
    with Worker(SIDES[name], FAST) as process:
        return process.prepare(Case(work, work, arguments), FAST.seconds)


def test_a_worker_prepares_and_measures_in_a_process_of_its_own(sides: dict[str, Side]) -> None:
    with Worker(sides["numpy"], FAST) as process:
        assert process.about == "fake 1.0"
        assert process.prepare(Case("", "says_where"), FAST.seconds)[0] not in (0, os.getpid())
        assert process.measure() > 0
        mean, root_mean_square, *elements = process.prepare(Case("", "gives", {"answer": [3.0, 4.0]}), FAST.seconds)
    assert (mean, root_mean_square, elements) == (3.5, pytest.approx(math.sqrt(12.5)), [3.0, 4.0])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind a process to cores")
def test_a_side_gets_the_threads_that_were_asked_for(sides: dict[str, Side]) -> None:
    assert prepare("numpy", "surroundings")[2:].tolist() == [1.0] * 5


def test_what_is_not_installed_is_left_out_with_a_word(sides: dict[str, Side]) -> None:
    said: list[str] = []
    with ExitStack() as stack:
        workers = start(("torch", "jax"), FAST, stack, said.append)
        assert [process.side.name for process in workers] == ["torch"]
    assert said == ["jax is left out: there_is_no_such_package not installed"]


def test_a_side_that_cannot_be_imported_is_left_out_with_a_word(
    sides: dict[str, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIDES, "torch", Side("torch", "no_such_side", ()))
    said: list[str] = []
    with ExitStack() as stack:
        assert start(("torch",), FAST, stack, said.append) == []
    assert said == ["torch is left out: it could not start (ModuleNotFoundError: No module named 'no_such_side')"]


@pytest.mark.parametrize("work", ["declines", "no_such_work"])
def test_a_side_that_declines_is_absent(sides: dict[str, Side], work: str) -> None:
    with pytest.raises(Absent):
        prepare("torch", work)


def test_a_side_that_breaks_tells_why_and_goes_on(sides: dict[str, Side]) -> None:
    with Worker(sides["torch"], FAST) as process:
        with pytest.raises(WorkerError, match="ValueError: no such thing"):
            process.prepare(Case("", "breaks"), FAST.seconds)
        assert process.prepare(Case("", "gives", {"answer": [1.0]}), FAST.seconds)[0] == 1.0


def test_a_process_that_ends_tells_its_status(sides: dict[str, Side]) -> None:
    with pytest.raises(WorkerError, match="status 3"):
        prepare("torch", "dies")


def compared(case: Case, peer: str = "torch") -> tuple[list[Row], list[str]]:
    said: list[str] = []
    with ExitStack() as stack:
        ours, theirs = (start((name,), FAST, stack, said.append) for name in ("needle", peer))
        rows = compare("benchmark", case, ours, theirs, FAST, said.append)
    return rows, said


def test_a_peer_that_breaks_does_not_end_the_run(sides: dict[str, Side], tmp_path: Path) -> None:
    (tmp_path / "broken_side.py").write_text(FAKE_SIDE.replace("def gives(answer):", "def gives(answer, wrong):"))
    sides["torch"] = Side("torch", "broken_side", ())
    (row,), (sentence,) = compared(Case("W1", "gives", {"answer": [1.0]}))
    assert row.pairs == {} and row.value > 0
    assert sentence.startswith("W1: torch is left out: it broke (TypeError")


def test_sides_that_disagree_are_reported(sides: dict[str, Side], tmp_path: Path) -> None:
    (tmp_path / "other_side.py").write_text(FAKE_SIDE.replace("np.array(answer)", "np.array(answer) * 1.01"))
    sides["torch"] = Side("torch", "other_side", ())
    rows, said = compared(Case("W1", "gives", {"answer": [1.0, 1.0]}, tolerance=0.02))
    assert "torch" in rows[0].pairs and said == []
    _, (sentence,) = compared(Case("W1", "gives", {"answer": [1.0, 1.0]}, tolerance=0.001))
    assert sentence == "WARNING: W1: torch and needle give different results (by 1.0e-02, tolerated 1e-03)"


def test_of_random_answers_only_the_means_are_compared() -> None:
    ours, theirs = worker.fingerprint(np.array([1.0, 3.0])), worker.fingerprint(np.array([3.0, 1.0]))
    strict, random = Case("", ""), Case("", "", random=True)
    assert runner.disagreement(strict, np.array(ours), np.array(theirs)) == pytest.approx(2 / math.sqrt(5))
    assert runner.disagreement(random, np.array(ours), np.array(theirs)) is None
    assert runner.disagreement(random, np.array(ours), np.array(ours) * 1.1) is not None


def test_results_that_are_not_numbers_are_reported() -> None:
    fine, broken = np.array(worker.fingerprint(np.ones(3))), np.array(worker.fingerprint(np.full(3, np.nan)))
    assert runner.disagreement(Case("", ""), fine, broken) is not None


class Clock:
    """A clock that only work and sleep move forward."""

    def __init__(self, cpu: Sequence[float] = ()) -> None:
        self.now = 0.0
        self.cpu = iter(cpu)
        self.sleeps = 0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return next(self.cpu)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1

    def work(self, seconds: float) -> Work:
        def step() -> None:
            self.now += seconds

        return Work(step, lambda: np.ones(1))


@pytest.mark.parametrize(("takes", "repetitions"), [(1e-6, 40_000), (1e-3, 40), (0.03, 1), (5.0, 1)])
def test_a_measurement_is_as_long_as_asked_but_at_least_one_step(
    monkeypatch: pytest.MonkeyPatch, takes: float, repetitions: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    assert worker.repetitions_for(clock.work(takes), 0.04) == repetitions


def test_the_warm_up_takes_several_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    worker.repetitions_for(clock.work(1e-3), 0.04)
    assert clock.now >= 5 * 0.04


def test_a_worker_waits_until_its_threads_have_stopped_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    # Processor time before and after each sleep: two sleeps during which a thread spins, then a quiet one.
    clock = Clock(cpu=[0.0, 0.005, 0.005, 0.010, 0.010, 0.0101])
    monkeypatch.setattr(worker, "time", clock)
    worker.wait_until_quiet()
    assert clock.sleeps == 3


def test_a_worker_does_not_wait_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(cpu=np.arange(0, 10, 0.005))
    monkeypatch.setattr(worker, "time", clock)
    worker.wait_until_quiet(limit=0.5)
    assert clock.now == pytest.approx(0.5, abs=0.01)


# Tables ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.123e-4, "412 us"), (1.864e-3, "1.86 ms"), (0.0999999, "100 ms"), (12.3, "12.3 s"), (5e-9, "5.00 ns")],
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    assert show_time(seconds) == text


def test_values_are_shown_in_the_unit_of_their_benchmark() -> None:
    assert show(0.5, 2e11, "GFLOP/s") == "400"
    assert show(2e-3, 200, "s") == "10.0 us"
    assert show(123.4e6, 1, "MB") == "123 MB"


@pytest.mark.parametrize("module", [mlp, gemm, ewise, reduce, overhead, deep, mnist, memory, import_])
def test_lines_fit_a_hundred_columns(module: Any) -> None:
    table = Table(module.BENCHMARK, PEERS)
    name = "W1 compiled" if module is mlp else "logsumexp (128, 1000)"
    pairs = {peer: Pair([1e-3], [9.99e-1]) for peer in module.PEERS}
    row = Row(module.BENCHMARK.name, name, "needle", 1e-3, pairs=pairs, floor=1e-4 if module is mlp else None)
    assert all(len(line) <= 100 for line in [*table.head(), table.line(row)])


def test_a_line_holds_medians_ratios_and_gaps() -> None:
    benchmark = Benchmark("overhead", "title", "s", ("torch", "numpy"), lambda *_: iter(()))
    row = Row("overhead", "forward", "needle", 2e-4, amount=200, pairs={"torch": Pair([2e-4], [3e-4])})
    assert Table(benchmark, ("torch", "numpy")).line(row).split() == [
        "forward",
        "1.00",
        "us",
        "1.50",
        "us",
        "1.50",
        "-",
    ]


def test_the_summary_is_the_geometric_mean_and_the_least() -> None:
    rows = [
        Row("gemm", name, "needle", 1.0, pairs={"torch": Pair([1.0], [ratio])})
        for name, ratio in [("a", 0.5), ("b", 8.0)]
    ]
    assert Table(gemm.BENCHMARK, PEERS).summary(rows) == ["against torch: geometric mean 2.00, least 0.50 (a)"]


# The program ----------------------------------------------------------------------------------------------------------


def test_a_run_prints_a_table_and_writes_json(
    sides: dict[str, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"processor": "a processor", "cores": 2, "system": "Linux", "python": "3", "threads": 1, "sides": {}}
    reach = {"fma_flops": None, "bandwidth_memory": 2e10, "bandwidth_cache": 1e11}
    monkeypatch.setattr(machine, "describe", lambda *_: facts | reach)
    file = tmp_path / "results.json"

    status = bench.main(["--only", "overhead", "--threads", "1", "--quick", "--rounds", "3", "--json", str(file)])

    assert status == 0
    printed = capsys.readouterr().out
    assert "20 GB/s from memory" in printed and "forward + backward" in printed and "against torch" in printed
    results = json.loads(file.read_text())
    assert results["machine"]["processor"] == "a processor" and results["settings"]["rounds"] == 3
    row = results["rows"][-1]
    assert (row["benchmark"], row["case"], row["unit"], row["amount"]) == ("overhead", "forward + backward", "s", 200)
    assert sorted(row["peers"]) == ["numpy", "torch"]
    torch = row["peers"]["torch"]
    assert torch["ratio"] == Pair(torch["ours"], torch["theirs"]).ratio and len(torch["ours"]) == 3


def test_without_needle_there_is_nothing_to_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SIDES, "needle", Side("needle", "fake_side", ("there_is_no_such_package",)))
    assert bench.main(["--only", "overhead"]) == 1
    assert "there_is_no_such_package is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "mpl"], "no 'mpl'; there are mlp, gemm"),
        (["--peers", "torch,tensorflow"], "no 'tensorflow'; there are torch, torch.compile, jax, numpy"),
        (["--threads", "0"], "must be at least 1, got 0"),
        (["--threads", "100000"], "but this process may use"),
        (["--rounds", "many"], "invalid"),
        (["--ladder"], "--ladder: goes with --only gemm"),
        (["--passes"], "--passes: goes with --only mlp"),
        (["--ladder", "--only", "gemm,ewise"], "--ladder: goes with --only gemm"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.parse(arguments)
    assert message in capsys.readouterr().err


def test_quick_is_shorter_and_rounds_still_count() -> None:
    quick = bench.settings_of(bench.parse(["--quick"]))
    assert quick.quick and quick.rounds < Settings().rounds and quick.seconds < Settings().seconds
    assert bench.settings_of(bench.parse(["--quick", "--rounds", "20"])).rounds == 20


def test_the_ladder_has_no_peers() -> None:
    assert bench.settings_of(bench.parse(["--only", "gemm", "--ladder"])).peers == ()
