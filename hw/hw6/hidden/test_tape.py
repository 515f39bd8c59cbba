"""The tape: effects, what is late, integers, and steps in their order."""

from __future__ import annotations

import math
import operator
from functools import partial

import numpy as np
import pytest

from hw.testing import hint, same
from needle.compiled.numbers import Fed, Slot, Tape, computed, decided, fed, plain


class Holder:
    def __init__(self, **numbers):
        vars(self).update(numbers)


def number(tape, holder, name, late=False):
    value = getattr(holder, name)
    return fed(tape, partial(tape.add, getattr, (holder, name), value, late=late), value)


@hint("What was late before an effect may be another value behind it: it gets another slot. Early steps stay known.")
def test_effects_make_late_steps_unknown():
    tape, holder = Tape(), Holder(t=1)
    early = tape.add(operator.add, (1, 2), 3)
    first = tape.add(getattr, (holder, "t"), 1, late=True)
    same(tape.add(getattr, (holder, "t"), 1, late=True), first, of="the slot of a late step, the second time")
    tape.add(setattr, (holder, "t", 2), None, effect=True)
    same(tape.add(operator.add, (1, 2), 3), early, of="the slot of an early step, behind an effect")
    second = tape.add(getattr, (holder, "t"), 2, late=True)
    same(second != first, True, of="whether a late step has another slot behind an effect")


@hint("A step that reads a late slot is late; the tape is split into what can come before all effects, and the rest.")
def test_what_follows_from_a_late_step_is_late():
    tape, holder = Tape(), Holder(t=1, lr=0.5)
    tape.add(getattr, (holder, "lr"), 0.5)
    effect = tape.add(setattr, (holder, "t", 2), None, effect=True)
    t = tape.add(getattr, (holder, "t"), 2, late=True)
    slot = tape.add(operator.mul, (Slot(t), 3), 6)
    tape.add(operator.neg, (Slot(slot),), -6)
    tape.add(operator.neg, (Slot(0),), -0.5)
    early, late = tape.split()
    same([ready.out for ready in early], [0, 5], of="the slots of the steps before all effects")
    same([ready.out for ready in late], [effect, t, slot, 4], of="the slots of the others")


@hint("`late` is part of what a step is: an early and a late one are two.")
def test_early_and_late_are_two():
    tape, holder = Tape(), Holder(t=1)
    slots = [tape.add(getattr, (holder, "t"), 1, late=late) for late in (False, True, False, True)]
    same(slots, [0, 1, 0, 1], of="the slots of early, late, early, late")


@hint("A slot is no number: operands of the same value but of another type make another step.")
def test_slots_are_operands():
    tape = Tape()
    first = tape.add(operator.neg, (1,), -1)
    slots = [tape.add(operator.neg, (Slot(first),), 1), tape.add(operator.neg, (Slot(first),), 1)]
    same(slots, [1, 1], of="the slot of a step with a slot as operand, twice")
    same(tape.values, [-1, 1], of="the values")


@hint("run does steps in order, stops at the first guard that does not hold, and keeps what it computed.")
def test_running():
    holder, tape = Holder(a=2.0), Tape()
    a = number(tape, holder, "a")
    doubled = a * 2
    slot = doubled.slot.index
    if a > 1:
        tripled = (a * 3).slot.index
    steps, _ = tape.split()
    holder.a = 5.0
    same([tape.run(steps), tape.values[slot], tape.values[tripled]], [True, 10.0, 15.0], of="run, 2 a, 3 a with a = 5")
    holder.a = 0.5
    same([tape.run(steps), tape.values[slot], tape.values[tripled]], [False, 1.0, 15.0], of="run, 2 a, 3 a, a = 0.5")
    same(tape.run([]), True, of="run without steps")


@hint("int stays int where Python's operator keeps it; division makes a float.")
@pytest.mark.parametrize(
    ("expression", "kind", "expected"),
    [
        (lambda t: t + 1, int, 8),
        (lambda t: 1 - t, int, -6),
        (lambda t: t / 2, float, 3.5),
        (lambda t: 2**t, int, 128),
        (lambda t: t // 2, int, 3),
        (lambda t: t % 4, int, 3),
        (lambda t: t * 0.5, float, 3.5),
        (lambda t: -t, int, -7),
    ],
)
def test_integers(expression, kind, expected):
    tape = Tape()
    found = expression(number(tape, Holder(t=7), "t"))
    same([isinstance(found, Fed), plain(found)], [True, expected], of="whether it is fed, and the value")
    same(type(plain(found)).__name__, kind.__name__, of="the type of the value")


@hint("Two fed numbers may meet; each is an operand by its slot.")
def test_two_fed_numbers():
    holder, tape = Holder(a=3.0, b=4.0), Tape()
    a, b = number(tape, holder, "a"), number(tape, holder, "b")
    found = computed(tape, operator.sub, (computed(tape, operator.mul, (a, a)), b))
    slot = found.slot.index
    same(len(tape.steps), 4, of="the number of steps for a * a - b")
    holder.a, holder.b = 2.0, 1.0
    for steps in tape.split():
        tape.run(steps)
    same(tape.values[slot], 3.0, of="a * a - b after both have changed")


@hint("An operand may be NumPy's, in any place: NotImplemented, and nothing is recorded.")
def test_numpy_computes_by_itself():
    tape = Tape()
    x = number(tape, Holder(a=2.0), "a")
    for other in (np.float64(3), np.float32(3), np.int64(3)):
        same(computed(tape, operator.mul, (other, x)) is NotImplemented, True, of=f"a {type(other).__name__} times a")
    same(len(tape.steps), 0, of="the number of steps")


@hint("A comparison that Python cannot make is no branch: NotImplemented, without step and guard.")
def test_no_branch():
    tape = Tape()
    x = number(tape, Holder(a=2.0), "a")
    found = decided(tape, lambda a, b: NotImplemented, (x, "text"))
    same([found is NotImplemented, len(tape.steps)], [True, 0], of="NotImplemented?, and the number of steps")


@hint("Conversions are decisions, too: int(x), round(x), bool(x) give plain numbers, each with a guard.")
def test_conversions():
    tape = Tape()
    x = number(tape, Holder(a=2.5), "a")
    found = [math.floor(x), int(x), bool(x), round(x)]
    same(found, [2, 2, True, 2], of="floor, int, bool, round of 2.5")
    same([type(each).__name__ for each in found], ["int", "int", "bool", "int"], of="their types")
    same(sum(str(step).startswith("only if") for step in tape.steps), 4, of="the number of guards")


@hint("A guard is for the value itself: 2 is not 3, though both are true.")
def test_guards_for_values():
    holder, tape = Holder(a=2.5), Tape()
    same(decided(tape, math.floor, (number(tape, holder, "a"),)), 2, of="floor of 2.5")
    same(str(tape.steps[-1]), "only if $1 is 2", of="the guard")
    holder.a = 2.75
    same(all(tape.run(steps) for steps in tape.split()), True, of="whether a replay goes on with 2.75")
    holder.a = 3.5
    same(all(tape.run(steps) for steps in tape.split()), False, of="whether a replay goes on with 3.5")


@hint("A guard compares values: a number that is computed anew is another object.")
def test_guards_for_numbers():
    holder, tape = Holder(a=2.46), Tape()
    same(decided(tape, round, (number(tape, holder, "a"), 1)), 2.5, of="round(2.46, 1)")
    holder.a = 2.52
    same(all(tape.run(steps) for steps in tape.split()), True, of="whether a replay goes on with 2.52")
    holder.a = 2.56
    same(all(tape.run(steps) for steps in tape.split()), False, of="whether a replay goes on with 2.56")


@hint("An effect is a step of its own, though the same has been computed without one before.")
def test_an_effect_that_looks_like_a_step():
    tape, counted = Tape(), []
    tape.add(counted.append, (1,), None)
    same(tape.add(counted.append, (1,), None, effect=True), 1, of="the slot of the effect")
    same(tape.add(counted.append, (1,), None), 0, of="the slot of the step")


@hint("Guards for other values are other guards.")
def test_two_guards():
    tape = Tape()
    slot = tape.add(operator.add, (1, 1), 2)
    tape.guard(slot, 2)
    tape.guard(slot, 3)
    tape.guard(slot, 2)
    same(len(tape.steps), 3, of="the number of steps: one, and two guards")
