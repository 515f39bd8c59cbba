"""``check`` in a student's tree: points, the first failure, the next step."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hw import UsageError, checking, running, trees
from hw.__main__ import parser
from hw.assignment import load
from hw.releasing import release
from tests.hw.tiny import FILES, make_project

pytestmark = pytest.mark.grading

FIRST, SECOND = "python/needle/first.py", "python/needle/second.py"
HELPER = "\n\ndef helper(x):\n    return x\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project."""
    return make_project(tmp_path_factory.mktemp("check") / "project")


@pytest.fixture
def tree(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A released tree, which this process stands in, although it runs the project's own tool."""
    release(load("hw1", project), project, tmp_path / "tree")
    monkeypatch.chdir(tmp_path / "tree")
    monkeypatch.setattr(trees, "refuse_foreign", lambda *_: None)
    return tmp_path / "tree"


def check(*arguments: str) -> int:
    """Run ``check`` with arguments."""
    args: argparse.Namespace = parser(released=True).parse_args(["check", *arguments])
    return checking.run(args)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed; every line fits into 80 columns."""
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_a_fresh_tree_has_no_points_and_says_where_to_begin(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check() == 1
    assert lines_of(capsys) == [
        "hw1  Tiny",
        "",
        "   1  double      0 / 4   not started",
        "   2  negate      0 / 3   first finish double",
        "",
        "0 of 7 points. Hidden tests give 3 more when it is graded.",
        "Go on with: python -m hw check double",
    ]


def test_a_solved_tree_is_done(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (FIRST, SECOND):
        (tree / file).write_text(FILES[file])
    assert check() == 0
    lines = lines_of(capsys)
    assert lines[2:4] == ["   1  double      4 / 4   done", "   2  negate      3 / 3   done"]
    assert lines[-1].startswith("7 of 7 points.")
    assert check("double") == 0
    assert lines_of(capsys)[-1] == "Done. Hidden tests will look further."


def test_the_smallest_failing_case_is_explained(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / FIRST).write_text("def double(x):\n    print('here', x)\n    return x * x\n" + HELPER)
    assert check("double") == 1
    assert lines_of(capsys) == [
        "Task 1, double: Twice as much",
        "0 of 4 points",
        "",
        "  FAIL  test_values",
        "  FAIL  test_a_number",
        "",
        "Case 1, test_values(shape=(1,)):",
        "  double(x): the value is not what is expected",
        "    given x   [1.]   (1,) float64",
        "    expected  [2.]   (1,) float64",
        "    found     [1.]   (1,) float64",
        "  It looks as if x came back.",
        "Printed:",
        "  here [1.]",
        "Hint: Add x to itself.",
        "See it again: python -m hw check double --case 1",
        "Add --pdb or --debug to step through it.",
    ]


def test_a_case_can_be_run_alone(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / FIRST).write_text(
        "def double(x):\n    return x * 2 if x is not 3.0 else 7\n".replace("is not", "!=") + HELPER
    )
    assert check("double", "--case", "3") == 1
    lines = lines_of(capsys)
    assert lines[0] == "Case 3, test_a_number:"
    assert "    expected  6.0" in lines
    with pytest.raises(UsageError, match="double has the cases 1 to 3; there is no case 4"):
        check("double", "--case", "4")


def test_some_cases_of_a_test_give_no_points_but_are_counted(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / FIRST).write_text("def double(x):\n    return x * 2 if getattr(x, 'ndim', 0) < 2 else x\n" + HELPER)
    assert check("double") == 1
    lines = lines_of(capsys)
    assert lines[1] == "2 of 4 points"
    assert "  FAIL  test_values  (1 of 2 cases)" in lines
    assert "Case 2, test_values(shape=(2, 3)):" in lines


def test_an_error_is_shown_with_its_place_in_the_students_code(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / FIRST).write_text("def double(x):\n    return x.twice()\n" + HELPER)
    assert check("double") == 1
    lines = lines_of(capsys)
    assert "  python/needle/first.py:2 in double" in lines
    assert "      return x.twice()" in lines
    assert "  AttributeError: 'numpy.ndarray' object has no attribute 'twice'" in lines


def test_the_students_own_place_is_shown_however_deep_the_error(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "python/needle/deep.py").write_text("def down(n):\n    return down(n - 1) if n else 1 / 0\n")
    (tree / FIRST).write_text("def double(x):\n    return helper(x)\n\n\ndef helper(x):\n    return later.other(x)\n")
    (tree / SECOND).write_text("from .deep import down\n\n\ndef other(x):\n    return down(6)\n\n\nnegate = other\n")
    with (tree / FIRST).open("a") as file:
        file.write("\n\nfrom . import second as later\n")
    assert check("double") == 1
    lines = lines_of(capsys)
    begin = lines.index("Case 1, test_values(shape=(1,)):")
    assert lines[begin + 1 : begin + 11] == [
        "  python/needle/first.py:2 in double",  # the task's own
        "      return helper(x)",
        "  ...",
        "  python/needle/second.py:5 in other",  # a file that students edit
        "      return down(6)",
        "  ...",
        "  python/needle/deep.py:2 in down",
        "      return down(n - 1) if n else 1 / 0",
        "  python/needle/deep.py:2 in down",
        "      return down(n - 1) if n else 1 / 0",
    ]
    assert lines[begin + 11] == "  ZeroDivisionError: division by zero"


def test_tasks_that_are_needed_are_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / SECOND).write_text("from .first import double\n\n\ndef negate(x):\n    return x - double(x)\n")
    assert check("negate") == 1
    assert "This task builds on double: first finish that." in lines_of(capsys)
    (tree / SECOND).write_text("def negate(x):\n    return x\n")
    assert check("negate") == 1
    assert "This task builds on double: first finish that." in lines_of(capsys)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import os; os._exit(0)", "the process ended in the middle, with exit status 0"),
        ("import sys; sys.exit(1)", "SystemExit: 1"),
        ("while True: pass", "time is up after 3 seconds; is there a loop that does not end?"),
        ("return double(x)", "RecursionError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_whatever_happens_is_said(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    monkeypatch.setattr(checking, "TIME", 3.0)
    monkeypatch.setattr(running, "PATIENCE", 1)
    (tree / FIRST).write_text(f"def double(x):\n    {body}\n{HELPER}")
    assert check("double") == 1
    assert words in " ".join(" ".join(lines_of(capsys)).split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def double(x:\n", "python/needle/first.py, line 1:"),
        ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("raise SystemExit\n", "SystemExit"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(
    tree: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (tree / FIRST).write_text(text)
    assert check("double") == 1
    assert words in "\n".join(lines_of(capsys))
    assert check() == 1
    lines = lines_of(capsys)
    assert "   1  double      0 / 4   cannot be imported" in lines
    assert "The code in this tree cannot be imported:" in lines


def test_earlier_assignments_are_checked_on_request(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "project"
    shutil.copytree(project, root)
    later = root / "hw" / "hw2"
    (later / "tests").mkdir(parents=True)
    (later / "README.md").write_text("# Later\n")
    toml = FILES["hw/hw1/assignment.toml"].partition("[[task]]")[0].replace('"hw1"', '"hw2"').replace("Tiny", "Later")
    task = '[[task]]\nname = "help"\ntitle = "Help"\npoints = 1\nfunctions = ["python/needle/first.py:helper"]\n'
    (later / "assignment.toml").write_text(f'{toml}after = ["hw1"]\n{task}')
    test = (
        "from hw.testing import same\nfrom needle.first import helper\n\n\ndef test_it():\n    same(helper(1.0), 1.0)\n"
    )
    (later / "tests/test_help.py").write_text(test)
    release(load("hw2", root), root, tmp_path / "tree")
    monkeypatch.chdir(tmp_path / "tree")
    monkeypatch.setattr(trees, "refuse_foreign", lambda *_: None)
    assert check() == 1
    assert [line for line in lines_of(capsys) if " / " in line] == ["   1  help      0 / 1   not started"]
    assert check("--earlier") == 1
    assert [line.split()[1:5] for line in lines_of(capsys) if " / " in line] == [
        ["double", "4", "/", "4"],
        ["negate", "0", "/", "3"],
        ["help", "0", "/", "1"],
    ]
    assert check("double", "--earlier") == 0


def test_hints_come_one_after_another(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check("double", "--hint")
    assert lines_of(capsys) == ["1 of 2: What is x + x?"]
    check("1", "--hint")
    assert lines_of(capsys) == ["1 of 2: What is x + x?", "2 of 2: Return it."]
    check("negate", "--hint")
    assert lines_of(capsys)[0].startswith("There are no hints for negate")


@pytest.mark.parametrize("option", ["--hint", "--pdb", "--debug"])
def test_options_that_need_a_task_say_so(tree: Path, option: str) -> None:
    with pytest.raises(UsageError, match="goes with a task"):
        check(option)
    with pytest.raises(UsageError, match="hw1 has no task triple"):
        check("triple")


def hw(tree: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the tree's own tool."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "hw", *arguments]
    return subprocess.run(command, cwd=tree, env=environment, input=stdin, capture_output=True, text=True, check=False)


def test_pdb_stops_in_the_failing_test(tree: Path) -> None:
    (tree / FIRST).write_text("def double(x):\n    return x * x\n" + HELPER)
    done = hw(tree, "check", "double", "--pdb", stdin="p 'shape is', x.shape\nq\n")
    assert "Case 1, test_values(shape=(1,)):" in done.stdout
    assert "('shape is', (1,))" in done.stdout
    done = hw(tree, "check", "double", "--case", "2", "--pdb", stdin="p 'shape is', x.shape\nq\n")
    assert "('shape is', (2, 3))" in done.stdout


def test_output_that_nobody_reads_to_its_end_is_no_error(tree: Path) -> None:
    command = [sys.executable, "-m", "hw", "check"]
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "hw1  Tiny\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_without_numpy_it_says_what_to_do_in_a_sentence(tree: Path) -> None:
    command = [sys.executable, "-S", "-m", "hw", "check"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    said = " ".join(done.stderr.split())
    assert said == f"numpy is not installed for {sys.executable}: run `python -m hw setup`"


def test_one_task_takes_less_than_three_seconds(tree: Path) -> None:
    hw(tree, "check", "double")
    begun = time.monotonic()
    done = hw(tree, "check", "double")
    assert done.returncode == 1
    assert done.stdout.startswith("Task 1, double")
    assert time.monotonic() - begun < 3
