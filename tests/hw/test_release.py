"""A released tree holds what a student needs and no answer; work is carried over to the next; updates spare it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hw import UsageError, leaks, trees
from hw.__main__ import main
from hw.assignment import FunctionName, every, load
from hw.blanking import blank
from hw.merging import Merge, carry_over, split_solved
from hw.releasing import STUDENT_MODULES, moved_links, release
from hw.updating import update

from .small_project import ARITHMETIC, edit, make

PROJECT = Path(__file__).parents[2]
DIVIDE = "python/needle/arithmetic.py"
WALKS = "python/needle/walk.py"


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "project")


def released(root, name="hw1", target="tree", solved=()):
    tree = root.parent / target
    release(load(name, root), root, tree, solved)
    return tree


def text(*parts):
    return Path(*parts).read_text(encoding="utf-8")


def paths(tree):
    files = (path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    return sorted(path for path in files if not path.startswith(trees.RELEASED))


def test_a_tree_holds_the_library_the_public_tests_and_the_students_part_of_the_tool(root):
    assert paths(released(root)) == sorted(
        [
            ".gitignore",
            ".needle-hw/manifest.json",
            ".vscode/launch.json",
            ".vscode/settings.json",
            "LICENSE",
            "Makefile",
            "README.md",
            "hw/hw1/assignment.toml",
            "hw/hw1/images/a.svg",
            "hw/hw1/tests/test_divide.py",
            "hw/hw1/tests/test_order.py",
            *(f"hw/{name}.py" for name in STUDENT_MODULES if (root / f"hw/{name}.py").exists()),
            "pyproject.toml",
            "python/needle/__init__.py",
            "python/needle/arithmetic.py",
            "python/needle/data/numbers.bin",
            "python/needle/walk.py",
        ]
    )


def test_tasks_are_blank_and_so_is_what_belongs_to_later_assignments(root):
    tree = released(root)
    arithmetic, walk = text(tree, DIVIDE), text(tree, WALKS)
    assert 'raise NotImplementedError("hw1, task divide: Divide.compute in python/needle/arithmetic.py")' in arithmetic
    assert 'raise NotImplementedError("Divide.batch comes with a later assignment")' in arithmetic
    assert 'raise NotImplementedError("train comes with hw2")' in walk
    assert arithmetic.count("NotImplementedError") == 3 and walk.count("NotImplementedError") == 2
    assert "# Nothing is hidden here.\n    return a + b" in arithmetic and "guess = math.sqrt(x)" in arithmetic
    manifest = trees.manifest(tree)
    assert manifest["blank"] == {f"{DIVIDE}:Divide.compute": "divide", f"{DIVIDE}:Divide.gradient": "divide"} | {
        f"{WALKS}:order": "order"
    }
    assert manifest["withheld"] == [f"{DIVIDE}:Divide.batch", f"{WALKS}:train"]
    assert "python/needle/secret/compiler.py" in manifest["left_out"] and "tests/**" in manifest["left_out"]
    assert manifest["assignment"] == "hw1" and manifest["version"] == "9.9"
    assert manifest["files"][DIVIDE] == trees.sha256(tree / DIVIDE)


def test_the_untouched_copy_is_the_tree(root):
    tree = released(root)
    copy = tree / trees.RELEASED
    assert paths(copy) == [path for path in paths(tree) if path != trees.MANIFEST]
    assert all((copy / path).read_bytes() == (tree / path).read_bytes() for path in paths(copy))


def test_a_later_assignment_has_earlier_ones_solved_and_their_tests(root):
    tree = released(root, "hw2")
    assert text(tree, DIVIDE) == ARITHMETIC
    assert "visited += order(x)" in text(tree, WALKS) and "step" not in text(tree, WALKS).partition("def train")[2][40:]
    assert (tree / "hw/hw1/tests/test_order.py").exists() and (tree / "hw/hw1/README.md").exists()
    assert text(tree, "README.md") == "# hw2\n" and not (tree / "hw/hw2/README.md").exists()


def test_a_solution_is_a_tree_in_which_only_later_assignments_are_blank(root):
    tree = released(root, solved=["divide", "order"])
    # The pattern Divide.* withholds no function of a task, solved or not.
    assert text(tree, DIVIDE).count("NotImplementedError") == 1 and "by_b" in text(tree, DIVIDE)
    assert text(tree, WALKS).count("NotImplementedError") == 1
    half = released(root, solved=["divide"], target="half")
    assert text(half, DIVIDE) == text(tree, DIVIDE) and text(half, WALKS).count("NotImplementedError") == 2


def test_links_of_the_handout_lead_somewhere(root):
    tree = released(root)
    readme = text(tree, "README.md")
    assert readme == "# hw1\n\n[the walk](python/needle/walk.py), ![a](hw/hw1/images/a.svg), [web](https://x.org)\n"
    assert moved_links('[a](#b) [c](mailto:d@e) <img width=3 src="f.png">', "hw/hw1") == (
        '[a](#b) [c](mailto:d@e) <img width=3 src="hw/hw1/f.png">'
    )
    assert moved_links("[`x`](a.py) is code, `f(x)[1](t)` too", "hw/hw1") == (
        "[`x`](hw/hw1/a.py) is code, `f(x)[1](t)` too"
    )


def test_a_release_leaves_nothing_half_written(root):
    (root / "hw/hw1/tests/test_order.py").unlink()
    with pytest.raises(UsageError, match=r"hw/hw1/tests/test_order\.py, the test of a task, is missing"):
        released(root)
    assert [path.name for path in root.parent.iterdir()] == ["project"]


def test_a_release_does_not_overwrite(root):
    tree = released(root)
    with pytest.raises(UsageError, match="there already, and not empty"):
        released(root)
    with pytest.raises(UsageError, match="is a file"):
        released(root, target="tree/README.md")
    assert (tree / "README.md").exists()


def test_a_pattern_that_fits_no_file_is_refused(root):
    edit(root / "hw/hw1/assignment.toml", "secret/**", "secrets/**")
    with pytest.raises(UsageError, match=r"leaves_out: 'python/needle/secrets/\*\*' fits no file"):
        released(root)


def test_no_answer_stands_in_a_released_tree(root):
    assert leaks.leaks(released(root), root) == []


@pytest.mark.parametrize(
    ("file", "leak"),
    [
        ("python/needle/data/copy.py", ARITHMETIC),
        # Layout, comments and the function around it do not matter.
        (
            "apps/hint.py",
            "def f():\n  by_a = (out_grad /\n   b)\n  by_b = -out_grad*a / b**2  # so\n  return by_a, by_b\n",
        ),
        (
            "notes.md",
            "Write:\n\n        by_a = out_grad / b\n\n        by_b = -out_grad * a / b**2\n  return by_a, by_b\n",
        ),
        ("hw/hw1/tests/test_order.py", "visited = []\nfor x in node.inputs:\n    visited += order(x)\n"),
    ],
)
def test_an_answer_that_stands_somewhere_is_found(root, file, leak):
    tree = released(root)
    (tree / file).parent.mkdir(parents=True, exist_ok=True)
    (tree / file).write_text(leak)
    found = leaks.leaks(tree, root)
    assert found and {each.file for each in found} == {file}
    assert str(found[0]).startswith(f"{found[0].function}: {file}, line ")


# Most of them need what the extra `hw` brings, and all together take long.
REAL = [pytest.param(each.name, marks=[pytest.mark.grading] * (each.name != "hw1")) for each in every(PROJECT)]


@pytest.fixture(scope="module", params=REAL)
def real(request, tmp_path_factory):
    tree = tmp_path_factory.mktemp("real") / request.param
    release(load(request.param, PROJECT), PROJECT, tree)
    return tree


def test_the_real_trees_give_no_answer_away(real):
    assert list(map(str, leaks.leaks(real, PROJECT))) == []


def test_the_real_trees_import_without_a_warning(real):
    assignment = load(trees.manifest(real)["assignment"], real)
    if assignment.build and assignment.has_library:
        assert trees.build(real) == ""
    (module,) = assignment.imports
    script = "from hw import trees; from pathlib import Path; trees.prefer(Path.cwd())"
    script += f"; import {module}; print({module}.__file__)"
    environment = trees.environment(real, assignment.backend)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=real,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    file = "python/needle/__init__.py" if assignment.has_library else f"{module.replace('.', '/')}.py"
    assert (done.stderr, Path(done.stdout.strip())) == ("", real / file)


def test_the_students_part_of_the_tool_is_whole(real):
    modules = ", ".join(f"hw.{path.stem}" for path in (real / "hw").glob("*.py") if path.stem != "__init__")
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}"], cwd=real, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    commands = subprocess.run(
        [sys.executable, "-m", "hw", "--help"], cwd=real, capture_output=True, text=True, check=True
    )
    offered = re.findall(r"^    (\w+)", commands.stdout, re.MULTILINE)
    assert offered == ["setup", "build", "check", "diff", "pack", "doctor"]


def test_the_real_handouts_link_to_what_is_there(real):
    targets = re.findall(r"\]\(([^)\s#]+)", text(real, "README.md"))
    assert [t for t in targets if not re.match(r"[a-z]+:", t) and not (real / t).exists()] == []


def test_settings_for_vs_code_are_json(real):
    launch = json.loads(text(real, ".vscode/launch.json"))
    tasks = set(trees.manifest(real)["blank"].values())
    assert set(launch["inputs"][0]["options"]) == tasks
    assert launch["configurations"][0]["env"]["NEEDLE_BACKEND"] == trees.manifest(real)["backend"]
    json.loads(text(real, ".vscode/settings.json"))


BLANK = '        raise NotImplementedError("hw1, task divide: Divide.{} in python/needle/arithmetic.py")\n'
ORDER = '    raise NotImplementedError("hw1, task order: order in python/needle/walk.py")\n'


@pytest.fixture
def student(root):
    """A student's tree of hw1: one function written, one left, a helper and an import added."""
    tree = released(root, target="student")
    edit(tree / DIVIDE, BLANK.format("compute"), "        return halved(a * 2, b)\n")
    edit(tree / DIVIDE, "import math\n", "import math\n\nimport functools\n")
    edit(tree / DIVIDE, "class Divide:", "@functools.cache\ndef halved(a, b):\n    return a / b / 2\n\n\nclass Divide:")
    edit(tree / WALKS, ORDER, "    # By recursion.\n    return sum(map(order, node.inputs), []) + [node]\n")
    return tree


def test_answers_helpers_and_imports_are_carried_over(root, student):
    tree = released(root, "hw2")
    report = carry_over(student, tree)
    assert report.conflicts == [] and report.ignored == []
    assert report.carried == [f"{DIVIDE}:Divide.compute", f"{WALKS}:order"] and report.open == [
        f"{DIVIDE}:Divide.gradient"
    ]
    arithmetic, walk = text(tree, DIVIDE), text(tree, WALKS)
    assert "return halved(a * 2, b)" in arithmetic and "quotient" not in arithmetic
    assert "import math\n\nimport functools\n" in arithmetic and "@functools.cache\ndef halved(a, b):" in arithmetic
    assert "by_b = -out_grad * a / b**2" in arithmetic, "never written: the release has it solved"
    assert "# By recursion." in walk and "visited" not in walk and "task train" in walk
    compile(arithmetic, DIVIDE, "exec")


def test_no_answer_stands_in_a_tree_that_work_was_carried_over_into(root, student):
    tree = released(root, "hw2")
    carry_over(student, tree)
    assert "quotient" not in text(tree, trees.RELEASED, DIVIDE) and "visited" not in text(tree, trees.RELEASED, WALKS)
    assert BLANK.format("compute") in text(tree, trees.RELEASED, DIVIDE)
    assert leaks.leaks(tree, root) == []


def test_work_is_carried_over_twice(root, student):
    second = released(root, "hw2", "second")
    carry_over(student, second)
    edit(second / WALKS, "task train: train in", "task train: not yet in")
    third = released(root, "hw2", "third")
    report = carry_over(second, third)
    assert f"{DIVIDE}:Divide.compute" in report.carried and f"{WALKS}:order" in report.carried
    assert "def halved" in text(third, DIVIDE) and "return halved" in text(third, DIVIDE)
    assert trees.manifest(third)["carried"] == {f"{DIVIDE}:Divide.compute": "hw1/divide", f"{WALKS}:order": "hw1/order"}


def test_a_clean_copy_has_the_students_own_earlier_answers(root, student):
    tree = released(root, "hw2")
    carry_over(student, tree)
    edit(tree / "hw/hw2/tests/test_train.py", "pass", "assert True")
    trees.clean_copy(tree, tree.parent / "clean")
    clean = tree.parent / "clean"
    assert "return halved" in text(clean, DIVIDE) and text(clean, "hw/hw2/tests/test_train.py").endswith("pass\n")
    assert trees.manifest(clean) == trees.manifest(tree)


def test_a_wrong_earlier_answer_is_replaced_on_request(root, student):
    tree = released(root, "hw2")
    solved = split_solved(["order"], load("hw2", root), root)
    assert solved == (set(), {("hw1", "order")})
    assert split_solved(["hw1/order", "train"], load("hw2", root), root) == ({"train"}, {("hw1", "order")})
    report = carry_over(student, tree, solved[1])
    assert report.solved == [f"{WALKS}:order"] and "visited += order(x)" in text(tree, WALKS)
    assert "return halved" in text(tree, DIVIDE)
    with pytest.raises(UsageError, match=r"--solution-for sort: there is none in hw2 and before"):
        split_solved(["sort"], load("hw2", root), root)


def test_a_newer_release_of_the_same_assignment_takes_the_work_and_the_librarys_changes(root, student):
    edit(root / DIVIDE, "# Nothing is hidden here.", "# Here, nothing is hidden.")
    edit(root / DIVIDE, '"""(g / b, -g a / b^2)."""', '"""(g / b, -g a / b^2), for a quotient."""')
    edit(
        root / DIVIDE,
        'def compute(self, a, b):\n        """a / b."""',
        'def compute(self, a, b):\n        """a by b."""',
    )
    tree = released(root)
    report = carry_over(student, tree)
    arithmetic = text(tree, DIVIDE)
    assert report.conflicts == [] and report.open == [f"{DIVIDE}:Divide.gradient"]
    assert "# Here, nothing is hidden." in arithmetic and "for a quotient" in arithmetic
    assert '"""a by b."""\n        return halved(a * 2, b)' in arithmetic
    assert BLANK.format("gradient") in arithmetic


def test_a_function_that_is_a_task_again_is_to_be_written_anew(root, student):
    edit(root / "hw/hw2/assignment.toml", f'["{WALKS}:train"]', f'["{WALKS}:train", "{WALKS}:order"]')
    tree = released(root, "hw2")
    report = carry_over(student, tree)
    assert f"{WALKS}:order" in report.open and "hw2, task train: order in" in text(tree, WALKS)
    assert trees.manifest(tree)["carried"] == {f"{DIVIDE}:Divide.compute": "hw1/divide"}


def test_two_changes_of_the_same_lines_are_marked_and_listed(root, student):
    edit(student / DIVIDE, "    return a + b", "    return b + a")
    edit(root / DIVIDE, "    return a + b", "    return (a) + b")
    tree = released(root)
    report = carry_over(student, tree)
    assert report.conflicts == [f"{DIVIDE}: add"] and "CONFLICTS, to be mended by hand:" in report.text()
    merged = text(tree, DIVIDE)
    assert "<<<<<<< yours\n    return b + a\n=======\n    return (a) + b\n>>>>>>> new release\n" in merged
    assert "return halved(a * 2, b)" in merged


def test_a_file_that_does_not_parse_is_kept_beside_the_new_one(root, student):
    edit(student / WALKS, "def train(", "def train((")
    tree = released(root)
    report = carry_over(student, tree)
    assert (
        len(report.conflicts) == 1 and "walk.py, line" in report.conflicts[0] and "syntax error" in report.conflicts[0]
    )
    assert text(tree, ".needle-hw/conflicts", WALKS) == text(student, WALKS)
    assert ORDER in text(tree, WALKS) and "return halved" in text(tree, DIVIDE)


def test_a_function_that_the_student_has_removed_is_a_conflict(root, student):
    edit(student / WALKS, "def order(node):", "def sort(node):")
    report = carry_over(student, released(root))
    assert report.conflicts == [f"{WALKS}:order: one side no longer defines it"]


def test_what_a_student_changed_besides_is_listed_and_left(root, student):
    edit(student / "python/needle/__init__.py", "9.9", "10")
    (student / "python/needle/own.py").write_text("x = 1\n")
    tree = released(root)
    assert carry_over(student, tree).ignored == ["python/needle/__init__.py", "python/needle/own.py"]
    assert not (tree / "python/needle/own.py").exists()


def test_functions_with_the_same_name_are_merged_one_by_one():
    getter, setter = (
        "    @property\n    def x(self):\n        blank\n",
        "    @x.setter\n    def x(self, y):\n        blank\n",
    )
    base = f"class A:\n{getter}\n{setter}"
    ours = base.replace("blank", "ours")
    theirs = "import os\n\n\n" + base.replace("blank", "get", 1).replace("blank", "put")
    merge = Merge("a.py", base, theirs, ours)
    assert not merge.is_as_released("A.x") and merge.choose("A.x", "theirs") and not merge.choose("A.y", "theirs")
    assert merge.result() == (theirs, [])


def test_cpp_is_merged_by_functions_too():
    pytest.importorskip("tree_sitter_cpp")
    solved = "namespace n {\n\nint f(int x) {\n  return x + x;\n}\n\nstruct A {\n  int g() { return 1; }\n};\n\n}\n"
    base = blank(solved, "a.cpp", {FunctionName("a.cpp", "f"): "hw3, task f: f"})
    theirs = base.replace('(void)x;\n  throw std::logic_error("hw3, task f: f");', "return twice(x);")
    theirs = theirs.replace("namespace n {\n", "namespace n {\n\nint twice(int x) { return 2 * x; }\n")
    ours = solved.replace("return 1", "return 2")
    merge = Merge("a.cpp", base, theirs, ours)
    assert not merge.is_as_released("f") and merge.choose("f", "theirs")
    assert merge.result() == (
        "namespace n {\n\nint twice(int x) { return 2 * x; }\n\nint f(int x) {\n  return twice(x);\n}\n\n"
        "struct A {\n  int g() { return 2; }\n};\n\n}\n",
        [],
    )


def test_work_is_carried_forward_only_and_from_a_tree_only(root, student):
    with pytest.raises(UsageError, match="holds hw2, which hw1 does not come after"):
        carry_over(released(root, "hw2", "later"), released(root))
    with pytest.raises(UsageError, match="is no released tree"):
        carry_over(root, released(root, target="other"))


def test_lines_that_end_as_on_windows_are_no_change(root, student):
    for path in (*student.rglob("arithmetic.py"), *student.rglob("walk.py")):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    tree = released(root, "hw2")
    report = carry_over(student, tree)
    assert report.conflicts == [] and report.open == [f"{DIVIDE}:Divide.gradient"]
    assert b"\r" not in (tree / DIVIDE).read_bytes()


@pytest.mark.grading
def test_an_update_brings_tests_and_library_and_spares_the_students_code(root, student):
    before = text(student, DIVIDE)
    (root / "hw/hw1/tests/test_order.py").write_text("def test_more(): pass\n")
    (root / "hw/hw1/tests/data.txt").write_text("1")
    (root / "hw/hw1/README.md").write_text("# hw1, mended\n")
    (root / "python/needle/data/numbers.bin").unlink()
    (root / "python/needle/new.py").write_text("y = 1\n")
    edit(root / DIVIDE, "# Nothing is hidden here.", "# Here, nothing is hidden.")
    (student / "hw/hw1/tests/test_divide.py").write_text("def test_easier(): pass\n")
    report = update(student, root)
    assert text(student, DIVIDE) == before
    assert text(student, "hw/hw1/tests/test_order.py") == "def test_more(): pass\n"
    assert text(student, "hw/hw1/tests/test_divide.py") == "def test_divide(): pass\n"
    assert text(student, "README.md") == "# hw1, mended\n" and (student / "hw/hw1/tests/data.txt").exists()
    assert not (student / "python/needle/data/numbers.bin").exists() and (student / "python/needle/new.py").exists()
    assert f"{DIVIDE}: changed in the library; yours is kept" in report and "test_order.py: replaced" in report
    # The untouched copy goes along, but for the files that hold the student's work.
    assert "Nothing is hidden here" in text(student, trees.RELEASED, DIVIDE)
    assert text(student, trees.RELEASED, "hw/hw1/tests/test_order.py") == "def test_more(): pass\n"
    assert update(student, root).splitlines()[1:] == [
        f"  {DIVIDE}: changed in the library; yours is kept (release --from merges)"
    ]


@pytest.mark.grading
def test_an_update_leaves_files_of_the_library_that_the_student_has_changed(root, student):
    edit(student / "python/needle/__init__.py", "from .", "import os\nfrom .")
    edit(root / "python/needle/__init__.py", "9.9", "10.0")
    report = update(student, root)
    assert "python/needle/__init__.py: changed by the student; left as it is" in report
    assert "9.9" in text(student, "python/needle/__init__.py")
    with pytest.raises(UsageError, match="is no released tree"):
        update(root, root)


def run(root, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "hw", *map(str, arguments)], cwd=root, capture_output=True, text=True, check=False
    )


@pytest.mark.grading
def test_the_commands_of_staff(root, student):
    listed = run(root, "list")
    assert "hw1  Arithmetic: 9 points, about 1 h" in listed.stdout and "after hw1" in listed.stdout
    done = run(root, "release", "hw2", root.parent / "new", "--from", student, "--solution-for", "order")
    assert done.returncode == 0, done.stderr
    assert "taken from the library, as asked:\n  python/needle/walk.py:order" in done.stdout
    assert run(root, "solution", "hw1", root.parent / "solved").returncode == 0
    assert "up to date" in run(root, "update", student).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["release", "hw7", "x"],
        ["release", "hw1", "."],
        ["release", "hw2", "x", "--solution-for", "order"],
        ["release", "hw2", "x", "--from", "nowhere"],
        ["update", "nowhere"],
        ["diff"],
        ["setup"],
    ],
)
def test_a_users_mistake_is_a_short_message_and_status_2(root, arguments):
    done = run(root, *arguments)
    assert done.returncode == 2 and "Traceback" not in done.stderr and done.stderr.strip()
    assert not (root / "x").exists()


def test_every_command_is_offered_to_whom_it_is_meant_for(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    offered = capsys.readouterr().out
    assert all(word in offered for word in ("release", "grade", "check", "doctor"))
