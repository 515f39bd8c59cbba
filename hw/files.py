"""Files of a project by patterns: ``*`` stays inside a folder, ``**`` does not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath


def glob_matches(pattern: str, path: str) -> bool:
    """Whether a path fits a pattern."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.fullmatch("".join(meaning.get(part, re.escape(part)) for part in parts), path) is not None


def project_files(root: Path, patterns: Iterable[str]) -> list[str]:
    """The files below `root` that fit one of the patterns, each once, without what was compiled or cached."""
    found: dict[str, None] = {}
    for pattern in patterns:
        fixed = pattern.partition("*")[0]
        below = (root / fixed.rpartition("/")[0]).glob("**/*" if "**" in pattern else "*")
        for path in sorted(below) if fixed != pattern else [root / pattern]:
            name = path.relative_to(root)
            if path.is_file() and glob_matches(pattern, name.as_posix()) and not is_cached(name):
                found[name.as_posix()] = None
    return [*found]


def is_cached(name: PurePath) -> bool:
    """Whether a file was made by a compiler or a tool, and not written."""
    folders = any(part.endswith(("_cache", "__pycache__")) for part in name.parts)
    return folders or name.suffix in (".so", ".pyd", ".pyc")
