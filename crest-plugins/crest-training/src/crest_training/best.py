"""BestParameters: the parameters with the smallest loss so far."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from torch import Tensor, nn


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

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the parameters that are kept, and what is known of them."""
        return dict(self._kept), {"loss": self.loss, "epoch": self.epoch, "waiting": self.waiting}

    def resume(self, kept: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._kept = {name: value.clone() for name, value in kept.items()}
        self.loss, self.epoch, self.waiting = float(facts["loss"]), int(facts["epoch"]), int(facts["waiting"])
