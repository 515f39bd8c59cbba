"""The model stays in training mode."""

import numpy as np

from apps.mlp_resnet import _run

FILE = "apps/mlp_resnet.py"


def epoch(dataloader, model, opt=None):
    np.random.seed(4)
    if opt is None:
        model.train()
        return _run(dataloader, model, None)
    model.train()
    return _run(dataloader, model, opt)
