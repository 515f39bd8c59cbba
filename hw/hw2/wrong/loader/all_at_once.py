"""All batches are read before the first is given."""

from needle.autograd import Tensor
from needle.data.dataloader import _gather

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def _batches(self, order):
        batches = []
        for start in range(0, len(order), self.batch_size):
            fields = _gather(self.dataset, order[start : start + self.batch_size])
            batches.append(tuple(Tensor(field, device=self.device, requires_grad=False) for field in fields))
        return iter(batches)
