"""A whole training step, compiled, gives what it gives eagerly, bit for bit: losses, parameters, gradients, numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from needle.backend_selection import BACKEND, cpu

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")


def mlp():
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def regularized():
    inner = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.3))
    return nn.Sequential(
        nn.Linear(6, 5), nn.LayerNorm1d(5), nn.ReLU(), nn.Residual(inner), nn.Dropout(0.2), nn.Linear(5, 3)
    )


OPTIMIZERS = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.1),
    "momentum and decay": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda parameters: optim.Adam(parameters, lr=0.01),
    "adam and decay": lambda parameters: optim.Adam(parameters, lr=0.01, weight_decay=0.01),
}


class Training:
    """A model, an optimizer and a step, made from a seed."""

    def __init__(self, model, optimizer, compiled, seed=0, dtype="float32", create_graph=False, schedule=None):
        np.random.seed(seed)
        self.model = model()
        self.optimizer = optimizer(self.model.parameters())
        self.schedule = schedule(self.optimizer) if schedule else None
        self.loss = nn.SoftmaxLoss()
        self.create_graph = create_graph
        self.step = ndl.compile(self._step) if compiled else self._step
        self.random = np.random.get_state()

    def _step(self, x, y):
        loss = self.loss(self.model(x), y)
        self.optimizer.reset_grad()
        loss.backward(create_graph=self.create_graph)
        self.optimizer.step()
        if self.schedule:
            self.schedule.step()
        return loss

    def __call__(self, x, y):
        np.random.set_state(self.random)
        loss = self.step(x, y)
        self.random = np.random.get_state()
        return loss.numpy()

    def state(self):
        """All that a step may change, as bytes."""
        tensors = self.model.state_dict() | {
            name: p.grad.numpy() for name, p in self.model.named_parameters() if p.grad is not None
        }
        numbers = self.optimizer.state_dict() | (self.schedule.state_dict() if self.schedule else {})
        return {name: np.asarray(x).tobytes() for name, x in (tensors | numbers).items()}


def batches(count, size=8, seed=1):
    random = np.random.default_rng(seed)
    for _ in range(count):
        x = random.standard_normal((size, 6)).astype("float32")
        yield ndl.Tensor(x, requires_grad=False), ndl.Tensor(random.integers(0, 3, size), requires_grad=False)


def assert_equal_training(eager, compiled, data):
    for position, (x, y) in enumerate(data):
        assert eager(x, y).tobytes() == compiled(x, y).tobytes(), f"the loss of step {position}"
        assert eager.state() == compiled.state(), f"the state after step {position}"


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("model", [mlp, regularized])
def test_steps_are_the_eager_ones(model, optimizer):
    eager, compiled = Training(model, optimizer, False), Training(model, optimizer, True)
    assert_equal_training(eager, compiled, batches(8))
    assert len(compiled.step.programs) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_with_create_graph_too(optimizer):
    eager = Training(mlp, optimizer, False, create_graph=True)
    assert_equal_training(eager, Training(mlp, optimizer, True, create_graph=True), batches(6))


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_learning_rate_may_change_at_any_time(optimizer):
    eager, compiled = Training(mlp, optimizer, False), Training(mlp, optimizer, True)
    for position, batch in enumerate(batches(8)):
        for training in (eager, compiled):
            training.optimizer.lr = 0.3 / (1 + position)
        assert_equal_training(eager, compiled, [batch])
    assert len(compiled.step.programs) == 1


@pytest.mark.parametrize(
    "factor", [optim.cosine(5, final=0.1), optim.step_decay(2, 0.5), optim.linear_warmup(3, then=optim.cosine(4))]
)
def test_a_schedule_inside_the_step_goes_on(factor):
    def schedule(optimizer):
        return optim.Schedule(optimizer, factor)

    eager = Training(regularized, OPTIMIZERS["adam"], False, schedule=schedule)
    compiled = Training(regularized, OPTIMIZERS["adam"], True, schedule=schedule)
    assert_equal_training(eager, compiled, batches(9))
    assert compiled.schedule.t == 9 and compiled.optimizer.lr == eager.optimizer.lr


def test_weight_decay_that_is_switched_on_later_is_recorded_anew():
    eager, compiled = (
        Training(mlp, OPTIMIZERS["momentum and decay"], False),
        Training(mlp, OPTIMIZERS["momentum and decay"], True),
    )
    for decay in (0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.0, 0.0):
        for training in (eager, compiled):
            training.optimizer.weight_decay = decay
        assert_equal_training(eager, compiled, batches(1))


def test_the_last_smaller_batch_has_a_program_of_its_own():
    eager, compiled = (Training(regularized, OPTIMIZERS["adam"], compiled) for compiled in (False, True))
    for _ in range(4):
        assert_equal_training(eager, compiled, [*batches(3), *batches(1, size=5)])
    assert len(compiled.step.programs) == 2


def test_a_model_that_is_loaded_in_between_counts():
    eager, compiled = Training(mlp, OPTIMIZERS["adam"], False), Training(mlp, OPTIMIZERS["adam"], True)
    other = Training(mlp, OPTIMIZERS["adam"], False, seed=5)
    assert_equal_training(eager, compiled, batches(4))
    for training in (eager, compiled):
        training.model.load_state_dict(other.model.state_dict())
        training.optimizer.load_state_dict(other.optimizer.state_dict())
    assert_equal_training(eager, compiled, batches(4))


def test_what_somebody_keeps_does_not_change():
    training = Training(mlp, OPTIMIZERS["adam"], True)
    data = list(batches(8))
    kept = []
    for x, y in data:
        loss = training.step(x, y)
        parameter = training.model.modules[0].weight
        things = [
            loss,
            parameter.data,
            parameter.grad,
            parameter.cached_data.as_numpy(),
            parameter.grad.cached_data[0:1],
        ]
        kept.append((things, [np.array(thing) for thing in things]))
    for things, copies in kept:
        for thing, copy in zip(things, copies):
            np.testing.assert_array_equal(np.asarray(thing), copy)


def test_a_replay_asks_once_whose_memory_it_may_write_to_however_many_parameters_there_are():
    training = Training(mlp, OPTIMIZERS["adam"], True)
    x, y = next(iter(batches(1)))
    for _ in range(3):
        training.step(x, y)
    asked = []

    def count(frame, event, called):
        if event == "c_call" and getattr(called, "__name__", "") == "held":
            asked.append(called)

    sys.setprofile(count)
    try:
        training.step(x, y)
    finally:
        sys.setprofile(None)
    assert len(asked) == 1


def test_evaluation_and_training_have_programs_of_their_own():
    np.random.seed(0)
    model = regularized()
    forward = ndl.compile(lambda x: model(x))
    (x, _), *_ = batches(1)
    for _ in range(4):
        model.eval()
        np.testing.assert_array_equal(forward(x).numpy(), model(x).numpy())
        state = np.random.get_state()
        model.train()
        before = model.state_dict()
        trained = forward(x).numpy()
        after = model.state_dict()
        np.random.set_state(state)
        model.load_state_dict(before)
        np.testing.assert_array_equal(trained, model(x).numpy())
        assert all((after[name] == value).all() for name, value in model.state_dict().items())
    assert len(forward.programs) == 2


def test_float64():
    def model():
        return nn.Sequential(nn.Linear(6, 5, dtype="float64"), nn.ReLU(), nn.Linear(5, 3, dtype="float64"))

    eager, compiled = Training(model, OPTIMIZERS["adam"], False), Training(model, OPTIMIZERS["adam"], True)
    data = [(x.astype("float64").detach(), y) for x, y in batches(5)]
    assert_equal_training(eager, compiled, data)


def test_an_argument_that_wants_a_gradient_gets_one():
    weight = ndl.Tensor([[1.0, 2.0]], requires_grad=False)

    @ndl.compile
    def gradient(x):
        (x * x * weight).sum().backward(create_graph=False)

    for i in range(5):
        x = ndl.Tensor([[float(i), 3.0]])
        gradient(x)
        np.testing.assert_array_equal(x.grad.numpy(), [[2.0 * i, 12.0]])


@pytest.fixture
def threads():
    before = cpu().num_threads()
    yield ndl.set_num_threads
    ndl.set_num_threads(before)


def test_threads_do_not_change_a_bit(threads):
    def wide():
        return nn.Sequential(nn.Linear(6, 900), nn.BatchNorm1d(900), nn.ReLU(), nn.Linear(900, 3))

    results = []
    for number in (1, 2):
        threads(number)
        training = Training(wide, OPTIMIZERS["adam"], True)
        losses = [training(x, y).tobytes() for x, y in batches(6, size=300)]
        results.append((losses, training.state()))
    assert results[0] == results[1]
