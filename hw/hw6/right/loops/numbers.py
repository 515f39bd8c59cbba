"""Steps are looked for among the steps that are there; a guard, too."""

from needle.compiled.numbers import Fed, Guard, Slot, Step, _record, fed, plain

FILE = "python/needle/compiled/numbers.py"


class Tape:
    def add(self, function, operands, value, effect=False, late=False):
        kinds = [type(x) for x in operands]
        signature = (function, late, tuple(operands), tuple(kinds))
        if not effect:
            for known, slot in self._known.items():
                if known == signature:
                    return slot
        slot = len(self.values)
        is_late = late or effect
        for x in operands:
            if isinstance(x, Slot) and x.index in self._late:
                is_late = True
        self.values.append(value)
        self.steps.append(Step(function, tuple(operands), slot))
        if is_late:
            self._late.add(slot)
        if effect:
            for known in list(self._known):
                if self._known[known] in self._late:
                    del self._known[known]
        else:
            self._known[signature] = slot
        return slot

    def guard(self, slot, outcome):
        for step in self.steps:
            if isinstance(step, Guard) and step.out == slot and step.outcome == outcome:
                return
        self.steps.append(Guard(slot, outcome))

    def run(self, steps):
        for ready in steps:
            if ready.function is None:
                if self.values[ready.out] != ready.operands:
                    return False
            else:
                arguments = ready.operands(self.values)
                self.values[ready.out] = ready.function(*arguments)
        return True


def computed(tape, function, operands):
    import numpy

    numbers = []
    for x in operands:
        if isinstance(x, numpy.generic) or not isinstance(x, (int, float)):
            return NotImplemented
        numbers.append(plain(x))
    value = function(*numbers)
    written = tuple(x.slot if isinstance(x, Fed) else x for x in operands)
    index = tape.add(function, written, value)
    return fed(tape, lambda: index, value)


def decided(tape, function, operands):
    value = function(*[plain(x) for x in operands])
    if value is NotImplemented:
        return NotImplemented
    slot = _record(tape, function, operands, value)
    tape.guard(slot, value)
    return value
