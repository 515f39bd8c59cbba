"""``pack`` and ``check --packed`` in a student's tree, and the zip for Gradescope, run as Gradescope runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from hw import UsageError, packing, trees
from hw.__main__ import parser
from hw.assignment import load
from hw.packing import MARKER
from hw.releasing import release
from tests.hw.tiny import FILES, make_project

pytestmark = pytest.mark.grading

FIRST, SECOND = "python/needle/first.py", "python/needle/second.py"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project."""
    return make_project(tmp_path_factory.mktemp("pack") / "project")


@pytest.fixture
def tree(project: Path, tmp_path: Path) -> Path:
    """A released tree, with the first task solved."""
    release(load("hw1", project), project, tmp_path / "tree")
    (tmp_path / "tree" / FIRST).write_text(FILES[FIRST])
    return tmp_path / "tree"


def hw(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tree's own tool."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "hw", *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def test_the_zip_holds_what_is_submitted_and_says_what_is_not(tree: Path) -> None:
    (tree / "python/needle/__init__.py").write_text("from . import first, second\nprint('changed')\n")
    (tree / "notes.txt").write_text("mine")
    done = hw(tree, "pack")
    assert done.returncode == 0, done.stderr
    with ZipFile(tree / "hw1.zip") as archive:
        assert sorted(archive.namelist()) == sorted([FIRST, SECOND, MARKER])
        assert archive.read(FIRST).decode() == FILES[FIRST]
        assert json.loads(archive.read(MARKER))["assignment"] == "hw1"
    lines = done.stdout.splitlines()
    assert lines[0].startswith("hw1.zip: 2 files, ")
    assert lines[1:3] == [f"  changed      {FIRST}", f"  as released  {SECOND}"]
    assert lines[4:7] == [
        "Also changed, but not part of it; it is graded with the staff's copy of these:",
        "  python/needle/__init__.py",
        "  notes.txt",
    ]
    assert max(map(len, lines)) <= 80


def test_the_zip_is_the_same_whenever_it_is_made(tree: Path) -> None:
    assert hw(tree, "pack", "a.zip").returncode == 0
    os.utime(tree / FIRST, (1, 1_000_000_000))
    assert hw(tree, "pack", "b.zip").returncode == 0
    assert (tree / "a.zip").read_bytes() == (tree / "b.zip").read_bytes()


def test_a_file_that_cannot_be_imported_is_packed_with_a_warning(tree: Path) -> None:
    (tree / SECOND).write_text("def negate(x:\n")
    done = hw(tree, "pack")
    assert done.returncode == 0
    assert "this cannot be imported: line 1: '(' was never closed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"), [(["work.tar"], "work.tar should end in .zip"), (["no/w.zip"], "There is no folder no.")]
)
def test_bad_targets_are_refused(tree: Path, arguments: list[str], message: str) -> None:
    done = hw(tree, "pack", *arguments)
    assert (done.returncode, done.stderr.strip()) == (2, message)


def test_a_missing_file_is_refused(tree: Path) -> None:
    (tree / SECOND).unlink()
    done = hw(tree, "pack")
    assert (done.returncode, done.stderr.strip()) == (2, f"{SECOND} is missing; it is part of what you submit.")


def test_what_was_packed_is_checked_in_a_clean_tree(tree: Path) -> None:
    """A helper in a file of the student's own works here, and is missing where it is graded."""
    (tree / FIRST).write_text(
        "from .mine import twice\n\n\ndef double(x):\n    return twice(x)\n\n\ndef helper(x):\n    return x\n"
    )
    (tree / "python/needle/mine.py").write_text("def twice(x):\n    return 2 * x\n")
    assert hw(tree, "check", "--packed").stderr.strip() == "There is no hw1.zip; make it with: python -m hw pack"
    assert "python/needle/mine.py" in hw(tree, "pack").stdout
    assert "Done." in hw(tree, "check", "double").stdout
    done = hw(tree, "check", "double", "--packed")
    assert done.returncode == 1
    assert "No module named 'needle.mine'" in done.stdout
    (tree / FIRST).write_text(FILES[FIRST])
    hw(tree, "pack")
    (tree / FIRST).write_text("def double(x):\n    return None\n")
    assert "Done." in hw(tree, "check", "double", "--packed").stdout


@pytest.fixture
def autograder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The zip for Gradescope."""
    monkeypatch.setattr(trees, "root", lambda: project)
    assert packing.run_autograder(parser(released=False).parse_args(["autograder", "hw1", str(tmp_path / "out")])) == 0
    return tmp_path / "out" / "hw1-autograder.zip"


def test_the_autograder_has_its_scripts_at_the_root(autograder: Path) -> None:
    with ZipFile(autograder) as archive:
        names = set(archive.namelist())
        for name in ("setup.sh", "run_autograder"):
            assert archive.getinfo(name).external_attr >> 16 == 0o100755
            assert archive.read(name).startswith(b"#!/usr/bin/env bash\n")
            assert b"\r" not in archive.read(name)
        assert b"numpy==" in archive.read("requirements.txt")
    assert {"project/hw/hw1/hidden/test_double.py", "project/hw/hw1/tests/test_double.py"} <= names
    assert {"project/python/needle/first.py", "project/hw/grading.py", "project/hw/templates/Makefile"} <= names
    assert not any("/wrong/" in name or "/right/" in name or "__pycache__" in name for name in names)


def test_hidden_tests_must_be_there(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "root", lambda: project)
    args = parser(released=False).parse_args(["autograder", "hw1", str(tmp_path), "--hidden", str(tmp_path)])
    with pytest.raises(UsageError, match=r"has no test_double.py"):
        packing.run_autograder(args)


def placed(script: bytes, place: Path) -> str:
    """A script of the autograder, with its folder and its Python elsewhere."""
    text = script.decode().replace("/autograder/venv/bin/python", sys.executable)
    return text.replace("/autograder/", f"{place}/")


@pytest.mark.skipif(shutil.which("bash") is None, reason="Gradescope's containers have bash")
def test_the_autograder_runs_as_gradescope_runs_it(autograder: Path, tree: Path, tmp_path: Path) -> None:
    place = tmp_path / "autograder"
    for folder in ("source", "submission", "results"):
        (place / folder).mkdir(parents=True)
    with ZipFile(autograder) as archive:
        archive.extractall(place / "source")
        script = placed(archive.read("run_autograder"), place)
    (place / "run_autograder").write_text(script)
    hw(tree, "pack")
    with ZipFile(tree / "hw1.zip") as archive:
        archive.extractall(place / "submission")
    done = subprocess.run(
        ["bash", str(place / "run_autograder")], capture_output=True, text=True, cwd=place, check=False
    )
    found = json.loads((place / "results" / "results.json").read_text())
    assert done.returncode == 0, done.stderr
    assert found["score"] == 6
    assert [test["score"] for test in found["tests"]] == [4, 0, 2, 0]
    assert (place / "source").stat().st_mode & 0o077 == 0, "closed to the user that the submission runs as"


@pytest.mark.skipif(shutil.which("bash") is None, reason="Gradescope's containers have bash")
def test_an_autograder_that_fails_still_gives_results(autograder: Path, tmp_path: Path) -> None:
    place = tmp_path / "autograder"
    for folder in ("source/project", "submission", "results"):
        (place / folder).mkdir(parents=True)
    with ZipFile(autograder) as archive:
        (place / "run_autograder").write_text(placed(archive.read("run_autograder"), place))
    done = subprocess.run(
        ["bash", str(place / "run_autograder")], capture_output=True, text=True, cwd=place, check=False
    )
    assert done.returncode != 0
    assert json.loads((place / "results" / "results.json").read_text())["score"] == 0
