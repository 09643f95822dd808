"""Target and Validation: what a run is compared with, in training and on the time after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from crest_core import Component, ForcingError, Prepared, prepare
from crest_training.observation import Observation, masked_loss, stream_scale


@dataclass(frozen=True)
class Target:
    """What outputs are compared with, over the steps from `first` on."""

    first: int
    streams: tuple[tuple[str, float, Tensor, Tensor], ...]
    """Output, weight, observed and scale of each stream."""

    @staticmethod
    def of(run: Prepared, observations: Sequence[Observation], first: int) -> Target:
        """Return the observations of a run; ForcingError where none is left to score."""
        specs = {spec.name: spec for spec in run.graph.outputs}
        streams = []
        for stream in observations:
            if stream.output not in specs:
                raise ForcingError(
                    f"observation {stream.output}: the graph has no such output; outputs: {', '.join(specs)}"
                )
            values = stream.tensor(specs[stream.output], run.clock, run.sizes.dtype)
            if not 0 <= first < len(values) or bool(torch.isnan(values[first:]).all()):
                raise ForcingError(
                    f"observation {stream.output}: nothing is observed in {run.clock.describe()} after a spin-up of "
                    f"{first} steps; move the period or shorten the spin-up"
                )
            scale = stream_scale(values[first:], stream.normalise)
            streams.append((stream.output, stream.weight, values[first:], scale))
        return Target(first, tuple(streams))

    def loss(self, outputs: dict[str, Tensor]) -> Tensor:
        """Return the mean of the streams' losses, by their weights."""
        total = sum(weight for _, weight, _, _ in self.streams)
        parts = [
            weight / total * masked_loss(outputs[name][self.first :], observed, scale)
            for name, weight, observed, scale in self.streams
        ]
        return torch.stack(parts).sum()


@dataclass(frozen=True)
class Validation:
    """A run on from the start of training, scored after its end with the scales of training."""

    run: Prepared
    target: Target

    @staticmethod
    def of(
        model: Component,
        forcing: xr.Dataset,
        training: Prepared,
        observations: Sequence[Observation],
        target: Target,
        until: Any,
    ) -> Validation | None:
        """Return the validation up to `until`, None without."""
        if until is None:
            return None
        run = prepare(model, forcing, start=training.clock.start, end=until, dtype=training.sizes.dtype)
        own = Target.of(run, observations, len(training.clock))
        scaled = tuple(
            (name, weight, observed, scale)
            for (name, weight, observed, _), (_, _, _, scale) in zip(own.streams, target.streams, strict=True)
        )
        return Validation(run, Target(own.first, scaled))

    @torch.no_grad()
    def loss(self) -> float:
        """Return the loss in eval mode, in which dropout and the like are off; the mode stays so."""
        self.run.graph.eval()
        outputs, _ = self.run.graph(self.run.state, self.run.inputs(), self.run.clock.times)
        return float(self.target.loss(outputs))
