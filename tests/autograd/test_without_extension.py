"""NEEDLE_BACKEND=np does without the C++ extension, and without Needle's own arrays; nd says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import needle

REFUSE_EXTENSION = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.endswith("ndarray_backend_cpu"):
            raise ImportError("refused: " + name)

sys.meta_path.insert(0, Refuse())
"""


def run(program: str, backend: str | None) -> subprocess.CompletedProcess[str]:
    """Run `program` in a process that cannot import the extension; None leaves NEEDLE_BACKEND unset."""
    environment = {name: value for name, value in os.environ.items() if name != "NEEDLE_BACKEND"}
    environment |= {} if backend is None else {"NEEDLE_BACKEND": backend}
    package_folder = str(Path(needle.__file__).parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join([package_folder, environment.get("PYTHONPATH", "")])
    source = REFUSE_EXTENSION + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", source], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_under_np_everything_works_without_it():
    result = run(
        """
        import needle as ndl, numpy as np
        import needle.nn as nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 3))
        optimizer = ndl.optim.Adam(model.parameters(), lr=0.01)
        x = ndl.Tensor(np.random.rand(16, 4).astype("float32"))
        losses = []
        for _ in range(30):
            loss = nn.SoftmaxLoss()(model(x), ndl.Tensor(np.arange(16) % 3))
            loss.backward(create_graph=False)
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]
        with ndl.lazy_mode():
            y = ndl.exp(x @ x.transpose())
            y.backward()
            assert x.grad.numpy().shape == (16, 4)
        loaded = [name for name in sys.modules if "needle.backend_ndarray" in name]
        assert not loaded, loaded
        """,
        backend="np",
    )
    assert result.returncode == 0, result.stderr


def test_under_nd_importing_works_and_the_first_tensor_says_how_to_build_it():
    result = run(
        """
        import needle as ndl
        try:
            ndl.Tensor([1.0])
        except ImportError as error:
            print(error)
        from needle.backend_ndarray import array, cpu_numpy
        print(array([1.0, 2.0], device=cpu_numpy()) + 1)
        """,
        backend="nd",
    )
    assert result.returncode == 0, result.stderr
    assert "make build" in result.stdout and "NEEDLE_BACKEND=np" in result.stdout
    assert "[2. 3.]" in result.stdout


def test_the_backend_is_nd_unless_the_environment_names_one():
    for backend, chosen in ((None, "nd"), ("nd", "nd"), ("np", "np")):
        result = run("import needle; print(needle.backend_selection.BACKEND)", backend)
        assert result.stdout.strip() == chosen, result.stderr


def test_an_unknown_backend_is_refused_by_name():
    result = run("import needle", backend="numpy")
    assert result.returncode != 0
    assert "NEEDLE_BACKEND is 'numpy'" in result.stderr and "'nd'" in result.stderr and "'np'" in result.stderr
