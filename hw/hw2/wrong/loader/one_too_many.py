"""One batch too many is counted where all are full."""

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def __len__(self):
        return len(self.dataset) // self.batch_size + 1
