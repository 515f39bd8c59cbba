"""mnist_mlp from the outside: what it learns, writes, says and draws, and which data it takes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

import mnist_mlp
import mnist_training
import needle as ndl
from needle import checkpoints
from needle.data import MiniMNIST, download
from tests.apps.mnist_runs import PROGRAM, QUICK, environment, without_seconds

RESULTS = {"metrics.json", "model.safetensors", "curves.png", "digits.png"}


def test_the_metrics_are_those_of_the_model_that_is_saved(run, small_mnist: Path) -> None:
    out = run("a")
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics) == {"dataset", "test_accuracy", "seconds", "epochs"}
    fields = {"epoch", "train_loss", "train_error", "test_loss", "test_error", "seconds"}
    assert [set(record) for record in metrics["epochs"]] == [fields] * 3
    assert [record["epoch"] for record in metrics["epochs"]] == [1, 2, 3]
    assert metrics["dataset"] == str(small_mnist)
    assert metrics["seconds"] == pytest.approx(sum(record["seconds"] for record in metrics["epochs"]))
    assert metrics["epochs"][2]["train_loss"] < metrics["epochs"][0]["train_loss"]

    state, _ = checkpoints.load(out / "model.safetensors")
    assert set(state) == {f"modules.{i}.{name}" for i in (1, 3, 5) for name in ("weight", "bias")}
    x = MiniMNIST(train=False)[:200][0].reshape(200, 784)
    labels = MiniMNIST(train=False).labels[:200]
    for i in (1, 3, 5):
        x = np.maximum(x, 0) @ state[f"modules.{i}.weight"] + state[f"modules.{i}.bias"]
    last = metrics["epochs"][2]
    assert metrics["test_accuracy"] == np.mean(x.argmax(axis=1) == labels)
    assert last["test_error"] == pytest.approx(1 - metrics["test_accuracy"])
    np.testing.assert_allclose(last["test_loss"], -log_softmax(x, axis=1)[range(200), labels].mean(), rtol=1e-4)


def test_all_four_results_are_left_and_the_pictures_show_something(small_mnist: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    arguments = [option for option in QUICK if option != "--no-plots"]
    assert mnist_mlp.main(["--data", str(small_mnist), "--out", str(tmp_path / "a" / "b"), *arguments]) == 0
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == RESULTS | {"checkpoint.safetensors"}
    for name in ("curves.png", "digits.png"):
        pixels = image.imread(tmp_path / "a" / "b" / name)
        assert min(pixels.shape[:2]) > 300
        assert len(np.unique(np.round(255 * pixels[:, :, :3]) @ [1, 256, 65536])) > 20, "colours"


def test_the_wrong_digits_are_marked_and_the_confusion_matrix_counts_them() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    import mnist_pictures

    labels, predictions = np.array([3, 1, 4, 1]), np.array([3, 7, 4, 0])
    axes = Figure().subplots()
    images = np.zeros((4, 28, 28), np.uint8)
    mnist_pictures._grid(axes, np.arange(4), 1, images, labels, predictions, "title")
    assert [text.get_text() for text in axes.texts] == ["3", "7 (1)", "4", "0 (1)"]
    assert len(axes.patches) == 2
    axes = Figure().subplots()
    mnist_pictures._confusion(axes, labels, predictions)
    counts = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    assert counts == {(3, 3): "1", (7, 1): "1", (4, 4): "1", (0, 1): "1"}
    assert "50.00 % of 4 right" in axes.get_title(loc="left")


def test_the_surest_mistake_has_the_highest_softmax_probability() -> None:
    pytest.importorskip("matplotlib")
    import mnist_pictures

    logits = 900 * np.random.RandomState(0).randn(6, 10)
    expected = np.exp(log_softmax(logits, axis=1)).max(axis=1)
    np.testing.assert_allclose(mnist_pictures.confidence(logits), expected)


def test_it_says_what_it_does_in_lines_of_80_columns(run, capsys, tmp_path: Path) -> None:
    run("a")
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"MLP 784-24-12-10: 19,270 parameters on .*", next(x for x in lines if x.startswith("MLP")))
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.split("  ")[0] for line in epochs] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    form = r"epoch ./3  loss \d\.\d{4} \(test \d\.\d{4}\)  error [ \d]+\.\d\d % \(test [ \d]+\.\d\d %\)  \d+\.\d s"
    assert all(re.fullmatch(form, line) for line in epochs)
    assert all(len(line) <= 80 for line in lines[:-1])
    metrics = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert f"test accuracy {100 * metrics['test_accuracy']:.2f} % after" in lines[-1]


def test_mini_mnist_is_learned_to_more_than_94_5_percent_with_the_defaults(tmp_path: Path) -> None:
    assert mnist_mlp.main(["--data", "mini", "--no-plots", "--out", str(tmp_path)]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dataset"] == "MiniMNIST"
    assert metrics["test_accuracy"] >= 0.945


@pytest.mark.parametrize("options", [["--optimizer", "sgd"], ["--schedule", "constant"], ["--hidden", ""]])
def test_the_other_settings_learn_too(run, options: list[str]) -> None:
    out = run("a", "--epochs", "6", *options)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test_accuracy"] > 0.6
    assert metrics["epochs"][-1]["train_error"] < metrics["epochs"][0]["train_error"] / 2


def test_the_same_seed_gives_the_same_result_and_another_seed_another(run) -> None:
    first, second, other = run("a"), run("b"), run("c", "--seed", "1")
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()
    assert without_seconds(first) == without_seconds(second)
    assert (first / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_compiled_eager_and_lazy_give_the_same_result_bit_for_bit(run) -> None:
    compiled, eager, lazy = run("compiled"), run("eager", "--no-compile"), run("lazy", "--lazy")
    for other in (eager, lazy):
        assert (compiled / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
        assert without_seconds(compiled) == without_seconds(other)


def test_the_readable_device_gives_nearly_the_same_result(run) -> None:
    results = [without_seconds(run(device, "--device", device)) for device in ("cpu", "cpu_numpy")]
    losses = [[record["test_loss"] for record in result["epochs"]] for result in results]
    np.testing.assert_allclose(*losses, rtol=1e-2)


def test_until_stops_at_the_first_epoch_that_reaches_the_accuracy(run) -> None:
    full = without_seconds(run("full"))["epochs"]
    goal = 100 * (1 - full[1]["test_error"])
    assert 1 - full[0]["test_error"] < goal / 100
    assert without_seconds(run("until", "--until", str(goal - 1e-6)))["epochs"] == full[:2]


@pytest.mark.parametrize("compiled", [True, False])
def test_twenty_epochs_grow_neither_the_graph_nor_resident_memory(small_mnist: Path, compiled: bool) -> None:
    resource = pytest.importorskip("resource")
    data = mnist_mlp.load_data(str(small_mnist))
    backend = ndl.backend_selection.BACKEND
    settings = mnist_training.Settings("", 430, [32], 20, 20, "adam", 2e-3, "cosine", 0, "cpu", backend)
    training = mnist_training.Training(settings, data.train, compiled)
    values, peaks = [], []
    for _ in range(20):
        for images, labels in training.batches():
            training.step(images, labels)
        del images, labels
        training.end_epoch(data.test)
        values.append(ndl.autograd.TENSOR_COUNTER)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert len(set(values[3:])) == 1
    assert peaks[-1] - peaks[2] < 4096 * (1024 if sys.platform == "darwin" else 1)


# Data and display -----------------------------------------------------------------------------------------------------


def test_auto_takes_mnist_where_it_is_found(small_mnist: Path, monkeypatch) -> None:
    monkeypatch.setenv("NEEDLE_DATA", str(small_mnist))
    data = mnist_mlp.load_data("auto")
    assert (data.name, len(data.train), data.epochs) == ("MNIST", 430, 5)
    assert str(small_mnist) in data.why


def test_auto_fetches_mnist_if_that_takes_seconds(small_mnist: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("NEEDLE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []

    def fetch(*, seconds: float) -> Path:
        asked.append(seconds)
        return small_mnist

    monkeypatch.setattr(download, "download_mnist", fetch)
    data = mnist_mlp.load_data("auto")
    assert data.name == "MNIST"
    assert data.why.startswith("downloaded")
    assert asked
    assert asked[0] <= 30


def test_auto_takes_mini_mnist_otherwise_and_says_why(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("NEEDLE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(download, "MIRRORS", ["http://127.0.0.1:9/mnist/"])
    data = mnist_mlp.load_data("auto")
    assert (data.name, len(data.train), len(data.test)) == ("MiniMNIST", 9000, 1000)
    assert "MNIST could not be downloaded (http://127.0.0.1:9/mnist/: " in data.why
    assert not any(tmp_path.rglob("*.gz"))


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_on_a_terminal_of_80_columns_a_bar_shows_loss_and_accuracy(small_mnist: Path, tmp_path: Path) -> None:
    pytest.importorskip("tqdm")
    import fcntl
    import pty
    import struct
    import termios

    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    arguments = ["--data", str(small_mnist), "--out", str(tmp_path), "--no-plots", "--batch-size", "4", "--epochs", "2"]
    process = subprocess.Popen(
        [sys.executable, PROGRAM, *arguments], env=environment(), stdout=subprocess.PIPE, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(master, 4096)
        except OSError:
            break
        if not shown:
            break
    os.close(master)
    output, _ = process.communicate(timeout=60)
    bars = [bar for bar in shown.decode().split("\r") if bar.strip("\n \x1b[A")]
    assert any(re.search(r"epoch 1/2 .*loss \d\.\d{4}, accuracy \d+\.\d\d %", bar) for bar in bars)
    assert max(map(len, bars)) <= 80
    assert "\r" not in output.decode()
    assert output.decode().count("epoch ") == 2
