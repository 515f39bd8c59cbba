"""What the benchmark measures: the same work on all sides, the floor under it, and whole processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from apps.bench import deep, ewise, gemm, ladder, memory, mlp, mnist, overhead, reduce, runner
from apps.bench.processes import run_process
from apps.bench.runner import Case, Pair, Row, Settings, Worker, WorkerError, compare, start
from apps.bench.sides import SIDES, Side

FAST = Settings(threads=1, rounds=2, seconds=0.001, quick=True)


# The work is the same on all sides ------------------------------------------------------------------------------------


def captured(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The cases of a benchmark, without running them."""
    cases: list[Case] = []

    def take(benchmark: str, chosen: Sequence[Case], *_: Any) -> Iterator[Row]:
        cases.extend(chosen)
        return iter(())

    monkeypatch.setattr(module, "run_cases", take)
    list(module.run(Settings(quick=True), print))
    return cases


@pytest.mark.parametrize("peer", ["torch", "jax", "numpy"])
def test_every_side_gives_the_same_answers(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing := SIDES[peer].missing():
        pytest.skip(f"{', '.join(missing)} not installed")
    cases = [case for module in (gemm, ewise, reduce, overhead, deep) for case in captured(module, monkeypatch)]
    cases = [*mlp.CASES, *(case for case in cases if "10^7" not in case.name and case.amount < 1e9)]
    done, said = [], []
    with ExitStack() as stack:
        (ours,) = start(("needle",), FAST, stack, said.append)
        theirs = start((peer,), FAST, stack, said.append)
        for case in cases:
            rows = compare("any", case, [ours], theirs, FAST, said.append)
            done += [case.work for row in rows if row.pairs]
    assert said == []
    assert {"mlp", "gemm", "ewise", "reduce"} <= set(done)


@pytest.mark.parametrize("case", [case for case in mlp.CASES if not case.random], ids=lambda case: case.name)
def test_the_compiled_step_gives_the_losses_of_the_eager_one_bit_for_bit(case: Case) -> None:
    with Worker(SIDES["needle"], FAST) as eager, Worker(SIDES["compiled"], FAST) as compiled:
        losses, same = (side.prepare(case, FAST.seconds) for side in (eager, compiled))
    assert losses.tobytes() == same.tobytes() and len(set(losses[2:])) == mlp.CHECKED_STEPS


def test_all_shapes_forms_and_sizes_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    products = captured(gemm, monkeypatch)
    assert len({case.name for case in products}) == len(products) == 3 * (len(gemm.SHAPES) - 1)  # quick: not 2048
    assert len(captured(ewise, monkeypatch)) == 7 * 3
    assert len(captured(reduce, monkeypatch)) == 2 * (2 * 3 + 3)


def test_every_rung_gives_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "SHAPES", ((9, 17, 33), (2, 2, 2)))  # quick: not the last
    monkeypatch.setattr(ladder, "fma_peak", lambda threads: 1e9)
    said: list[str] = []
    rows = list(ladder.run(FAST, said.append))
    assert [row.case.split()[3] for row in rows] == ["naive", "tiled", "simd", "packed", "@,"]
    assert said == [] and all(row.floor == 2 * 9 * 17 * 33 / 1e9 for row in rows)


def test_products_count_two_operations_for_each_multiplication() -> None:
    assert gemm.case(2, 3, 5).amount == 60


@pytest.mark.parametrize(
    ("form", "product"), [("A B", lambda a, b: a @ b), ("A^T B", lambda a, b: a.T @ b), ("A B^T", lambda a, b: a @ b.T)]
)
def test_operands_fit_their_form(form: str, product: Callable[..., np.ndarray]) -> None:
    assert product(*gemm.operands(2, 3, 5, form)).shape == (2, 5)


def test_every_image_comes_with_two_labels_so_that_nothing_is_learned_by_heart() -> None:
    batches = mlp.batches(64)
    half = len(batches) // 2
    for (x, first), (same, second) in zip(batches[:half], batches[half:]):
        assert np.array_equal(x, same) and not np.any(first == second)
        assert x.shape == (64, 784) and first.min() >= 0 and second.max() <= 9


# The floor ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "count"), list(zip(mlp.CASES, (79_510, 235_146, 110_860, 669_706))))
def test_traffic_counts_what_the_optimizer_reads_and_writes(case: Case, count: int) -> None:
    times = 3 if case.name == "W1" else 7
    assert mlp.traffic(case) == (count, 4 * times * count)


def test_a_step_has_three_products_for_each_layer_but_two_for_the_first() -> None:
    names = [" ".join(case.name.split()) for case in mlp.products([(784, 100), (100, 10)], batch=64)]
    assert names == [
        "A B 64 784 100",
        "A^T B 784 64 100",
        "A B 64 100 10",
        "A^T B 100 64 10",
        "A B^T 64 10 100",
    ]


def test_the_floor_takes_the_fastest_of_all_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def measured(benchmark: str, case: Case, *_: Any) -> list[Row]:
        asked.append(case.name)
        return [Row("gemm", case.name, "needle", 3.0, pairs={"torch": Pair([3.0], [2.0]), "jax": Pair([3.0], [4.0])})]

    monkeypatch.setattr(mlp, "compare", measured)
    monkeypatch.setattr(mlp, "bandwidth", lambda *_: 79_510 * 12.0)
    nobody: Any = None
    floors = mlp.Floors([], [], nobody, FAST, print)
    assert floors.floor(mlp.CASES[0]) == pytest.approx(5 * 2.0 + 1.0)
    assert floors.floor(mlp.CASES[0]) == pytest.approx(5 * 2.0 + 1.0)
    assert len(asked) == 5, "every shape is measured once in a run"


# Whole processes ------------------------------------------------------------------------------------------------------


def test_a_process_gives_its_time_peak_and_output() -> None:
    ran = run_process(["-c", "b = b'x' * 150_000_000; print(len(b))"], FAST)
    assert ran.output == "150000000\n" and ran.seconds > 0
    assert 150e6 < ran.peak_bytes < 1e9


def test_a_process_that_fails_tells_its_last_words() -> None:
    with pytest.raises(WorkerError, match="status 1, saying: ValueError: no data"):
        run_process(["-c", "raise ValueError('no data')"], FAST)


def test_the_application_takes_the_options_of_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(runner.ROOT / "apps"))
    pytest.importorskip("needle")
    import mnist_mlp

    command = mnist.commands(Path("folder"), seed=2, out="out", threads=2)["needle"]
    assert command[0] == "apps/mnist_mlp.py" and (runner.ROOT / command[0]).is_file()
    options = mnist_mlp.parse(command[1:])
    assert (options.data, options.hidden, options.epochs, options.batch_size) == ("folder", [256, 128], 5, 100)
    assert (options.lr, options.until, options.seed, options.threads) == (2e-3, 98.0, 2, 2)
    assert (options.optimizer, options.schedule) == ("adam", "cosine")


def test_the_accuracy_is_the_last_one_printed() -> None:
    assert mnist.accuracy("epoch 1/5 | ...\ntest accuracy 98.12 % after 3.1 s; metrics.json is in runs") == 98.12
    with pytest.raises(WorkerError, match="no test accuracy in its output, which ends: Killed at noon"):
        mnist.accuracy("epoch 1/5\nKilled at noon\n")


def fake_runs(seconds: dict[str, list[float]], accuracy: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both sides run without running: each takes its next time and ends at `accuracy`."""
    times = {name: iter(values) for name, values in seconds.items()}

    def run(command: Sequence[str], settings: Settings) -> Any:
        name = "torch" if "torch" in command[0] else "needle"
        took = next(times[name])
        return SimpleNamespace(seconds=took, peak_bytes=took * 1e6, output=f"epoch 1/5\ntest accuracy {accuracy} %")

    monkeypatch.setattr(mnist, "run_process", run)
    monkeypatch.setattr(mnist, "find_mnist", lambda: Path("folder"))
    monkeypatch.setitem(SIDES, "torch", Side("torch", "", ()))
    mnist.measured.cache_clear()


def test_seconds_and_memory_are_means_over_the_seeds_of_the_same_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_runs({"needle": [1.0, 2.0, 6.0], "torch": [10.0, 10.0, 25.0]}, 98.1, monkeypatch)
    said: list[str] = []
    (seconds,) = mnist.run(Settings(), said.append)
    (peak,) = memory.run(Settings(), said.append)
    assert (seconds.value, seconds.pairs["torch"].peer, seconds.pairs["torch"].ratio) == (3.0, 15.0, 5.0)
    assert (peak.value, peak.pairs["torch"].ratio) == (3e6, 5.0)
    assert "seed 2: torch has 98.10 % after 1 epochs, 25.00 s" in said


def test_a_run_short_of_the_accuracy_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_runs({"needle": [1.0] * 3, "torch": [1.0] * 3}, 97.9, monkeypatch)
    said: list[str] = []
    list(mnist.run(Settings(), said.append))
    assert said[0] == "WARNING: short of 98.0 %: seed 0: needle has 97.90 % after 1 epochs, 1.00 s"


def test_without_mnist_there_is_a_word_and_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "find_mnist", lambda: None)
    mnist.measured.cache_clear()
    said: list[str] = []
    assert list(mnist.run(Settings(), said.append)) == []
    assert said == ["mnist and memory are left out: MNIST was not found; NEEDLE_DATA names the folder of its files"]


def test_the_torch_script_reads_the_same_data_and_starts_from_the_same_distribution() -> None:
    pytest.importorskip("torch")
    ndl = pytest.importorskip("needle")
    from apps.bench import torch_mnist

    folder = Path(ndl.data.__file__).with_name("mini_mnist")
    images, labels = torch_mnist.load(folder, "t10k")
    expected = ndl.data.MiniMNIST(train=False)
    assert np.array_equal(np.rint(255 * images.numpy()).reshape(-1), expected.images.reshape(-1))
    assert np.array_equal(labels.numpy(), expected.labels)

    weight, bias = list(torch_mnist.make_model([784, 256, 10]).parameters())[:2]
    for values, fan in ((weight, 784), (bias, 256)):
        bound = math.sqrt(6 / fan)
        assert 0.97 * bound < values.abs().max() <= bound
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15)


@pytest.fixture(autouse=True)
def _forget_runs() -> Iterator[None]:
    """Leave no faked measurements behind."""
    yield
    mnist.measured.cache_clear()


def test_processes_keep_what_python_compiles_whatever_the_caller_does(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    process = run_process(["-c", "import sys; print(sys.dont_write_bytecode)"], Settings())
    assert process.output.strip() == "False"
