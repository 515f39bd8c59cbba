"""mnist_mlp from the outside: how it stops, how it goes on to the same result, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mnist_mlp
import mnist_training
import needle as ndl
from needle import checkpoints
from needle.data import MiniMNIST, idx
from needle.data.mnist import FILES
from tests.apps.mnist_runs import PROGRAM, QUICK, environment, refusal, without_seconds


@pytest.fixture
def press_ctrl_c(monkeypatch: pytest.MonkeyPatch):
    """Send this process SIGINT right in the middle of the step of this number (from 1), once."""

    def press(number: int) -> None:
        count = 0
        advance = ndl.optim.Schedule.step

        def step(self: ndl.optim.Schedule) -> None:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGINT)
            advance(self)

        monkeypatch.setattr(ndl.optim.Schedule, "step", step)

    return press


@pytest.mark.parametrize("number", [1, 5, 9, 10, 18, 27])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_run_that_was_stopped_goes_on_to_the_same_result(run, press_ctrl_c, number: int, optimizer: str) -> None:
    whole = run("whole", "--optimizer", optimizer)
    press_ctrl_c(number)
    stopped = run("stopped", "--optimizer", optimizer, status=130)
    assert not (stopped / "metrics.json").exists()
    np.random.seed(12345)
    run("stopped", "--optimizer", optimizer, "--resume")
    assert (stopped / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert without_seconds(stopped) == without_seconds(whole)


def test_a_run_may_be_stopped_again_and_again_and_go_on_lazily(run, press_ctrl_c, monkeypatch) -> None:
    whole = run("whole")
    press_ctrl_c(4)
    run("stopped", status=130)
    for _ in range(3):
        monkeypatch.undo()
        press_ctrl_c(5)
        run("stopped", "--resume", "--lazy", status=130)
    monkeypatch.undo()
    out = run("stopped", "--resume", "--threads", "1")
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert without_seconds(out) == without_seconds(whole)


def test_a_finished_run_resumes_to_what_it_was(run) -> None:
    out = run("a")
    model, metrics = (out / "model.safetensors").read_bytes(), (out / "metrics.json").read_text()
    (out / "model.safetensors").unlink()
    run("a", "--resume")
    assert (out / "model.safetensors").read_bytes() == model
    assert (out / "metrics.json").read_text() == metrics


def test_ctrl_c_ends_the_process_promptly_with_a_whole_checkpoint(small_mnist: Path, tmp_path: Path) -> None:
    command = [sys.executable, PROGRAM, "--data", str(small_mnist), "--out", str(tmp_path), "--epochs", "100000"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("epoch 2/"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        output = process.stdout.read()
        assert process.wait(timeout=10) == 130
    assert time.monotonic() - started < 5
    assert "--resume goes on from there" in output
    _, metadata = checkpoints.load(tmp_path / "checkpoint.safetensors")
    assert metadata["progress"]["epoch"] == len(metadata["progress"]["history"]) >= 2
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.safetensors"}


def test_a_second_ctrl_c_stops_in_the_middle_of_a_step(run, monkeypatch, capsys) -> None:
    def step_twice_interrupted(self: mnist_training.Training, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second Ctrl-C must not be waited for")

    monkeypatch.setattr(mnist_training.Training, "step", step_twice_interrupted)
    out = run("a", status=130)
    assert "stopped" in capsys.readouterr().err
    assert checkpoints.load(out / "checkpoint.safetensors")[1]["progress"]["batch"] == 0


# What is refused ------------------------------------------------------------------------------------------------------


def test_other_settings_on_resume_are_named_and_nothing_is_changed(run, small_mnist: Path) -> None:
    out = run("a")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    arguments = ["--data", str(small_mnist), "--out", str(out), *QUICK, "--resume", "--lr", "0.5", "--seed", "3"]
    message = refusal(*arguments)
    assert "is of a run with other settings: lr 0.002, now 0.5; seed 0, now 3" in message
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("damage", ["truncated", "other"])
def test_a_damaged_checkpoint_is_named_and_nothing_is_changed(run, small_mnist: Path, damage: str) -> None:
    out = run("a")
    path = out / "checkpoint.safetensors"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.write_bytes((out / "model.safetensors").read_bytes())
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    message = refusal("--data", str(small_mnist), "--out", str(out), *QUICK, "--resume")
    assert str(path) in message
    assert ("is damaged" if damage == "truncated" else "is no checkpoint of a training run") in message
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_checkpoint_that_cannot_be_loaded_leaves_the_training_as_it_was(run, tmp_path: Path) -> None:
    out = run("a", "--epochs", "1")
    tensors, metadata = checkpoints.load(out / "checkpoint.safetensors")
    tensors["model.modules.5.bias"] = np.zeros((1, 9), np.float32)
    checkpoints.save(tmp_path / "other", tensors, metadata)
    settings = mnist_training.Settings(**metadata["settings"])
    training = mnist_training.Training(settings, MiniMNIST())
    before = training.model.state_dict()
    with pytest.raises(ValueError, match=r"modules\.5\.bias"):
        training.load(tmp_path / "other")
    for name, value in training.model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert (training.epoch, training.batch, training.history) == (0, 0, [])


def test_there_must_be_something_to_resume(small_mnist: Path, tmp_path: Path) -> None:
    message = refusal("--data", str(small_mnist), "--out", str(tmp_path / "none"), "--resume")
    assert f"there is no checkpoint {tmp_path / 'none' / 'checkpoint.safetensors'}" in message
    assert not (tmp_path / "none").exists()


def test_a_file_is_no_place_for_results(small_mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file") in refusal("--data", str(small_mnist), "--out", str(tmp_path / "file"), *QUICK)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_without_the_files_is_refused_even_if_mnist_is_elsewhere(small_mnist, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NEEDLE_DATA", str(small_mnist))
    message = refusal("--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert f"{tmp_path} lacks train-images-idx3-ubyte.gz" in message


def test_empty_sets_are_refused(tmp_path: Path) -> None:
    for train in (True, False):
        for name, array in zip(FILES[train], (np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))):
            idx.write(tmp_path / f"{name}.gz", array)
    assert "a set is empty" in refusal("--data", str(tmp_path), "--out", str(tmp_path / "out"))


def test_a_damaged_data_file_is_named(small_mnist: Path, tmp_path: Path) -> None:
    for name in (f"{name}.gz" for pair in FILES.values() for name in pair):
        (tmp_path / name).write_bytes((small_mnist / name).read_bytes())
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"\0\0\x08\x01\0\0\0\x05123")
    message = refusal("--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert "t10k-labels-idx1-ubyte.gz: the header announces 5 labels" in message


@pytest.mark.parametrize(
    "option",
    [
        "--epochs=0",
        "--batch-size=-5",
        "--hidden=256,0",
        "--hidden=a",
        "--lr=0",
        "--lr=nan",
        "--seed=-1",
        "--threads=0",
        "--optimizer=lion",
        "--schedule=linear",
        "--device=tpu",
        "--until=-3",
    ],
)
def test_impossible_options_are_refused_by_name(option: str, capsys) -> None:
    with pytest.raises(SystemExit) as error:
        mnist_mlp.main([option])
    assert error.value.code == 2
    assert f"argument {option.split('=')[0]}" in capsys.readouterr().err


def test_missing_packages_are_named_before_any_work(small_mnist: Path, tmp_path: Path, monkeypatch) -> None:
    find_spec = mnist_mlp.importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    arguments = ["--data", str(small_mnist), "--out", str(tmp_path / "out")]
    assert "pip install 'needle-dl[apps]'" in refusal(*arguments)
    assert not (tmp_path / "out").exists()
    assert mnist_mlp.main([*arguments, *QUICK]) == 0
