"""What a reader should look at: constructs in a submission that no answer needs, and that tampering does.

No points depend on this. Code that runs in the process of the tests can look into its caller's frames or rewrite what
judges it; the words it needs for that are few, and the released file tells which of them were there before.
"""

from __future__ import annotations

import ast

MODULES = """
    _pytest asyncio atexit builtins ctypes faulthandler gc hw importlib inspect multiprocessing os pathlib pickle pytest
    resource runpy shutil signal socket subprocess sys tempfile threading types unittest urllib
"""
NAMES = """
    __builtins__ __closure__ __code__ __globals__ __import__ __subclasses__ _getframe breakpoint compile eval exec exit
    f_back f_globals f_locals gi_frame globals open quit setattr setprofile settrace tb_frame vars
"""


def suspicions(text: str, released: str) -> list[str]:
    """Lines of a Python file worth a look, as ``12: import sys``; what the released file has, too, is none."""
    try:
        tree = ast.parse(text)
        before = {what for _, what in found(ast.parse(released))}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [f"{line}: {what}" for line, what in sorted(set(found(tree))) if what not in before]


def found(tree: ast.AST) -> list[tuple[int, str]]:
    """The lines and the constructs."""
    seen: list[tuple[int, str]] = []
    modules, words = set(MODULES.split()), set(NAMES.split())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
            seen += [(node.lineno, f"import {name}") for name in names if name.partition(".")[0] in modules]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module.partition(".")[0] in modules:
                seen.append((node.lineno, f"from {node.module} import"))
        elif isinstance(node, ast.Name) and node.id in words:
            seen.append((node.lineno, node.id))
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in words
            and node.attr not in {"compile", "eval", "exit", "open"}
        ):
            seen.append((node.lineno, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in words:
            seen.append((node.lineno, repr(node.value)))
    return seen
