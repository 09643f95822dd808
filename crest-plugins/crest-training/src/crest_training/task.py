"""Task: a model, what it is compared with, and the samples of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import xarray as xr

from crest_core import Component, FieldSpec, ForcingError, registry
from crest_training.losses import LIKELIHOODS, POINTS, Likelihood, Logarithm, Root, Standardised, quantile
from crest_training.objective import Objective
from crest_training.ports import as_fields
from crest_training.train_file import Place, TrainFile
from crest_training.train_sections import ObjectiveSection

Moments = dict[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Task:
    """Samples of a model, and mean and std of their variables over the training period."""

    targets: tuple[FieldSpec, ...]
    sections: tuple[ObjectiveSection, ...]
    samples: Any  # what the part training-samples makes
    mean: dict[str, float]
    std: dict[str, float]

    def objectives(self, period: tuple[str, str]) -> list[Objective]:
        """Return what is scored, with the spread of places over a period."""
        return [
            _objective(one, spec.name, self.mean, self.std, self.samples.spread(spec.name, period))
            for spec, one in zip(self.targets, self.sections, strict=True)
        ]


def make_task(
    file: TrainFile,
    model: Component,
    sections: Sequence[ObjectiveSection],
    inputs: xr.Dataset,
    observations: xr.Dataset,
    *,
    place: Place = (),
) -> Task:
    """Return the task of a model; `place` is where the file has its objectives."""
    targets = targets_of(file, model, sections, place)
    with file.at(*(place or ("samples",))):
        names = {spec.name: one.variable for spec, one in zip(targets, sections, strict=True) if one.variable}
        observed = as_fields(observations, targets, names, "objective")
        samples = registry().load("parts", "training-samples")(
            inputs,
            observed,
            steps=file.samples.steps,
            spin_up=file.samples.spin_up,
            every=file.samples.every,
            missing=[spec.name for spec in model.inputs if spec.gaps],
        )
        mean, std = samples.statistics(file.training.dates)
    return Task(targets, tuple(sections), samples, mean, std)


def targets_of(
    file: TrainFile, model: Component, sections: Sequence[ObjectiveSection], place: Place = ()
) -> tuple[FieldSpec, ...]:
    """Return the field that each objective is compared with, under a name of its own."""
    known = {spec.name: spec for spec in model.outputs}
    specs: list[FieldSpec] = []
    for i, one in enumerate(sections):
        wanted = f"{one.output}_location" if one.loss in LIKELIHOODS else one.output
        with file.at(*place, "objectives", i, "output"):
            if wanted not in known:
                raise ForcingError(f"the model has no output {wanted}; outputs: {', '.join(known)}")
        spec = known[wanted]
        more = one.loss in LIKELIHOODS or len(one.levels) > 1
        twice = any(other.name == one.output for other in specs)
        name = f"{one.output}_{i}" if twice else one.output
        specs.append(replace(spec, name=name, dims=spec.dims[1:] if more else spec.dims))
    return tuple(specs)


def moments_of(
    targets: Sequence[FieldSpec],
    sections: Sequence[ObjectiveSection],
    mean: Mapping[str, float],
    std: Mapping[str, float],
) -> Moments:
    """Return mean and std of the outputs that are scored: of a likelihood those of its parts."""
    found: Moments = {}
    for spec, one in zip(targets, sections, strict=True):
        both, likelihood = (mean[spec.name], std[spec.name]), LIKELIHOODS.get(one.loss)
        found |= likelihood.moments(one.output, *both) if likelihood else {one.output: both}
    return found


def _objective(
    one: ObjectiveSection, target: str, mean: dict[str, float], std: dict[str, float], spread: torch.Tensor
) -> Objective:
    spaces: dict[str, Callable[[torch.Tensor], torch.Tensor] | None] = {
        "standardised": Standardised(mean[target], std[target]),
        "physical": None,
        "log": Logarithm(one.offset),
        "root": Root(one.offset),
    }
    loss = LIKELIHOODS.get(one.loss) or (quantile(*one.levels) if one.loss == "quantile" else POINTS[one.loss])
    if isinstance(loss, Likelihood):
        return Objective(one.output, loss, target, one.weight)
    scale = spread / std[target] if one.loss == "nse" else None
    return Objective(one.output, loss, target, one.weight, spaces[one.space], scale)
