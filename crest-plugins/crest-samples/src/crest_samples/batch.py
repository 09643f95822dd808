"""Batch: tensors of some samples, shaped as components take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crest_samples.errors import SampleError
from crest_samples.places import Places
from crest_samples.times import TimeAxis
from crest_samples.window import Window


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets (time, sample, *extra), statics (sample, *extra); targets have the scored steps only."""

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]
    place: Tensor  # (sample,), numbers in the places of the samples
    start: Tensor  # (sample,), numbers in the times of the samples
    window: Window
    places: Places
    axis: TimeAxis

    def __len__(self) -> int:
        return len(self.place)

    @property
    def times(self) -> NDArray[Any]:
        """The dates of the inputs as cftime, (time, sample)."""
        return self.axis.dates[np.arange(self.window.length)[:, None] + self.start.numpy()[None, :]]

    def scored(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return of outputs (time, sample, ...) the steps that targets have, by the names of the targets."""
        missing = sorted(set(self.targets) - set(outputs))
        if missing:
            raise SampleError(
                f"batch: the outputs {sorted(outputs)} lack the targets {missing}; rename one or the other"
            )
        short = [name for name in self.targets if len(outputs[name]) != self.window.length]
        if short:
            raise SampleError(
                f"batch: output {short[0]} has {len(outputs[short[0]])} steps, expected the {self.window.length} steps "
                f"of the inputs; an answer of the last step alone is compared with targets without this function"
            )
        return {name: outputs[name][self.window.length - self.window.scored :] for name in self.targets}

    def unobserved(self) -> Batch:
        """Return the batch without targets: nan in all of them."""
        return replace(self, targets={name: torch.full_like(one, torch.nan) for name, one in self.targets.items()})

    def on_cells(self) -> Batch:
        """Return the batch with a last dim `cell` of size 1, for components whose fields have the dim cell."""
        inputs, targets = (
            {name: value.unsqueeze(-1) for name, value in held.items()} for held in (self.inputs, self.targets)
        )
        return replace(self, inputs=inputs, targets=targets)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch with its inputs and targets on a device."""
        inputs, targets = (
            {name: value.to(device, non_blocking=True) for name, value in held.items()}
            for held in (self.inputs, self.targets)
        )
        return replace(self, inputs=inputs, targets=targets)
