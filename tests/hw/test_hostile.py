"""Submissions that attack the grader: they gain nothing, leave nothing behind, and the rest is graded all the same.

Each really runs. The hostile file is the one of the first task, whose answer is wrong besides; the second task's is the
solution, and keeps its points.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hw import grading
from hw import running as running_tests
from hw.assignment import load
from hw.grades import Grade
from hw.grading import Grader, grader
from hw.submissions import Submission, read_submission
from tests.hw.tiny import FILES, make_project

pytestmark = [
    pytest.mark.grading,
    pytest.mark.skipif(sys.platform != "linux", reason="what holds elsewhere, hw/GRADING.md tells"),
]

FIRST, SECOND = "python/needle/first.py", "python/needle/second.py"
HELPER = "\n\ndef helper(x):\n    return x\n"
WRONG = "\n\ndef double(x):\n    return 3 * x\n"
SECONDS = 2.0


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grader]:
    """A grader of the tiny assignment, without hidden tests, and with little patience."""
    root = make_project(tmp_path_factory.mktemp("hostile") / "project")
    patch = pytest.MonkeyPatch()
    patch.setattr(grading, "LEAST_TIME", SECONDS)
    patch.setattr(grading, "TIMES_SOLUTION", 2)
    patch.setattr(running_tests, "PATIENCE", 1)
    # Some submissions kill all that their user has: tests that run at the same time are other users' then.
    patch.setattr(grading, "STRANGER", grading.STRANGER + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))
    assignment = load("hw1", root)
    assignment = replace(assignment, tasks=tuple(replace(task, hidden_points=0) for task in assignment.tasks))
    with grader(assignment, root, None) as made:
        yield made
    patch.undo()


def graded(judge: Grader, source: str) -> Grade:
    """Grade a submission whose first file is hostile."""
    files = {FIRST: source.encode(), SECOND: FILES[SECOND].encode()}
    return judge.grade(Submission("hostile", files))


def points(grade: Grade) -> list[float]:
    """The points of the two tasks."""
    return [outcome.points for outcome in grade.outcomes]


def first_task(judge: Grader, source: str) -> float:
    """The points of the first task alone."""
    task = judge.assignment.tasks[0]
    image, _ = judge.with_submitted({FIRST: source.encode(), SECOND: FILES[SECOND].encode()})
    report = judge.tested(image, grading.PUBLIC, task, time.monotonic())
    grade = Grade("hostile", judge.assignment)
    return judge.outcome(task, grading.PUBLIC, report, {}, grade).points


def running(mark: str) -> list[str]:
    """The processes whose command line holds a word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if mark in command:
                found.append(command)
    return found


def body(*lines: str) -> str:
    """The hostile file whose `double` begins with these lines and then gives a wrong answer."""
    return "".join(["def double(x):\n", *(f"    {line}\n" for line in lines), "    return 3 * x\n", HELPER])


# What ends, or does not end, inside the function: it costs the task, and the other task is graded.
ENDINGS = {
    "endless loop": body("while True: pass"),
    "os._exit(0)": body("import os", "os._exit(0)"),
    "sys.exit": body("import sys", "sys.exit(0)"),
    "KeyboardInterrupt": body("raise KeyboardInterrupt"),
    "pytest.skip": body("import pytest", "pytest.skip('nothing to see')"),
    "pytest.xfail": body("import pytest", "pytest.xfail('as expected')"),
    "pytest.exit": body("import pytest", "pytest.exit('done', returncode=0)"),
    "a segmentation fault": body("import ctypes", "ctypes.string_at(0)"),
    "stopping itself": body("import os, signal", "os.kill(os.getpid(), signal.SIGSTOP)"),
    "50 GB at once": body("import numpy", "numpy.ones(50 << 27).sum()"),
    "50 GB little by little": body("kept = []", "while True: kept.append(bytearray(1 << 27))"),
    "closing the pipes": body("import os", "os.closerange(0, 100)"),
    "killing the process above": body("import os", "os.kill(os.getppid(), 9)"),
    "endless recursion": body("import sys", "sys.setrecursionlimit(10**9)", "return double(x)"),
}


@pytest.mark.parametrize("what", ENDINGS)
def test_whatever_ends_or_never_ends_costs_its_own_task_only(judge: Grader, what: str) -> None:
    grade = graded(judge, ENDINGS[what])
    assert points(grade) == [0, 3]
    assert grade.seconds < 15


IMPORTS = {
    "syntax error": "def double(x:\n",
    "import error": "import no_such_module" + WRONG + HELPER,
    "exception": "1 / 0" + WRONG + HELPER,
    "sys.exit": "import sys\nsys.exit(0)" + WRONG + HELPER,
    "os._exit": "import os\nos._exit(0)" + WRONG + HELPER,
    "endless loop": "while True: pass" + WRONG + HELPER,
    "not text": "\0" * 100,
}


@pytest.mark.parametrize("what", IMPORTS)
def test_a_file_that_cannot_be_imported_counts_as_not_handed_in(judge: Grader, what: str) -> None:
    grade = graded(judge, IMPORTS[what])
    assert points(grade) == [0, 3], "the released file stands in, with the helper that the second task needs"
    assert any(FIRST in note for note in grade.notes)


CHEATS = {
    "same does nothing": "import hw.testing\nhw.testing.same = lambda *args, **more: None",
    "same compares the expected with itself": (
        "import hw.testing\noriginal = hw.testing.same\n"
        "hw.testing.same = lambda found, expected, **more: original(expected, expected, **more)"
    ),
    "same has another code": (
        "import hw.testing\nhw.testing.same.__code__ = (lambda found, expected, **more: None).__code__"
    ),
    "same has other defaults": (
        "import hw.testing\nhw.testing.same.__kwdefaults__ = {**hw.testing.same.__kwdefaults__, 'rtol': 1e9}"
    ),
    "same has its defaults changed": "import hw.testing\nhw.testing.same.__kwdefaults__.update(rtol=1e9, atol=1e9)",
    "there is never a difference": "import hw.testing\nhw.testing.difference = lambda *args: None",
    "compare does nothing": "import hw.testing\nhw.testing.compare = lambda *args: None",
    "compare compares the expected with itself": (
        "import hw.testing\noriginal = hw.testing.compare\n"
        "hw.testing.compare = lambda found, expected, *more: original(expected, expected, *more)"
    ),
    "plain gives the expected": "import hw.testing, numpy\nhw.testing.plain = lambda value: numpy.zeros(1)",
    "nobody listens": "import hw.testing\nhw.testing.observers.clear()\nhw.testing.difference = lambda *args: None",
    "tests are not run": "import _pytest.python\n_pytest.python.Function.runtest = lambda self: None",
    "calls succeed": (
        "import _pytest.runner\noriginal = _pytest.runner.CallInfo.from_call.__func__\n"
        "_pytest.runner.CallInfo.from_call = classmethod(lambda cls, f, *a, **k: original(cls, lambda: None, *a, **k))"
    ),
    "isclose is always true": "import numpy\nnumpy.isclose = lambda a, b, **more: numpy.ones(numpy.shape(a), bool)",
    "numpy.testing is empty": "import numpy.testing\nnumpy.testing.assert_allclose = lambda *args, **more: None",
    "no assertion fails": "import builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})",
    "exceptions are swallowed": (
        "import hw.testing\nclass Nothing(BaseException):\n    def __new__(cls, *args): return StopIteration()\n"
        "hw.testing.Mismatch = Nothing"
    ),
    "the expected values are zero": (
        "import numpy\nnumpy.arange = lambda *args, **more: numpy.zeros(int(args[-1] - args[0]))"
    ),
    "equal to everything": (
        "import numpy\nclass Equal(numpy.ndarray):\n    __eq__ = __le__ = lambda self, other: True\n"
        "    __ne__ = __gt__ = lambda self, other: False\n    __array__ = lambda self, *a, **k: self"
    ),
}


@pytest.mark.parametrize("what", CHEATS)
def test_rewriting_what_judges_gains_nothing(judge: Grader, what: str) -> None:
    wrong = WRONG.replace("3 * x", "numpy.full(numpy.shape(x), 0.5).view(Equal)") if "Equal" in CHEATS[what] else WRONG
    assert first_task(judge, CHEATS[what] + wrong + HELPER) == 0


TAMPERED = {
    "another function": ("hw.testing.difference = lambda *args: None", "hw.testing.difference"),
    "another method": ("hw.testing.Mismatch.__str__ = lambda self: ''", "Mismatch.__str__"),
    "another function of NumPy's": ("numpy.zeros = numpy.ones", "numpy.zeros"),
    "code": ("hw.testing.same.__code__ = (lambda found, expected, **more: None).__code__", "hw.testing.same"),
    "defaults": ("numpy.testing.assert_allclose.__defaults__ = (1e9,) * 5", "numpy.testing.assert_allclose"),
    "keywords": (
        "hw.testing.same.__kwdefaults__ = {**hw.testing.same.__kwdefaults__, 'rtol': 1e9}",
        "hw.testing.same",
    ),
    "observers": ("hw.testing.observers.clear()", "hw.testing.observers"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_rewritten_is_remarked(judge: Grader, what: str) -> None:
    line, name = TAMPERED[what]
    source = f"import hw.testing, numpy\n\ndef double(x):\n    {line}\n    return x + x\n" + HELPER
    assert any(f"{name} was changed during a test." in remark for remark in graded(judge, source).remarks)


FORGERIES = {
    "printed": "print(line, flush=True)",
    "written to every descriptor": (
        "for d in range(1, 40):\n    try: os.write(d, line.encode())\n    except OSError: pass"
    ),
    "written at exit": (
        "import atexit\ndef late():\n    for d in range(1, 40):\n        try: os.write(d, line.encode())\n"
        "        except OSError: pass\natexit.register(late)"
    ),
    "written by a thread": (
        "import threading, time\ndef often():\n    while True:\n        time.sleep(0.01)\n"
        "        for d in range(1, 40):\n"
        "            try: os.write(d, line.encode())\n            except OSError: pass\n"
        "threading.Thread(target=often, daemon=True).start()"
    ),
    "sealed with what the environment and the command lines hold": (
        "import re, glob, hmac, hashlib\nkeys = [b'']\n"
        "for name in ['/proc/self/environ', *glob.glob('/proc/[0-9]*/cmdline'), *glob.glob('/proc/self/fd/*')]:\n"
        "    try: text = open(name, 'rb').read(10000) if 'fd' not in name else b''\n    except OSError: continue\n"
        "    keys += [bytes.fromhex(k.decode()) for k in re.findall(rb'[0-9a-f]{64}', text)]\n"
        "for key in keys:\n    for number in range(8):\n        text = line.strip().encode()\n"
        "        seal = hmac.new(key, b'%d:' % number + text, hashlib.sha256).hexdigest().encode()\n"
        "        for d in range(1, 40):\n            try: os.write(d, seal + b' ' + text + b'\\n')\n"
        "            except OSError: pass"
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_result_does_not_count(judge: Grader, what: str) -> None:
    line = '{"event": "end", "case": "tests/test_double.py::test_a_number", "outcome": "passed", "text": ""}'
    assert first_task(judge, f"import os\nline = {line!r} + chr(10)\n{FORGERIES[what]}{WRONG}{HELPER}") == 0


def test_a_result_sealed_with_the_right_key_lacks_the_comparisons(judge: Grader) -> None:
    source = (
        "import gc\nfor each in gc.get_objects():\n    if type(each).__name__ == 'Judge':\n        found = each\n"
        "def double(x):\n"
        "    case = dict(found.ended, outcome='passed', text='', seconds=0)\n    found.send(case)\n    return 3 * x\n"
    )
    assert first_task(judge, source + HELPER) == 0


def test_what_looks_into_frames_or_imports_the_judge_is_worth_a_look(judge: Grader) -> None:
    grade = graded(judge, "import sys\n\ndef double(x):\n    return sys._getframe(1).f_locals\n" + HELPER)
    assert [remark.partition(":")[2] for remark in grade.remarks] == ["1: import sys", "4: _getframe", "4: f_locals"]
    solution = {name: FILES[name].encode() for name in (FIRST, SECOND)}
    assert judge.grade(Submission("honest", solution)).remarks == []


def test_processes_that_are_left_behind_are_found_and_killed(judge: Grader) -> None:
    source = """
import os, signal

def leave(levels):
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if levels:
            leave(levels - 1)
        os.closerange(0, 40)
        os.execvp("sleep", ["sleep", "71.5"])

def double(x):
    for _ in range(4):
        leave(2)
    return 2 * x
"""
    grade = graded(judge, source + HELPER)
    assert points(grade) == [4, 3]
    assert running("71.5") == []
    assert any("left behind" in remark for remark in grade.remarks)


def test_ignored_and_blocked_signals_do_not_hold_up_the_limit(judge: Grader) -> None:
    source = body(
        "import signal",
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(number, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))",
        "while True: pass",
    )
    grade = graded(judge, source)
    assert points(grade) == [0, 3]
    assert grade.seconds < 15
    assert "time is up" in grade.outcomes[0].text


def test_a_forked_child_that_goes_on_with_the_tests_is_no_second_judge(judge: Grader) -> None:
    grade = graded(judge, body("import os", "x = x if os.fork() else 2 * x / 3"))
    assert points(grade) == [0, 3]


def test_gigantic_output_is_thrown_away(judge: Grader) -> None:
    lines = ["import sys", "for _ in range(100): sys.stdout.write('x' * (1 << 20)); sys.stderr.write('y' * (1 << 20))"]
    honest = body(*lines).replace("3 * x", "2 * x")
    grade = graded(judge, honest)
    assert points(grade) == [4, 3]
    assert len(grade.outcomes[0].text) < 1000


def test_gigantic_messages_and_answers_are_cut(judge: Grader) -> None:
    grade = graded(judge, body("raise ValueError('z' * (50 << 20))"))
    assert points(grade) == [0, 3]
    assert len(grade.outcomes[0].text) < 20_000
    assert first_task(judge, body("import numpy", "return numpy.ones(20 << 17)")) == 0


def test_files_have_a_largest_size(judge: Grader) -> None:
    lines = ["import os", "f = open(os.path.join(os.environ['TMPDIR'], 'big'), 'wb')"]
    lines += ["for _ in range(64): f.write(bytes(1 << 24))"]
    assert first_task(judge, body(*lines).replace("3 * x", "2 * x")) == 0


def test_the_files_of_the_tree_may_be_deleted_or_rewritten(judge: Grader) -> None:
    removal = "import os, shutil\nshutil.rmtree(os.getcwd(), ignore_errors=True)"
    assert points(graded(judge, removal + "\n\ndef double(x):\n    return 2 * x\n" + HELPER))[1] == 3
    rewriting = """
import os
from pathlib import Path
for name in [*Path.cwd().rglob("*.py"), *Path.cwd().parent.parent.rglob("*.py")]:
    try:
        judging = name.name == "testing.py"
        name.write_text("def same(*args, **more): pass\\n" if judging else "def test_nothing(): pass\\n")
    except OSError:
        pass
"""
    assert first_task(judge, body("pass").replace("def", rewriting + "\n\ndef", 1)) == 0


def test_tests_that_were_handed_in_are_not_used(judge: Grader, tmp_path: Path) -> None:
    for name in (FIRST, SECOND):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FILES[name].replace("x + x", "3 * x"))
    for name in ("hw/hw1/tests/test_double.py", "hw/testing.py", "conftest.py", "python/needle/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit\n")
    submission = read_submission(tmp_path, judge.assignment.files)
    assert sorted(submission.files) == [FIRST, SECOND]
    assert points(judge.grade(submission)) == [0, 3]


def test_there_are_no_hidden_tests_in_the_tree_of_the_public_ones(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    source = """
import os
from pathlib import Path

def double(x):
    raise ValueError([str(path) for path in Path.cwd().parent.rglob("*hidden*")])
"""
    files = {FIRST: (source + HELPER).encode(), SECOND: FILES[SECOND].encode()}
    assignment = load("hw1", root)
    with grader(assignment, root, assignment.folder / "hidden") as judge:
        grade = judge.grade(Submission("curious", files))
    public, hidden = grade.outcomes[0], grade.outcomes[2]
    assert "ValueError: []" in public.text
    assert hidden.kind == "hidden"
    assert hidden.text == "0 of 2 tests pass."


# What only another user is kept from: the grader runs submissions as one if it is root's and Python is not.
AS_ANOTHER = {
    "killing whatever can be killed": ["os.kill(-1, 9)"],
    "starting processes without end": ["while True: os.fork()"],
    "starting threads without end": [
        "import threading, time",
        "while True: threading.Thread(target=time.sleep, args=[99]).start()",
    ],
    "writing the tree": ["open('hw/hw1/tests/test_double.py', 'w')"],
}


@pytest.mark.parametrize("what", AS_ANOTHER)
def test_as_another_user_a_submission_can_reach_nothing(judge: Grader, what: str) -> None:
    if judge.limits.user is None:
        pytest.skip("submissions run as the same user here")
    guard = f"assert os.getuid() == {judge.limits.user}"
    grade = graded(judge, body("import os", guard, *AS_ANOTHER[what]))
    assert points(grade) == [0, 3]
    assert list(judge.workplace.iterdir()) == []


def test_the_graders_own_folder_is_removed(judge: Grader) -> None:
    graded(judge, body("import os", "os.makedirs('closed/deep')", "os.chmod('closed', 0)"))
    assert list(judge.workplace.iterdir()) == []


def test_an_interrupted_grading_leaves_no_process_behind(judge: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in range(5):
                graded(judge, body("import os", "os.execvp('sleep', ['sleep', '72.5'])"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert running("72.5") == []
