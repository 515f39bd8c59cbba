"""users_line."""

from __future__ import annotations

import os

import pytest

from hw.hw7 import recorder
from hw.hw7.recorder import users_line
from hw.hw7.tests.checks import double, leaf, square
from hw.testing import hint, same
from needle.listening import Listener, listening

#: Another file of the tool: a listener that asks for the line at each event, and a function that calls another.
TOOL = """
class Lines(Listener):
    def __init__(self):
        self.lines = []

    def made(self, node, op, inputs):
        self.lines.append(users_line())


def helper(ask):
    return ask()
"""
tool = {"Listener": Listener, "users_line": users_line, "__name__": "tool"}
exec(compile(TOOL, os.path.join(recorder.FOLDER, "tool.py"), "exec"), tool)
Lines, within_the_tool = tool["Lines"], tool["helper"]


@hint("The innermost frame that is no file of FOLDER is where the function was called.")
def test_who_calls_it():
    line = users_line()
    same([line.function, line.text], ["test_who_calls_it", "line = users_line()"], of="function and text of the line")


@hint("Frames of the tool itself, files in FOLDER, are not the user's, however many there are.")
def test_frames_of_the_tool():
    line = within_the_tool(users_line)
    mistakes = {"frames of the tool count as the user's": "helper"}
    same(line.function, "test_frames_of_the_tool", of="the function of the line", mistakes=mistakes)


@hint("The operators of `double` and `square` are called in Needle's code; the innermost line that is not is theirs.")
@pytest.mark.parametrize("count", [1, 3])
def test_lines_of_nodes(count):
    x = leaf(2)
    with listening(Lines()) as listener:
        for _ in range(count):
            square(double(x))
    functions = [line.function for line in listener.lines]
    mistakes = {"it is the outermost line": ["test_lines_of_nodes"] * (2 * count)}
    same(functions, ["double", "square"] * count, of="the functions of the lines that made nodes", mistakes=mistakes)
    same([line.text for line in listener.lines][:2], ["return x + x", "return x * x"], of="their texts")


@hint("The program may lie in a folder within FOLDER, as these tests do.")
def test_files_below_the_folder():
    line = users_line()
    same(line.filename.endswith("test_lines.py"), True, of="whether the line is in test_lines.py")
