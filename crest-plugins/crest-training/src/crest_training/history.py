"""History: the losses of a training so far, as they are saved, shown and returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum, isfinite, nan
from typing import Any

from crest_core import GradientError


@dataclass
class History:
    """Losses of batches and of epochs that are complete.

    >>> history = History()
    >>> history.add(2.0)
    >>> history.add(1.0)
    >>> history.close(validation=nan, seconds=1.0)
    >>> history.training
    [1.5]
    """

    batches: list[float] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Since the start of training, at the end of each epoch; pauses between interruptions do not count."""
    opened: int = 0
    """Number of batches of the epochs that are complete."""

    @property
    def epoch(self) -> int:
        """Number of epochs that are complete."""
        return len(self.training)

    @property
    def batch(self) -> int:
        """Number of batches of the present epoch that are done."""
        return len(self.batches) - self.opened

    def add(self, loss: float) -> None:
        """Note the loss of a batch; GradientError where it is not finite."""
        if not isfinite(loss):
            raise GradientError(
                f"train: the loss of batch {self.batch + 1} in epoch {self.epoch + 1} is {loss}, expected a finite "
                f"number; lower the learning rates, or look for nan in the inputs"
            )
        self.batches.append(loss)

    def mean(self) -> float:
        """Return the mean loss of the batches of the present epoch."""
        return fsum(self.batches[self.opened :]) / self.batch if self.batch else nan

    def close(self, validation: float, seconds: float) -> None:
        """End the present epoch."""
        self.training.append(self.mean())
        self.validation.append(validation)
        self.seconds.append(seconds)
        self.opened = len(self.batches)

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values, bit for bit."""
        return {name: getattr(self, name) for name in ("batches", "training", "validation", "seconds", "opened")}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name in ("batches", "training", "validation", "seconds"):
            setattr(self, name, [float(value) for value in state[name]])
        self.opened = int(state["opened"])
