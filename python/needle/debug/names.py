"""Names of tensors: those that a user gives, and those that the user's source gives by an assignment.

``logits = model(x)`` names the node that ``model(x)`` returns. A listener is told of a node while it is being made,
deep inside that call, and must not guess which node will come back. So the names here are proved: going outwards from
the node, each function on the way must be just about to return what it waits for (``return f(x)``, or ``y = f(x)`` with
``return y`` right behind it), up to the line that assigns it.
"""

from __future__ import annotations

import ast
import linecache
import sys
import weakref
from itertools import islice
from types import CodeType, FrameType
from typing import Any, NamedTuple

from ..autograd import Value
from ..listening import listeners
from ..places import PACKAGE, is_users

#: How a node got its name; a higher one wins.
BY_ASSIGNMENT, BY_MODULE, BY_USER = 1, 2, 3

_given: weakref.WeakKeyDictionary[Value, str] = weakref.WeakKeyDictionary()
_is_used = False


def name(tensor: Value, text: str) -> Any:
    """Give `tensor` a name, for all recordings.

    Parameters
    ----------
    tensor : Tensor or TensorTuple
    text : str

    Returns
    -------
    Tensor or TensorTuple
        `tensor` itself.

    Raises
    ------
    TypeError
        If `tensor` is no node of a graph, or `text` no string.
    """
    if not isinstance(tensor, Value):
        raise TypeError(f"name: only a Tensor gets a name, not a {type(tensor).__name__}")
    if not isinstance(text, str):
        raise TypeError(f"name: a name is a string, not a {type(text).__name__}")
    global _is_used
    _given[tensor], _is_used = text, True
    for listener in tuple(listeners):
        tell = getattr(listener, "named", None)
        if tell is not None:
            tell(tensor, text)
    return tensor


def given_name(tensor: Value) -> str:
    """The name that `name` gave, or an empty string."""
    return _given.get(tensor, "") if _is_used else ""  # asked of every node, and hardly ever is there one


class Assigned(NamedTuple):
    """To what the node that is being made will be assigned.

    Attributes
    ----------
    name : str
    certain : bool
        Otherwise a loop of the library may go on and make another node, which is then the one.
    where : tuple of int
        Which instruction of the user assigns it.
    """

    name: str
    certain: bool
    where: tuple[int, int]


class _Fate(NamedTuple):
    """What becomes of the value that a frame waits for: it is assigned, returned, maybe returned, or none of it."""

    target: str = ""
    returned: bool = False
    certain: bool = True


#: By the identity of the code, which is held so that no other code gets it, and the instruction.
_fates: dict[tuple[int, int], tuple[CodeType, _Fate]] = {}
_sources: dict[str, _Source] = {}


def assigned(frame: FrameType | None) -> tuple[Assigned | None, bool]:
    """Say what the node will be assigned to that is made above `frame`; None if that is not sure.

    And whether the user's innermost frame and those above it say so, whoever called that.
    """
    while frame is not None and frame.f_code is not _MAKE:
        frame = frame.f_back
    frame = None if frame is None else frame.f_back  # it returns the node
    certain, within = True, True
    while frame is not None:
        key = (id(frame.f_code), frame.f_lasti)
        if key not in _fates:
            _fates[key] = frame.f_code, _fate_of(frame)
        fate = _fates[key][1]
        certain = certain and fate.certain
        if fate.target:
            return Assigned(fate.target, certain, key), within
        if not fate.returned:
            return None, within
        within = within and not is_users(frame.f_code)
        frame = frame.f_back
    return None, within


_MAKE = Value.make_from_op.__func__.__code__  # type: ignore[attr-defined]


class _Source:
    """The syntax tree of a file: what is written where, and within what."""

    def __init__(self, text: str) -> None:
        self.at: dict[tuple[Any, ...], ast.AST] = {}
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.expr, ast.AugAssign)):
                self.at[node.lineno, node.end_lineno, node.col_offset, node.end_col_offset] = node
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node

    def waiting(self, frame: FrameType) -> ast.AST | None:
        """The expression whose value the frame waits for; if only its line is known, the only operation there."""
        position = _position(frame)
        if position is not None:
            return self.at.get(position)
        kinds = (ast.Call, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.AugAssign)
        found = [node for node in self.at.values() if isinstance(node, kinds) and _covers(node, frame.f_lineno)]
        return found[0] if len(found) == 1 else None


def _position(frame: FrameType) -> tuple[int | None, ...] | None:
    """First and last line, and columns, of what a frame is at; None before Python 3.11, which knows only the line."""
    if sys.version_info < (3, 11):
        return None
    return next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)


def _covers(node: Any, line: int) -> bool:
    return bool(node.lineno <= line <= node.end_lineno)


def _fate_of(frame: FrameType) -> _Fate:
    filename = frame.f_code.co_filename
    if filename not in _sources:
        try:
            _sources[filename] = _Source("".join(linecache.getlines(filename, frame.f_globals)))
        except (SyntaxError, ValueError, RecursionError):
            _sources[filename] = _Source("")
    source = _sources[filename]
    expression = source.waiting(frame)
    if expression is None:
        return _Fate()
    return _fate(expression, source.parents, filename.startswith(PACKAGE))


def _fate(expression: ast.AST, parents: dict[ast.AST, ast.AST], library: bool) -> _Fate:
    parent = parents.get(expression)
    while isinstance(parent, ast.IfExp) and expression is not parent.test:
        expression, parent = parent, parents.get(parent)
    if isinstance(parent, ast.Return) or (isinstance(parent, ast.Lambda) and parent.body is expression):
        return _Fate(returned=True)
    target: ast.AST | None = None
    statement = parent
    if isinstance(expression, ast.AugAssign):
        target, statement = expression.target, expression
    elif isinstance(parent, ast.Assign) and parent.value is expression:
        target = parent.targets[0]
    elif isinstance(parent, (ast.AnnAssign, ast.NamedExpr)) and parent.value is expression:
        target = parent.target
    if statement is None or not isinstance(target, (ast.Name, ast.Attribute)):
        return _Fate()
    if not library:
        return _Fate(ast.unparse(target))
    return _returned_next(statement, target.id, parents) if isinstance(target, ast.Name) else _Fate()


def _returned_next(statement: ast.AST, variable: str, parents: dict[ast.AST, ast.AST]) -> _Fate:
    """Whether the next thing after `statement` is to return `variable`."""
    parent = parents.get(statement)
    if parent is None:
        return _Fate()
    blocks = [getattr(parent, field, None) for field in ("body", "orelse")]
    block: list[ast.AST] = next((b for b in blocks if isinstance(b, list) and statement in b), [])
    if not block:
        return _Fate()
    if statement is not block[-1]:
        following = block[block.index(statement) + 1]
        returned = isinstance(following, ast.Return) and isinstance(following.value, ast.Name)
        return _Fate(returned=returned and following.value.id == variable)  # type: ignore[attr-defined]
    if isinstance(parent, (ast.If, ast.With)) or (isinstance(parent, ast.Try) and not parent.orelse):
        return _returned_next(parent, variable, parents)
    if isinstance(parent, (ast.For, ast.While)) and block is parent.body and not parent.orelse:
        return _returned_next(parent, variable, parents)._replace(certain=False)
    return _Fate()
