"""Training in PyTorch, with ``torch.compile`` over forward and backward, and over the optimizer's step."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import torch

from apps.bench.sides import Absent, Work, with_torch

if not any(map(shutil.which, ("c++", "g++", "clang++"))):
    raise Absent("torch.compile needs a C++ compiler")


def about() -> str:
    """Nothing beside what `with_torch` says."""
    return f"torch.compile of PyTorch {torch.__version__}"


def mlp(widths: Sequence[int], batch: int, optimizer: str) -> Work:
    """A plain MLP."""
    torch._dynamo.reset()  # what was compiled for another case would count as a recompilation
    return with_torch.mlp(widths, batch, optimizer, wrap=torch.compile)


def mlp_resnet(batch: int) -> Work:
    """MLPResNet."""
    torch._dynamo.reset()
    return with_torch.mlp_resnet(batch, wrap=torch.compile)
