"""Groups of a recording: modules hold what they made, backward mirrors them, and much is folded."""

from __future__ import annotations

from typing import Any

import numpy as np

import needle as ndl
from needle import nn
from needle.debug.folding import MOST_MEMBERS, MOST_VISIBLE, ROOT, Folding, of_graph, of_recording
from needle.debug.trace import Trace
from tests.autograd.graphs import tensor


def folded(trace: Trace) -> tuple[Folding, set[int]]:
    return of_recording(trace.all_nodes, trace.events)


def paths(folding: Folding, node: int) -> list[str]:
    """The groups around a node, outermost first."""
    chain = folding.chain(folding.group_of[node])[1:]
    return [folding.groups[group].path or folding.groups[group].title for group in chain]


def recorded(model: nn.Module, steps: int = 1, width: int = 4, **options: Any) -> Trace:
    np.random.seed(0)
    x = tensor(np.random.randn(5, width), requires_grad=False)
    optimizer = ndl.optim.SGD(model.parameters(), lr=0.1)
    with ndl.debug.record() as trace:
        for _ in range(steps):
            (model(x) ** 2).sum().backward(**options)
            optimizer.step()
    return trace


def test_a_module_holds_what_it_made_and_its_parameters_and_the_data_stays_outside():
    model = nn.Sequential(nn.Residual(nn.Linear(4, 4)), nn.ReLU())
    trace = recorded(model)
    folding, backward = folded(trace)
    within = ["Sequential", "modules.0", "modules.0.fn"]
    assert paths(folding, trace.nodes(op="MatMul")[0].number) == within
    assert paths(folding, trace.node(model.modules[0].fn.weight).number) == within
    assert paths(folding, trace.nodes(op="ReLU")[0].number) == ["Sequential", "modules.1"]
    x = trace.all_nodes[trace.nodes(op="MatMul")[0].inputs[0] - 1]
    assert paths(folding, x.number) == [] and x.number not in backward
    assert paths(folding, trace.nodes(op="PowerScalar")[0].number) == []


def test_what_a_backward_walk_made_stands_in_a_mirror_of_the_module_that_it_differentiates():
    trace = recorded(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    folding, backward = folded(trace)
    began = next(event.index for event in trace.events if event.kind == "backward_began")
    made = {event.node for event in trace.events[began:] if event.kind == "made"}
    assert made <= backward and all(paths(folding, n)[0] == "backward" for n in made)
    products = [node.number for node in trace.nodes(op="MatMul") if node.number in backward]
    assert products and all(paths(folding, n) == ["backward", "Sequential", "modules.0"] for n in products)
    (of_relu,) = trace.nodes(op="ReLUGradient")
    assert paths(folding, of_relu.number) == ["backward", "Sequential", "modules.1"]
    walks = [group for group in folding.groups.values() if group.begins_at]
    assert [group.begins_at for group in walks] == [[trace.events[began].node]]


def test_a_sum_of_shares_stands_with_the_node_whose_adjoint_it_is():
    model = nn.Sequential(nn.ReLU(), nn.Residual(nn.Tanh()))
    with ndl.debug.record() as trace:
        model(tensor([[1.0, 2.0]])).sum().backward()
    folding, backward = folded(trace)
    (total,) = (node.number for node in trace.nodes(op="EWiseAdd") if node.number in backward)
    assert paths(folding, total) == ["backward", "Sequential", "modules.0"]


def test_groups_need_one_another_in_one_direction_only():
    layers = [nn.Linear(4, 4), nn.Residual(nn.Sequential(nn.Linear(4, 4), nn.ReLU())), nn.Residual(nn.Linear(4, 4))]
    trace = recorded(nn.Sequential(*layers, nn.Linear(4, 2)), create_graph=True)
    folding, _ = folded(trace)
    for level in folding.groups:
        member = {n: within(folding, n, level) for n in folding.group_of}
        needs: dict[int, set[int]] = {}
        for node in trace.all_nodes:
            for x in node.inputs:
                a, b = member[x], member[node.number]
                if a is not None and b is not None and a != b:
                    needs.setdefault(b, set()).add(a)
        assert not cycle(needs)


def within(folding: Folding, node: int, level: int) -> int | None:
    """The member of a group that a node is, as a negative number, or stands in; None if it is elsewhere."""
    chain = folding.chain(folding.group_of[node])
    return None if level not in chain else [*chain, -node][chain.index(level) + 1]


def cycle(needs: dict[int, set[int]]) -> bool:
    left = {n: set(sources) for n, sources in needs.items()}
    while left:
        free = {n for n, sources in left.items() if not sources & set(left)}
        if not free:
            return True
        left = {n: sources for n, sources in left.items() if n not in free}
    return False


def test_several_steps_are_groups_one_after_another_that_share_the_parameters():
    model = nn.Linear(4, 2)
    trace = recorded(model, steps=3)
    folding, _ = folded(trace)
    assert paths(folding, trace.node(model.weight).number) == ["used by several steps"]
    products = [node.number for node in trace.nodes(op="MatMul")]
    assert {paths(folding, n)[0] for n in products} == {"step 1", "step 2", "step 3"}
    steps = {group.title: group for group in folding.groups.values() if group.kind == "step"}
    assert steps["step 3"].after == [steps["step 2"].number] and steps["step 1"].after == []


def test_a_small_recording_opens_whole_and_a_large_one_folded():
    small = folded(recorded(nn.Sequential(nn.Linear(4, 4), nn.ReLU())))[0]
    assert set(small.opened) == set(small.groups)
    large = folded(recorded(nn.Sequential(*[nn.Residual(nn.Linear(4, 4)) for _ in range(30)])))[0]
    members = large.members()
    seen = {item for group in large.opened for item in members[group]}
    assert len(members[ROOT]) <= len(seen) <= MOST_VISIBLE and len(large.groups) > 2 * len(large.opened)


def test_a_long_graph_without_a_recording_is_divided_into_runs():
    folding = of_graph(range(1, 20_001))
    members = folding.members()
    assert all(len(items) <= MOST_MEMBERS for items in members.values())
    runs = [[n for is_group, n in items if not is_group] for items in members.values()]
    assert all(run == list(range(run[0], run[-1] + 1)) for run in runs if run)
    assert sorted(n for run in runs for n in run) == list(range(1, 20_001))
    assert of_graph(range(1, 50)).groups.keys() == {ROOT}


def test_calls_without_nodes_and_calls_that_failed_leave_no_trace():
    class Fails(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError

    with ndl.debug.record() as trace:
        x = nn.Identity()(tensor([[1.0]]))
        try:
            nn.Sequential(Fails())(x)
        except ValueError:
            y = ndl.exp(x)
    folding, _ = folded(trace)
    assert set(folding.groups) == {ROOT} and paths(folding, trace.node(y).number) == []
