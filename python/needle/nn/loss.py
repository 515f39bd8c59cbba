"""Losses: from a model's outputs and the truth to one number."""

from __future__ import annotations

from .. import init, ops
from ..autograd import Tensor
from .module import Module


class SoftmaxLoss(Module):
    """The softmax (cross-entropy) loss of logits and class indices, averaged over the batch.

    ``mean over i of log(sum over j of exp(z[i, j])) - z[i, y[i]]``: minus the log of the probability that softmax gives
    to the true class.
    """

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        logits : Tensor
            Scores z, of shape (batch, classes).
        y : Tensor
            Class indices from 0 to classes - 1, of shape (batch,); floats may hold them.

        Returns
        -------
        Tensor
            A scalar, of shape ``()``.

        Raises
        ------
        ValueError
            If the shapes are others.
        IndexError
            If a label is not one of the classes.
        """
        if len(logits.shape) != 2 or y.shape != logits.shape[:1]:
            raise ValueError(
                "SoftmaxLoss: logits must have shape (batch, classes) and labels (batch,); "
                f"got logits of shape {logits.shape} and labels of shape {y.shape}"
            )
        classes = logits.shape[1]
        try:
            true_class = init.one_hot(classes, y, device=logits.device, dtype=logits.dtype)
        except IndexError as error:
            raise IndexError(f"SoftmaxLoss: a label does not fit the logits of shape {logits.shape}: {error}") from None
        return ops.softmax_loss(logits, true_class)
