"""Mutants: each is the solution with one small change, and the staff says which of them are equivalent."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hw import UsageError
from hw.assignment import load
from hw.functions import functions
from hw.mutants import Equivalent, equivalents, mutants

PROJECT = Path(__file__).resolve().parents[2]


def test_mutants_are_the_solution_with_one_small_change() -> None:
    pytest.importorskip("cosmic_ray", reason="the extra 'mutants' is not installed")
    assignment = load("hw1", PROJECT)
    solution = {file: (PROJECT / file).read_bytes() for file in assignment.files}
    task = assignment.task("arithmetic_gradients")
    found = list(mutants(task, solution))
    assert {mutant.function for mutant in found} == set(task.functions)
    assert len({(mutant.function, mutant.donor) for mutant in found}) == len(found) > 50
    for mutant in found:
        ast.parse(mutant.donor)
        assert [each.name for each in functions(mutant.donor, "mutant")] == [mutant.function.name]
        assert mutant.line != mutant.becomes and mutant.line in " ".join(
            solution[mutant.function.file].decode().split()
        )
    assert any(mutant.becomes == "return out_grad * self.scalar" for mutant in found)


def test_equivalent_mutants_are_told_by_their_line_or_by_what_it_becomes() -> None:
    pytest.importorskip("cosmic_ray", reason="the extra 'mutants' is not installed")
    assignment = load("hw1", PROJECT)
    solution = {file: (PROJECT / file).read_bytes() for file in assignment.files}
    mutant = next(mutants(assignment.task("summation_gradient"), solution))
    name = str(mutant.function)
    assert Equivalent(name, mutant.line, "", "why").fits(mutant) and Equivalent(name, "", mutant.becomes, "why").fits(
        mutant
    )
    assert not Equivalent(name, mutant.line, "something else", "why").fits(mutant)
    assert not Equivalent("another:function", mutant.line, "", "why").fits(mutant)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ('[[mutant]]\nfunction = "f"\nreason = "r"\n', "line, or becomes"),
        ('[[mutant]]\nfunction = "f"\nline = "x"\n', "reason is missing"),
        ('[[mutant]]\nfunction = "f"\nline = "x"\nreason = "r"\nwhy = "w"\n', "why"),
        ("[[mutant]\n", "equivalent.toml"),
    ],
)
def test_a_mistake_in_the_list_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    from dataclasses import replace

    (tmp_path / "equivalent.toml").write_text(text)
    with pytest.raises(UsageError, match=complaint):
        equivalents(replace(load("hw1", PROJECT), folder=tmp_path))


def test_every_equivalent_of_an_assignment_names_one_of_its_functions() -> None:
    for path in sorted((PROJECT / "hw").glob("*/equivalent.toml")):
        assignment = load(path.parent.name, PROJECT)
        names = {str(function) for task in assignment.tasks for function in task.functions}
        assert {each.function for each in equivalents(assignment)} <= names
