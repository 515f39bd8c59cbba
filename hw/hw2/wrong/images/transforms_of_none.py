"""Without transforms nothing comes back."""

FILE = "python/needle/data/dataset.py"


class Dataset:
    def apply_transforms(self, x):
        if self.transforms is not None:
            for transform in self.transforms:
                x = transform(x)
            return x
