"""The gate of reduced precision: bfloat16 is used where it gives the loss and the gradient of float32."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from crest_core import ComponentError
from crest_training.batch import Batch
from crest_training.losses import Likelihood
from crest_training.modes import modes_restored
from crest_training.passes import Passes

LARGEST_DIFFERENCE = 0.02  # of the loss, relative; bfloat16 has 8 bits, a rounding of 0.004; of likelihoods in nats
SMALLEST_COSINE = 0.99  # between the gradients
TRIES = (0, 20, 100, 500)
"""Batches that are done when the gate is tried. The gradient of an LSTM that was just drawn at random can be chaotic,
so steep that rounding its weights turns it. A few steps in float32 end that."""


@dataclass(frozen=True)
class Gate:
    """How bfloat16 compares with float32 on one batch, and whether it may be used."""

    difference: float
    cosine: float
    failure: str = ""  # why the model cannot run in bfloat16

    @property
    def passed(self) -> bool:
        """True if loss and gradient agree well enough; nan never does."""
        return self.difference <= LARGEST_DIFFERENCE and self.cosine >= SMALLEST_COSINE

    def __str__(self) -> str:
        return self.failure or (
            f"the loss differs by {self.difference:.2g} (at most {LARGEST_DIFFERENCE:g}), the cosine of the gradients "
            f"is {self.cosine:.4f} (at least {SMALLEST_COSINE:g})"
        )

    def note(self, done: int) -> str:
        """Return what it showed after so many batches, and what follows."""
        later = [number for number in TRIES if number > done]
        again = f"not used, tried again at batch {later[0] + 1}" if later else "not used, training stays in float32"
        return f"bf16 at batch {done + 1}: {self}: {'used' if self.passed else again}"


def gate(passes: Passes, batch: Batch) -> Gate:
    """Return the comparison on one batch, with dropout off; parameters and their gradients are left as they are."""
    with modes_restored(passes.model), torch.backends.cudnn.flags(enabled=False):
        passes.model.eval()
        try:
            loss, gradient = _loss_and_gradient(passes, batch)
            passes.reduced = True
            other, rough = _loss_and_gradient(passes, batch)
        except (RuntimeError, ComponentError) as error:
            if not passes.reduced:
                raise
            return Gate(nan, nan, f"the model does not run in it: {error}")
        finally:
            passes.reduced = False
    likelihood = any(isinstance(one.loss, Likelihood) for one in passes.objectives)
    least = 1.0 if likelihood else torch.finfo(loss.dtype).tiny  # a logarithm may be near 0: its differences count
    difference = float((other - loss).abs() / loss.abs().clamp(min=least))
    return Gate(difference, float(torch.nn.functional.cosine_similarity(gradient, rough, dim=0)))


def _loss_and_gradient(passes: Passes, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the loss, and its gradient with respect to all trained parameters as one vector."""
    parameters = [p for p in passes.model.parameters() if p.requires_grad]
    total, gradient = torch.zeros((), dtype=torch.float64), [torch.zeros_like(p) for p in parameters]
    for loss in passes.losses(batch):
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        gradient = [g if new is None else g + new for g, new in zip(gradient, found, strict=True)]
        total = total + loss.detach().cpu().double()
    every = passes.processes.total(torch.cat([total.reshape(1), *(g.reshape(-1).cpu().double() for g in gradient)]))
    return every[0], every[1:]
