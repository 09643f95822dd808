"""The loss on batches that are not trained on."""

from __future__ import annotations

from math import isfinite

import torch

from crest_core import ForcingError, GradientError
from crest_training.batch import Batches
from crest_training.passes import Passes


def validation_loss(passes: Passes, batches: Batches) -> float:
    """Return the loss over all batches in eval mode, each by its number of observations; the mode stays so.

    ForcingError where an objective has no observation at all: a loss of 0 would be the best of all.
    """
    passes.model.eval()
    sums = torch.zeros(len(passes.objectives), 2, dtype=torch.float64)
    for batch in batches:
        for row, (mean, count) in zip(sums, passes.scores(batch), strict=True):
            row += torch.stack([mean.double() * count, count.double()]).cpu()
    sums = passes.processes.total(sums)
    if empty := [one.output for one, row in zip(passes.objectives, sums, strict=True) if not row[1]]:
        raise ForcingError(
            f"train: nothing of {', '.join(empty)} is observed in the validation batches; move the validation period"
        )
    weights = [one.weight for one in passes.objectives]
    parts = [w * float(total / count) for w, (total, count) in zip(weights, sums, strict=True)]
    loss = sum(parts) / sum(weights)
    if not isfinite(loss):
        raise GradientError(f"train: the validation loss is {loss}, expected a finite number; look for nan in inputs")
    return loss
