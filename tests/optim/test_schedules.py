"""Learning rate schedules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from needle import nn, optim


def optimizer(lr: float = 0.8) -> optim.Optimizer:
    return optim.SGD([nn.Parameter([0.0])], lr=lr)


def rates(factor, steps: int, lr: float = 0.8) -> list[float]:
    """The learning rate in each of `steps` steps."""
    target = optimizer(lr)
    schedule, found = optim.Schedule(target, factor), []
    for _ in range(steps):
        found.append(target.lr)
        schedule.step()
    return found


def test_constant_keeps_the_rate():
    assert rates(optim.constant, 3) == [0.8] * 3


def test_step_decay_multiplies_after_every_so_many_steps():
    assert rates(optim.step_decay(2, gamma=0.5), 6) == [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    assert rates(optim.step_decay(1), 3) == pytest.approx([0.8, 0.08, 0.008])


def test_cosine_is_half_a_cosine_and_then_stays():
    expected = [0.8 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(5)]
    assert rates(optim.cosine(4), 7) == pytest.approx([*expected, 0, 0], abs=1e-16)
    assert rates(optim.cosine(4), 5)[2] == pytest.approx(0.4)


def test_cosine_may_end_above_zero():
    found = rates(optim.cosine(4, final=0.25), 7)
    assert found[0] == pytest.approx(0.8) and found[2] == pytest.approx(0.5)
    assert found[4:] == pytest.approx([0.2] * 3)
    assert all(np.diff(found[:5]) < 0)


def test_warmup_rises_linearly_and_wastes_no_step():
    assert rates(optim.linear_warmup(4), 6) == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_warmup_hands_over_to_another_schedule():
    found = rates(optim.linear_warmup(3, then=optim.cosine(4)), 9)
    assert found[:3] == pytest.approx([0.8 / 3, 1.6 / 3, 0.8])
    assert found[3:] == rates(optim.cosine(4), 6)
    nested = optim.linear_warmup(2, then=optim.linear_warmup(2, then=optim.step_decay(1, 0.5)))
    assert rates(nested, 6) == pytest.approx([0.4, 0.8, 0.4, 0.8, 0.8, 0.4])


def test_any_function_of_the_step_count_is_a_schedule():
    assert rates(lambda t: 1 / (t + 1), 3) == pytest.approx([0.8, 0.4, 0.8 / 3])


def test_the_first_rate_is_set_when_the_schedule_is_made():
    target = optimizer(0.8)
    optim.Schedule(target, optim.linear_warmup(8))
    assert target.lr == pytest.approx(0.1)


def test_the_optimizer_uses_the_rate_in_each_iteration():
    target = optimizer(1.0)
    schedule = optim.Schedule(target, optim.step_decay(1, gamma=0.5))
    for _ in range(4):
        target.params[0].grad = nn.Parameter([1.0])
        target.step()
        schedule.step()
    np.testing.assert_allclose(target.params[0].numpy(), [-(1 + 0.5 + 0.25 + 0.125)])


def test_a_restored_schedule_goes_on_where_it_was():
    factor = optim.linear_warmup(3, then=optim.cosine(7))
    expected = rates(factor, 10)
    first = optim.Schedule(optimizer(0.8), factor)
    for _ in range(5):
        first.step()
    target = optimizer(123.0)
    second = optim.Schedule(target, factor)
    second.load_state_dict(first.state_dict())
    for rate in expected[5:]:
        assert target.lr == rate
        second.step()


def test_wrong_arguments_and_states_are_named():
    for function in (optim.step_decay, optim.cosine, optim.linear_warmup):
        with pytest.raises(ValueError, match=f"{function.__name__}: the number of steps must be at least 1; got 0"):
            function(0)
    schedule = optim.Schedule(optimizer(), optim.constant)
    with pytest.raises(ValueError, match=r"does not fit this Schedule; [\s\S]*missing: 'initial_lr'"):
        schedule.load_state_dict({"t": 3})
