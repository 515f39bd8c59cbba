"""A student's first idea: ids, with references that say when one is free again; the stack is made of modules' paths."""

import sys
import weakref

from needle.listening import Known
from needle.places import here

FILE = "hw/hw7/recorder.py"


def users_line():
    frame = sys._getframe(1)
    while frame.f_code.co_filename.rpartition("/")[0].rpartition("\\")[2] == FOLDER.rpartition("\\")[2]:
        frame = frame.f_back
    return here(frame=frame).user


class Recorder:
    def number(self, node):
        with self.lock:
            ids = self.__dict__.setdefault("ids", {})
            key = id(node)
            if key not in ids:
                number = len(self.nodes) + 1
                ids[key] = number, weakref.ref(node, lambda _: ids.pop(key, None))
                self.nodes[number] = Node(number, shape=node.shape, dtype=getattr(node, "dtype", ""))
            return ids[key][0]

    def made(self, node, op, inputs):
        with self.lock:
            if id(node) in self.__dict__.get("ids", {}):
                return
            numbers = [self.number(x) for x in inputs]
            record = self.nodes[self.number(node)]
            record.op = type(op).__name__
            record.inputs = tuple(numbers)
            record.line = users_line()
            record.module = self.here.module
            record.walk = self.here.walk

    def computed(self, node, op, inputs, seconds):
        with self.lock:
            if node.recorded_spec is None:
                Recorder.made(self, node, op, inputs)
            record = self.nodes[self.number(node)]
            record.seconds = seconds
            record.nbytes = bytes_of(node.cached_data)

    def _write(self, node, op, inputs):
        pass

    def known(self, node):
        found = self.__dict__.get("ids", {}).get(id(node))
        if found is None:
            return None
        record = self.nodes[found[0]]
        return Known(record.line, record.number, record.name, record.changed)
