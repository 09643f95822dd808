"""From a training file to trained models; `crest train` does no more than this.

trained = run_training(load_train_file("train.yaml"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from crest_core import Component, FieldSpec, ForcingError, Standardize, registry
from crest_training.datasets import Datasets
from crest_training.descent import Optimiser
from crest_training.leaving import leave
from crest_training.losses import LIKELIHOODS, POINTS, Likelihood, Logarithm, Root, Standardised, quantile
from crest_training.model_folders import write_model_folders
from crest_training.objective import Objective
from crest_training.ports import as_fields, standardise
from crest_training.record import TrainingRecord
from crest_training.schedule import Schedule
from crest_training.train_file import TrainFile
from crest_training.train_sections import ObjectiveSection
from crest_training.training import train


@dataclass(frozen=True, eq=False)
class Trained:
    """One member of an ensemble: its seed, its folder, what happened, and the model with its best parameters."""

    seed: int
    folder: Path
    record: TrainingRecord
    model: Component


def run_training(
    file: TrainFile, *, seeds: Sequence[int] = (), resume: bool = False, progress: bool | None = None
) -> list[Trained]:
    """Train a model for each seed, those of the file by default, each in its own folder with a model folder at the end.

    With `resume` complete members are left as they are, and the others go on from their checkpoints.
    """
    data = Datasets(file.file, file.data, file.lines)
    return [_member(file, data, seed, resume, progress) for seed in seeds or file.seeds]


def _member(file: TrainFile, data: Datasets, seed: int, resume: bool, progress: bool | None) -> Trained:
    model, skipped = _model(file, seed)
    targets = _targets(file, model)
    with file.at("samples"):
        inputs = as_fields(data.forcing, model.inputs, file.samples.inputs, "input")
        names = {spec.name: one.variable for spec, one in zip(targets, file.objectives, strict=True) if one.variable}
        observed = as_fields(data.observations, targets, names, "objective")
        samples = registry().load("parts", "training-samples")(
            inputs, observed, steps=file.samples.steps, spin_up=file.samples.spin_up, every=file.samples.every
        )
        mean, std = samples.statistics(file.training.dates)
    scaled = _scale(file, model, targets, mean, std, skipped)
    objectives = [
        _objective(one, spec.name, mean, std, samples.spread(spec.name, file.training.dates))
        for spec, one in zip(targets, file.objectives, strict=True)
    ]
    loader = samples.loader(file.training.dates, batch=file.samples.batch, generator=_generator(seed, "samples"))
    ahead = samples.loader(file.validation.dates, batch=file.samples.batch) if file.validation else None
    folder = file.target / f"seed-{seed}"
    record = train(
        model,
        loader,
        objectives,
        epochs=file.epochs,
        optimiser=_optimiser(file),
        validation=ahead,
        patience=file.patience,
        frozen=file.frozen,
        segment=file.segment,
        precision=file.precision,
        seed=_seed(seed, "training"),
        folder=folder,
        resume=resume,
        checkpoint_every=file.checkpoint_every,
        events=file.events,
        progress=progress,
    )
    leave(folder, file, model, record, seed=seed, statistics={"mean": mean, "std": std}, scaled=scaled)
    write_model_folders(folder, file, model)
    return Trained(seed, folder, record, model)


def untrained(file: TrainFile, seed: int, mean: Mapping[str, float], std: Mapping[str, float]) -> Component:
    """Return the model of a seed with the scaling of these statistics, for parameters to be loaded into it."""
    model, skipped = _model(file, seed)
    _scale(file, model, _targets(file, model), mean, std, skipped)
    return model


def data_of(
    file: TrainFile, model: Component, output: FieldSpec, variable: str | None
) -> tuple[xr.Dataset, xr.DataArray]:
    """Return the inputs of a model, and what was observed of one of its outputs, as the file names them."""
    data = Datasets(file.file, file.data, file.lines)
    with file.at("samples"):
        inputs = as_fields(data.forcing, model.inputs, file.samples.inputs, "input")
        observed = as_fields(data.observations, [output], {output.name: variable} if variable else {}, "objective")
    return inputs, observed[output.name]


def _scale(
    file: TrainFile,
    model: Component,
    targets: Sequence[FieldSpec],
    mean: Mapping[str, float],
    std: Mapping[str, float],
    skipped: set[str],
) -> dict[str, list[str]]:
    """Scale inputs and scored outputs, and return what was scaled."""
    outputs = {one.output: spec.name for spec, one in zip(targets, file.objectives, strict=True)}
    known = {spec.name for spec in model.inputs} | outputs.keys()
    pairs = {name: outputs.get(name, name) for name in known}
    return standardise(model, {n: mean[p] for n, p in pairs.items()}, {n: std[p] for n, p in pairs.items()}, skipped)


def _model(file: TrainFile, seed: int) -> tuple[Component, set[str]]:
    """Return the model of a file, and which of its components came with weights and their scaling."""
    if file.network is None:
        part = registry().load("parts", "run-part")(file.file, file.data, file.lines, seed=seed)
        return part.graph(), part.trained() | _saved(file)
    section = file.network
    fields: dict[str, tuple[FieldSpec, ...]] = {}
    for key, listed in (("inputs", section.inputs), ("outputs", section.outputs)):
        for i, one in enumerate(listed):
            with file.at("network", key, i):
                fields[key] = (*fields.get(key, ()), _field(one))
    names = [spec.name for spec in (*fields["inputs"], *fields["outputs"])]
    scale = Standardize(dict.fromkeys(names, 0.0), dict.fromkeys(names, 1.0))
    with file.at("network"):
        network: Component = registry().load("backends", "torch-lstm")(
            **fields,
            scale=scale,
            hidden=section.hidden,
            layers=section.layers,
            dropout=section.dropout,
            generator=_generator(seed, "weights"),
        )
    return network.to(getattr(torch, file.dtype)), set()


def _saved(file: TrainFile) -> set[str]:
    """Return the components of the graph that are model folders: they come with weights and scaling."""
    kind = registry().load("parts", "saved-model")
    sections: dict[str, dict[str, Any]] = (file.graph or {})["components"]
    return {name for name, one in sections.items() if isinstance(registry().load("components", one["use"]), kind)}


def _field(keys: dict[str, Any]) -> FieldSpec:
    try:
        return FieldSpec(**{name: tuple(one) if isinstance(one, list) else one for name, one in keys.items()})
    except TypeError as error:
        raise ForcingError(
            f"{error}; expected the keys of FieldSpec: name, units, standard_name, static, ..."
        ) from error


def _targets(file: TrainFile, model: Component) -> list[FieldSpec]:
    """Return the field that each objective is compared with, under a name of its own."""
    known = {spec.name: spec for spec in model.outputs}
    specs: list[FieldSpec] = []
    for i, one in enumerate(file.objectives):
        wanted = f"{one.output}_location" if one.loss in LIKELIHOODS else one.output
        with file.at("objectives", i, "output"):
            if wanted not in known:
                raise ForcingError(f"the model has no output {wanted}; outputs: {', '.join(known)}")
        spec = known[wanted]
        more = one.loss in LIKELIHOODS or len(one.levels) > 1
        twice = any(other.name == one.output for other in specs)
        name = f"{one.output}_{i}" if twice else one.output
        specs.append(replace(spec, name=name, dims=spec.dims[1:] if more else spec.dims))
    return specs


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


def _optimiser(file: TrainFile) -> Optimiser:
    keys = file.optimiser.model_dump()
    with file.at("optimiser"):
        return Optimiser(**{**keys, "schedule": Schedule(**keys["schedule"])})


def _seed(seed: int, what: str) -> int:
    """Return a seed of its own for each thing that draws: one for all would make their numbers equal."""
    return int.from_bytes(hashlib.sha256(f"{seed} {what}".encode()).digest()[:7])


def _generator(seed: int, what: str) -> torch.Generator:
    return torch.Generator().manual_seed(_seed(seed, what))
