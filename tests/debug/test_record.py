"""A recording is complete, keeps nothing alive, and answers what is asked of it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
from apps.mlp_resnet import MLPResNet
from needle import nn, optim
from needle.backend_selection import NDArray
from needle.listening import Listener, listening
from tests.autograd.graphs import counted_computations, live_values, nd_only, replayed, step_of_squares, tensor


class Ops(Listener):
    """Keeps the ops, which a recording does not, in the order in which they compute."""

    def __init__(self) -> None:
        self.ops: list[Any] = []

    def computed(self, node: Any, op: Any, inputs: Any, seconds: float) -> None:
        self.ops.append(op)


class Cube(ndl.TensorOp):
    """An operator as a student writes it."""

    def compute(self, a: Any) -> Any:
        return a**3

    def gradient(self, out_grad: Any, node: Any) -> Any:
        (a,) = node.inputs
        return out_grad * 3 * a * a


def line_of(mark: str) -> int:
    """The line of this file that ends with a comment of this text."""
    lines = Path(__file__).read_text().splitlines()
    (found,) = [number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}")]
    return found


def on_device(value: Any, device: Any) -> Any:
    """A recorded value as an array of the device, or a tuple of them."""
    if isinstance(value, tuple):
        return tuple(on_device(part, device) for part in value)
    return ndl.backend_selection.as_array(value, device=device, dtype=str(value.dtype))


def training_step(seed: int = 0, lr: float = 0.1) -> Any:
    """One step of a small model, to be recorded."""
    np.random.seed(seed)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss = nn.SoftmaxLoss()(model(tensor(np.ones((5, 4)), requires_grad=False)), tensor([0, 1, 0, 1, 1]))
    loss.backward(create_graph=False)
    optimizer.step()
    return model


# Completeness ---------------------------------------------------------------------------------------------------------


def test_a_training_step_can_be_computed_again_from_the_recording_alone(device):
    np.random.seed(0)
    model = MLPResNet(dim=20, hidden_dim=16)
    model.to(device)
    x = ndl.Tensor(np.random.randn(6, 20), device=device, dtype="float32", requires_grad=False)
    y = ndl.Tensor(np.arange(6) % 10, device=device, dtype="float32", requires_grad=False)
    with ndl.debug.record() as trace, listening(Ops()) as kept:
        nn.SoftmaxLoss()(model(x), y).backward(create_graph=False)
    computed = [event for event in trace.events if event.kind == "computed"]
    assert len(computed) == len(kept.ops) > 100
    assert {event.node for event in computed} == {node.number for node in trace.all_nodes if node.made}
    for event, op in zip(computed, kept.ops):
        inputs = [on_device(trace.value(number, at=event.index), device) for number in event.inputs]
        again, recorded = op.compute(*inputs), trace.value(event.node, at=event.index)
        assert isinstance(again, tuple) == isinstance(recorded, tuple)
        for a, b in zip(again, recorded, strict=True) if isinstance(again, tuple) else [(again, recorded)]:
            np.testing.assert_array_equal(np.asarray(a), b)
    assert len(model.parameters()) == 28
    for parameter in model.parameters():
        np.testing.assert_array_equal(trace.adjoint(parameter).total, parameter.grad.numpy())


def test_shares_say_from_whom_they_come_and_for_which_input(mode):
    x = tensor([3.0])
    y = (x * x + x).sum()
    with ndl.debug.record() as trace:
        y.backward()
        x.grad.numpy()
    handed = [(e.op, e.position) for e in trace.events if e.kind == "share"]
    assert handed == [("Summation", 0), ("EWiseAdd", 0), ("EWiseAdd", 1), ("EWiseMul", 0), ("EWiseMul", 1)]
    assert trace.adjoint(x).total == [7]
    assert [trace.value(share.share).item() for share in trace.adjoint(x).shares] == [1, 3, 3]
    assert [share.op for share in trace.adjoint(x).shares] == ["EWiseAdd", "EWiseMul", "EWiseMul"]


def test_the_adjoint_is_that_of_the_last_walk():
    x = tensor([2.0])
    y = (x * 5).sum()
    with ndl.debug.record() as trace:
        y.backward()
        (x * 7).sum().backward()
        assert trace.adjoint(x).total == [7] and len(trace.adjoint(x).shares) == 1
        y.backward()
    assert trace.adjoint(x).total == [5]
    assert trace.adjoint(y).total is None and "no shares" in str(trace.adjoint(y))


def test_an_op_of_a_student_is_recorded_with_the_line_in_its_gradient():
    x = tensor([2.0])
    with ndl.debug.record() as trace:
        Cube()(x).sum().backward()
    assert trace.adjoint(x).total == [12]
    first = inspect.getsourcelines(Cube.gradient)[1] + 2
    made = trace.at(f"debug/test_record.py:{first}")
    assert [event.op for event in made if event.kind == "made"] == ["MulScalar", "EWiseMul", "EWiseMul"]
    assert trace.source(made[0].place.user) == "return out_grad * 3 * a * a"


def test_attributes_that_an_op_has_without_an_init_are_told():
    op = Cube()
    op.factor = 3  # type: ignore[attr-defined]
    with ndl.debug.record() as trace:
        y = op(tensor([2.0]))
    assert trace.node(y).attributes == "factor=3" and repr(op) == "Cube(factor=3)"


def test_a_tuple_of_arrays_is_a_value(mode):
    x = tensor([[1.0, 2.0]])
    with ndl.debug.record() as trace:
        parts = ndl.split(x, 1)
        (parts[0] + parts[1]).numpy()
    assert [part.tolist() for part in trace.value(parts)] == [[1.0], [2.0]]
    assert trace.statistics(parts).shape == ((1,), (1,)) and trace.statistics(parts).mean == 1.5
    assert trace.node(parts).kind == "TensorTuple"


def test_what_is_replaced_or_written_was_what_it_was():
    x = tensor([1.0])
    with ndl.debug.record() as trace:
        x * 2
        then = len(trace.events) - 1
        x.data = tensor([5.0])
        x * 2
    assert (trace.value(x, at=then), trace.value(x)) == ([1], [5])
    assert [e.node for e in trace.events if e.kind == "replaced"] == [trace.node(x).number]


def test_a_lazy_tensor_that_is_replaced_had_no_value_before():
    with ndl.lazy_mode():
        x = tensor([1.0]) * 2
    with ndl.debug.record() as trace:
        x.data = tensor([5.0])
    (replaced,) = [event for event in trace.events if event.kind == "replaced"]
    assert trace.value(x) == [5]
    with pytest.raises(LookupError, match=f"had no value at event {replaced.index - 1}"):
        trace.value(x, at=replaced.index - 1)


def test_an_error_within_the_block_leaves_a_recording_up_to_there():
    with pytest.raises(ZeroDivisionError), ndl.debug.record() as trace:
        y = tensor([1.0]) * 2
        1 / 0  # noqa: B018
    assert [event.kind for event in trace.events] == ["seen", "computed", "made"] and trace.value(y) == [2]
    y * 3
    assert len(trace.events) == 3


@nd_only
def test_data_that_was_written_in_place_is_noticed_when_it_is_used_again():
    x = tensor([1.0, 2.0])
    with ndl.debug.record() as trace:
        x * 2
        x.cached_data[0] = 9
        x * 2
    (written,) = [event for event in trace.events if event.kind == "written"]
    assert trace.value(x, at=written.index - 1).tolist() == [1, 2] and trace.value(x).tolist() == [9, 2]


@nd_only
@pytest.mark.parametrize("device", [ndl.cpu(), ndl.cpu_numpy()])
def test_values_are_what_they_were_although_the_program_writes_to_their_memory(device):
    """They are views of the program's buffers, which are copied before somebody writes."""
    x = ndl.Tensor(np.arange(6.0).reshape(2, 3), device=device)
    with ndl.debug.record() as trace:
        y = x * 2
        turned = ndl.transpose(y)
    y.cached_data[0, 1] = 100.0
    x.cached_data.fill(7.0)
    y.cached_data[1] = y.cached_data[0]
    for value in (trace.value(y), trace.value(turned).T):
        np.testing.assert_array_equal(value, 2 * np.arange(6.0).reshape(2, 3))
        assert not value.flags.writeable
    np.testing.assert_array_equal(trace.value(x), np.arange(6.0).reshape(2, 3))
    assert y.cached_data.numpy()[0, 1] == 100 and trace.statistics(y).maximum == 10


@nd_only
@pytest.mark.parametrize("device", [ndl.cpu(), ndl.cpu_numpy()])
def test_values_in_memory_that_somebody_else_writes_to_are_copied(device):
    lent = np.ones(5, dtype="float32")
    x = ndl.Tensor.make_const(NDArray.make((5,), device=device, handle=device.Array.borrow(lent)))
    with ndl.debug.record() as trace:
        y = x * 2
    lent[:] = 7
    assert x.numpy()[0] == 7 and trace.value(x).tolist() == [1] * 5 and trace.value(y).tolist() == [2] * 5


@nd_only
def test_a_replay_after_the_recording_does_not_write_to_what_was_recorded():
    np.random.seed(0)
    model = nn.Linear(3, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    x = tensor(np.ones((4, 3)), requires_grad=False)
    step = replayed(step_of_squares(model, optimizer), x)
    with ndl.debug.record() as trace:
        loss = step(x)
    weight, seen = model.weight.numpy().copy(), loss.item()
    for _ in range(3):
        step(x)
    np.testing.assert_array_equal(trace.value(model.weight), weight)
    assert trace.value(loss) == seen and not np.array_equal(model.weight.numpy(), weight)


def test_a_small_part_of_a_large_array_keeps_not_all_of_it():
    x = tensor(np.ones((1000, 100)), requires_grad=False)
    with ndl.debug.record() as trace:
        y = x[:2] * 1.0
        row = x[3:4]
        z = row + 1
    assert trace.value(row).base is None or trace.value(row).base.nbytes < 10_000
    assert trace.value(y).shape == (2, 100) and z is not None


def test_a_training_step_is_told_in_order_with_modules_and_lines():
    with ndl.debug.record() as trace:
        training_step()
    told = [
        (e.kind, e.what, e.module) for e in trace.events if e.kind in ("entered", "backward_began", "stepped", "left")
    ]
    assert told[:3] == [
        ("entered", "Sequential", ""),
        ("entered", "Linear", "modules.0"),
        ("left", "Linear", "modules.0"),
    ]
    assert told[-2:] == [("backward_began", "", ""), ("stepped", "SGD", "")]
    (product, _) = [node for node in trace.nodes(op="MatMul") if node.module]
    assert product.module == "modules.0" and product.shape == (5, 3)
    assert {Path(e.place.user.filename).name for e in trace.events} == {"test_record.py"}
    functions = [line.function for line in product.place.library]
    assert functions[0] == "__call__" and "forward" in functions and "announce" not in functions


@nd_only
def test_a_compiled_function_is_recorded():
    x = tensor([0.0], requires_grad=False)
    compiled = replayed(lambda x: ndl.exp(x) * 2, x)
    with ndl.debug.record() as trace:
        compiled(x)
    assert [trace.value(node.number) for node in trace.nodes() if node.made] == [[1], [2]]


def test_nodes_that_backward_frees_are_told_and_the_recording_still_knows_what_they_were_made_of():
    x = tensor([2.0])
    with ndl.debug.record() as trace:
        y = ndl.exp(x * 3)
        y.backward(create_graph=False)
    assert [trace.node(e.node).op for e in trace.events if e.kind == "freed"] == ["Exp", "MulScalar"]
    assert [node.op for node in trace.why(y)] == ["", "MulScalar", "Exp"]


def test_a_walk_without_backward_has_its_adjoints():
    x = tensor([3.0])
    with ndl.debug.record() as trace:
        for factor in (5, 7):
            with ndl.GradientTape() as tape:
                y = (x * factor + x * x).sum()
            tape.gradient(y, x)
            assert trace.adjoint(x).total == [factor + 6] and len(trace.adjoint(x).shares) == 3


# What it costs the graph ----------------------------------------------------------------------------------------------


def test_a_recording_keeps_no_node_alive():
    before = live_values()
    with ndl.debug.record() as trace:
        model = training_step()
        del model
        assert live_values() == before
    assert len(trace.events) > 50 and not trace.memory()


def test_looking_at_a_recording_computes_nothing():
    x = tensor([[1.0, 2.0]])
    with ndl.lazy_mode(), ndl.debug.record() as trace, counted_computations() as counts:
        y = ndl.exp(x).sum()
        y.backward()
        for look in (repr, str):
            look(trace), look(trace.why(y)), look(trace.adjoint(x)), look(trace.memory()), look(trace.node(y))
        assert trace.adjoint(x).total is None
        with pytest.raises(LookupError, match="it was not computed"):
            trace.value(y)
        assert not counts and y.cached_data is None


def test_only_the_newest_values_are_kept_and_statistics_of_all():
    x = tensor(np.arange(100))
    with ndl.debug.record(keep=1000) as trace:
        y = x + 1
        z = x * 2
        with np.errstate(invalid="ignore"):
            w = z * np.inf
    with pytest.raises(LookupError, match=r"the value of #2 was dropped: the recording keeps 1000 bytes"):
        trace.value(y)
    np.testing.assert_array_equal(trace.value(z), np.arange(100) * 2)
    found = trace.statistics(y)
    assert (found.minimum, found.maximum, found.mean, found.nans, found.infs) == (1, 100, 50.5, 0, 0)
    found = trace.statistics(w)
    assert (found.minimum, found.maximum, found.mean, found.nans, found.infs) == (None, None, None, 1, 99)


def test_statistics_of_a_tuple_that_was_dropped_are_those_of_all_its_elements():
    parts = [np.array([1.0, 0.0, -7.0], "float32"), np.array([[5.0, 0.5]], "float32")]
    with ndl.debug.record(keep=0) as trace:
        pair = ndl.make_tuple(*map(tensor, parts))
    everything = np.concatenate([part.ravel() for part in parts])
    with pytest.raises(LookupError, match="dropped"):
        trace.value(pair)
    found = trace.statistics(pair)
    assert (found.minimum, found.maximum, found.zeros, found.nans, found.infs) == (-7, 5, 1, 0, 0)
    assert (found.shape, found.dtype, found.size) == (((3,), (1, 2)), "float32", 5)
    np.testing.assert_allclose(found.mean, everything.mean(), rtol=1e-6)


def test_a_buffer_that_many_values_view_is_followed_until_the_last_is_dropped():
    x = tensor(np.arange(6.0), requires_grad=False)
    with ndl.debug.record(keep=100) as trace:
        views = [x.reshape((2, 3)) for _ in range(8)]
    x.cached_data[0] = 9  # nobody has looked at a value yet: what is kept are views of this memory
    dropped = 0
    for view in views:
        try:
            np.testing.assert_array_equal(trace.value(view), np.arange(6.0).reshape(2, 3))
        except LookupError:
            dropped += 1
    assert 0 < dropped < len(views)


def test_a_value_cannot_be_changed_and_does_not_change():
    x = tensor([1.0])
    with ndl.debug.record() as trace:
        y = x * 2
    y.data = tensor([100.0])
    assert trace.value(y) == [2]
    with pytest.raises(ValueError, match="read-only"):
        trace.value(y)[0] = 3


def test_the_debugger_is_imported_when_it_is_used_and_its_tools_hide_the_modules_of_their_names():
    code = """
import sys
import threading
import needle
assert not any(name.startswith("needle.debug") for name in sys.modules)
import needle.debug.summary
assert callable(needle.debug.summary) and callable(needle.debug.profile) and "needle.debug.page" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Questions ------------------------------------------------------------------------------------------------------------


def test_why_gives_the_way_back_to_the_leaves():
    a, b, c = (ndl.debug.name(tensor([float(i)]), name) for i, name in enumerate("abc"))
    with ndl.debug.record() as trace:
        c * 3
        d = a * b  # product
        e = d + a
    assert [(node.name, node.op) for node in trace.why(e)][:2] == [("a", ""), ("b", "")]
    assert [node.op for node in trace.why(e)][2:] == ["EWiseMul", "EWiseAdd"]
    assert f"test_record.py:{line_of('product')}  d = a * b  # product" in str(trace.why(e))
    assert [node.op for node in trace.who_needs(a)] == ["EWiseMul", "EWiseAdd"]
    assert not trace.who_needs(e)


def test_why_goes_back_thousands_of_nodes_and_prints_few():
    x = tensor([1.0])
    with ndl.no_grad(), ndl.debug.record(keep=0) as trace:
        for _ in range(3000):
            x = x + 1
    assert len(trace.why(x)) == 3001 and len(str(trace.why(x)).splitlines()) == 41


def test_of_a_graph_that_was_there_before_all_is_known_but_the_lines(mode):
    x, w = tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]])
    y = ndl.exp(x @ w).sum()
    with ndl.debug.record() as trace:
        y.backward()
    assert [node.op for node in trace.why(y)] == ["", "", "MatMul", "Exp", "Summation"]
    assert not any(node.made for node in trace.why(y)) and len(trace.adjoint(w).shares) == 1


def test_memory_is_told_by_line_and_a_buffer_counts_once():
    x = tensor(np.zeros((10, 10)))
    with ndl.debug.record() as trace:
        kept = [x + i for i in range(3)]  # kept
        view = ndl.reshape(x, (100,))  # view
        x * 2
    rows = {usage.line.number: (usage.nbytes, usage.count) for usage in trace.memory()}
    assert rows == {line_of("kept"): (4 * 400, 4), line_of("view"): (0, 1)}
    del kept, view
    assert [usage.count for usage in trace.memory()] == [1]


def test_what_is_not_there_is_said():
    with ndl.debug.record() as trace:
        tensor([1.0]) * 2
    for which, message in ((3, "no node #3"), ("x", "no node of the recording has the name 'x'")):
        with pytest.raises(LookupError, match=message):
            trace.node(which)
    with pytest.raises(LookupError, match="does not occur"):
        trace.why(tensor([1.0]))
    with pytest.raises(ValueError, match=r"'train.py:31', not as 'train.py'"):
        trace.at("train.py")
    with pytest.raises(ValueError, match="not negative"), ndl.debug.record(keep=-1):
        pass


def test_a_recording_prints_in_eighty_columns():
    with ndl.debug.record() as trace:
        for _ in range(4):
            training_step()
    lines = str(trace).splitlines()
    assert len(lines) < 70 and max(map(len, lines)) <= 80 and any("more ..." in line for line in lines)


# Two recordings, and files --------------------------------------------------------------------------------------------


def recorded(seed: int = 0, lr: float = 0.1) -> Any:
    with ndl.debug.record() as trace:
        training_step(seed, lr)
    return trace


def test_equal_steps_do_not_differ():
    difference = recorded().diff(recorded())
    assert difference.first is None and not difference.changes and "the same events" in str(difference)


def test_a_difference_in_values_is_told_where_it_is():
    difference = recorded().diff(recorded(lr=0.2))
    assert difference.first is None
    assert difference.changes and {change.first.kind for change in difference.changes} == {"replaced"}


def test_the_first_event_that_differs_is_told():
    x = tensor([1.0, 2.0])
    traces = []
    for function in (ndl.exp, ndl.tanh):
        with ndl.debug.record() as trace:
            function(x * 2)
        traces.append(trace)
    difference = traces[0].diff(traces[1])
    assert [event.op for event in difference.first] == ["Exp", "Tanh"]
    assert "Exp" in str(difference) and "Tanh" in str(difference)


def test_a_recording_is_saved_and_loaded(tmp_path):
    x = tensor([[1.0, -1.0, 0.0]])
    with ndl.debug.record() as trace:
        with np.errstate(invalid="ignore"):
            y = ndl.debug.name(x * np.inf, "odd")
        big = ndl.broadcast_to(x, (500, 3)).sum()
        big.backward()
    path = tmp_path / "trace.json"
    trace.save(path)
    json.loads(path.read_text(), parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    loaded = ndl.debug.Trace.load(path)
    assert loaded.events == trace.events and list(map(str, loaded.all_nodes)) == list(map(str, trace.all_nodes))
    np.testing.assert_array_equal(loaded.value("odd"), trace.value(y))
    assert str(loaded).splitlines()[1:] == str(trace).splitlines()[1:]
    assert str(loaded.why("odd")) == str(trace.why(y)) and str(loaded.memory()) == str(trace.memory())
    number = trace.nodes(op="BroadcastTo")[0].number
    assert loaded.statistics(number) == trace.statistics(number)
    with pytest.raises(LookupError, match="dropped"):
        loaded.value(number)
    assert loaded.adjoint(trace.node(x).number).total.tolist() == x.grad.numpy().tolist()


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "trace.json"
    recorded().save(path)
    whole = path.read_text()
    document = json.loads(whole)
    document["events"][3]["node"] = 10_000
    for damaged in (whole[:-50], "{}", "[1, 2]", "not json", json.dumps(document), whole.replace('"keep"', '"kept"')):
        path.write_text(damaged)
        with pytest.raises(ValueError, match=r"trace\.json is no recording that can be read, or is damaged"):
            ndl.debug.Trace.load(path)
    with pytest.raises(FileNotFoundError):
        ndl.debug.Trace.load(tmp_path / "none.json")


def test_values_are_found_while_other_threads_record() -> None:
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            (tensor([1.0]) * 2).sum()

    with ndl.debug.record() as trace:
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(300):
            assert trace.valued is not None
        done.set()
        for thread in threads:
            thread.join()
    assert sum(map(len, trace.valued.values())) == sum(event.value is not None for event in trace.events) > 0


@nd_only
def test_a_value_that_was_read_no_longer_stands_for_its_buffer() -> None:
    with ndl.debug.record() as trace:
        x = tensor([1.0, 2.0]) * 3
    assert any(slot is not None for slot in trace.ring._views.values())
    for number in range(1, len(trace.all_nodes) + 1):
        trace.value(number)
    assert not trace.ring._views
    np.testing.assert_array_equal(trace.value(x), [3, 6])
