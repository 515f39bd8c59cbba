"""train() is forgotten: after an evaluation the model is trained in evaluation mode."""

import numpy as np

from apps.mlp_resnet import _run

FILE = "apps/mlp_resnet.py"


def epoch(dataloader, model, opt=None):
    np.random.seed(4)
    if opt is None:
        model.eval()
        return _run(dataloader, model, None)
    assert model is not None
    return _run(dataloader, model, opt)
