"""The handout as a notebook: what it holds, and that every cell of it runs when the assignment is solved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hw import trees
from hw.assignment import every, load
from hw.notebooks import notebook
from hw.releasing import release, version

pytestmark = pytest.mark.grading

PROJECT = Path(__file__).resolve().parents[2]
NAMES = [assignment.name for assignment in every(PROJECT)]


def cells_of(name: str) -> list[dict[str, Any]]:
    assignment = load(name, PROJECT)
    text = (assignment.folder / "README.md").read_text(encoding="utf-8")
    made = notebook(text, assignment)
    assert made == notebook(text, assignment)
    found: list[dict[str, Any]] = json.loads(made)["cells"]
    return found


def sources(cells: list[dict[str, Any]], kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_checks_every_task_behind_its_text(name: str) -> None:
    cells = cells_of(name)
    code = sources(cells, "code")
    order = ["".join(cell["source"]) for cell in cells]
    for task in load(name, PROJECT).tasks:
        check = f'!"{{sys.executable}}" -m hw check {task.name}'
        assert code.count(check) == 1
        before = order[: order.index(check)]
        assert f"`{task.name}`" in next(text for text in reversed(before) if text.startswith("## Task"))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_all_of_the_handout(name: str) -> None:
    handout = (PROJECT / "hw" / name / "README.md").read_text(encoding="utf-8")
    together = "\n".join(sources(cells_of(name), "markdown") + sources(cells_of(name), "code"))
    for line in handout.splitlines():
        if line.strip() and not line.startswith(("```", "python -m hw")):
            assert line.strip() in together


@pytest.mark.parametrize("name", NAMES)
def test_code_to_read_is_text_and_code_to_try_is_a_cell(name: str) -> None:
    handout = (PROJECT / "hw" / name / "README.md").read_text(encoding="utf-8")
    code = sources(cells_of(name), "code")
    tried = [source for source in code if not source.startswith(("!", "# On Colab", "# Begin here"))]
    assert len(tried) == handout.count("```python\n") and "```py\n" in handout
    assert all("NotImplementedError" not in source for source in code)


def test_commands_for_a_terminal_alone_stay_text() -> None:
    assignment = load(NAMES[0], PROJECT)
    text = (
        "# T\n\n```\npython -m hw check --pdb\n```\n\n```\npython -m hw diff\n```\n\n```\npython -m hw diff\nx\n```\n"
    )
    code = sources(json.loads(notebook(text, assignment))["cells"], "code")
    assert code[2:] == ['!"{sys.executable}" -m hw diff']


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_with_the_solution_in_place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # threads of its own stand in each other's way where others run
    nbclient = pytest.importorskip("nbclient", reason="the extra 'notebooks' is not installed")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    assignment = load(name, PROJECT)
    tree = tmp_path / "tree"
    release(assignment, PROJECT, tree, [task.name for task in assignment.tasks], notebook=True)
    book = nbformat.read(tree / f"{name}.ipynb", as_version=4)
    # The cells that check one task differ in its name alone, and take a process each: the first stands for all.
    others = [
        cell for task in assignment.tasks[1:] for cell in book.cells if cell.source.endswith(f" check {task.name}")
    ]
    assert len(others) == len(assignment.tasks) - 1
    # The cell that checks all tasks does what the last one does once more, with what was packed.
    (whole,) = (cell for cell in book.cells if cell.source.endswith(" -m hw check"))
    packed = [cell for cell in book.cells if cell.cell_type == "code"][-1]
    assert packed.source.endswith(" -m hw check --packed")
    others.append(whole)
    book.cells = [cell for cell in book.cells if cell not in others]
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tree)}}).execute()
    printed = ["".join(o.get("text", "") for o in c.get("outputs", ())) for c in book.cells if c.cell_type == "code"]
    library = f"Needle {version(PROJECT)} from {tree / 'python'}" if assignment.has_library else ""
    assert any(f"{name} in {tree}\n{library}" in text for text in printed)
    task = assignment.tasks[0]
    (check,) = (cell for cell in book.cells if cell.source.endswith(f" check {task.name}"))
    assert f"{task.points:g} of {task.points:g} points" in "".join(o.get("text", "") for o in check.outputs)
    points = sum(task.points for task in assignment.tasks)
    assert f"{points:g} of {points:g} points" in "".join(o.get("text", "") for o in packed.outputs)
    assert (tree / trees.MANIFEST).is_file() and (tree / f"{name}.zip").is_file()
