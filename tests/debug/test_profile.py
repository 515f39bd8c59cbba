"""`profile` counts calls, bytes and flops exactly, by op, line and module, and writes a file for trace viewers."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from needle.debug.profile import Profile, Row, profile
from tests.autograd.graphs import live_values, nd_only, replayed, tensor


def row(found: Profile, key: str, name: str, direction: str = "forward") -> Row:
    (match,) = [each for each in found.by(key) if each.name == name and each.direction == direction]
    return match


def step(lazy: bool = False) -> Any:
    """A training step of a small model; gives the model, and what it gave, since lazy nodes live as long."""
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, y = tensor(np.random.randn(4, 7), requires_grad=False), tensor([0, 1, 2, 0], requires_grad=False)

    def run() -> Any:
        loss = nn.SoftmaxLoss()(model(x), y)
        loss.backward(create_graph=False)
        optimizer.step()
        return loss

    if lazy:
        with ndl.lazy_mode():
            return run()
    return run()


def test_flops_of_matrix_products_are_2mkn_in_the_forward_and_the_backward_pass():
    with profile() as p:
        step()
    first, second = 2 * 4 * 7 * 5, 2 * 4 * 5 * 3
    assert row(p, "op", "MatMul").flops == first + second
    # dW of both layers, and the input's adjoint of the second: the images require none
    assert row(p, "op", "MatMul", "backward").flops == first + 2 * second
    assert [row(p, "op", "MatMul", d).calls for d in ("forward", "backward")] == [2, 3]


def test_flops_of_batched_products_and_einsums_are_exact():
    a, b = tensor(np.ones((6, 2, 3))), tensor(np.ones((3, 4)))
    with profile() as p:
        a @ b
        ndl.einsum("bij,jk->bik", a, b)
    assert row(p, "op", "MatMul").flops == row(p, "op", "Einsum").flops == 2 * 6 * 2 * 3 * 4


def test_other_ops_count_one_for_each_element():
    x = tensor(np.ones((6, 5)))
    with profile() as p:
        ndl.exp(x)
        x.sum()
    assert row(p, "op", "Exp")[2] == 1 and row(p, "op", "Exp").flops == 30
    assert row(p, "op", "Summation").flops == 30


def test_bytes_are_those_of_the_outputs():
    x = tensor(np.ones((6, 5)))
    with profile() as p:
        ndl.exp(x)
        x.sum()
        x.astype("float64")
        ndl.ops.make_tuple(x, x)
    sizes = {name: row(p, "op", name).bytes for name in ("Exp", "Summation", "Cast", "MakeTensorTuple")}
    assert sizes == {"Exp": 120, "Summation": 4, "Cast": 240, "MakeTensorTuple": 240}


@pytest.mark.parametrize("lazy", [False, True])
def test_modules_are_charged_for_their_forward_and_their_backward_pass(lazy: bool):
    with profile() as p:
        step(lazy)
    first = row(p, "module", "modules.0 Linear", "backward")
    assert row(p, "module", "modules.0 Linear").calls == 3  # product, broadcast, sum
    assert first.flops >= 2 * 4 * 7 * 5
    assert {each.name for each in p.by("module") if each.direction == "backward"} >= {
        "modules.0 Linear",
        "modules.1 ReLU",
        "modules.2 Linear",
        "SoftmaxLoss",
    }


@pytest.mark.parametrize("lazy", [False, True])
def test_lines_are_charged_for_what_they_apply_and_for_its_derivative(lazy: bool):
    x = tensor(np.ones((6, 5)))

    def program() -> Any:
        y = ndl.exp(x)
        z = y * y
        z.sum().backward()
        return x.grad.numpy(), z.numpy()

    first = inspect.getsourcelines(program)[1]
    with profile() as p:
        if lazy:
            with ndl.lazy_mode():
                program()
        else:
            program()
    exponential, product = f"test_profile.py:{first + 1}", f"test_profile.py:{first + 2}"
    assert row(p, "line", exponential).calls == row(p, "line", product).calls == 1
    assert row(p, "line", product, "backward").calls == 2  # to each factor the other one times the adjoint
    # its adjoint is the sum of two shares, then a product with itself
    assert row(p, "line", exponential, "backward").calls == 2


def test_the_sums_agree_whichever_way_they_are_taken():
    with profile() as p:
        step()
    for key in ("op", "line", "module"):
        rows = p.by(key)
        assert sum(each.calls for each in rows) == p.calls
        assert sum(each.flops for each in rows) == p.flops
        assert sum(each.seconds for each in rows) == pytest.approx(p.seconds)
        assert [each.seconds for each in rows] == sorted((each.seconds for each in rows), reverse=True)
    assert 0 < p.seconds < p.wall


def test_the_table_is_at_most_80_columns_wide():
    class AnOpWithANameThatIsMuchTooLongForAnyTableOfEightyColumns(ndl.autograd.TensorOp):
        def compute(self, a: Any) -> Any:
            return a * 1

    with profile() as p:
        step()
        AnOpWithANameThatIsMuchTooLongForAnyTableOfEightyColumns()(tensor([1.0]))
    for table in (str(p), p.table("line"), p.table("module", rows=2)):
        assert max(map(len, table.splitlines())) <= 80
    assert "MatMul" in str(p) and "AnOpWithANameT...yColumns" not in repr(p)
    assert "... and" in p.table("module", rows=2) and len(p.table("module", rows=2).splitlines()) == 5


def test_the_saved_file_holds_complete_events_in_microseconds(tmp_path: Path):
    with profile() as p:
        step()
    p.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    computations = [event for event in events if event["cat"] != "module"]
    assert len(computations) == p.calls and {event["ph"] for event in events} == {"X"}
    assert sum(event["dur"] for event in computations) == pytest.approx(p.seconds * 1e6)
    assert all(0 <= event["ts"] <= p.wall * 1e6 and event["dur"] >= 0 for event in events)
    whole = next(event for event in events if event["name"] == "Sequential")
    inner = next(event for event in events if event["name"] == "modules.2 Linear")
    assert whole["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= whole["ts"] + whole["dur"]


def test_a_functional_gradient_counts_as_backward():
    with profile() as p:
        ndl.grad(lambda x: ndl.exp(x).sum())(tensor([1.0, 2.0]))
    assert row(p, "op", "Exp").calls == 1 and row(p, "op", "EWiseMul", "backward").calls == 1


def test_an_empty_profile_prints_and_saves(tmp_path: Path):
    with profile() as p:
        pass
    assert str(p).startswith("0.0 us in 0 computations") and p.by("op") == []
    p.save(tmp_path / "empty.json")
    assert json.loads((tmp_path / "empty.json").read_text())["traceEvents"] == []


def test_an_unknown_key_is_refused():
    with pytest.raises(ValueError, match="'op', 'line', 'module'; got 'file'"):
        Profile().by("file")


def test_a_profile_keeps_no_graph_alive():
    before = live_values()
    with profile() as p:
        step()
        assert live_values() == before
    assert p.calls > 0


@nd_only
def test_a_compiled_function_is_profiled_by_its_operations():
    x = tensor([1.0], requires_grad=False)
    compiled = replayed(lambda x: ndl.exp(x) * 2, x)
    with profile() as p:
        compiled(x)
    assert {each.name for each in p.by("op")} == {"Exp", "MulScalar"}
