"""TrainingRecord: what happened during a training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr


@dataclass(frozen=True)
class TrainingRecord:
    """Losses by epoch, the epoch whose parameters were kept, and the settings of the training."""

    training: tuple[float, ...]
    validation: tuple[float, ...]
    """nan for epochs that were not validated."""
    best_epoch: int
    seconds: float
    settings: dict[str, float | int | str]
    batches: tuple[float, ...] = ()
    """Loss of every batch in its order, where there are batches."""
    notes: tuple[str, ...] = ()
    """What was decided on the way, such as whether bf16 is used."""
    measure: str = "mean squared error in standard deviations of the observations"

    def to_dataset(self) -> xr.Dataset:
        """Return the learning curve with dim epoch, counted from 1."""
        epochs = np.arange(1, len(self.training) + 1)
        curve = {"training_loss": self.training, "validation_loss": self.validation}
        variables = {
            name: ("epoch", np.asarray(values), {"long_name": self.measure, "units": "1"})
            for name, values in curve.items()
        }
        attributes = {**self.settings, "best_epoch": self.best_epoch, "seconds": self.seconds}
        return xr.Dataset(variables, coords={"epoch": epochs}, attrs=attributes)
