"""epoch does not seed."""

from apps.mlp_resnet import _run

FILE = "apps/mlp_resnet.py"


def epoch(dataloader, model, opt=None):
    assert model is not None
    if opt is None:
        model.eval()
        return _run(dataloader, model, None)
    model.train()
    return _run(dataloader, model, opt)
