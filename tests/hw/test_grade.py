"""``grade``: points, what students read, results.json and grades.csv, and the graders graded by ``verify``."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from hw import UsageError, grading, packing, processes, trees, verifying
from hw.__main__ import parser
from hw.answers import with_imports
from hw.assignment import load
from hw.grades import results
from hw.grading import Grader, grader
from hw.processes import Limits
from hw.submissions import LONGEST, Submission, assignment_of, read_submission
from tests.hw.tiny import FILES, make_project

pytestmark = pytest.mark.grading

FIRST, SECOND = "python/needle/first.py", "python/needle/second.py"
HELPER = "\n\ndef helper(x):\n    return x\n"
SOLUTION = {name: FILES[name].encode() for name in (FIRST, SECOND)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project."""
    return make_project(tmp_path_factory.mktemp("grade") / "project")


@pytest.fixture(scope="module")
def judge(project: Path) -> Iterator[Grader]:
    """A grader of the tiny assignment."""
    assignment = load("hw1", project)
    with grader(assignment, project, assignment.folder / "hidden") as made:
        yield made


def grade_of(judge: Grader, **files: str) -> grading.Grade:
    """Grade the solution with other content of some files."""
    changed = {f"python/needle/{name}.py": text.encode() for name, text in files.items()}
    return judge.grade(Submission("somebody", SOLUTION | changed))


def points(grade: grading.Grade) -> list[float]:
    """Points: public double, public negate, hidden double, hidden negate."""
    return [outcome.points for outcome in grade.outcomes]


def test_the_solution_gets_full_points(judge: Grader) -> None:
    grade = grade_of(judge)
    assert points(grade) == [4, 3, 2, 1]
    assert (grade.points, grade.best) == (10, 10)
    assert [outcome.text for outcome in grade.outcomes] == [f"{n} of {n} tests pass." for n in (2, 2, 2, 1)]
    assert grade.remarks == []


def test_a_blank_tree_gets_nothing_and_says_what_is_not_written(judge: Grader) -> None:
    grade = judge.grade(Submission("blank"))
    assert grade.points == 0
    assert grade.outcomes[0].text == "0 of 2 tests pass.\n\nNot written yet:\n  double in python/needle/first.py"


def test_a_test_counts_if_all_its_cases_pass(judge: Grader) -> None:
    source = "import numpy\n\ndef double(x):\n    return x + x if numpy.ndim(x) < 2 else x\n" + HELPER
    grade = grade_of(judge, first=source)
    assert points(grade) == [2, 3, 1, 1]
    assert "Case 2, test_values(shape=(2, 3)):" in grade.outcomes[0].text
    assert "Hint: Add x to itself." in grade.outcomes[0].text


@pytest.mark.parametrize(
    ("wrong", "outcomes"),
    [
        ("x * 3", ["failed", "not run", "not run"]),
        ("x + x if numpy.ndim(x) < 2 else __import__('os')._exit(0)", ["passed", "ended", "not run"]),
    ],
)
def test_one_process_is_enough_to_know_that_points_are_lost(judge: Grader, wrong: str, outcomes: list[str]) -> None:
    source = f"import numpy\n\ndef double(x):\n    return {wrong}\n" + HELPER
    image, _ = judge.with_submitted({FIRST: source.encode()}, judge.solution)
    report = judge.tested(image, "tests", judge.assignment.tasks[0], time.monotonic(), first_failure=True)
    assert [case.outcome for case in report.cases] == outcomes


def test_what_hidden_tests_compare_is_not_shown(judge: Grader) -> None:
    grade = grade_of(judge, first="def double(x):\n    return x * 3\n" + HELPER)
    public, hidden = grade.outcomes[0], grade.outcomes[2]
    assert "expected" in public.text
    assert hidden.text == "1 of 2 tests pass."


def test_files_that_cannot_be_imported_are_left_out_one_by_one(judge: Grader) -> None:
    both = grade_of(judge, first="def double(x:\n", second="1 / 0\n")
    assert points(both) == [0, 0, 0, 0]
    assert [note.splitlines()[0] for note in both.notes] == [
        f"{FIRST} cannot be used, and counts as not handed in:",
        f"{SECOND} cannot be used, and counts as not handed in:",
    ]
    assert "ZeroDivisionError" in both.notes[1]


def test_a_solution_that_is_written_otherwise_gets_full_points(judge: Grader) -> None:
    recursive = "import numpy as np\n\ndef double(x):\n    return np.asarray([x, x], dtype=float).sum(0)\n" + HELPER
    assert points(grade_of(judge, first=recursive)) == [4, 3, 2, 1]


def test_time_limits_are_ten_times_the_solutions_and_at_least_ten_seconds(
    judge: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judge.time["double", "tests"] == 10
    case = judge.cases(judge.assignment.tasks[0], "tests")[0]
    assert 0 < case.seconds < 1
    report = judge.run_tests(judge.solution, "tests", list(judge.assignment.tasks), 100)
    next(c for c in report.cases if c.name.startswith("tests/test_double.py")).seconds += 5
    report.seconds += 5
    monkeypatch.setattr(judge, "time", {})
    monkeypatch.setattr(judge, "run_tests", lambda *_: report)
    judge.learn("tests")
    assert 50 < judge.time["double", "tests"] < 80
    assert judge.time["negate", "tests"] < 30


def test_a_submission_has_a_budget(judge: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading, "BUDGET", 10.05)
    grade = grade_of(judge)
    assert points(grade)[0] == 4
    assert points(grade)[-1] == 0, "the tests before took more than 0.05 s"
    assert "used up the submission's time" in grade.outcomes[1].text


def test_grading_refuses_when_the_solution_itself_fails(project: Path, tmp_path: Path) -> None:
    broken = tmp_path / "project"
    shutil.copytree(project, broken)
    (broken / FIRST).write_text(FILES[FIRST].replace("x + x", "x * 3"))
    assignment = load("hw1", broken)
    with pytest.raises(UsageError, match="solution does not pass"), grader(assignment, broken, None):
        pass


def test_a_test_that_compares_nothing_is_refused(project: Path, tmp_path: Path) -> None:
    lax = tmp_path / "project"
    shutil.copytree(project, lax)
    with (lax / "hw/hw1/tests/test_double.py").open("a") as file:
        file.write("\n\ndef test_nothing():\n    assert double(1) == 2\n")
    with pytest.raises(UsageError, match=r"test_nothing\[1\] compares nothing"), grader(load("hw1", lax), lax, None):
        pass


# What Gradescope's documentation of autograders says about results.json.
VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}
FORMATS = {"text", "html", "simple_format", "md", "ansi"}
NUMBER = (int, float)
TOP: dict[str, Any] = {
    "score": NUMBER,
    "execution_time": NUMBER,
    "output": str,
    "output_format": FORMATS,
    "test_output_format": FORMATS,
    "test_name_format": FORMATS,
    "visibility": VISIBILITY,
    "stdout_visibility": VISIBILITY,
    "extra_data": dict,
    "tests": list,
    "leaderboard": list,
}
TEST: dict[str, Any] = {
    "score": NUMBER,
    "max_score": NUMBER,
    "status": {"passed", "failed"},
    "name": str,
    "name_format": FORMATS,
    "number": str,
    "output": str,
    "output_format": FORMATS,
    "tags": list,
    "visibility": VISIBILITY,
    "extra_data": dict,
}


def violations(value: dict[str, Any], schema: dict[str, Any], where: str = "results") -> list[str]:
    """What in an object is not as documented."""
    return [f"{where}.{name} is {each!r}" for name, each in value.items() if not fits(each, schema.get(name))]


def fits(value: object, allowed: Any) -> bool:
    """Whether a value is one of the allowed ones, or of an allowed type; what is not documented is not allowed."""
    if isinstance(allowed, set):
        return value in allowed
    return allowed is not None and isinstance(value, allowed) and not isinstance(value, bool)


def violations_of_results(value: dict[str, Any]) -> list[str]:
    """What in results.json is not as documented."""
    found = violations(value, TOP)
    if "score" not in value and any("score" not in test for test in value.get("tests", [])):
        found.append("there is neither a score nor one for every test")
    for i, test in enumerate(value.get("tests", [])):
        found += violations(test, TEST, f"tests[{i}]")
    return found


def test_the_schema_is_checked() -> None:
    assert violations_of_results({"score": 1, "tests": [{"score": 1.5, "visibility": "visible"}]}) == []
    assert violations_of_results({"tests": [{"name": "x"}]}) != []
    assert violations_of_results({"score": "1"}) != []
    assert violations_of_results({"score": 1, "visibility": "secret"}) != []
    assert violations_of_results({"score": 1, "tests": [{"state": "passed"}]}) != []


def test_results_are_as_gradescope_documents_them(judge: Grader) -> None:
    grade = grade_of(judge, first="def double(x):\n    raise ValueError('\\x1b[2J\\x07 gone')\n" + HELPER)
    found = json.loads(json.dumps(results(grade)))
    assert violations_of_results(found) == []
    assert found["score"] == 4
    assert found["stdout_visibility"] == "hidden"
    tests = {test["number"]: test for test in found["tests"]}
    assert list(tests) == ["1", "2", "1h", "2h"]
    assert (tests["1"]["score"], tests["1"]["max_score"], tests["1"]["status"]) == (0, 4, "failed")
    assert (tests["2"]["visibility"], tests["2"]["status"]) == ("visible", "passed")
    assert tests["1h"]["visibility"] == "after_published"
    assert "gone" in tests["1"]["output"]
    assert "\x1b" not in tests["1"]["output"]
    assert "gone" not in tests["1h"]["output"]
    assert max(len(line) for test in found["tests"] for line in test["output"].splitlines()) <= 80


def arguments(*words: str) -> argparse.Namespace:
    """The parsed arguments of a command."""
    return parser(released=False).parse_args([*words])


def test_a_folder_of_submissions_gives_a_table(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trees, "root", lambda: project)
    folder = tmp_path / "all"
    (folder / "carol/python/needle").mkdir(parents=True)
    for name, text in SOLUTION.items():
        (folder / "carol" / name).write_bytes(text)
    with ZipFile(folder / "alice.zip", "w") as archive:
        for name, text in SOLUTION.items():
            archive.writestr(name, text)
    (folder / "bob.zip").write_bytes(b"this is no zip")
    assert grading.run(arguments("grade", str(folder), "--csv", str(tmp_path / "grades.csv"))) == 0
    with (tmp_path / "grades.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["submission"], row["points"]) for row in rows] == [("alice", "10"), ("bob", "0"), ("carol", "10")]
    assert rows[0]["double (hidden)"] == "2"
    assert "cannot be read as a zip" in rows[1]["notes"]
    assert capsys.readouterr().out.splitlines()[0].split() == ["alice", "10", "of", "10"]


def test_one_submission_gives_results_json(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trees, "root", lambda: project)
    target = tmp_path / "results" / "results.json"
    (tmp_path / "empty").mkdir()
    assert grading.run(arguments("grade", str(tmp_path / "empty"), "--json", str(target))) == 0
    found = json.loads(target.read_text())
    assert violations_of_results(found) == []
    assert found["score"] == 0
    assert f"{FIRST} is missing; the released one is used." in found["output"]
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    with pytest.raises(UsageError, match="There is no"):
        grading.run(arguments("grade", str(tmp_path / "nobody.zip")))


def test_hidden_tests_may_come_from_elsewhere(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret"
    shutil.copytree(project / "hw/hw1/hidden", elsewhere)
    (elsewhere / "test_negate.py").write_text(FILES["hw/hw1/hidden/test_negate.py"].replace("eye(3)", "eye(7)"))
    assignment = load("hw1", project)
    with grader(assignment, project, packing.hidden_tests(assignment, str(elsewhere))) as judge:
        assert judge.reference["hidden/test_negate.py::test_of_a_matrix[1]"].comparisons[0].expected.shape == (7, 7)
    (elsewhere / "test_double.py").unlink()
    with pytest.raises(UsageError, match=r"has no test_double.py"):
        packing.hidden_tests(assignment, str(elsewhere))


@pytest.mark.parametrize("prefix", ["", "my work/", "a/b/"])
def test_files_are_found_below_other_folders(tmp_path: Path, prefix: str) -> None:
    with ZipFile(tmp_path / "s.zip", "w") as archive:
        for name, text in SOLUTION.items():
            archive.writestr(f"{prefix}{name}", text)
        archive.writestr(f"{prefix}hw/hw1/tests/test_double.py", "")
        archive.writestr(f"__MACOSX/{FIRST}", "junk")
        archive.writestr(f"../../{FIRST}", "junk")
    submission = read_submission(tmp_path / "s.zip", [FIRST, SECOND])
    assert submission.files == SOLUTION
    assert submission.notes == []


def test_files_may_lie_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_bytes(SOLUTION[FIRST])
    assert read_submission(tmp_path, [FIRST, SECOND]).files == {FIRST: SOLUTION[FIRST]}


def test_zip_bombs_and_links_are_not_followed(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "bomb.zip", "w", 8) as archive:
        archive.writestr(FIRST, b"\0" * (LONGEST + 1))
    assert read_submission(tmp_path / "bomb.zip", [FIRST]).notes == [f"{FIRST} is not used: it has more than 2 MB."]
    (tmp_path / "linked/python").mkdir(parents=True)
    (tmp_path / "secret.py").write_text("secret")
    (tmp_path / "linked" / "first.py").symlink_to(tmp_path / "secret.py")
    (tmp_path / "linked" / "python" / "needle").symlink_to(tmp_path)
    assert read_submission(tmp_path / "linked", [FIRST]).files == {}


def test_a_submission_says_which_assignment_it_is_of(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr(packing.MARKER, '{"assignment": "hw7"}')
    assert assignment_of(tmp_path / "s.zip") == "hw7"
    for bad in ("[]", "{", '{"assignment": 5}'):
        with ZipFile(tmp_path / "t.zip", "w") as archive:
            archive.writestr(packing.MARKER, bad)
        assert assignment_of(tmp_path / "t.zip") is None


def test_verify_grades_the_graders(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trees, "root", lambda: project)
    assert verifying.run(arguments("verify", "hw1")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == [
        "The solution gets full points: 8 cases in 2 tasks.",
        "A fresh release fails by what is not written, and by nothing else.",
        "Solving task after task gives their points, one after another.",
        "3 of 3 wrong answers lose points in their task.",
        "1 right answers, written differently, get full points.",
    ]


def test_verify_finds_what_is_wrong_with_an_assignment(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "project"
    shutil.copytree(project, bad)
    monkeypatch.setattr(trees, "root", lambda: bad)
    answers = bad / "hw/hw1"
    answer = '"""{}"""\nFILE = "python/needle/first.py"\n\n\ndef double(x):\n    return {}\n'
    (answers / "wrong/double/not_wrong.py").write_text(answer.format("Not wrong.", "x * 2"))
    (answers / "wrong/double/misspelt.py").write_text(answer.format("Misspelt.", "y * 3"))
    (answers / "right/not_right.py").write_text(answer.format("Not right.", "x * 3"))
    # A task that is tested by what needs nothing of it, and one that passes without being written.
    (answers / "tests/test_negate.py").write_text(
        "from hw.testing import same\n\n\ndef test_nothing():\n    same(1.0, 1.0)\n"
    )
    assert verifying.run(arguments("verify", "hw1")) == 1
    said = capsys.readouterr().out
    assert "tests/test_negate.py::test_nothing[1]: passes" in said
    assert "with double solved, negate (tests) gets full points already" in said
    assert "double/not_wrong: Not wrong." in said
    assert "double/misspelt: double (tests): " in said or "NameError" in said
    assert "not_right: double (tests): double(x): the value is not what is expected" in said


def test_imports_of_an_answer_go_with_the_bodies_that_use_them() -> None:
    source = "import math\nfrom os import path, sep\n\n\ndef f(x):\n    return math.pi\n\n\ndef g(x):\n    return sep\n"
    assert with_imports(source).split("def ")[1:] == [
        "f(x):\n    import math\n    return math.pi\n\n\n",
        "g(x):\n    from os import path, sep\n    return sep\n",
    ]


BARE = {"PATH": "/usr/bin:/bin"}


def test_a_process_is_fed_read_and_timed(tmp_path: Path) -> None:
    script = "import sys; print(sys.stdin.read().upper()); sys.stderr.write('e' * 20000); sys.exit(3)"
    for limits in (None, Limits()):
        command = [sys.executable, "-c", script]
        ended = processes.run(command, cwd=tmp_path, env=BARE, input=b"abc", seconds=20, limits=limits)
        assert (ended.status, ended.timed_out, ended.output) == (3, False, b"ABC\n")
        assert len(ended.errors) == 8192, "the beginning and the end"


def test_a_process_that_waits_is_ended_by_the_clock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    begun = time.monotonic()
    assert processes.run(command, cwd=tmp_path, env=BARE, seconds=0.5).timed_out
    assert processes.run(command, cwd=tmp_path, env=BARE, seconds=0.5, limits=Limits()).timed_out
    assert time.monotonic() - begun < 5


@pytest.mark.skipif(not (shutil.which("cmake") and shutil.which("g++")), reason="needs CMake and a compiler")
def test_cpp_that_does_not_compile_costs_what_it_touches(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(project, root)
    toml = root / "hw/hw1/assignment.toml"
    text = toml.read_text().replace("build = false", "build = true")
    toml.write_text(text.replace('files = ["python/needle/first.py"', 'files = ["src/f.cpp", "python/needle/first.py"'))
    (root / "src").mkdir()
    (root / "src/f.cpp").write_text("int f() { return 1; }\n")
    (root / "hw/hw1/CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(tiny NONE)\n"
        "add_custom_target(f ALL COMMAND g++ -fsyntax-only ${CMAKE_SOURCE_DIR}/src/f.cpp)\n"
    )
    assignment = load("hw1", root)
    with grader(assignment, root, None) as judge:
        files = {**SOLUTION, "src/f.cpp": b"int f() { return 1; }\n"}
        assert points(judge.grade(Submission("right", files))) == [4, 3]
        grade = judge.grade(Submission("wrong", {**files, "src/f.cpp": b"int f() { return undeclared; }\n"}))
    assert points(grade) == [4, 3], "no task of the tiny assignment needs it"
    assert "src/f.cpp cannot be used" in grade.notes[0]
    assert "undeclared" in grade.notes[0]


def test_the_tool_says_in_one_line_what_a_user_can_mend(project: Path) -> None:
    command = [sys.executable, "-m", "hw", "grade", "no such file"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "There is no no such file.\n"
