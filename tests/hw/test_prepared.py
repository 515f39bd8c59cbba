"""Prepared processes: what forks from one shares nothing with the next run, and cannot reach what it forked from."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hw import prepared, processes
from hw.assignment import load
from hw.grades import Grade
from hw.grading import Grader, grader
from hw.submissions import Submission
from tests.hw.tiny import FILES, make_project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each run starts a Python of its own")

FIRST, SECOND = "python/needle/first.py", "python/needle/second.py"
HELPER = "\n\ndef helper(x):\n    return x\n"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grader]:
    """A grader of the tiny assignment, without hidden tests."""
    root = make_project(tmp_path_factory.mktemp("prepared") / "project")
    assignment = load("hw1", root)
    tasks = tuple(replace(task, hidden_points=0) for task in assignment.tasks)
    with grader(replace(assignment, tasks=tasks), root, None) as made:
        yield made


def graded(judge: Grader, source: str) -> Grade:
    """Grade a submission with this first file."""
    return judge.grade(Submission("somebody", {FIRST: (source + HELPER).encode(), SECOND: FILES[SECOND].encode()}))


def test_one_process_is_prepared_for_all_runs(judge: Grader) -> None:
    before = [each.process.pid for each in judge.prepared.idle]
    assert graded(judge, FILES[FIRST]).points == 7
    assert [each.process.pid for each in judge.prepared.idle] == before
    assert len(before) == 1


@pytest.mark.grading
def test_another_is_prepared_where_one_was_killed(judge: Grader) -> None:
    (before,) = judge.prepared.idle
    before.process.kill()
    before.process.wait()
    assert graded(judge, FILES[FIRST]).points == 7
    assert before not in judge.prepared.idle


def test_another_is_prepared_where_a_run_ended_badly(judge: Grader) -> None:
    graded(judge, FILES[FIRST])
    (before,) = judge.prepared.idle
    assert graded(judge, "def double(x):\n    import os\n    os._exit(1)\n").points == 3
    assert before not in judge.prepared.idle
    assert before.process.poll() is not None


def test_what_a_run_changes_is_not_seen_by_the_next(judge: Grader) -> None:
    source = "import numpy\nassert not hasattr(numpy, 'left'), 'there is something left'\nnumpy.left = 1\n"
    for _ in range(2):
        assert graded(judge, source + FILES[FIRST]).points == 7


def test_a_run_holds_nothing_but_its_own_pipes(judge: Grader) -> None:
    source = """
import os

def double(x):
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:  # the folder's own
            pass
    raise ValueError(sorted({link.partition(":")[0] for link in links}), len(links))
"""
    text = graded(judge, source).outcomes[0].text
    assert "ValueError: (['/dev/null', 'pipe'], 4)" in text, text


def test_a_run_has_the_environment_the_folder_and_the_modules_of_its_tree(judge: Grader) -> None:
    source = """
import os, sys
import hw.checking

def double(x):
    tree = os.getcwd()
    assert hw.checking.__file__.startswith(tree), hw.checking.__file__
    assert os.environ["HOME"].startswith(os.path.dirname(tree))
    assert not [each for each in sys.path if "needle-grade" in each and not each.startswith(tree)], sys.path
    return 2 * x
"""
    grade = graded(judge, source)
    assert grade.points == 7, grade.outcomes[0].text


def test_nothing_of_the_library_is_prepared_and_no_thread_is_started() -> None:
    ask = "import os, sys; from hw.prepared import prepare; prepare()"
    ask += "; print(*os.listdir('/proc/self/task'), *sys.modules)"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(prepared.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, env=environment, check=True)
    thread, *modules = done.stdout.split()
    assert thread.isdecimal() and not modules[0].isdecimal()
    assert {"numpy", "_pytest.python", "hw.judging"} <= set(modules)
    assert not [name for name in modules if name.partition(".")[0] in ("needle", "apps", "tests")]


def test_all_end_with_the_grader(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    with grader(load("hw1", root), root, None) as judge:
        (process,) = [each.process for each in judge.prepared.idle]
        assert process.poll() is None
    assert process.poll() is not None


@pytest.mark.grading
def test_without_prepared_processes_the_grades_are_the_same(judge: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge.prepared, "usable", False)
    assert graded(judge, FILES[FIRST]).points == 7
    assert graded(judge, "def double(x):\n    return 3 * x\n").points == 3


@pytest.mark.grading
def test_a_process_that_cannot_be_prepared_is_done_without(judge: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = prepared.Pool({"hw/__init__.py": b"1 / 0"}, judge.prepared.environment, judge.workplace)
    monkeypatch.setattr(judge, "prepared", broken)
    assert graded(judge, FILES[FIRST]).points == 7
    assert not broken.usable


@pytest.mark.parametrize("descriptors", [True, False])
def test_the_end_of_a_child_is_noticed_also_by_old_kernels(monkeypatch: pytest.MonkeyPatch, descriptors: bool) -> None:
    def refuse(pid: int, flags: int = 0) -> int:
        raise OSError

    if not descriptors:
        monkeypatch.setattr(os, "pidfd_open", refuse)
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(0.3)"])
    assert not processes.has_ended(child.pid, 0.05)
    begun = time.monotonic()
    assert processes.has_ended(child.pid, 20)
    assert time.monotonic() - begun < 10
    assert child.wait() == 0
