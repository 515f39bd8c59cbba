"""Each pass alone keeps the result, does what it says, and can be printed; memory is planned, and allocated once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from needle.autograd import TensorOp
from needle.backend_selection import BACKEND, cpu
from needle.compiled import passes
from needle.compiled.program import Program

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")


class Step:
    """A training step whose program went through some passes only."""

    def __init__(self, chosen=passes.PASSES):
        np.random.seed(0)
        self.model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, 3))
        self.optimizer = optim.Adam(self.model.parameters(), weight_decay=0.01)
        self.step = ndl.compile(passes=chosen)(self._step)
        self.x = ndl.Tensor(np.random.randn(8, 6), requires_grad=False)
        self.y = ndl.Tensor(np.random.randint(0, 3, 8), requires_grad=False)

    def _step(self, x, y):
        scores = self.model(x)
        scores.sum()  # which nobody uses
        loss = nn.SoftmaxLoss()(scores, y)
        self.optimizer.reset_grad()
        loss.backward(create_graph=False)
        self.optimizer.step()
        return loss

    def run(self, times=6):
        losses = [self.step(self.x, self.y).item() for _ in range(times)]
        return losses, [value.tobytes() for value in self.model.state_dict().values()]

    @property
    def program(self) -> Program:
        return self.step.programs[0]


def test_any_selection_of_passes_gives_the_same_bits():
    expected = Step(()).run()
    for count in (1, 2, len(passes.PASSES)):
        for chosen in itertools.combinations(passes.PASSES, count):
            assert Step(chosen).run() == expected, [one.__name__ for one in chosen]


@pytest.fixture
def recorded():
    step = Step(())
    step.run()
    return step.program


def test_a_pass_leaves_its_argument_as_it_is(recorded):
    before = str(recorded)
    for one in passes.PASSES:
        one(recorded)
        assert str(recorded) == before


def test_dead_code_is_dropped():
    @ndl.compile(passes=())
    def function(x):
        unused = (x * 2).sum()
        assert unused.shape == ()
        return x + 1

    for _ in range(3):
        function(ndl.Tensor([1.0, 2.0], requires_grad=False))
    program = function.programs[0]
    assert [i.kernel for i in program.instructions] == ["scalar_mul", "reduce_sum", "scalar_add"]
    assert [i.kernel for i in passes.drop_dead_code(program).instructions] == ["scalar_add"]


class Copied(TensorOp):
    """An op that copies before it computes, as a careful beginner writes it."""

    def infer(self, a):
        return a

    def compute(self, a):
        return a.copy() * 2

    def gradient(self, out_grad, node):
        return out_grad * 2


def test_copies_are_read_where_they_come_from():
    @ndl.compile(passes=())
    def function(x):
        return Copied()(x), Copied()(x.transpose())

    x = ndl.Tensor(np.arange(6).reshape(2, 3), requires_grad=False)
    for _ in range(3):
        function(x)
    after = passes.drop_copies(function.programs[0])
    assert [i.kernel for i in function.programs[0].instructions] == ["copy", "scalar_mul"] * 2
    assert [i.kernel for i in after.instructions] == ["scalar_mul", "copy", "scalar_mul"], "the transposed one stays"
    assert "%0" in str(after.instructions[0]), "the input itself is read"
    improved = ndl.compile(function.function, passes=(passes.drop_copies, passes.plan_memory))
    for _ in range(4):
        for result, expected in zip(improved(x), (x, x.transpose()), strict=True):
            np.testing.assert_array_equal(result.numpy(), 2 * expected.numpy())
    assert [i.kernel for i in improved.programs[0].instructions] == ["scalar_mul", "copy", "scalar_mul"]


def test_constants_are_made_once(recorded):
    after = passes.hoist_constants(recorded)
    assert any(i.kernel == "fill" for i in recorded.instructions)
    assert not any(i.kernel == "fill" for i in after.instructions)
    assert {after.buffers[i.outputs[0].buffer].role for i in after.setup} == {"constant"}


def test_parameters_and_moments_are_updated_in_place(recorded):
    after = passes.update_in_place(recorded)
    assert sum(source.in_place for source in after.sources) == 3 * 6 + 2, "weights and moments, and running statistics"
    assert all(effect.attribute == "grad" for effect in after.effects)
    assert after.memory < recorded.memory


def test_buffers_that_are_alive_together_never_share_memory(recorded):
    program = passes.plan_memory(passes.drop_dead_code(recorded))
    live: dict[int, tuple[int, int]] = {}
    for i, instruction in enumerate(program.instructions):
        for buffer in instruction.reads() | instruction.writes():
            first, _ = live.get(buffer, (i, i))
            live[buffer] = (first, i)
    for a, b in itertools.combinations(program.places, 2):
        if program.places[a] == program.places[b]:
            (_, a_last), (b_first, _) = sorted((live[a], live[b]))
            assert a_last < b_first or (a_last == b_first), (a, b)
            if a_last == b_first:
                assert program.instructions[a_last].kernel.startswith(passes.ELEMENTWISE)
    planned = len(set(program.places.values()))
    assert 0 < planned < len(program.places) / 2
    assert program.memory < 0.6 * recorded.memory


def test_programs_and_their_history_can_be_read():
    step = Step()
    step.run(3)
    text = str(step.program)
    assert text.startswith("Program _step: ") and "Mflop" in text and "MB of memory" in text
    assert "matmul(" in text and "# test_passes.py:" in text and "return %" in text
    explained = step.program.explain()
    assert explained.startswith("As recorded:\nProgram _step: ")
    assert [name for name in (one.__name__ for one in passes.PASSES) if f"After {name}:" in explained] == [
        "drop_dead_code",
        "hoist_constants",
        "fuse_elementwise",
        "update_in_place",
        "plan_memory",
    ]
    assert all(len(line) <= 160 for line in explained.splitlines())


def test_a_replay_allocates_nothing():
    step = Step()
    loss = [step.step(step.x, step.y) for _ in range(6)][-1]
    statistics = cpu().memory_stats()
    for _ in range(200):
        loss = step.step(step.x, step.y)
    now = cpu().memory_stats()
    assert now["allocations"] == statistics["allocations"]
    assert loss.shape == ()


def fused_and_not(function, *arrays):
    """The kernels of the program without and with fusion; the results must be equal."""
    kernels, results = [], []
    for chosen in ((passes.drop_dead_code,), (passes.drop_dead_code, passes.fuse_elementwise, passes.plan_memory)):
        compiled = ndl.compile(passes=chosen)(lambda *x: function(*x))
        for _ in range(4):
            found = compiled(*[ndl.Tensor(x, requires_grad=False) for x in arrays])
        found = found if isinstance(found, tuple) else (found,)
        results.append([x.numpy().tobytes() for x in found])
        kernels.append([i.kernel for i in compiled.programs[0].instructions])
    eager = function(*[ndl.Tensor(x, requires_grad=False) for x in arrays])
    eager = eager if isinstance(eager, tuple) else (eager,)
    assert results[0] == results[1] == [x.numpy().tobytes() for x in eager]
    return kernels


A = np.random.default_rng(0).standard_normal((30, 70)).astype("float32")
ROW = A[0]


def test_elementwise_steps_become_one_pass():
    before, after = fused_and_not(lambda x, y, z: ndl.tanh(x * 2 + y) * z, A, A + 1, A - 1)
    assert before == ["scalar_mul", "ewise_add", "ewise_tanh", "ewise_mul"]
    assert after == ["chain"]


def test_a_bias_is_a_part_of_a_chain():
    before, after = fused_and_not(lambda x, b: ndl.relu(x @ x.transpose() @ x + b), A, ROW)
    assert before[-2:] == ["ewise_add", "scalar_maximum"]
    assert after == [*before[:-2], "chain"]


def test_what_is_needed_elsewhere_is_written_too():
    def function(x, y):
        middle = ndl.exp(x * y)
        return middle, middle.sum(axes=0), middle + y

    before, after = fused_and_not(function, A, A)
    assert before == ["ewise_mul", "ewise_exp", "reduce_sum", "ewise_add"]
    assert after == ["chain", "reduce_sum", "ewise_add"], "the sum stands between"


def test_independent_steps_join_where_they_meet():
    before, after = fused_and_not(lambda x, y: (x * 2) * (y + 1), A, A)
    assert len(before) == 3 and after == ["chain"]


def test_nothing_is_fused_where_nothing_is_gained():
    # One step, other shapes, another view of the result, and a power, whose kernel looks at the exponent.
    before, after = fused_and_not(lambda x: ((x + 1).sum(axes=1), (x * 3).transpose() + 1, x**3), A)
    assert before == after and "chain" not in after


def test_long_chains_are_cut():
    def function(x, y):
        for _ in range(40):
            x = x * 0.5 + y
        return x

    before, after = fused_and_not(function, A, A)
    assert len(before) == 80 and set(after) == {"chain"} and 3 <= len(after) <= 10


def test_numbers_of_a_chain_are_fed_anew():
    w = nn.Parameter(ndl.Tensor(ROW))
    schedule = optim.SGD([w], lr=0.1)

    @ndl.compile
    def function(x):
        return ndl.tanh(x * schedule.lr) + x

    for rate in (0.1, 0.1, 0.2, 0.7):
        schedule.lr = rate
        x = ndl.Tensor(A, requires_grad=False)
        assert function(x).numpy().tobytes() == (ndl.tanh(x * rate) + x).numpy().tobytes()


def test_a_chain_can_be_read():
    function = ndl.compile(lambda x, y: ndl.tanh(x * 2 + y))
    for _ in range(3):
        function(ndl.Tensor(A, requires_grad=False), ndl.Tensor(A, requires_grad=False))
    (chain,) = function.programs[0].instructions
    assert str(chain) == "%4[30, 70] = chain(t0 = scalar_mul(%0, 2); t1 = add(t0, %1); %4 = tanh(t1))"
