"""Where functions are found in source text, and what an assignment.toml may say."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from hw import UsageError
from hw.assignment import FunctionName, earlier, every, load
from hw.files import glob_matches
from hw.functions import find, functions, put

from .small_project import ARITHMETIC, HW1, edit, make

SOURCE = '''
import functools

try:
    from fast import f
except ImportError:
    def f(x): return x + 1  # slow


class Outer:
    class Inner:
        def method(self):
            # A remark above the first statement.
            def nested():
                return 1

            return nested

    @property
    def data(self):
        return self._data

    @data.setter
    def data(self, value):
        self._data = value
        # A remark below the last one.

    # About the next method.
    async def later(
        self, x: int = {"a": 1}["a"], *, key=lambda a: a
    ) -> dict[str, int]:  # the signature's own remark
        """Documented: "äöü".

        In several lines.
        """

        await x


def empty():
    """Nothing."""


@functools.cache
def unending(): """Doc."""; return 1
'''


def parts(name, text=SOURCE):
    return [(text[f.start : f.body], text[f.body : f.end]) for f in find(text, FunctionName("x.py", name))]


def test_every_function_is_found_by_its_qualified_name_but_not_those_inside_of_functions():
    names = [f.name for f in functions(SOURCE, "x.py")]
    assert names == ["f", "Outer.Inner.method", "Outer.data", "Outer.data", "Outer.later", "empty", "unending"]


def test_a_body_begins_behind_the_docstring_and_takes_its_comments_along():
    header, body = parts("Outer.Inner.method")[0]
    assert header == "        def method(self):\n"
    assert body.startswith("            # A remark above") and body.endswith("return nested\n")
    setter = parts("Outer.data")[1]
    assert setter[0] == "    @data.setter\n    def data(self, value):\n"
    assert setter[1].endswith("# A remark below the last one.\n")
    header, body = parts("Outer.later")[0]
    assert header.startswith("    async def later(\n") and header.endswith('lines.\n        """\n')
    assert body == "\n        await x\n"


def test_functions_on_one_line_and_without_a_body():
    assert parts("f") == [("    def f(x):", " return x + 1  # slow\n")]
    assert parts("empty") == [('def empty():\n    """Nothing."""\n', "")]
    header, body = parts("unending")[0]
    assert header == '@functools.cache\ndef unending(): """Doc."""' and body == "; return 1\n"


def test_the_last_line_may_lack_its_end():
    assert parts("g", "def g():\n    return 1") == [("def g():\n", "    return 1")]


@pytest.mark.parametrize("module", ["needle.autograd", "needle.reverse", "needle.ops.elementwise", "needle.tensor"])
def test_ranges_agree_with_pythons_own_inspection(module):
    module = __import__(module, fromlist=["x"])
    text = Path(module.__file__).read_text()
    checked = 0
    for function in functions(text, "x.py"):
        where = module
        for name in function.name.split("."):
            where = getattr(where, name, None)
        where = inspect.unwrap(where) if inspect.isfunction(where) else None
        if where is not None and where.__module__ == module.__name__ and where.__qualname__ == function.name:
            own = inspect.getsource(where)
            assert text[function.start : function.end].rstrip() == own.rstrip()
            checked += 1
    assert checked > 5


def test_stars_stand_for_all_functions_of_a_file_and_all_methods_of_a_class():
    star = [f.name for f in find(SOURCE, FunctionName("x.py", "Outer.*"))]
    assert star == ["Outer.Inner.method", "Outer.data", "Outer.data", "Outer.later"]
    assert len(find(SOURCE, FunctionName("x.py", "*"))) == 7
    assert find(SOURCE, FunctionName("x.py", "Oute.*")) == []


def test_a_syntax_error_names_file_and_line():
    with pytest.raises(UsageError, match=r"broken\.py, line 2: syntax error"):
        functions("a = 1\ndef f(:\n", "broken.py")


def test_put_takes_the_definition_or_only_the_body_from_another_source():
    donor = "class Divide:\n    def compute(self, x, y):\n        return x * y**-1\n"
    whole = put(ARITHMETIC, "a.py", "Divide.compute", donor)
    assert "def compute(self, x, y):\n        return x * y**-1\n" in whole and "quotient" not in whole
    body = put(ARITHMETIC, "a.py", "Divide.compute", donor, body_only=True)
    assert 'def compute(self, a, b):\n        """a / b."""\n        return x * y**-1\n' in body
    assert put(whole, "a.py", "Divide.compute", ARITHMETIC) == ARITHMETIC
    with pytest.raises(UsageError, match=r"Divide\.nothing is defined 0 times"):
        put(ARITHMETIC, "a.py", "Divide.nothing", donor)


def test_an_assignment_is_read_with_its_tasks(tmp_path):
    hw1 = load("hw1", make(tmp_path))
    assert (hw1.name, hw1.hours, hw1.backend, hw1.build, hw1.folder) == ("hw1", 1, "np", False, tmp_path / "hw/hw1")
    divide, order = hw1.tasks
    assert (divide.points, divide.hidden_points, divide.number, divide.needs) == (3, 2, 1, ())
    assert divide.functions[1] == FunctionName("python/needle/arithmetic.py", "Divide.gradient")
    assert (order.hidden_points, order.needs, order.hints) == (0, ("divide",), ("Inputs first.",))
    assert hw1.task("order") is order and hw1.task("2") is order
    with pytest.raises(UsageError, match="has no task sort; it has: divide, order"):
        hw1.task("sort")


def test_assignments_come_in_the_order_that_they_ask_for(tmp_path):
    root = make(tmp_path)
    (root / "hw/hw1").rename(root / "hw/hw9")
    edit(root / "hw/hw9/assignment.toml", '"hw1"', '"hw9"')
    edit(root / "hw/hw2/assignment.toml", 'after = ["hw1"]', 'after = ["hw9"]')
    assert [each.name for each in every(root)] == ["hw9", "hw2"]
    assert [each.name for each in earlier(load("hw2", root), root)] == ["hw9"]
    edit(root / "hw/hw9/assignment.toml", "after = []", 'after = ["hw2"]')
    with pytest.raises(UsageError, match="it comes after itself: hw2 after hw9 after hw2"):
        every(root)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hours = 1", "hours = ", r"hw/hw1/assignment\.toml: .*line 4"),
        ("hours = 1", "", "assignment.toml: hours is missing"),
        ("hours = 1", 'hours = "one"', "hours is 'one'; it must be a number"),
        ("hours = 1", "hours = true", "hours is True; it must be a number"),
        ("build = false", "build = 0", "build is 0; it must be true or false"),
        ("hours = 1", "hours = -1", "hours is -1; it must not be negative"),
        ("hours = 1", "hours = 1\nhuors = 2", "unknown key 'huors'; known keys: after, backend"),
        ('name = "hw1"', 'name = "hw7"', "name is 'hw7', but the folder is 'hw1'"),
        ('name = "hw1"', 'name = "hw-1"', "small letters, digits and underscores"),
        ('"np"', '"numpy"', "backend is 'numpy'; it must be 'np'"),
        ('title = "Order"', 'titel = "Order"', "task order: title is missing"),
        ('title = "Order"', 'title = "Order"\nhint = 1', "task order: unknown key 'hint'"),
        ('name = "order"', 'name = "divide"', "task divide: there are two tasks of this name"),
        ('needs = ["divide"]', 'needs = ["order"]', "task order: needs 'order', which is no task before this one"),
        ('needs = ["divide"]', "needs = [1]", "task order: needs holds 1; it must hold strings"),
        ("points = 4", "points = 0", "task order: a task is worth some points"),
        ("walk.py:order", "walk.py", "task order: functions: 'python/needle/walk.py' is not of the form"),
        ("walk.py:order", "walk.py:sort", "task order: functions: python/needle/walk.py does not define sort"),
        ("walk.py:order", "walk.py:*", "a task names its functions one by one"),
        ("walk.py:order", "arithmetic.py:Divide.compute", "Divide.compute is part of task divide already"),
        (', "python/needle/walk.py"]', "]", "task order: python/needle/walk.py is not among the files"),
        (', "python/needle/walk.py"]', ', "python/needle/walk.py", "x.py"]', "files: there is no file x.py"),
        (', "python/needle/walk.py"]', ', "python/needle/walk.py", "../x.py"]', "not a path inside the tree"),
        ('"python/needle/secret/**"', '"python/**"', "leaves out python/needle/arithmetic.py, which a student edits"),
        ("Divide.*", "Div.*", r"withholds: python/needle/arithmetic.py does not define Div\.\*"),
        ("Divide.*", "Divide.compute", "withholds: python/needle/arithmetic.py:Divide.compute is part of task divide"),
        ("arithmetic.py:Divide.*", "nothing.py:f", "withholds: there is no file python/needle/nothing.py"),
    ],
)
def test_a_mistake_in_the_toml_is_named(tmp_path, old, new, message):
    root = make(tmp_path)
    edit(root / "hw/hw1/assignment.toml", old, new)
    with pytest.raises(UsageError, match=message):
        load("hw1", root)
    assert old in HW1


def test_an_unknown_assignment_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match=r"no assignment hw5 .* there are: hw1, hw2\."):
        load("hw5", make(tmp_path))


def test_stars_in_paths():
    assert glob_matches("python/needle/func/**", "python/needle/func/a/b.py")
    assert not glob_matches("python/needle/func/**", "python/needle/function.py")
    assert glob_matches("src/*.cpp", "src/a.cpp")
    assert not glob_matches("src/*.cpp", "src/a/b.cpp")
    assert glob_matches("**/test_*.py", "tests/test_a.py") and glob_matches("**/test_*.py", "test_a.py")
    assert not glob_matches("a.py", "aapy")
