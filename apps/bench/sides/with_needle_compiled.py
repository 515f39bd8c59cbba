"""Training in needle, with ``ndl.compile`` over the whole step."""

from __future__ import annotations

from collections.abc import Sequence

import needle as ndl
from apps.bench.sides import Work, with_needle


def about() -> str:
    """Nothing beside what `with_needle` says."""
    return f"ndl.compile of needle {ndl.__version__}"


def mlp(widths: Sequence[int], batch: int, optimizer: str) -> Work:
    """A plain MLP."""
    return with_needle.mlp(widths, batch, optimizer, wrap=ndl.compile)


def mlp_resnet(batch: int) -> Work:
    """MLPResNet."""
    return with_needle.mlp_resnet(batch, wrap=ndl.compile)
