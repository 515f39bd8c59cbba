"""The kernel is called first, and its call written down afterwards; arguments are told apart by their types."""

import numpy as np

from needle.compiled.numbers import Fed, plain
from needle.compiled.program import Buffer, Effect, Operand, output_positions
from needle.compiled.recorder import CompileError
from needle.places import here

FILE = "python/needle/compiled/recorder.py"


class Recorder:
    def _kernel_called(self, name, kernel, args):
        line = str(here())
        numbers = [plain(x) if isinstance(x, Fed) else x for x in args]
        result = kernel(*numbers)
        self.calls.append((name, tuple(args), line))
        return result


class _Assembly:
    def _new_buffer(self, view, role, name=""):
        number = len(self.buffers)
        self.buffers[number] = Buffer(view.handle.dtype, view.handle.size, role, name)
        self.handles[number] = view.handle
        self.numbers[view.handle.ptr()] = number
        return number

    def _operand(self, view, is_written):
        number = self.numbers.get(view.handle.ptr())
        if number is None:
            tensor = self.owners.get(view.handle.ptr())
            if tensor is not None:
                extents = ", ".join(str(n) for n in tensor.shape)
                self._source(tensor, "captured " + type(tensor).__name__ + "[" + extents + "]")
                number = self.numbers[view.handle.ptr()]
            elif is_written:
                number = self._new_buffer(view, "temporary")
            else:
                raise CompileError(f"{self.recorder.name} reads memory that belongs to no tensor; put it into one")
        operand = Operand(number, tuple(view.shape), tuple(view.strides), view.offset)
        self._check_inside(operand)
        return operand

    def _argument(self, x, position, kernel, args):
        if type(x).__name__ == "View":
            return self._operand(x, position in output_positions(kernel, args))
        if isinstance(x, Fed):
            return x.slot
        if not isinstance(x, np.ndarray):
            return x
        drawn = self.recorder.drawn.get(id(x))
        return np.array(x) if drawn is None else drawn[1]

    def _effects(self):
        found = []
        for tensor, (data, grad) in self.recorder.before.items():
            name = f"captured {type(tensor).__name__}{list(tensor.shape)}"
            if tensor.grad is not grad:
                value = None
                if tensor.grad is not None:
                    value = self._operand(tensor.grad.realize_cached_data()._view, True)
                found.append(Effect(self._source(tensor, name), "grad", value))
            if tensor.cached_data is not data:
                value = self._operand(tensor.cached_data._view, True)
                found.append(Effect(self._source(tensor, name), "cached_data", value))
        return found
