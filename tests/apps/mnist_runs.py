"""What the tests of mnist_mlp share: options for quick runs, and ways to look at what a run leaves or refuses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import mnist_mlp

PROGRAM = str(Path(mnist_mlp.__file__))
QUICK = ["--hidden", "24,12", "--epochs", "3", "--batch-size", "50", "--no-plots"]


def environment() -> dict[str, str]:
    """The environment for the program in a process of its own."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def without_seconds(out: Path) -> dict:
    metrics = json.loads((out / "metrics.json").read_text())
    del metrics["seconds"]
    for record in metrics["epochs"]:
        del record["seconds"]
    return metrics


def refusal(*arguments: str) -> str:
    """The message with which the program refuses these arguments."""
    with pytest.raises(SystemExit) as error:
        mnist_mlp.main(arguments)
    assert isinstance(error.value.code, str)
    assert error.value.code.startswith("mnist_mlp: ")
    return error.value.code
