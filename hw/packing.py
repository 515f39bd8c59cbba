"""``pack``: the zip that a student submits; ``autograder``: the zip that Gradescope takes."""

from __future__ import annotations

import argparse
import ast
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from . import UsageError, trees
from .assignment import BUILD_FILE, Assignment, earlier, every, load
from .files import project_files

#: In the zip: what it is of.
MARKER = "packed.json"
#: What runs the tests, in the versions that the staff verified.
PACKAGES = ("numpy", "pytest", "tomli", "tree-sitter", "tree-sitter-cpp")
BUILD_PACKAGES = ("cmake", "ninja", "pybind11")

SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, when the container is made.
set -e
apt-get update
apt-get install -y python3 python3-venv@MORE@
python3 -m venv /autograder/venv
/autograder/venv/bin/python -m pip install --no-cache-dir -r /autograder/source/requirements.txt
"""

RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission. Its code runs as another user, to whom these folders are closed.
chmod -R go-rwx /autograder/source /autograder/submission /autograder/results
cd /autograder/source/project
results=/autograder/results/results.json
rm -f "$results"
/autograder/venv/bin/python -m hw grade /autograder/submission --json "$results" --assignment @NAME@
status=$?
if [ ! -f "$results" ]; then
  echo '{"score": 0, "output": "The autograder itself failed. Please tell the staff."}' > "$results"
fi
exit $status
"""


def run_pack(args: argparse.Namespace) -> int:
    """``pack``: write the zip, and say what is in it and what is not."""
    from .changes import changes

    root = trees.root()
    released = trees.released_manifest(root)
    submitted = released["submitted"]
    target = Path(args.file) if args.file else root / f"{released['assignment']}.zip"
    missing = [name for name in submitted if not (root / name).is_file()]
    if missing:
        raise UsageError(f"{missing[0]} is missing; it is part of what you submit.")
    found = changes(root)
    if target.suffix != ".zip":
        raise UsageError(f"{target} should end in .zip")
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.")
    marker = {"assignment": released["assignment"], "version": released["version"]}
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for name in submitted:
            archive.writestr(entry(name), (root / name).read_bytes())
        archive.writestr(entry(MARKER), json.dumps(marker) + "\n")
    print(f"{target.name}: {len(submitted)} files, {target.stat().st_size / 1024:.0f} KB")
    for name in submitted:
        print(f"  {'changed    ' if name in found.edited else 'as released'}  {name}{syntax_error(root / name)}")
    other = [name for name in (*found.edited, *found.missing, *found.added) if name not in submitted]
    if other:
        print("\nAlso changed, but not part of it; it is graded with the staff's copy of these:")
        for name in other:
            print(f"  {name}")
    print("\nTo see how it does in a clean tree: python -m hw check --packed")
    return 0


def entry(name: str, executable: bool = False) -> ZipInfo:
    """An entry of a zip, the same whenever it is made."""
    info = ZipInfo(name, (2000, 1, 1, 0, 0, 0))
    info.compress_type = ZIP_DEFLATED
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    info.create_system = 3
    return info


def syntax_error(path: Path) -> str:
    """A remark, if a Python file cannot be read as such."""
    if path.suffix != ".py":
        return ""
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        return f"\n               this cannot be imported: line {getattr(error, 'lineno', '?')}: {error.args[0]}"
    return ""


def run_autograder(args: argparse.Namespace) -> int:
    """``autograder``: write ``hw1-autograder.zip``: setup.sh, run_autograder, and the project with hidden tests."""
    root = trees.root()
    assignment = load(args.assignment, root)
    hidden = hidden_tests(assignment, args.hidden)
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{assignment.name}-autograder.zip"
    packages = (*PACKAGES, *(BUILD_PACKAGES if assignment.build else ()))
    more = " python3-dev g++" if assignment.build else ""
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        archive.writestr(entry("setup.sh", executable=True), SETUP.replace("@MORE@", more))
        archive.writestr(entry("run_autograder", executable=True), RUN.replace("@NAME@", assignment.name))
        archive.writestr(entry("requirements.txt"), "".join(map(requirement, packages)))
        for name in needed_files(root, assignment):
            archive.writestr(entry(f"project/{name}"), (root / name).read_bytes())
        if hidden is not None:
            for path in sorted(hidden.rglob("*.py")):
                name = f"project/hw/{assignment.name}/hidden/{path.relative_to(hidden).as_posix()}"
                archive.writestr(entry(name), path.read_bytes())
    print(f"{target}: {target.stat().st_size / 1024:.0f} KB, {len(assignment.tasks)} tasks", end="")
    print(", with hidden tests." if hidden else ", without hidden tests.")
    return 0


def hidden_tests(assignment: Assignment, given: str | None) -> Path | None:
    """The folder of the hidden tests; None if no task has any."""
    if given is None and not any(task.hidden_points for task in assignment.tasks):
        return None
    folder = assignment.folder / "hidden" if given is None else Path(given)
    for task in assignment.tasks:
        if task.hidden_points and not (folder / f"test_{task.name}.py").is_file():
            raise UsageError(f"{folder} has no test_{task.name}.py, the hidden tests of that task.")
    return folder.resolve()


def requirement(package: str) -> str:
    """A line of requirements.txt: the version that is installed here."""
    try:
        return f"{package}=={version(package)}\n"
    except PackageNotFoundError:
        return 'tomli; python_version < "3.11"\n' if package == "tomli" else f"{package}\n"


def needed_files(root: Path, assignment: Assignment) -> list[str]:
    """What grading needs of the project: the library, the tool, this assignment and those before it."""
    patterns = ["pyproject.toml", "LICENSE", "python/needle/**", "apps/**/*.py", "hw/*.py", "hw/*.md", "hw/templates/*"]
    # Other assignments say what has to be blank in this one: their assignment.toml comes along, and what it names.
    for each in every(root):
        patterns += [f"hw/{each.name}/assignment.toml", f"hw/{each.name}/{BUILD_FILE}", *each.files]
    for each in (*earlier(assignment, root), assignment):
        patterns += [*each.copies, *(f"hw/{each.name}/{part}" for part in ("*.*", "tests/**", "images/**"))]
    return project_files(root, patterns)
