"""Loops instead of dicts of labels, lists in place of sets, the other order of things where the order is free."""

import os
from contextlib import suppress

from needle.listening import Known
from needle.places import here

FILE = "hw/hw7/recorder.py"


def users_line():
    for frame in frames():
        folder, _ = os.path.split(frame.f_code.co_filename)
        if folder == FOLDER:
            continue
        return here((), frame).user
    raise RuntimeError("there is no program")


class Recorder:
    def number(self, node):
        with self.lock:
            found = self.numbers.get(node, 0)
            if found == 0:
                found = max(self.nodes, default=0) + 1
                dtype = node.dtype if hasattr(node, "dtype") else ""
                self.nodes[found] = Node(found, "", (), node.shape, dtype)
                self.numbers[node] = found
            return found

    def made(self, node, op, inputs):
        with self.lock:
            if self.numbers.get(node) is None:
                before = [self.number(x) for x in inputs]
                number = self.number(node)
                known = self.nodes[number]
                self.nodes[number] = Node(
                    number,
                    op.__class__.__name__,
                    tuple(before),
                    known.shape,
                    known.dtype,
                    users_line(),
                    self.here.module,
                    self.here.walk,
                )

    def computed(self, node, op, inputs, seconds):
        with self.lock:
            if node.recorded_spec is None and self.numbers.get(node) is None:
                Recorder.made(self, node, op, inputs)
            record = self.nodes[self.number(node)]
            record.nbytes = bytes_of(node.cached_data)
            record.seconds = seconds

    def entered(self, module):
        stack = self.here.modules
        with self.lock:
            if not stack:
                self.here.outermost = module
                for path, parameter in module.named_parameters():
                    number = self.number(parameter)
                    if not self.nodes[number].name:
                        self.nodes[number].name = path
            outermost = self.here.outermost
            for path, each in outermost.named_modules():
                if each is module:
                    label = ".".join([type(outermost).__name__, *([path] if path else [])])
                    break
            else:
                label = stack[-1] + "." + type(module).__name__
            stack.append(label)
            self.calls.setdefault(label, 0)
            self.calls[label] += 1

    def left(self, module, output):
        with suppress(IndexError):
            del self.here.modules[-1]

    def backward_began(self, outputs):
        with self.lock:
            self.walks = self.walks + 1
            self.here.walks = [*self.here.walks, self.walks]

    def backward_ended(self, outputs):
        self.here.walks = self.here.walks[:-1]

    def share(self, node, share, consumer, position):
        with self.lock:
            to, by = self.number(node), self.number(consumer)
            self.shares.append(Share(self.here.walk, to, by, position, None if share is None else self.number(share)))

    def replaced(self, tensor, before):
        line = users_line()
        with self.lock:
            self.nodes[self.number(tensor)].changed = line

    def known(self, node):
        if node not in self.numbers:
            return None
        record = self.nodes[self.numbers[node]]
        return Known(name=record.name, number=record.number, line=record.line, changed=record.changed)
