"""The errors are divided by the number of batches."""

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
        losses.append(float(loss.numpy()))
        errors += int(np.sum(logits.numpy().argmax(axis=1) != labels.numpy()))
        samples += 1
    return errors / samples, float(np.mean(losses))
