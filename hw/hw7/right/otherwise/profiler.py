"""Sums in loops; `weakref.finalize` for a reference with a function of its own."""

import weakref

FILE = "hw/hw7/profiler.py"


def total(nodes):
    calls, seconds, nbytes = 0, 0.0, 0
    for node in nodes:
        if node.seconds is not None:
            calls += 1
            seconds += node.seconds
            nbytes += node.nbytes
    return Total(calls, seconds, nbytes)


def profile(recorder, by="op"):
    computed = [node for node in recorder.nodes.values() if node.seconds is not None]
    keys = list(dict.fromkeys(KEYS[by](node) for node in computed))
    found = [(key, total([node for node in computed if KEYS[by](node) == key])) for key in keys]
    found.sort(key=lambda pair: pair[1].seconds, reverse=True)
    return dict(found)


def inclusive(recorder):
    found = {label: [] for label in recorder.calls}
    for node in recorder.nodes.values():
        parts = node.module.split(".")
        for count in range(1, len(parts) + 1):
            within = found.get(".".join(parts[:count]))
            if within is not None:
                within.append(node)
    return {label: total(nodes) for label, nodes in found.items()}


class Memory:
    def computed(self, node, op, inputs, seconds):
        super().computed(node, op, inputs, seconds)
        with self.lock:
            number = self.number(node)
            weakref.finalize(node, self.died, number).atexit = False
            self.alive[number] = self.nodes[number].nbytes
            self.now = sum(self.alive.values())
            if self.peak < self.now:
                self.peak = self.now
                self.at_peak = dict(self.by_line())

    def died(self, number):
        with self.lock:
            self.alive.pop(number, None)
            self.now = sum(self.alive.values())

    def by_line(self):
        with self.lock:
            lines = {self.nodes[number].line for number in self.alive}
            sums = [
                (line, sum(n for number, n in self.alive.items() if self.nodes[number].line == line)) for line in lines
            ]
            first = {self.nodes[number].line: number for number in sorted(self.alive, reverse=True)}
            return dict(sorted(sums, key=lambda pair: (-pair[1], first[pair[0]])))
