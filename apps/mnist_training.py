"""A training run as one object: everything that changes while an MLP learns, so that a run can stop and go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

import needle as ndl
from needle import checkpoints, nn, optim
from needle.data import DataLoader, Dataset

EVALUATION_BATCH = 1000
NUM_PIXELS, NUM_CLASSES = 28 * 28, 10


@dataclass(frozen=True)
class Settings:
    """What the result depends on. A run is resumed only under the settings that it began with."""

    dataset: str
    samples: int
    hidden: list[int]
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    schedule: str
    seed: int
    device: str
    backend: str


class Training:
    """Model, optimizer, schedule and random numbers of a run, and how far it is. A checkpoint holds all of it.

    Attributes
    ----------
    epoch, batch : int
        How many epochs are complete, and how many batches of the one that is not.
    loss_sum, errors : float, int
        Sums over the samples of the current epoch so far.
    history : list of dict
        One record for each complete epoch, as ``metrics.json`` lists them.
    seconds, epoch_seconds : float
        Time spent in all and in the current epoch, in earlier processes too.
    random_state : tuple
        NumPy's generator at the start of the current epoch, before the order of the samples is drawn from it.
    """

    _PROGRESS = ("epoch", "batch", "loss_sum", "errors", "history", "seconds", "epoch_seconds")

    def __init__(self, settings: Settings, train: Dataset, compiled: bool = True) -> None:
        np.random.seed(settings.seed)
        self.settings = settings
        self.device = getattr(ndl, settings.device)()
        self.loader = DataLoader(train, settings.batch_size, shuffle=True, device=self.device)
        self.model = make_model(settings.hidden, self.device)
        self.loss = nn.SoftmaxLoss()
        self.optimizer = make_optimizer(settings, self.model)
        steps = settings.epochs * len(self.loader)
        self.schedule = optim.Schedule(
            self.optimizer, optim.cosine(steps) if settings.schedule == "cosine" else optim.constant
        )
        self.learn = ndl.compile(self._learn) if compiled else self._learn
        self.epoch, self.batch = 0, 0
        self.loss_sum, self.errors = 0.0, 0
        self.history: list[dict[str, Any]] = []
        self.seconds, self.epoch_seconds = 0.0, 0.0
        self.random_state: Any = np.random.get_state()

    # One epoch --------------------------------------------------------------------------------------------------------

    def batches(self) -> Iterator[tuple[ndl.Tensor, ...]]:
        """Give the batches of the current epoch that are not done yet."""
        np.random.set_state(self.random_state)
        return islice(iter(self.loader), self.batch, None)

    def step(self, images: ndl.Tensor, labels: ndl.Tensor) -> None:
        """Learn from one batch. Loss and errors are those before the step."""
        started = time.perf_counter()
        loss, logits = self.learn(images, labels)
        self.loss_sum += loss.item() * labels.shape[0]
        self.errors += count_errors(logits, labels)
        self.schedule.step()
        self.batch += 1
        self._count(started)

    def _learn(self, images: ndl.Tensor, labels: ndl.Tensor) -> tuple[ndl.Tensor, ndl.Tensor]:
        """What is compiled: forward pass, backward pass and update. Gives the loss and the logits."""
        logits = self.model(images)
        loss = self.loss(logits, labels)
        self.optimizer.reset_grad()
        loss.backward(create_graph=False)
        self.optimizer.step()
        return loss, logits

    def end_epoch(self, test: Dataset) -> dict[str, Any]:
        """Evaluate on `test`, put the epoch on record, and be ready for the next; give the record."""
        started = time.perf_counter()
        test_loss, test_error, _ = evaluate(self.model, test, self.device)
        self._count(started)
        samples = len(self.loader.dataset)
        record = {
            "epoch": self.epoch + 1,
            "train_loss": self.loss_sum / samples,
            "train_error": self.errors / samples,
            "test_loss": test_loss,
            "test_error": test_error,
            "seconds": self.epoch_seconds,
        }
        self.history.append(record)
        self.epoch, self.batch = self.epoch + 1, 0
        self.loss_sum, self.errors, self.epoch_seconds = 0.0, 0, 0.0
        self.random_state = np.random.get_state()
        return record

    @property
    def samples_seen(self) -> int:
        """How many samples of the current epoch are done."""
        return min(self.batch * self.settings.batch_size, len(self.loader.dataset))

    def _count(self, started: float) -> None:
        elapsed = time.perf_counter() - started
        self.seconds += elapsed
        self.epoch_seconds += elapsed

    # Checkpoints ------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        generator, keys, *position = self.random_state
        optimizer = self.optimizer.state_dict()
        arrays = {name: value for name, value in optimizer.items() if isinstance(value, np.ndarray)}
        metadata = {
            "settings": asdict(self.settings),
            "optimizer": {name: value for name, value in optimizer.items() if name not in arrays},
            "schedule": self.schedule.state_dict(),
            "random": [generator, *position],
            "progress": {name: getattr(self, name) for name in self._PROGRESS},
        }
        tensors = _prefixed("model.", self.model.state_dict()) | _prefixed("optimizer.", arrays)
        checkpoints.save(path, tensors | {"random": keys}, metadata)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is damaged, not one of this program, or of a run with other settings. Nothing is changed then.
        """
        tensors, metadata = checkpoints.load(path)
        try:
            self._check_settings(path, metadata["settings"])
            generator, *position = metadata["random"]
            random_state = (generator, tensors["random"], *position)
            progress = {name: metadata["progress"][name] for name in self._PROGRESS}
            optimizer = _below("optimizer.", tensors) | metadata["optimizer"]
            schedule = metadata["schedule"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no checkpoint of a training run: {error!r}") from error
        self.model.load_state_dict(_below("model.", tensors))
        self.optimizer.load_state_dict(optimizer)
        self.schedule.load_state_dict(schedule)
        self.random_state = random_state
        for name, value in progress.items():
            setattr(self, name, value)

    def _check_settings(self, path: Path, saved: Mapping[str, Any]) -> None:
        differences = [
            f"{name} {saved.get(name)!r}, now {value!r}"
            for name, value in asdict(self.settings).items()
            if saved.get(name) != value
        ]
        if differences:
            raise ValueError(f"{path} is of a run with other settings: {'; '.join(differences)}")


def make_model(hidden: Sequence[int], device: Any) -> nn.Sequential:
    """Make the network: Flatten, then Linear and ReLU for each of the `hidden` widths, then Linear to ten logits."""
    widths = [NUM_PIXELS, *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out, device=device), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], NUM_CLASSES, device=device))


def make_optimizer(settings: Settings, model: nn.Module) -> optim.Optimizer:
    """Make the optimizer that the settings name."""
    if settings.optimizer == "adam":
        return optim.Adam(model.parameters(), lr=settings.lr)
    return optim.SGD(model.parameters(), lr=settings.lr, momentum=0.9)


def evaluate(model: nn.Module, test: Dataset, device: Any) -> tuple[float, float, np.ndarray]:
    """Judge `model` on the whole of `test`: give the mean loss, the fraction of errors, and the logits."""
    loss_function, loss_sum, errors, all_logits = nn.SoftmaxLoss(), 0.0, 0, []
    model.eval()
    with ndl.no_grad():
        for images, labels in DataLoader(test, EVALUATION_BATCH, device=device):
            logits = model(images)
            loss_sum += loss_function(logits, labels).item() * labels.shape[0]
            errors += count_errors(logits, labels)
            all_logits.append(logits.numpy())
    model.train()
    return loss_sum / len(test), errors / len(test), np.concatenate(all_logits)


def count_errors(logits: ndl.Tensor, labels: ndl.Tensor) -> int:
    """Count the samples whose largest logit is not at the true class."""
    return int(np.count_nonzero(logits.numpy().argmax(axis=1) != labels.numpy()))


def _prefixed(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in tensors.items()}


def _below(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Give the entries whose names begin with `prefix`, which is taken off."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
