"""The sessions in docs/ are true: programs are written to files, commands typed, and what comes out is compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from needle import backend_selection

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / name for name in ("situations.md", "debugging.md")]
FILE = re.compile(r'^```python title="(.+?)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"^```console\n\$ python (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPTS = re.compile(r"^(\(needle\) |\(Pdb\) )(.*)$", re.MULTILINE)
SESSIONS = [(page, i) for page in PAGES for i in range(len(SESSION.findall(page.read_text())))]

pytestmark = [
    pytest.mark.skipif(backend_selection.BACKEND != "nd", reason="the page shows the default backend"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="variables name tensors from Python 3.11 on"),
]


@pytest.mark.parametrize(("page", "number"), SESSIONS, ids=lambda x: x.stem if isinstance(x, Path) else str(x))
def test_a_session_goes_as_the_page_shows(page: Path, number: int, tmp_path: Path):
    for name, text in FILE.findall(page.read_text()):
        (tmp_path / name).write_text(text)
    command, shown = SESSION.findall(page.read_text())[number]
    typed = [line for _, line in PROMPTS.findall(shown)]
    shown = re.sub(r"^\(Pdb\) .*\n", "(Pdb) ", shown, flags=re.MULTILINE)  # which does not show what nobody types
    given = re.findall(r'-c "(.*?)"', command)
    arguments = [argument.strip('"') for argument in re.findall(r'"[^"]*"|\S+', command)]
    done = subprocess.run(
        [sys.executable, *arguments],
        input="".join(f"{line}\n" for line in typed[len(given) :]),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    printed = done.stdout.splitlines()
    for line in shown.splitlines():
        begin, cut, _ = line.partition("...")
        assert printed, f"it should go on with {line!r}"
        found = printed.pop(0)
        assert found.startswith(begin) if cut else found.rstrip() == line.rstrip(), (found, line, done.stderr)
