"""Two pictures of a training run: how loss and error fell, and which digits were taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

COLUMNS = 10
ROWS_OF_MISTAKES, ROWS_OF_OTHERS = 3, 4
TRAIN, TEST, WRONG, RIGHT, INK = "#7a9cc6", "#d1603d", "#c0392b", "#5b6770", "#2b2f33"
_PITCH_X, _PITCH_Y = 34, 40


def curves(history: Sequence[dict[str, Any]], dataset: str, path: Path) -> None:
    """Draw loss and error against the epoch, of the training set and of the test set."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    loss_axes, error_axes = figure.subplots(1, 2)
    epochs = [record["epoch"] for record in history]
    for axes, what, scale, form in ((loss_axes, "loss", 1, "{:.4f}"), (error_axes, "error", 100, "{:.2f} %")):
        for which, color in (("train", TRAIN), ("test", TEST)):
            values = [scale * record[f"{which}_{what}"] for record in history]
            label = f"{which}, finally {form.format(values[-1])}"
            axes.plot(epochs, values, color=color, marker="o", markersize=4, linewidth=2, label=label)
        axes.set_title("error in percent" if what == "error" else what, loc="left", color=INK)
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#e6e8ea")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.suptitle(f"Training on {dataset}", fontweight="bold", color=INK)
    figure.savefig(path, dpi=150)


def digits(images: np.ndarray, labels: np.ndarray, logits: np.ndarray, path: Path) -> None:
    """Draw test digits with what they were taken for, mistakes first and marked, and the confusion matrix.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, 28, 28).
    labels : numpy.ndarray
        The true digits, shape (n,).
    logits : numpy.ndarray
        The network's output, shape (n, 10).
    path : Path
        The PNG file.
    """
    predictions = logits.argmax(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    surest = wrong[np.argsort(-confidence(logits[wrong]), kind="stable")]
    figure = Figure(figsize=(14, 7.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.12, 1))
    mistakes, others = left.subplots(2, 1, height_ratios=(ROWS_OF_MISTAKES, ROWS_OF_OTHERS))
    title = f"The surest of {len(wrong):,} mistakes: taken for (in truth)" if len(wrong) else "No mistakes"
    _grid(mistakes, surest[: COLUMNS * ROWS_OF_MISTAKES], ROWS_OF_MISTAKES, images, labels, predictions, title)
    first = np.arange(min(len(labels), COLUMNS * ROWS_OF_OTHERS))
    _grid(others, first, ROWS_OF_OTHERS, images, labels, predictions, "The first of the test set")
    _confusion(right.subplots(), labels, predictions)
    figure.savefig(path, dpi=120)


def confidence(logits: np.ndarray) -> np.ndarray:
    """Give the probability of the most probable class: the largest entry of softmax, shape (n,)."""
    return 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)


def _grid(
    axes: Axes,
    chosen: np.ndarray,
    rows: int,
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    title: str,
) -> None:
    """Draw the chosen images in rows of ten, as one picture: an Axes for each would take seconds."""
    canvas = np.zeros((rows * _PITCH_Y, COLUMNS * _PITCH_X), np.uint8)
    for place, index in enumerate(chosen):
        y, x = _PITCH_Y * (place // COLUMNS), _PITCH_X * (place % COLUMNS)
        canvas[y : y + 28, x : x + 28] = images[index]
        is_wrong = predictions[index] != labels[index]
        caption = f"{predictions[index]} ({labels[index]})" if is_wrong else str(predictions[index])
        color, weight = (WRONG, "bold") if is_wrong else (RIGHT, "normal")
        axes.text(x + 13.5, y + 29.5, caption, ha="center", va="top", color=color, fontsize=10, fontweight=weight)
        if is_wrong:
            axes.add_patch(Rectangle((x - 1, y - 1), 29, 29, fill=False, edgecolor=WRONG, linewidth=1.5))
    axes.imshow(canvas, cmap="gray_r", vmin=0, vmax=255)
    axes.set_xlim(-2, COLUMNS * _PITCH_X - 4)
    axes.set_ylim(rows * _PITCH_Y - 1, -2)
    axes.set_axis_off()
    axes.set_title(title, loc="left", color=INK, fontweight="bold")


def _confusion(axes: Axes, labels: np.ndarray, predictions: np.ndarray) -> None:
    """Draw how often each digit was taken for each; the mistakes carry the colour, the right ones stay pale."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, predictions), 1)
    mistakes = counts * (1 - np.eye(10, dtype=int))
    axes.imshow(np.ma.masked_equal(mistakes, 0), cmap="Reds", vmin=0, vmax=max(1, 1.8 * mistakes.max()))
    axes.imshow(np.ma.masked_equal(np.eye(10), 0), cmap=ListedColormap(["#eef1f4"]))
    for (truth, prediction), count in np.ndenumerate(counts):
        if count:
            style = {"color": INK, "fontsize": 9, "fontweight": "bold" if truth == prediction else "normal"}
            axes.text(prediction, truth, f"{count:,}", ha="center", va="center", **style)
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    axes.tick_params(length=0)
    axes.spines[:].set_color("#e6e8ea")
    axes.set_xlabel("taken for")
    axes.set_ylabel("in truth")
    accuracy = np.trace(counts) / counts.sum()
    axes.set_title(f"{100 * accuracy:.2f} % of {counts.sum():,} right", loc="left", color=INK, fontweight="bold")
