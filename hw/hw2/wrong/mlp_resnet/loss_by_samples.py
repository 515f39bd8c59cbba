"""The loss is the mean over samples."""

import numpy as np

from needle import nn

FILE = "apps/mlp_resnet.py"


def _run(dataloader, model, opt):
    loss_function, flatten = nn.SoftmaxLoss(), nn.Flatten()
    errors, samples, losses = 0, 0, []
    for images, labels in dataloader:
        logits = model(flatten(images))
        loss = loss_function(logits, labels)
        if opt is not None:
            opt.reset_grad()
            loss.backward()
            opt.step()
        losses.extend([float(loss.numpy())] * labels.shape[0])
        errors += int(np.sum(logits.numpy().argmax(axis=1) != labels.numpy()))
        samples += labels.shape[0]
    return errors / samples, float(np.mean(losses))
