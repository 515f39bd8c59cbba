"""``python -m needle`` says what a bug report needs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import needle


def printed(backend: str) -> dict[str, str]:
    """The lines that ``python -m needle`` prints under `backend`, by their names."""
    package_folder = str(Path(needle.__file__).parent.parent)
    path = os.pathsep.join([package_folder, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "NEEDLE_BACKEND": backend, "PYTHONPATH": path, "NEEDLE_NUM_THREADS": "1"}
    output = subprocess.run(
        [sys.executable, "-m", "needle"], env=environment, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    return dict(line.split(None, 1) for line in output.splitlines())


@pytest.mark.parametrize("backend", ["nd", "np"])
def test_it_prints_versions_system_and_backend(backend):
    lines = printed(backend)
    assert needle.__version__ in lines["needle"] and platform.python_version() in lines["python"]
    assert lines["numpy"] == np.__version__ and platform.machine() in lines["system"]
    assert lines["backend"].startswith(backend)
    assert "cpu()" in lines["devices"] and "cuda() (not enabled)" in lines["devices"]


def test_it_prints_the_instruction_set_and_the_threads_of_the_extension():
    nd = pytest.importorskip("needle.backend_ndarray")
    lines = printed("nd")
    assert lines["instructions"].startswith(nd.isa()) and lines["threads"].startswith("1 of")


def test_under_np_it_does_without_the_extension():
    assert "instructions" not in printed("np")
