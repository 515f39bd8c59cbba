"""A blank keeps header and surroundings, says which task it is, and in C++ compiles without a warning."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw import UsageError
from hw.assignment import FunctionName
from hw.blanking import blank, task_in, task_message, withheld_message
from hw.functions import find, functions

from .small_project import ARITHMETIC
from .test_functions import SOURCE

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("g++") or shutil.which("c++") or "c++"


def blanked(text, *names, file="x.py", message="hw1, task t: x"):
    return blank(text, file, {FunctionName(file, name): message for name in names})


def test_only_the_body_changes():
    name = FunctionName("python/needle/arithmetic.py", "Divide.gradient")
    message = task_message("hw1", "divide", name)
    assert message == "hw1, task divide: Divide.gradient in python/needle/arithmetic.py"
    assert blank(ARITHMETIC, name.file, {name: message}) == ARITHMETIC.replace(
        "        by_a = out_grad / b\n        by_b = -out_grad * a / b**2\n        return by_a, by_b  # both\n",
        f'        raise NotImplementedError("{message}")\n',
    )


@pytest.mark.parametrize("name", [f.name for f in functions(SOURCE, "x.py")])
def test_every_form_of_a_function_can_be_blanked(name):
    text = blanked(SOURCE, name)
    compile(text, "x.py", "exec")
    assert text.count("NotImplementedError") == SOURCE.count(f"def {name.rpartition('.')[2]}(")
    assert [f.name for f in functions(text, "x.py")] == [f.name for f in functions(SOURCE, "x.py")]
    before, after = (find(t, FunctionName("x.py", name)) for t in (SOURCE, text))
    for old, new in zip(before, after):
        assert text[new.start : new.body].rstrip() == SOURCE[old.start : old.body].rstrip()


def test_comments_inside_of_a_body_go_with_it_and_others_stay():
    text = blanked(SOURCE, "Outer.Inner.method", "Outer.data", "f")
    assert "A remark" not in text and "slow" not in text and "# About the next method." in text
    assert "# the signature's own remark" in text


def test_a_generator_raises_when_it_is_called():
    scope = {}
    exec(blanked("def count():\n    yield 1\n", "count"), scope)
    with pytest.raises(NotImplementedError, match="hw1, task t"):
        scope["count"]()


def test_a_long_message_is_broken_into_lines_that_fit():
    message = task_message("hw1", "a" * 40, FunctionName("python/needle/" + "b" * 40, "c" * 20))
    text = blanked("class A:\n    def f(self):\n        return 1\n", "A.f", message=message)
    assert max(map(len, text.splitlines())) <= 120
    raised = ast.parse(text).body[0].body[0].body[0]
    assert raised.exc.args[0].value == message


def test_a_message_can_be_read_back():
    message = task_message("hw3", "matmul", FunctionName("src/ndarray.cpp", "Matmul"))
    assert task_in(f"RuntimeError: {message}") == ("hw3", "matmul")
    assert task_in("hw1, task") is None
    assert task_in(withheld_message(FunctionName("a.py", "f"), "hw2")) is None
    assert withheld_message(FunctionName("a.py", "f")) == "f comes with a later assignment"


def test_a_function_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"x\.py does not define sort"):
        blanked(SOURCE, "sort")


CPP = """// Kernels.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace needle {
namespace {

int helper(int x) { return x + 1; }  // "äöü"

template <typename T>
T twice(const T& value, int) {
  return value + value;
}

}  // namespace

struct Array {
  explicit Array(int size) : size(size) { fill(0); }
  ~Array() = default;
  void fill(float value);
  int size;
  std::vector<float> data;

  float operator[](int i) const {
    return data[i];
  }
};

void Array::fill(float value) {
  for (int i = 0; i < size; ++i) data.push_back(value);
}

const float* matmul(const Array& a, const Array* b, float out[], int64_t (*f)(int), int m) {
  // The naive loop.
  out[0] = a[0] * (*b)[0] * helper(m) + f(1) + twice(2, 3);
  return out;
}

}  // namespace needle

int safe() noexcept { return 1; }
"""


def compiles(tmp_path, text):
    source = tmp_path / "x.cpp"
    source.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [COMPILER, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", str(ROOT / "src"), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stderr


def test_functions_of_cpp_have_the_names_of_their_scopes():
    pytest.importorskip("tree_sitter_cpp")
    assert [f.name for f in functions(CPP, "x.cpp")] == [
        "needle::helper",
        "needle::twice",
        "needle::Array::Array",
        "needle::Array::operator[]",
        "needle::Array::fill",
        "needle::matmul",
        "safe",
    ]
    assert len(find(CPP, FunctionName("x.cpp", "fill"))) == 1
    assert len(find(CPP, FunctionName("x.cpp", "needle::Array::*"))) == 3
    assert find(CPP, FunctionName("x.cpp", "mul")) == []


@pytest.mark.skipif(not shutil.which(COMPILER), reason="no C++ compiler")
@pytest.mark.parametrize("names", [["matmul", "Array::fill"], ["operator[]", "twice", "Array::Array"]])
def test_a_cpp_blank_compiles_without_warnings(tmp_path, names):
    pytest.importorskip("tree_sitter_cpp")
    assert compiles(tmp_path, CPP) == (True, "")
    text = blanked(CPP, *names, file="x.cpp", message="hw3, task matmul: " + ", ".join(names) + " in src/x.cpp" * 5)
    assert compiles(tmp_path, text) == (True, "")
    assert text.count("throw std::logic_error(") == len(names)
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.skipif(not shutil.which(COMPILER), reason="no C++ compiler")
def test_a_kernel_of_the_library_can_be_blanked(tmp_path):
    pytest.importorskip("tree_sitter_cpp")
    text = (ROOT / "src/matmul_naive.cpp").read_text(encoding="utf-8")
    blank_text = blanked(text, "matmul_naive", "multiply", file="src/matmul_naive.cpp")
    assert "dispatch(out.dtype()" not in blank_text and "first_a" not in blank_text
    assert compiles(tmp_path, blank_text) == (True, "")


@pytest.mark.skipif(not shutil.which(COMPILER), reason="no C++ compiler")
def test_a_cpp_blank_says_which_task_it_is(tmp_path):
    pytest.importorskip("tree_sitter_cpp")
    program = tmp_path / "program.cpp"
    text = "#include <iostream>\nint f(int x) { return x; }\n"
    main = "int main() { try { f(1); } catch (const std::exception& e) { std::cout << e.what(); } }\n"
    message = task_message("hw3", "kernels", FunctionName("src/x.cpp", "f"))
    program.write_text(blanked(text + main, "f", file="x.cpp", message=message))
    subprocess.run([COMPILER, "-std=c++17", str(program), "-o", str(tmp_path / "program")], check=True)
    done = subprocess.run([str(tmp_path / "program")], capture_output=True, text=True, check=True)
    assert done.stdout == message


def test_what_may_not_throw_cannot_be_blanked():
    pytest.importorskip("tree_sitter_cpp")
    with pytest.raises(UsageError, match="safe is noexcept"):
        blanked(CPP, "safe", file="x.cpp")


def test_without_tree_sitter_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter_cpp", None)
    with pytest.raises(UsageError, match=r"needle-dl\[hw\]"):
        functions("int f() { return 1; }", "x.cpp")
