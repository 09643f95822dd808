"""From a training file to trained models; `crest train` does no more than this.

trained = run_training(load_train_file("train.yaml"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from crest_core import Component, FieldSpec, ForcingError, Standardize, registry
from crest_training.datasets import Datasets
from crest_training.descent import Optimiser
from crest_training.leaving import leave
from crest_training.members import begin, locked
from crest_training.model_folders import write_model_folders
from crest_training.ports import as_fields, check_within, standardise
from crest_training.processes import joined_processes, present_processes
from crest_training.record import TrainingRecord
from crest_training.schedule import Schedule
from crest_training.stages import stage_moments, stages_of
from crest_training.task import Task, make_task, moments_of, targets_of
from crest_training.train_file import TrainFile, TrainFileError
from crest_training.train_sections import OptimiserSection
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

    With `resume` complete members are left as they are, and the others go on from their checkpoints. Processes that
    torchrun started train together: each has batches of the file's size, and the first writes and returns the members.
    """
    wanted = seeds or file.seeds
    if len(set(wanted)) != len(wanted):
        raise TrainFileError(f"seeds {', '.join(map(str, wanted))}: expected each seed once")
    with joined_processes() as processes:
        data = Datasets(file.file, file.data, file.lines)
        trained = [_member(file, data, seed, resume, progress) for seed in wanted]
    return trained if processes.is_first else []


def _member(file: TrainFile, data: Datasets, seed: int, resume: bool, progress: bool | None) -> Trained:
    folder = file.target / f"seed-{seed}"
    with locked(folder) if present_processes().is_first else nullcontext():
        return _held(file, data, seed, folder, resume, progress)


def _held(file: TrainFile, data: Datasets, seed: int, folder: Path, resume: bool, progress: bool | None) -> Trained:
    model, skipped = _model(file, seed)
    with file.at("samples"):
        inputs = as_fields(data.forcing, model.inputs, file.samples.inputs, "input")
    for key in ("training", "validation"):
        if (part := getattr(file, key)) is not None:
            with file.at(key):
                check_within(inputs, part.dates)
    task = make_task(file, model, file.objectives, inputs, data.observations)
    stages = stages_of(file, model, data)
    more = stage_moments(stages)
    mean, std = ({**own, **{n: both[i] for n, both in more.items()}} for i, own in enumerate((task.mean, task.std)))
    scaled = _scale(file, model, mean, std, skipped)
    statistics = {"mean": mean, "std": std}
    if present_processes().is_first:
        begin(folder, file, statistics, resume=resume)
    for stage in stages:
        chosen = stage.section.optimiser or file.optimiser
        _trained(file, stage.component, stage.task, chosen, seed, folder / stage.name, f" {stage.name}",
                 epochs=stage.section.epochs, resume=resume, progress=progress)  # fmt: skip
    record = _trained(file, model, task, file.optimiser, seed, folder, "", epochs=file.epochs, resume=resume,
                      progress=progress, frozen=file.frozen)  # fmt: skip
    if present_processes().is_first:
        leave(folder, file, model, record, seed=seed, statistics=statistics, scaled=scaled)
        write_model_folders(folder, file, model)
    return Trained(seed, folder, record, model)


def _trained(
    file: TrainFile,
    model: Component,
    task: Task,
    optimiser: OptimiserSection,
    seed: int,
    folder: Path,
    stage: str,
    *,
    epochs: int,
    resume: bool,
    progress: bool | None,
    frozen: Sequence[str] = (),
) -> TrainingRecord:
    """Train a model on its task, in place; what is drawn in a stage is drawn for it alone."""
    processes = present_processes()
    batches = {"batch": file.samples.batch * processes.count, "share": processes.share}
    loader = task.samples.loader(file.training.dates, generator=_generator(seed, f"samples{stage}"), **batches)
    return train(
        model,
        loader,
        task.objectives(file.training.dates),
        epochs=epochs,
        optimiser=_optimiser(file, optimiser),
        validation=task.samples.loader(file.validation.dates, **batches) if file.validation else None,
        patience=file.patience,
        frozen=frozen,
        segment=file.segment,
        precision=file.precision,
        seed=_seed(seed, f"training{stage}"),
        folder=folder,
        resume=resume,
        checkpoint_every=file.checkpoint_every,
        events=file.events,
        progress=progress,
    )


def untrained(file: TrainFile, seed: int, mean: Mapping[str, float], std: Mapping[str, float]) -> Component:
    """Return the model of a seed with the scaling of these statistics, for parameters to be loaded into it."""
    model, skipped = _model(file, seed)
    _scale(file, model, mean, std, skipped)
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
    file: TrainFile, model: Component, mean: Mapping[str, float], std: Mapping[str, float], skipped: set[str]
) -> dict[str, list[str]]:
    """Scale inputs and scored outputs, and what stages scored, `component.field`; return what was scaled."""
    moments = {name: (mean[name], std[name]) for name in mean if "." in name}
    moments |= {spec.name: (mean[spec.name], std[spec.name]) for spec in model.inputs}
    moments |= moments_of(targets_of(file, model, file.objectives), file.objectives, mean, std)
    means, stds = ({name: both[i] for name, both in moments.items()} for i in (0, 1))
    return standardise(model, means, stds, skipped)


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


def _optimiser(file: TrainFile, section: OptimiserSection) -> Optimiser:
    keys = section.model_dump()
    with file.at("optimiser"):
        return Optimiser(**{**keys, "schedule": Schedule(**keys["schedule"])})


def _seed(seed: int, what: str) -> int:
    """Return a seed of its own for each thing that draws: one for all would make their numbers equal."""
    return int.from_bytes(hashlib.sha256(f"{seed} {what}".encode()).digest()[:7])


def _generator(seed: int, what: str) -> torch.Generator:
    return torch.Generator().manual_seed(_seed(seed, what))
