"""BestParameters: the parameters with the smallest loss so far."""

from __future__ import annotations

from copy import deepcopy

from torch import nn


class BestParameters:
    """Keep a copy of the parameters of the best epoch, and count judgements since.

    >>> model = nn.Linear(1, 1)
    >>> best = BestParameters(model)
    >>> best.judge(1, 0.5)
    >>> best.judge(2, 0.7)
    >>> best.epoch, best.loss, best.waiting
    (1, 0.5, 1)
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.loss, self.epoch, self.waiting = float("inf"), 0, 0
        self._kept = deepcopy(model.state_dict())

    def judge(self, epoch: int, loss: float) -> None:
        """Keep the present parameters if their loss is the smallest, else count one more without."""
        if loss < self.loss:
            self.loss, self.epoch, self.waiting = loss, epoch, 0
            self._kept = deepcopy(self.model.state_dict())
        else:
            self.waiting += 1

    def restore(self) -> None:
        """Put the best parameters back into the model."""
        self.model.load_state_dict(self._kept)
