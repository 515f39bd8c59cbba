"""The handout as a notebook, by jupytext: the same text, with cells to check and to try.

In a handout, a program to try (a fence ``python``) becomes a code cell, and so does a block of commands
``python -m hw check ...``; every task ends with a cell that checks it. All else is text, code to read (``py``) too.
"""

from __future__ import annotations

import re

from . import UsageError
from .assignment import Assignment

#: How each notebook begins, after its title: what is where, and when the kernel has to be restarted.
BEGINNING = """*This is the handout as a notebook. Your code goes into the `.py` files of this folder; here you read,
check and try. Save a file, and run a cell again: it runs the new code. Restart the kernel (menu Kernel, Restart) when
you have added or renamed a class, when Tensors that were made before behave as before, or after `python -m hw build`.*

```python title="On Colab alone: upload the zip of the folder that you were given."
import sys

if "google.colab" in sys.modules:
    import os
    import zipfile
    from pathlib import Path

    from google.colab import files

    (name,) = files.upload()
    zipfile.ZipFile(name).extractall()
    os.chdir(next(Path().rglob(".needle-hw")).parent)
```

```python title="Begin here; again after a restart."
%load_ext autoreload
%autoreload 2
import sys

from hw import jupyter

jupyter.begin()
```
"""

_COMMAND = re.compile(r"python -m hw (check|diff|doctor|pack)\b(?!.*--(pdb|debug)).*")


def notebook(handout: str, assignment: Assignment) -> str:
    """The notebook of a handout, as an ``.ipynb`` file holds it.

    Parameters
    ----------
    handout : str
        Markdown, which begins with a title.
    assignment : Assignment
        Its tasks are looked for in headings: ``## Task 3: `arithmetic_gradients` ``.

    Returns
    -------
    str
        JSON. The same handout always gives the same.

    Raises
    ------
    UsageError
        If jupytext is missing.
    """
    try:
        import jupytext  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        raise UsageError("The handout's notebook is made by jupytext: pip install 'needle-dl[hw]'.") from None
    made = jupytext.reads(prepared(handout, assignment), fmt="md")
    for number, cell in enumerate(made.cells, start=1):
        cell["id"] = f"cell-{number}"  # jupytext draws one
        title = cell.metadata.get("title")
        cell.metadata.clear()
        if title is not None:
            cell.source = f"# {title}\n{cell.source}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made.metadata = type(made.metadata)({"kernelspec": kernel, "language_info": {"name": "python"}})
    return str(jupytext.writes(made, fmt="ipynb")).rstrip() + "\n"


def prepared(handout: str, assignment: Assignment) -> str:
    """The handout as jupytext is to read it."""
    title, rest = handout.split("\n", 1)
    parts = [title, "\n", BEGINNING]
    inside: list[str] = []
    fence = ""
    task = ""
    for line in rest.splitlines():
        if fence:
            if line.strip() == "```":
                parts.append(block(fence, inside))
                fence, inside = "", []
            else:
                inside.append(line)
        elif line.startswith("```"):
            fence = line
        else:
            if line.startswith("## "):
                parts.append(checked(task))
                task = task_of(line, assignment)
            parts.append(line)
    return "\n".join([*parts, checked(task)]) + "\n"


def block(fence: str, lines: list[str]) -> str:
    """A fenced block: as a code cell if it is a program of the reader's, or commands of the tool."""
    if fence == "```" and lines and all(map(_COMMAND.fullmatch, lines)):
        return "\n".join(
            ["```python", *(f'!"{{sys.executable}}"{line.removeprefix("python")}' for line in lines), "```"]
        )
    if fence == "```py":
        fence = "```python .noeval"
    return "\n".join([fence, *lines, "```"])


def checked(task: str) -> str:
    """A cell that checks a task; nothing outside of tasks."""
    return f'```python\n!"{{sys.executable}}" -m hw check {task}\n```\n' if task else ""


def task_of(heading: str, assignment: Assignment) -> str:
    """The task that a heading names; an empty string if none."""
    found = re.match(r"## Task \d+: `(\w+)`", heading)
    return found[1] if found and any(task.name == found[1] for task in assignment.tasks) else ""
