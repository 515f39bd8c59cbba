"""Trees: found from where one stands, set up, never mixed with another Needle; diff and doctor say what is changed."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from hw import UsageError, doctor, trees
from hw.__main__ import folded
from hw.assignment import load
from hw.changes import changes
from hw.releasing import release

from .small_project import edit, make

DIVIDE = "python/needle/arithmetic.py"


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "project")


@pytest.fixture
def tree(root):
    release(load("hw1", root), root, root.parent / "tree")
    return root.parent / "tree"


def python(code, cwd, executable=sys.executable, **environment):
    return subprocess.run(
        [str(executable), "-c", code],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def command(tree, *arguments, executable=sys.executable, cwd=None):
    return subprocess.run(
        [str(executable), "-m", "hw", *arguments], cwd=cwd or tree, capture_output=True, text=True, check=False
    )


def test_the_tree_is_the_one_around_the_current_folder(tree, monkeypatch):
    monkeypatch.chdir(tree / "python" / "needle")
    assert trees.root() == tree
    monkeypatch.chdir(tree.parent)
    assert trees.root() == Path(trees.__file__).parents[1]


def test_a_damaged_manifest_is_named(tree):
    (tree / trees.MANIFEST).write_text("{")
    with pytest.raises(UsageError, match=r"manifest\.json is damaged"):
        trees.manifest(tree)
    (tree / trees.MANIFEST).write_text("[]")
    with pytest.raises(UsageError, match="is damaged"):
        trees.manifest(tree)
    assert trees.manifest(tree.parent / "project") is None


def test_needle_comes_from_the_tree_even_where_an_editable_install_redirects_it(tree):
    # What an editable install does: a finder in front of all others.
    other = tree.parent / "elsewhere" / "needle"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    redirect = f"""
import importlib.util, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "needle":
            return importlib.util.spec_from_file_location(name, {str(other / "__init__.py")!r})
sys.meta_path.insert(0, Finder())
"""
    ask = "\nimport needle; print(needle.__file__)"
    prefer = f"\nfrom pathlib import Path; from hw import trees; trees.prefer(Path({str(tree)!r}))"
    assert python(redirect + ask, tree).stdout.strip() == str(other / "__init__.py")
    done = python(redirect + prefer + ask, tree)
    assert done.stdout.strip() == str(tree / "python/needle/__init__.py"), done.stderr


def test_another_needle_is_refused_with_both_paths(tree, tmp_path):
    trees.refuse_foreign(tree)
    library = tree / "python" / "needle"
    library.rename(tmp_path / "needle")
    library.symlink_to(tmp_path / "needle")
    with pytest.raises(SystemExit) as refused:
        trees.refuse_foreign(tree)
    message = str(refused.value)
    assert message.startswith("Needle would come from outside of this tree:")
    assert f"found: {library / '__init__.py'}" in message and f"tree:  {tree}" in message


def test_an_extension_from_elsewhere_is_refused(tree, tmp_path, monkeypatch):
    extension = tmp_path / f"ndarray_backend_cpu{__import__('sysconfig').get_config_var('EXT_SUFFIX')}"
    extension.write_bytes(b"")
    (tree / "python/needle/backend_ndarray").mkdir()
    link = tree / "python/needle/backend_ndarray" / extension.name
    link.symlink_to(extension)
    with pytest.raises(SystemExit, match=r"Needle's extension would come from outside of this tree"):
        trees.refuse_foreign(tree)


def test_a_tree_without_a_library_is_refused(tree, tmp_path):
    (tree / "python" / "needle").rename(tmp_path / "gone")
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    with pytest.raises(SystemExit, match="There is no Needle in"):
        trees.refuse_foreign(tree, str(bare / ("Scripts/python.exe" if os.name == "nt" else "bin/python")))


def test_the_tool_of_one_tree_does_not_judge_another(tree, root):
    release(load("hw1", root), root, root.parent / "second")
    code = f"""
import sys; sys.path.insert(0, {str(root.parent / "second")!r})
from pathlib import Path
from hw import trees
trees.refuse_foreign(Path({str(tree)!r}))
"""
    done = python(code, root.parent)
    assert done.returncode == 1 and done.stderr.startswith("The course tool would come from outside of this tree")


@pytest.fixture
def set_up(tree):
    """A tree with an environment as `setup` makes it, but for the packages."""
    venv.create(tree / ".venv", with_pip=False)
    own = trees.venv_python(tree)
    site = python("import sysconfig; print(sysconfig.get_path('purelib'))", tree, own).stdout.strip()
    Path(site, "needle_course.pth").write_text(trees.path_file(tree, "np"))
    return tree


def test_the_environment_of_a_tree_finds_its_needle_and_settings_from_anywhere(set_up, tmp_path):
    code = "import os, needle, hw; print(needle.__file__, hw.__file__, os.environ['NEEDLE_BACKEND'])"
    done = python(code, tmp_path, trees.venv_python(set_up))
    assert done.stdout.split() == [str(set_up / "python/needle/__init__.py"), str(set_up / "hw/__init__.py"), "np"]
    code = "import os; print(os.environ['NEEDLE_BACKEND'], os.environ['NEEDLE_FUSED'])"
    done = python(code, tmp_path, trees.venv_python(set_up), NEEDLE_BACKEND="nd")
    assert done.stdout.split() == ["nd", "0"], "what a student sets, counts"


def test_a_command_runs_in_the_trees_own_environment_whatever_python_was_typed(set_up):
    assert f"python:  {trees.venv_python(set_up)}" in command(set_up, "doctor").stdout


def test_setup_installs_with_the_trees_own_pip(tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    commands = []
    run = subprocess.run

    def noted(command, **options):
        if "pip" in command:
            commands.append(command)
            return subprocess.CompletedProcess(command, 0)
        if "venv" in command:
            venv.create(command[-1], with_pip=False)
            return subprocess.CompletedProcess(command, 0)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    assert trees.run_setup(None) == 0
    monkeypatch.undo()
    assert commands[0][0] == str(trees.venv_python(tree)) and "numpy>=2.1" in commands[0]
    assert "Next: python -m hw check" in capsys.readouterr().out
    found = python("import needle; print(needle.__file__)", tree.parent, trees.venv_python(tree)).stdout
    assert found.strip() == str(tree / "python/needle/__init__.py")


def test_a_tree_without_cpp_needs_no_build(tree):
    done = command(tree, "build")
    assert done.returncode == 0 and "hw1 needs no build" in done.stdout


def test_a_build_gives_the_compilers_first_error():
    output = "[1/2] Building\nFAILED: x.o\nsrc/x.cpp:3:5: error: no such thing\n  3 | a\nninja: stopped\n"
    assert trees.first_error(output).splitlines()[0] == "src/x.cpp:3:5: error: no such thing"
    assert trees.first_error("ninja: error: loading 'build.ninja'\n") == "ninja: error: loading 'build.ninja'"


def test_diff_shows_what_changed_and_what_is_not_submitted(tree):
    assert command(tree, "diff").stdout == "Nothing has changed since the release.\n"
    edit(tree / DIVIDE, "    return a + b", "    return b + a")
    edit(tree / "hw/hw1/tests/test_order.py", "pass", "assert True")
    (tree / "python/needle/own.py").write_text("x = 1\n")
    (tree / "LICENSE").unlink()
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__/x.py").write_text("")
    shown = command(tree, "diff").stdout
    assert f"--- released/{DIVIDE}\n+++ yours/{DIVIDE}\n" in shown and "-    return a + b\n+    return b + a\n" in shown
    assert shown.partition("Not part of what you submit:\n")[2].splitlines() == [
        "  changed  hw/hw1/tests/test_order.py",
        "  missing  LICENSE",
        "  new      python/needle/own.py",
    ]
    found = changes(tree)
    assert (found.missing, found.added) == (("LICENSE",), ("python/needle/own.py",))


def test_line_ends_of_windows_are_no_change(tree):
    (tree / DIVIDE).write_bytes((tree / DIVIDE).read_bytes().replace(b"\n", b"\r\n"))
    assert changes(tree).edited == ()


def test_the_doctor_finds_nothing_wrong_in_a_sound_tree(tree):
    found = [wrong for wrong, _ in doctor.examine(tree, trees.manifest(tree)) if "Not installed" not in wrong]
    assert [wrong for wrong in found if "environment" not in wrong and "another Needle" not in wrong] == []


def test_the_doctor_names_what_is_wrong(tree):
    edit(tree / DIVIDE, "class Divide:", "class Divide")
    edit(tree / "hw/hw1/tests/test_order.py", "pass", "assert True")
    edit(tree / "python/needle/__init__.py", "9.9", "9.8")
    (tree / "hw/hw1/tests/test_divide.py").unlink()
    (tree / "python/needle/own.py").write_text("x = 1\n")
    done = command(tree, "doctor")
    assert done.returncode == 1 and done.stderr == ""
    for said in (
        "There is no environment in this tree.\n  Run: python -m hw setup",
        f"{DIVIDE}, line 12: expected ':'.\n  Mend it first",
        "Tests were edited: hw/hw1/tests/test_order.py.",
        "hw/hw1/tests/test_divide.py is missing.\n  Copy it from .needle-hw/released/hw/hw1/tests/test_divide.py",
        "Changed, but not part of what you submit: python/needle/__init__.py.",
        "New in the library, but not part of what you submit: python/needle/own.py.",
    ):
        assert said in done.stdout


def test_the_doctor_sees_a_foreign_needle_and_missing_packages(set_up, tmp_path):
    foreign = tmp_path / "foreign" / "needle"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("")
    site = python("import sysconfig; print(sysconfig.get_path('purelib'))", set_up, trees.venv_python(set_up)).stdout
    Path(site.strip(), "needle_course.pth").write_text(f"{foreign.parent}\n")
    done = command(set_up, "doctor", executable=trees.venv_python(set_up))
    assert f"found: {foreign / '__init__.py'}" in done.stdout and f"tree:  {set_up}" in done.stdout
    assert "Not installed: numpy, pytest, debugpy.\n  Run: python -m hw setup" in done.stdout


def test_the_doctor_sees_that_a_tree_was_moved(set_up, tmp_path):
    set_up.rename(tmp_path / "moved")
    done = command(tmp_path / "moved", "doctor")
    assert "The environment .venv does not find the tree: was it moved?\n  Run: python -m hw setup" in done.stdout


def test_the_doctor_speaks_of_a_compiler_only_where_one_is_needed(tree, monkeypatch):
    manifest = trees.manifest(tree)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert list(doctor.compiler(tree, manifest)) == []
    found = [wrong for wrong, _ in doctor.compiler(tree, manifest | {"build": True})]
    assert found == ["There is no C++ compiler.", "The C++ is not built."]


def test_the_doctor_names_a_backend_that_the_assignment_is_not_written_for(tree, monkeypatch):
    monkeypatch.setenv("NEEDLE_BACKEND", "nd")
    found = [wrong for wrong, _ in doctor.environment(tree, trees.manifest(tree))]
    assert "NEEDLE_BACKEND is 'nd'; this assignment is written for 'np'." in found


def test_messages_are_folded_to_80_columns():
    message = folded("word " * 40 + "/a/very/long/path/" + "x" * 90)
    lines = message.splitlines()
    assert all(len(line) <= 80 for line in lines[:-1]) and lines[-1].strip().startswith("/a/very/long/path/")
