"""Train a multilayer perceptron on MNIST, from finding the data to pictures of what was learned.

    python apps/mnist_mlp.py --data auto --hidden 256,128 --out runs/mnist

leaves ``metrics.json``, ``model.safetensors``, ``curves.png`` and ``digits.png`` in ``--out``. Ctrl-C leaves a
checkpoint there, from which ``--resume`` goes on to the very same result as a run that was never stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import needle as ndl
from mnist_training import Settings, Training, evaluate
from needle import checkpoints
from needle.data import MNIST, MiniMNIST, MNISTDataset
from needle.data.mnist import find, locate, missing_files

SECONDS_TO_FETCH = 20
LEARNING_RATES = {"adam": 2e-3, "sgd": 0.5}
EXIT_INTERRUPTED = 130


class Data(NamedTuple):
    """The two sets, what they are called, how many epochs suit them, and why it is these."""

    name: str
    train: MNISTDataset
    test: MNISTDataset
    epochs: int
    why: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; give its exit status."""
    options = parse(arguments)
    out = Path(options.out)
    try:
        with explained():
            check_installed("safetensors", *([] if options.no_plots else ["matplotlib"]))
            if options.threads is not None:
                ndl.set_num_threads(options.threads)
            data = load_data(options.data)
            if not data.train or not data.test:
                raise ValueError(f"{data.name}: there is nothing to train or to test on, a set is empty")
            training = Training(settings_of(options, data), data.train, compiled=not options.no_compile)
            if options.resume:
                training.load(out / "checkpoint.safetensors")
            out.mkdir(parents=True, exist_ok=True)
            training.save(out / "checkpoint.safetensors")
        announce(data, training)
        complete = train(training, data.test, out, options)
    except KeyboardInterrupt:
        print("\nstopped; a checkpoint that was written before is whole", file=sys.stderr)
        return EXIT_INTERRUPTED
    if not complete:
        print(f"stopped in epoch {training.epoch + 1} after batch {training.batch}; --resume goes on from there")
        return EXIT_INTERRUPTED
    leave_results(training, data, out, pictures=not options.no_plots)
    return 0


# Options --------------------------------------------------------------------------------------------------------------


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train a multilayer perceptron on MNIST.")
    add = parser.add_argument
    add("--data", default="auto", metavar="auto|mini|mnist|FOLDER", help="auto: MNIST if found or quickly fetched")
    add("--hidden", type=widths, default=[256, 128], metavar="N,N,...", help="hidden layers (default 256,128)")
    add("--epochs", type=positive(int), metavar="N", help="default: 5 on MNIST, 10 on MiniMNIST")
    add("--batch-size", type=positive(int), metavar="N", default=100, help="default 100")
    add("--optimizer", choices=("adam", "sgd"), default="adam", help="default adam; sgd has momentum 0.9")
    add("--lr", type=positive(float), metavar="X", help="learning rate (default: 0.002 for adam, 0.5 for sgd)")
    add("--schedule", choices=("cosine", "constant"), default="cosine", help="default cosine, to 0 over the epochs")
    add("--seed", type=int, metavar="N", default=0, help="default 0")
    add("--out", default="runs/mnist", metavar="FOLDER", help="where the results go (default runs/mnist)")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--until", type=positive(float), metavar="PERCENT", help="stop once the test accuracy is this high")
    add("--no-plots", action="store_true", help="leave the two pictures out")
    add("--no-compile", action="store_true", help="train eagerly, node by node: for a debugger; the result is the same")
    add("--lazy", action="store_true", help="record each step, and compute it when its loss is read")
    add("--device", choices=("cpu", "cpu_numpy"), default="cpu", help="default cpu")
    add("--threads", type=positive(int), metavar="N", help="default: the cores this process may use")
    options = parser.parse_args(arguments)
    if not 0 <= options.seed < 2**32:
        parser.error(f"argument --seed: {options.seed} is not in 0 .. 2^32 - 1")
    return options


def positive(kind: type) -> Any:
    """Give an argument type: a positive number of this kind."""

    def convert(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    convert.__name__ = f"positive {kind.__name__}"
    return convert


def widths(text: str) -> list[int]:
    """Read the widths of the hidden layers: '256,128'; an empty text means none."""
    return [positive(int)(width) for width in text.split(",")] if text else []


def settings_of(options: argparse.Namespace, data: Data) -> Settings:
    """Collect what the result depends on."""
    return Settings(
        dataset=data.name,
        samples=len(data.train),
        hidden=options.hidden,
        epochs=options.epochs or data.epochs,
        batch_size=options.batch_size,
        optimizer=options.optimizer,
        lr=options.lr or LEARNING_RATES[options.optimizer],
        schedule=options.schedule,
        seed=options.seed,
        device=options.device,
        backend=ndl.backend_selection.BACKEND,
    )


# Data -----------------------------------------------------------------------------------------------------------------


def load_data(choice: str) -> Data:
    """Load what ``--data`` asks for."""
    if choice == "mini":
        return mini("")
    if choice == "mnist":
        return Data("MNIST", MNIST(train=True), MNIST(train=False), epochs=5)
    if choice == "auto":
        return find_or_fetch()
    folder = locate(Path(choice).expanduser())
    if folder is None:
        raise FileNotFoundError(f"--data: {choice} lacks {', '.join(missing_files(Path(choice).expanduser()))}")
    return Data(choice, MNIST(folder, train=True), MNIST(folder, train=False), epochs=5)


def find_or_fetch() -> Data:
    """Load MNIST if it is found or can be fetched within seconds, else MiniMNIST."""
    folder, why = find(), "found"
    if folder is None:
        from needle.data.download import download_mnist

        try:
            folder, why = download_mnist(seconds=SECONDS_TO_FETCH), "downloaded"
        except (OSError, ImportError) as error:
            return mini(f"MNIST was found nowhere; {str(error).splitlines()[0].rstrip('.')}")
    return Data("MNIST", MNIST(folder, train=True), MNIST(folder, train=False), 5, f"{why} in {folder}")


def mini(why: str) -> Data:
    """Load MiniMNIST."""
    return Data("MiniMNIST", MiniMNIST(train=True), MiniMNIST(train=False), epochs=10, why=why)


# Training -------------------------------------------------------------------------------------------------------------


def train(training: Training, test: MNISTDataset, out: Path, options: argparse.Namespace) -> bool:
    """Train to the end with a checkpoint after each epoch; False if Ctrl-C came before, with a checkpoint too."""
    with CtrlC() as ctrl_c:
        while not finished(training, options.until):
            with ndl.lazy_mode() if options.lazy else contextlib.nullcontext(), progress(training) as show:
                for images, labels in training.batches():
                    training.step(images, labels)
                    show()
                    if ctrl_c.pressed:
                        break
            if not ctrl_c.pressed:
                report(training.end_epoch(test), training.settings.epochs)
            training.save(out / "checkpoint.safetensors")
            if ctrl_c.pressed:
                return False
    return True


def finished(training: Training, until: float | None) -> bool:
    """Whether all epochs are done, or the test accuracy is at the percentage that `until` asks for."""
    if training.epoch == training.settings.epochs:
        return True
    return until is not None and bool(training.history) and 100 * final_accuracy(training) >= until


def final_accuracy(training: Training) -> float:
    """Give the test accuracy after the last complete epoch; rounded, so that 1 - 0.019 is 0.981."""
    return round(1 - training.history[-1]["test_error"], 9)


class CtrlC:
    """Within the block, the first Ctrl-C only sets `pressed`, so that no step is cut in half; the second one stops."""

    def __init__(self) -> None:
        self.pressed = False

    def __enter__(self) -> CtrlC:
        self._handler = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._handler)

    def _press(self, *_: object) -> None:
        self.pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


# Words and results ----------------------------------------------------------------------------------------------------


def announce(data: Data, training: Training) -> None:
    """Say what is trained on what."""
    sets = f"{data.name}: {len(data.train):,} images to train on, {len(data.test):,} to test on"
    print(textwrap.fill(f"{sets}; {data.why}" if data.why else sets, 80, break_on_hyphens=False))
    parameters = sum(parameter.size for parameter in training.model.parameters())
    layers = "-".join(map(str, [784, *training.settings.hidden, 10]))
    print(f"MLP {layers}: {parameters:,} parameters on {training.device}", flush=True)


@contextlib.contextmanager
def progress(training: Training) -> Iterator[Any]:
    """Give a function to call after each batch; it shows a bar if there is a terminal to show it on."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(
        desc=f"epoch {training.epoch + 1}/{training.settings.epochs}",
        total=len(training.loader),
        initial=training.batch,
        bar_format="{desc} {percentage:3.0f}% |{bar}| {rate_fmt}{postfix}",
        unit="batch",
        dynamic_ncols=True,
        leave=False,
    ) as bar:

        def show() -> None:
            seen = training.samples_seen
            loss, right = training.loss_sum / seen, 100 * (1 - training.errors / seen)
            bar.set_postfix_str(f"loss {loss:.4f}, accuracy {right:.2f} %", refresh=False)
            bar.update()
            if bar.n == bar.total:  # the last state is shown even if the bar was redrawn just before
                bar.refresh()

        yield show


def report(record: dict[str, Any], epochs: int) -> None:
    """Print one epoch's line."""
    loss = f"loss {record['train_loss']:.4f} (test {record['test_loss']:.4f})"
    error = f"error {100 * record['train_error']:5.2f} % (test {100 * record['test_error']:5.2f} %)"
    print(f"epoch {record['epoch']}/{epochs}  {loss}  {error}  {record['seconds']:.1f} s", flush=True)


def leave_results(training: Training, data: Data, out: Path, pictures: bool) -> None:
    """Write the results into `out`, and say what they are."""
    accuracy = final_accuracy(training)
    metrics = {
        "dataset": data.name,
        "test_accuracy": accuracy,
        "seconds": training.seconds,
        "epochs": training.history,
    }
    checkpoints.write_atomically(out / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    checkpoints.save(out / "model.safetensors", training.model.state_dict())
    names = ["metrics.json", "model.safetensors"]
    if pictures:
        import mnist_pictures

        _, _, logits = evaluate(training.model, data.test, training.device)
        mnist_pictures.curves(training.history, data.name, out / "curves.png")
        mnist_pictures.digits(data.test.images, data.test.labels, logits, out / "digits.png")
        names += ["curves.png", "digits.png"]
    print(f"test accuracy {100 * accuracy:.2f} % after {training.seconds:.1f} s; {', '.join(names)} are in {out}")


def check_installed(*packages: str) -> None:
    """Raise ImportError for a package that is not there, before work is put into what needs it."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"{package} is not installed; it is in the extra 'apps': pip install 'needle-dl[apps]'")


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn errors that the user can mend into a message and exit status 1."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        raise SystemExit(f"mnist_mlp: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
