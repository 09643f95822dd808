"""Schedules of the learning rate: functions of how far training is, without memory, so that it can go on anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Literal

from crest_core import GradientError

NAMES = ("constant", "step", "cosine", "one-cycle")


@dataclass(frozen=True)
class Schedule:
    """The factor of the learning rates after so many epochs, fractions of which count.

    `constant`; `step`: times `factor` at each of the epochs `at`; `cosine`: down to `final` at the end (Loshchilov and
    Hutter 2017, arXiv:1608.03983); `one-cycle`: up over the first `rise` of training, then down to `final`, both along
    a cosine (Smith and Topin 2018, arXiv:1708.07120). `warm_up` epochs come first, in which the rate rises linearly.

    >>> Schedule("step", at=(2, 4), factor=0.5).at_epoch(3.5, 10)
    0.5
    """

    name: Literal["constant", "step", "cosine", "one-cycle"] = "constant"
    at: tuple[float, ...] = ()
    factor: float = 0.1
    final: float = 0.01
    rise: float = 0.3
    warm_up: float = 0.0

    def __post_init__(self) -> None:
        shares = 0 < self.factor and 0 <= self.final <= 1 and 0 < self.rise < 1
        if self.name not in NAMES or not shares or self.warm_up < 0 or bool(self.at) != (self.name == "step"):
            raise GradientError(
                f"{self}: expected one of {', '.join(NAMES)}, `at` for step alone, factor above 0, final from 0 to 1, "
                f"rise between 0 and 1, and warm_up of 0 epochs or more"
            )

    def at_epoch(self, epoch: float, epochs: int) -> float:
        """Return the factor after `epoch` of `epochs` epochs."""
        warm = min(1.0, (epoch + 1e-2) / self.warm_up) if self.warm_up else 1.0
        return warm * self._shape(min(epoch / epochs, 1.0), epoch)

    def _shape(self, share: float, epoch: float) -> float:
        if self.name == "step":
            return float(self.factor ** sum(epoch >= at for at in self.at))
        if self.name == "cosine":
            return self._fall(share, 1.0)
        if self.name == "one-cycle":
            rising = share < self.rise
            low = 0.04  # of the highest rate, as torch's OneCycleLR begins
            up = low + (1 - low) * (1 - cos(pi * share / self.rise)) / 2
            return up if rising else self._fall((share - self.rise) / (1 - self.rise), 1.0)
        return 1.0

    def _fall(self, share: float, start: float) -> float:
        return self.final + (start - self.final) * (1 + cos(pi * share)) / 2
