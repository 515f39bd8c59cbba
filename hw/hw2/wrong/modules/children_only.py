"""train() forgets the module itself."""

FILE = "python/needle/nn/module.py"


class Module:
    def train(self):
        for module in self._children():
            module.training = True
        return self
