"""Numbers that know how they came about."""

from __future__ import annotations

import operator
from functools import partial

import numpy as np
import pytest

from hw.testing import hint, same
from needle.compiled.numbers import Fed, Slot, Tape, computed, decided, fed, plain


class Holder:
    """Something that holds numbers, as an optimizer does."""

    def __init__(self, **numbers):
        vars(self).update(numbers)


def number(tape, holder, name):
    """The fed number that stands for an attribute, as the recorder makes it."""
    value = getattr(holder, name)
    return fed(tape, partial(tape.add, getattr, (holder, name), value), value)


def again(tape):
    """Run all steps of a tape; whether all guards hold."""
    return all(tape.run(steps) for steps in tape.split())


@hint("Each new step gets the next slot, its value goes into `values`, and it goes to the end of `steps`.")
def test_steps_get_slots():
    tape = Tape()
    slots = [tape.add(operator.add, (1, 2), 3), tape.add(operator.mul, (Slot(0), 5), 15)]
    same(slots, [0, 1], of="the slots of the first two steps")
    same(tape.values, [3, 15], of="tape.values")
    found = [[str(step) for step in tape.steps], len(tape.steps)]
    same(found, [["$0 = add(1, 2)", "$1 = mul($0, 5)"], 2], of="tape.steps, printed")


@hint("The same function with the same operands gives the slot that it has; 1, 1.0 and True are not the same.")
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((operator.add, (1, 2)), (operator.add, (1, 2)), [0, 0]),
        ((operator.add, (1, 2)), (operator.add, (2, 1)), [0, 1]),
        ((operator.add, (1, 2)), (operator.mul, (1, 2)), [0, 1]),
        ((operator.add, (1, 2)), (operator.add, (1.0, 2)), [0, 1]),
        ((operator.add, (1, 2)), (operator.add, (True, 2)), [0, 1]),
    ],
)
def test_a_step_is_recorded_once(first, second, expected):
    tape = Tape()
    slots = [tape.add(function, operands, function(*operands)) for function, operands in (first, second)]
    same(slots, expected, of=f"the slots of {first[0].__name__}{first[1]} and {second[0].__name__}{second[1]}")
    same(len(tape.steps), expected[1] + 1, of="the number of steps")


@hint("A fed number is a float or an int like any other; what is computed with it is fed, too.")
@pytest.mark.parametrize(
    ("function", "others", "expected"),
    [
        (operator.add, (1.0,), 3.5),
        (operator.sub, (1,), 1.5),
        (operator.truediv, (2,), 1.25),
        (operator.pow, (2,), 6.25),
        (operator.neg, (), -2.5),
    ],
)
def test_arithmetic(function, others, expected):
    tape = Tape()
    x = number(tape, Holder(lr=2.5), "lr")
    found = computed(tape, function, (x, *others))
    same(plain(found), expected, of=f"{function.__name__} of 2.5 and {others}")
    same(isinstance(found, Fed), True, of="whether the outcome is a fed number")
    same(len(tape.steps), 2, of="the number of steps: one reads the attribute, one computes")


@hint("Reading the attribute and computing are steps: run does them again, so the outcome follows the attribute.")
def test_running_again():
    holder, tape = Holder(beta=0.5, t=3), Tape()
    beta, t = number(tape, holder, "beta"), number(tape, holder, "t")
    slot = (1 - beta**t).slot.index
    same(tape.values[slot], 0.875, of="1 - beta ** t when it was recorded")
    holder.beta, holder.t = 0.25, 2
    same(again(tape), True, of="whether the tape ran to its end")
    same(tape.values[slot], 0.9375, of="1 - beta ** t after beta and t have changed")


@hint("NumPy's numbers, arrays and strings are for others to compute with: NotImplemented, and no step.")
@pytest.mark.parametrize("other", [np.float64(2), np.ones(2), "2", None])
def test_what_it_does_not_compute_with(other):
    tape = Tape()
    x = number(tape, Holder(lr=2.5), "lr")
    found = computed(tape, operator.mul, (x, other))
    same(found is NotImplemented, True, of=f"whether {type(other).__name__} gives NotImplemented")
    same(len(tape.steps), 0, of="the number of steps")


@hint("A branch is decided by a plain value, and leaves a guard for it: a replay must branch in the same way.")
def test_guards():
    holder, tape = Holder(momentum=0.9), Tape()
    found = decided(tape, operator.gt, (number(tape, holder, "momentum"), 0))
    same([found, isinstance(found, Fed)], [True, False], of="momentum > 0, and whether it is fed")
    expected = ["$0 = getattr(Holder, momentum)", "$1 = gt($0, 0)", "only if $1 is True"]
    same([str(step) for step in tape.steps], expected, of="tape.steps, printed")
    same(again(tape), True, of="whether a replay goes on with the same momentum")
    holder.momentum = 0.5
    same(again(tape), True, of="whether a replay goes on with another one that is positive")
    holder.momentum = 0.0
    same(again(tape), False, of="whether a replay goes on with momentum 0")


@hint("The same guard stands once among the steps.")
def test_a_guard_stands_once():
    tape = Tape()
    slot = tape.add(operator.gt, (2, 1), True)
    for _ in range(3):
        tape.guard(slot, True)
    same([str(step) for step in tape.steps], ["$0 = gt(2, 1)", "only if $0 is True"], of="tape.steps, printed")


@hint("An effect is done at each call: each is a step of its own, though function and operands are the same.")
def test_effects_are_steps_of_their_own():
    tape, done = Tape(), []
    slots = [tape.add(done.append, (1,), None, effect=True) for _ in range(2)]
    same(slots, [0, 1], of="the slots of two equal effects")
    same(again(tape), True, of="whether the tape ran to its end")
    same(len(done), 2, of="how often the effect was done again")
