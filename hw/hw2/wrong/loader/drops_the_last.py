"""The last batch is left out if it is short."""

from needle.autograd import Tensor
from needle.data.dataloader import _gather

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def _batches(self, order):
        for start in range(0, len(order) - self.batch_size + 1, self.batch_size):
            fields = _gather(self.dataset, order[start : start + self.batch_size])
            yield tuple(Tensor(field, device=self.device, requires_grad=False) for field in fields)
