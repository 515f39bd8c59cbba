"""The short batch is not counted."""

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def __len__(self):
        return len(self.dataset) // self.batch_size
