"""What a recording cannot repeat is refused, with the line named; what can change is noticed."""

from __future__ import annotations

import gc
import math
import threading

import numpy as np
import pytest

import needle as ndl
from needle import init, nn, optim
from needle.backend_selection import BACKEND, cpu, cpu_numpy
from needle.compiled import CompileError
from tests.autograd.graphs import step_of_squares

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")


def constant(*values):
    return ndl.Tensor(values, requires_grad=False)


def run(function, *args, times=4):
    return [function(*args) for _ in range(times)]


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.numpy(),
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: np.asarray(x),
        lambda x: x.cached_data.as_numpy(),
        lambda x: x.cached_data.numpy(),
        lambda x: 1 if x.sum() else 2,
        lambda x: 1 if x.sum().cached_data > 0 else 2,
    ],
)
def test_reading_a_value_raises_and_names_the_line(read):
    @ndl.compile
    def function(x):
        read(x * 2)
        return x

    with pytest.raises(CompileError, match=r"reads values while function is being compiled, at test_honesty.py:\d+"):
        function(constant(1, 2))
    assert ndl.Tensor([1.0]).numpy() == 1, "outside, values can be read again"


def test_a_counter_raises_and_names_the_line():
    count = 0

    @ndl.compile
    def function(x):
        nonlocal count
        count += 1
        return x * count

    function(constant(1, 2))
    with pytest.raises(CompileError, match=r"(?s)test_honesty.py:\d+.*scalar_mul\(.*1\).*scalar_mul\(.*2\)"):
        function(constant(1, 2))


def test_a_fresh_array_raises():
    random = np.random.default_rng(0)

    @ndl.compile
    def function(x):
        return x + ndl.Tensor(random.standard_normal(2), requires_grad=False)

    function(constant(1, 2))
    with pytest.raises(CompileError, match="from_numpy"):
        function(constant(1, 2))


def test_a_constant_array_is_fine():
    @ndl.compile
    def function(x):
        return x + ndl.Tensor([10.0, 20.0], requires_grad=False)

    assert [y.numpy().tolist() for y in run(function, constant(1, 2))] == [[11, 22]] * 4


def test_a_running_statistic_that_is_a_new_tensor_each_time_raises():
    class Statistic:
        mean = constant(0, 0)

    @ndl.compile
    def function(x):
        Statistic.mean = 0.5 * Statistic.mean + 0.5 * x
        return Statistic.mean

    function(constant(1, 2))
    with pytest.raises(CompileError, match="another tensor"):
        function(constant(1, 2))


def test_a_running_statistic_in_the_data_of_one_tensor_is_fine():
    mean, eager = constant(0, 0), constant(0, 0)

    def follow(mean, x):
        mean.data = 0.5 * mean.data + 0.5 * x
        return mean * 1

    compiled = ndl.compile(lambda x: follow(mean, x))
    for i in range(6):
        x = constant(i, 1)
        np.testing.assert_array_equal(compiled(x).numpy(), follow(eager, x).numpy())
        np.testing.assert_array_equal(mean.numpy(), eager.numpy())


OLD = {
    "all": lambda x: x.detach(),
    "column": lambda x: x.reshape((2, 1)),
    "element": lambda x: x[1],
    "all, and what is new": lambda x: x.data,
}


@pytest.mark.parametrize("view", OLD.values(), ids=OLD)
@pytest.mark.parametrize("of", ["argument", "captured"])
def test_a_view_of_data_that_are_replaced_later_in_the_call_keeps_the_old_values(of, view):
    ours, eager = constant(0, 0), constant(0, 0)

    def follow(x, captured):
        changed = x if of == "argument" else captured
        old = view(changed)
        changed.data = 0.5 * changed.data + x
        return old, changed.detach()

    compiled = ndl.compile(lambda x: follow(x, ours))
    for i in range(6):
        same = [constant(i, 1), constant(i, 1)]
        found, expected = compiled(same[0]), follow(same[1], eager)
        for a, b in zip((*found, same[0], ours), (*expected, same[1], eager)):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_view_that_somebody_makes_between_the_recordings_is_not_taken_for_the_captured_tensor():
    captured, held = constant(1, 2), []

    @ndl.compile
    def function(x):
        return captured * x

    gc.collect()  # which puts `captured` behind what is made later
    for factor in range(5):
        assert function(constant(factor, 3)).numpy().tolist() == [factor, 6]
        held.append(captured.detach())
    captured.data = constant(2, 3)
    assert function(constant(1, 1)).numpy().tolist() == [2, 3]


def test_new_data_of_a_captured_tensor_are_seen_though_somebody_holds_a_view_of_the_old():
    captured = constant(1, 2)
    gc.collect()
    held = [captured.detach() for _ in range(3)]
    function = ndl.compile(lambda x: captured * x)
    assert [y.numpy().tolist() for y in run(function, constant(3, 3))] == [[3, 6]] * 4
    captured.data = constant(2, 3)
    assert function(constant(1, 1)).numpy().tolist() == [2, 3] and held[0].numpy().tolist() == [1, 2]


def test_two_captured_tensors_that_come_to_share_memory_are_refused():
    online, target = constant(1, 2), constant(0, 0)

    @ndl.compile
    def synchronise():
        target.data = online.detach()

    with pytest.raises(CompileError, match=r"captured Tensor\[2\] the memory of captured Tensor\[2\].*data \* 1"):
        synchronise()

    @ndl.compile
    def copy():
        target.data = online.data * 1

    for factor in range(4):
        online.data = constant(factor, 5)
        copy()
        assert target.numpy().tolist() == [factor, 5]


def test_captured_tensors_that_share_memory_may_part():
    first = constant(1, 2)
    second = first.detach()
    read = ndl.compile(lambda x: x + first + 10 * second)

    @ndl.compile
    def assign():
        second.data = first

    assert [y.numpy().tolist() for y in run(read, constant(0, 0))] == [[11, 22]] * 4
    run(assign)
    second.data = constant(5, 5)
    assert [y.numpy().tolist() for y in run(read, constant(0, 0))] == [[51, 52]] * 4
    with pytest.raises(CompileError, match=r"captured Tensor\[2\] the memory of captured Tensor\[2\]"):
        assign()


def test_tensors_that_are_only_assigned_come_in_no_order():
    state = [constant(0, 0), constant(0, 0)]
    gc.collect()
    state += [constant(0, 0), constant(0, 0)]  # the collector goes through these before the older ones, later after

    @ndl.compile
    def assign(x):
        for i, tensor in enumerate(state):
            tensor.data = x * float(i)

    for factor in range(4):
        assign(constant(factor, 1))
        assert [x.numpy().tolist() for x in state] == [[factor * i, i] for i in range(4)]
        gc.collect()


def test_another_gradient_is_another_program():
    """What a step reads of gradients that were there before: it may be another tensor later, which the user has set."""
    parameter = nn.Parameter(constant(1, 2))
    optimizer = optim.SGD([parameter], lr=1.0)
    step = ndl.compile(optimizer.step)
    parameter.grad = constant(1, 0)
    for _ in range(3):
        step()
    assert parameter.numpy().tolist() == [-2, 2]
    parameter.grad = constant(0, 1)
    for _ in range(3):
        step()
    assert parameter.numpy().tolist() == [-2, -1] and len(step.programs) == 2


@pytest.mark.parametrize("calls", [{0}, {1}, {3}, {0, 1, 2, 3}])
def test_gradients_that_a_function_resets_are_gone_whoever_made_them(calls):
    before = dict(vars(ndl.Tensor))
    parameter = nn.Parameter(constant(1, 2))
    optimizer = optim.SGD([parameter], lr=0.5)

    @ndl.compile
    def step(x):
        (parameter * x).sum().backward(create_graph=False)
        optimizer.step()
        optimizer.reset_grad()

    for call in range(5):
        step(constant(2, 0))
        assert parameter.grad is None and parameter.numpy().tolist() == [-call, 2]
        if call in calls:
            (parameter * parameter).sum().backward()
    assert dict(vars(ndl.Tensor)) == before, "what notes that data or a gradient is set is gone after a recording"


@pytest.mark.parametrize("order", ["step alone", "reset last"])
def test_a_gradient_that_was_none_when_the_function_asked_may_come_later(order):
    def made(parameter, optimizer):
        def function(x):
            optimizer.step()
            if order == "reset last":
                (parameter * x).sum().backward(create_graph=False)
                optimizer.reset_grad()

        return function

    given, seen = constant(2, 1), []
    for wrap in (lambda function: function, ndl.compile):
        parameter = nn.Parameter(constant(1, 2))
        function = wrap(made(parameter, optim.SGD([parameter], lr=0.5)))
        seen.append([])
        for call in range(8):
            parameter.grad = given if call in (4, 5) else None
            function(constant(3, 3))
            seen[-1].append((parameter.numpy().tolist(), parameter.grad is None))
    assert seen[0] == seen[1]


def test_a_gradient_that_a_function_looks_at_and_replaces_is_no_other_program():
    parameter, ran = nn.Parameter(constant(1, 2)), []

    @ndl.compile
    def step(x):
        ran.append(x)
        if parameter.grad is not None:
            parameter.grad = None
        (parameter * x).sum().backward(create_graph=False)

    for call in range(6):
        step(constant(call, 1))
        assert parameter.grad.numpy().tolist() == [call, 1]
    assert len(ran) == 2 and len(step.programs) == 1


def test_the_memory_layout_of_a_tensor_that_is_only_viewed_may_change():
    captured = constant(0, 0)
    view = ndl.compile(lambda: captured.reshape((2, 1)).detach())
    for _ in range(3):
        assert view().numpy().tolist() == [[0], [0]]
    captured.data = constant(7).broadcast_to((2,))
    for _ in range(3):
        assert view().numpy().tolist() == [[7], [7]]


def test_a_module_that_counts_raises():
    class Counting(nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x * 2

    with pytest.raises(CompileError, match=r"changes Counting.calls from 0 to 1"):
        ndl.compile(Counting())(constant(1, 2))


def test_a_number_that_cannot_be_followed_raises_with_advice():
    class Rooted(optim.SGD):
        t = 0

        def step(self):
            self.t += 1
            for _, param, w, g in self.updates():
                optim.optimizer.store(param, w - self.lr / np.sqrt(self.t) * g)

    weight = nn.Parameter([1.0, 2.0])
    optimizer = Rooted([weight])

    @ndl.compile
    def step(x):
        (weight * x).sum().backward(create_graph=False)
        optimizer.step()

    step(constant(1, 2))
    with pytest.raises(CompileError, match="compiled function repeats the first"):
        step(constant(1, 2))


@pytest.mark.parametrize("rates", [(1.0, 4.0, 9.0, 1.0), (1, 4, 9, 1)])
@pytest.mark.parametrize(
    "factor",
    [
        lambda lr: 0.5 * lr,
        lambda lr: math.pi * lr,
        lambda lr: math.sqrt(lr),
        lambda lr: math.exp(-lr),
        lambda lr: 0.5 / lr.as_integer_ratio()[0],
        lambda lr: float(np.sqrt(lr)),
        lambda lr: np.float64(0.5) * lr,
    ],
)
def test_a_number_that_changes_is_never_frozen_whatever_is_done_with_it(rates, factor):
    class Scaled(optim.SGD):
        def step(self):
            for _, param, w, g in self.updates():
                optim.optimizer.store(param, w - float(factor(self.lr)) * g)

    def train(wrap):
        weight = nn.Parameter([1.0, 2.0])
        optimizer = Scaled([weight], lr=rates[0])

        @wrap
        def step(x):
            (weight * weight * x).sum().backward(create_graph=False)
            optimizer.step()

        for optimizer.lr in rates:
            weight.grad = None
            step(constant(1, 2))
        return weight.numpy()

    assert np.array_equal(train(ndl.compile), train(lambda step: step))


@pytest.mark.parametrize("bad", [np.ones(2), ndl.Tensor([1.0, 2.0]).cached_data])
def test_arrays_as_arguments_are_refused(bad):
    with pytest.raises(TypeError, match=r"ndl.Tensor\(x\)"):
        ndl.compile(lambda x: x)(bad)


def test_arguments_that_are_always_others_warn_in_the_end_and_stay_right():
    function = ndl.compile(lambda x, i: x * i)
    with pytest.warns(RuntimeWarning, match="recorded more than 32 times") as warned:
        for i in range(40):
            for result in run(function, constant(1, 2), i, times=3):
                np.testing.assert_array_equal(result.numpy(), [i, 2 * i])
    assert len(function.programs) == 32
    assert warned[0].filename == __file__


def test_two_threads_may_compile_at_once():
    kernels = dict(vars(cpu()))
    together = threading.Barrier(2)
    entered = threading.Semaphore(0)
    first = ndl.compile(lambda x: slow(x) * 2)
    second = ndl.compile(lambda x: x * 3)

    def slow(x):
        entered.release()
        together.wait(10)
        together.wait(10)
        return x + 1

    def run_first():
        results.append(first(constant(1, 2)).numpy())

    results: list[np.ndarray] = []
    thread = threading.Thread(target=run_first)
    thread.start()
    assert entered.acquire(timeout=10)
    together.wait(10)  # the first is being recorded
    np.testing.assert_array_equal(second(constant(1, 2)).numpy(), [3, 6])
    together.wait(10)
    thread.join(10)
    np.testing.assert_array_equal(results, [[4, 6]])
    assert not second.programs, "it ran as it is while the other was recorded"
    assert vars(cpu()) == kernels, "no watcher is left behind"
    for _ in range(3):
        np.testing.assert_array_equal(second(constant(1, 2)).numpy(), [3, 6])
    assert second.programs


def test_check_finds_a_condition_that_changes_later():
    calls = 0

    @ndl.compile(check=True)
    def function(x):
        nonlocal calls
        calls += 1
        return x * (1 if calls < 5 else 2)

    x = constant(1, 2)
    run(function, x, times=4)
    with pytest.raises(CompileError, match="result 0 differs between a replay and the function"):
        function(x)


def test_check_passes_what_is_right():
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    optimizer = optim.Adam(model.parameters(), weight_decay=0.1)

    step = ndl.compile(step_of_squares(model, optimizer), check=True)
    losses = [step(ndl.Tensor(np.eye(5, 4) + i, requires_grad=False)).item() for i in range(6)]
    assert optimizer.t == 6 and len(set(losses)) == 6


# What is noticed ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", [2, 2.0, True, "twice", None, (1, 2), {"a": 1}])
def test_other_arguments_may_be_any_hashable_values(argument):
    function = ndl.compile(lambda x, how=None: x * 2 if how == argument else x * 3)
    for _ in range(4):
        assert function(constant(1), argument).numpy() == 2
        assert function(constant(1), how=argument).numpy() == 2
        assert function(constant(1), "other").numpy() == 3


def test_shapes_dtypes_and_layouts_have_programs_of_their_own():
    function = ndl.compile(lambda x: ndl.relu(x) + 1)
    base = np.arange(-6.0, 6).reshape(3, 4)
    inputs = [
        ndl.Tensor(base),
        ndl.Tensor(base[:2]),
        ndl.Tensor(base, dtype="float64"),
        ndl.Tensor(base).transpose(),
        ndl.Tensor(base)[::2],
        ndl.Tensor(np.zeros((0, 4))),
        ndl.Tensor(3.0),
    ]
    for _ in range(4):
        for x in inputs:
            got, expected = function(x), np.maximum(x.numpy(), 0) + 1
            assert got.dtype == x.dtype
            np.testing.assert_array_equal(got.numpy(), expected)
    assert len(function.programs) == len(inputs)


def test_slices_of_one_array_share_a_program():
    function = ndl.compile(lambda x: x * 2)
    data = ndl.Tensor(np.arange(40.0).reshape(10, 4), requires_grad=False)
    for i in range(8):
        np.testing.assert_array_equal(function(data[i : i + 2]).numpy(), 2 * data.numpy()[i : i + 2])
    assert len(function.programs) == 1


@pytest.mark.parametrize("twice", [False, True])
def test_a_list_of_batches_of_one_array_is_recorded_twice(twice):
    ran, weight = [], constant([1], [2], [3], [4])

    @ndl.compile
    def function(x):
        ran.append(x)
        return x @ weight

    data = ndl.Tensor(np.arange(400.0).reshape(100, 4), requires_grad=False)
    batches = [data[i : i + 10] for i in range(0, 100, 10)]
    for batch in batches[:1] * twice + 3 * batches:
        np.testing.assert_array_equal(function(batch).numpy(), batch.numpy() @ weight.numpy())
    assert len(function.programs) == 1 and len(ran) == (3 if twice else 2), "once more, if the first two were the same"


def test_arguments_that_share_memory_are_not_mixed_up():
    function = ndl.compile(lambda a, b: a * 2 + b)
    data = ndl.Tensor(np.arange(40.0).reshape(10, 4), requires_grad=False)
    for i in range(1, 8):
        got = function(data[0:1], data[i : i + 1]).numpy()
        np.testing.assert_array_equal(got, 2 * data.numpy()[0:1] + data.numpy()[i : i + 1])
    assert function.programs == []


@pytest.mark.parametrize("recorded", [0, 1, 2], ids=["never recorded", "recorded once", "replayed"])
@pytest.mark.parametrize(
    "twice",
    [lambda x: (x, x), lambda x: (x, x.detach()), lambda x: (x.detach(), x)],
    ids=["same tensor", "same memory", "same memory, turned round"],
)
def test_arguments_may_begin_to_share_memory(twice, recorded):
    def function(a, b):
        a.data = a * 2 + 1
        c = a - b
        b.data = b * 3
        return c, a.detach(), b.detach()

    compiled = ndl.compile(function)
    for _ in range(recorded):
        compiled(constant(0, 0), constant(1, 1))
    for _ in range(3):
        ours, eager = twice(constant(1, 2)), twice(constant(1, 2))
        for x, y in zip((*compiled(*ours), *ours), (*function(*eager), *eager)):
            np.testing.assert_array_equal(x.numpy(), y.numpy())


@pytest.mark.parametrize("alike", [lambda x: x, lambda x: x.detach()], ids=["the tensor", "its memory"])
def test_an_argument_may_be_a_captured_tensor(alike):
    captured = constant(1, 2)
    function = ndl.compile(lambda x: 10 * x + captured)
    for _ in range(4):
        assert function(alike(captured)).numpy().tolist() == [11, 22]
    for i in range(4):
        assert function(constant(i, 5)).numpy().tolist() == [10 * i + 1, 52]
    assert function(alike(captured)).numpy().tolist() == [11, 22]


def test_an_argument_may_become_a_captured_tensor_that_changes():
    def follow(x, captured):
        captured.data = captured * 2
        return x + captured

    ours, eager = constant(1, 2), constant(1, 2)
    compiled = ndl.compile(lambda x: follow(x, ours))
    for given in (None, None, None, "captured", "captured", "captured", None):
        x, y = (constant(5, 5), constant(5, 5)) if given is None else (ours, eager)
        np.testing.assert_array_equal(compiled(x).numpy(), follow(y, eager).numpy())


def test_arguments_may_be_captured_tensors_by_turns():
    first, second = constant(1, 2), constant(3, 4)
    function = ndl.compile(lambda x: 10 * x + first)
    for x in (first, second, first.detach(), second, first, constant(0, 0), first.detach(), second):
        np.testing.assert_array_equal(function(x).numpy(), 10 * x.numpy() + first.numpy())
    assert len(function.programs) == 2, "where the argument is the captured tensor, and where it is another"


@pytest.mark.parametrize("alike", [lambda x: x, lambda x: x.detach()], ids=["the tensor", "its memory"])
@pytest.mark.parametrize("other", [lambda x: x, lambda x: x.detach(), lambda x: x * 1])
def test_an_argument_that_is_changed_or_returned_may_be_a_captured_tensor_or_its_memory(alike, other):
    def function(x, captured):
        x.data = x * 2
        return x + captured, x

    ours, eager = constant(1, 2), constant(1, 2)
    compiled = ndl.compile(lambda x: function(x, ours))
    for turn in (alike, alike, other, other, alike, other):
        x, y = turn(ours), turn(eager)
        for got, expected in zip((*compiled(x), x, ours), (*function(y, eager), y, eager)):
            np.testing.assert_array_equal(got.numpy(), expected.numpy())


def test_a_tensor_that_shares_an_arguments_memory_by_turns_is_not_mixed_up_with_it():
    """Recorded with the captured tensor in the first place, and in the second: alike, but not for other arguments."""

    def function(x, y, captured):
        y.data = x
        return captured * 2

    ours, eager = constant(1, 2), constant(1, 2)
    compiled = ndl.compile(lambda x, y: function(x, y, ours))
    for x, y in (("captured", 1), (2, "captured"), (3, "captured"), (4, 5), (6, 7)):
        got, expected = (
            call(*(known if i == "captured" else constant(i, i) for i in (x, y)))
            for call, known in ((compiled, ours), (lambda x, y: function(x, y, eager), eager))
        )
        np.testing.assert_array_equal(got.numpy(), expected.numpy())


def test_the_same_arguments_at_first_make_no_other_program():
    function, same = ndl.compile(lambda x: x * 2), constant(1, 2)
    run(function, same)
    assert [function(constant(i, 0)).numpy().tolist() for i in range(4)] == [[2 * i, 0] for i in range(4)]
    assert len(function.programs) == 1 and function(same).numpy().tolist() == [2, 4]


def test_a_captured_tensor_that_shares_memory_with_an_argument_is_refused():
    data = ndl.Tensor(np.arange(40.0).reshape(10, 4), requires_grad=False)
    function = ndl.compile(lambda x: x + data.sum(axes=0))
    with pytest.raises(CompileError, match="shares with another tensor"):
        function(data[0:1])


def test_a_setting_of_a_module_may_change():
    layer = nn.Dropout(0.5)
    function = ndl.compile(lambda x: layer(x))
    for p in (0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.5):
        layer.p = p
        np.random.seed(0)
        got = function(ndl.Tensor(np.ones(100))).numpy()
        np.random.seed(0)
        np.testing.assert_array_equal(got, layer(ndl.Tensor(np.ones(100))).numpy())


def test_captured_tensors_may_get_new_data_of_another_layout():
    weight = ndl.Tensor(np.arange(6.0).reshape(2, 3))
    function = ndl.compile(lambda x: x @ weight)
    x = constant([1.0, 2.0])
    for data in (weight, weight * 2, weight, ndl.Tensor(np.arange(6.0).reshape(3, 2)).transpose(), weight, weight):
        weight.data = data.detach()
        np.testing.assert_array_equal(function(x).numpy(), x.numpy() @ weight.numpy())


def test_random_draws_are_the_eager_ones():
    def function(x):
        x = x + init.rand(3, low=-1) + init.randn(3, std=2) * init.randb(3, p=0.5, dtype="float32")
        x = x + ndl.Tensor(x.device.rand(3)) * ndl.Tensor.make_const(x.device.randn(3))
        return nn.Dropout(0.3)(x) + init.xavier_normal(2, 3).sum(0) + init.kaiming_uniform(2, 3).sum(0)

    compiled = ndl.compile(function)
    np.random.seed(3)
    expected = [function(constant(1, 2, 3)).numpy() for _ in range(6)]
    np.random.seed(3)
    np.testing.assert_array_equal([compiled(constant(1, 2, 3)).numpy() for _ in range(6)], expected)


def test_what_is_returned_keeps_its_nesting_and_identity():
    weight = ndl.Tensor([1.0, 2.0])

    @ndl.compile
    def function(x):
        y = x * 2
        return {"y": y, "again": [y, (x, weight)], "none": None, "view": y[0:1], "number": 3}

    for i in range(5):
        x = constant(i, 1)
        result = function(x)
        assert result["again"][1][0] is x and result["again"][1][1] is weight
        assert result["again"][0] is result["y"], "one tensor, returned twice"
        assert result["y"].numpy().tolist() == result["again"][0].numpy().tolist() == [2 * i, 2]
        assert (result["view"].numpy().tolist(), result["none"], result["number"]) == ([2 * i], None, 3)


def test_what_a_user_does_to_a_returned_tensor_is_gone_in_the_next():
    function = ndl.compile(lambda x: x * 2)
    for i in range(6):
        result = function(constant(i, 1))
        assert (result.requires_grad, result.grad, result.numpy().tolist()) == (False, None, [2 * i, 2])
        result.requires_grad, result.grad, result.data = True, constant(0, 0), constant(7, 7)
        del result


@pytest.mark.parametrize("rounding", [math.floor, math.ceil, math.trunc, round, int, lambda lr: +lr])
def test_a_rounded_learning_rate_is_followed_or_the_function_recorded_again(rounding):
    optimizer = optim.SGD([nn.Parameter(ndl.Tensor([1.0, 2.0]))], lr=2.5)
    function = ndl.compile(lambda x: x * rounding(optimizer.lr))
    for lr in (2.5, 2.5, 2.5, 3.75, 1.5, 2.5):
        optimizer.lr = lr
        np.testing.assert_array_equal(function(constant(1, 2)).numpy(), [rounding(lr), 2 * rounding(lr)])


def test_recordings_are_let_go_of():
    weight = ndl.Tensor(np.ones((50, 50)))

    @ndl.compile
    def function(x):
        for _ in range(20):
            x = ndl.tanh(x @ weight)
        return x.sum()

    x = ndl.Tensor(np.ones((50, 50)), requires_grad=False)
    before = cpu().memory_stats()["in_use"]
    run(function, x, times=5)
    assert cpu().memory_stats()["in_use"] - before < 5 * 50 * 50 * 4


# Where a function runs as it is ---------------------------------------------------------------------------------------


def test_in_lazy_mode_and_on_other_devices_and_inside_of_another():
    calls = 0

    @ndl.compile
    def inner(x):
        nonlocal calls
        calls += 1
        return x * 2

    with ndl.lazy_mode():
        y = run(inner, constant(1, 2), times=3)
        assert calls == 3 and y[0].cached_data is None
    run(inner, ndl.Tensor([1.0], device=cpu_numpy()), times=3)
    assert calls == 6
    outer = ndl.compile(lambda x: inner(x) + 1)
    assert [y.numpy().tolist() for y in run(outer, constant(1, 2))] == [[3, 5]] * 4
    assert calls == 8


def test_errors_of_the_function_and_of_a_replay_leave_everything_usable():
    @ndl.compile
    def function(x, y):
        return nn.SoftmaxLoss()(x, y)

    x = ndl.Tensor(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="SoftmaxLoss"):
        function(x, constant(1, 2, 3))
    with pytest.raises(IndexError, match=r"index 3\.0 \(at position 1\)"):  # it reads values, but nothing repeats that
        function(x, constant(0, 3))
    good = [function(x, constant(0, 1)) for _ in range(4)][-1]
    with pytest.raises(IndexError, match=r"recorded at test_honesty\.py"):
        function(x, constant(0, 3))
    np.testing.assert_array_equal(function(x, constant(0, 1)).numpy(), good.numpy())


def test_methods_and_threads():
    class Model:
        def __init__(self, factor):
            self.factor = ndl.Tensor([factor], requires_grad=False)

        @ndl.compile
        def __call__(self, x):
            return x * self.factor

    first, second = Model(2.0), Model(3.0)
    assert [(first(constant(i)).item(), second(constant(i)).item()) for i in range(4)] == [
        (2 * i, 3 * i) for i in range(4)
    ]
    wrong = []

    def work(model, factor):
        for i in range(300):
            if model(constant(i)).item() != factor * i:
                wrong.append((factor, i))

    threads = [threading.Thread(target=work, args=pair) for pair in ((first, 2), (second, 3), (first, 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
