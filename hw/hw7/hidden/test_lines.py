"""The user's line, where other people's frames lie between."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw7.recorder import users_line
from hw.hw7.tests.checks import leaf
from hw.hw7.tests.test_lines import Lines, within_the_tool
from hw.testing import hint, same
from needle import nn
from needle.listening import listening


class Cube(nn.Module):
    """A module of the user's."""

    def forward(self, x):
        return x**3


@hint("A module of the user's is the user's code; one of Needle's is not.")
def test_modules():
    x = leaf(2)
    with listening(Lines()) as listener:
        nn.Sequential(Cube(), nn.ReLU())(x)
    functions = [line.function for line in listener.lines]
    same(functions, ["forward", "test_modules"], of="the functions of the lines")


@hint("Nodes that backward() makes are made in the line that calls it.")
def test_a_walk():
    x = leaf(2)
    y = (x * x).sum()
    with listening(Lines()) as listener:
        y.backward()
    same({line.text for line in listener.lines} == {"y.backward()"}, True, of="whether all lines are y.backward()")


@hint("A program may lie anywhere, in a folder before or behind this one.")
@pytest.mark.parametrize("filename", ["/a/program.py", "program.py", "/zzz/program.py", "<cell>"])
def test_where_the_program_lies(filename):
    space = {"x": leaf(2)}
    with listening(Lines()) as listener:
        exec(compile("def program(x):\n    return x + x\nprogram(x)", filename, "exec"), space)
    line = listener.lines[0]
    same([line.function, line.filename], ["program", filename], of="function and file of the line")
    same(line.number, 2, of="its number")
    space = {"helper": within_the_tool, "users_line": users_line}
    exec(compile("def program():\n    return helper(users_line)\nline = program()", filename, "exec"), space)
    same(space["line"].function, "program", of="the function of the line, asked for without a node")


@hint("A frame of the tool may lie between frames of the user's: the innermost of these is wanted.")
def test_the_tool_between():
    def ask():
        with listening(Lines()) as listener:
            leaf(2) * np.float64(2)
        return listener.lines[-1]

    line = within_the_tool(ask)
    same([line.function, line.text], ["ask", "leaf(2) * np.float64(2)"], of="function and text of the line")
