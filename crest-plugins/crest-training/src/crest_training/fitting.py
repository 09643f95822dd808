"""fit: train networks and calibrate physical parameters together, through the whole coupled graph."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from time import monotonic
from typing import Any

import torch
import xarray as xr

from crest_core import Component, ForcingError, GradientError, Prepared, flushed_denormals, prepare
from crest_training.best import BestParameters
from crest_training.descent import Descent, Optimiser
from crest_training.modes import modes_restored
from crest_training.observation import Observation
from crest_training.progress import Progress
from crest_training.record import TrainingRecord
from crest_training.schedule import Schedule
from crest_training.target import Target, Validation


def fit(
    model: Component,
    forcing: xr.Dataset,
    observations: Sequence[Observation],
    *,
    start: Any,
    end: Any,
    epochs: int,
    spin_up: int = 0,
    physical_rate: float = 0.1,
    network_rate: float = 0.02,
    final_rate: float = 0.1,
    clip: float = 5.0,
    validate_until: Any = None,
    validate_every: int = 5,
    patience: int | None = None,
    dtype: torch.dtype = torch.float32,
    progress: bool | None = None,
) -> TrainingRecord:
    """Train `model` in place over [start, end) and leave its best parameters in it.

    An epoch is one run of the period and one step of `Descent`. The first `spin_up` steps are run but not scored.
    Kept are the parameters with the best training loss or, with `validate_until`, the best loss of [end,
    validate_until), scored every `validate_every` epochs; `patience` of these without a better one end the fit.
    Nothing is drawn at random here (dropout of a network draws from torch's own stream). Raises GradientError where a
    loss or gradient is not finite: it names epoch and parameter.
    """
    began = monotonic()
    _check(epochs, validate_every, observations)
    schedule = Schedule("cosine", final=final_rate)
    optimiser = Optimiser("adam", network_rate, physical_rate, clip=clip, schedule=schedule)
    descent = Descent(model, optimiser, epochs, who="fit")
    best = BestParameters(model)
    with flushed_denormals(), modes_restored(model):
        run = prepare(model, forcing, start=start, end=end, dtype=dtype)
        target = Target.of(run, observations, spin_up)
        ahead = Validation.of(model, forcing, run, observations, target, validate_until)
        try:
            losses = _run_epochs(run, target, ahead, descent, best, epochs, validate_every, patience, progress)
        finally:  # an interrupted fit leaves the best so far, too
            best.restore()
    settings = _settings(start, end, spin_up, physical_rate, network_rate, validate_until)
    return TrainingRecord(*losses, best.epoch, monotonic() - began, settings)


def _run_epochs(
    run: Prepared,
    target: Target,
    ahead: Validation | None,
    descent: Descent,
    best: BestParameters,
    epochs: int,
    validate_every: int,
    patience: int | None,
    shown: bool | None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the training and the validation loss of every epoch, the latter nan where it was not computed."""
    inputs = run.inputs()
    training: list[float] = []
    validation: list[float] = []
    with Progress(epochs, shown) as bar:
        for epoch in range(1, epochs + 1):
            run.graph.train()
            outputs, _ = run.graph(run.state, inputs, run.clock.times)
            loss = target.loss(outputs)
            training.append(_finite(float(loss.detach()), "loss", epoch))
            due = ahead is None or epoch % validate_every == 0 or epoch == epochs
            validation.append(nan if ahead is None or not due else _finite(ahead.loss(), "validation loss", epoch))
            if due:
                best.judge(epoch, training[-1] if ahead is None else validation[-1])
            bar.update(epoch, training[-1], best.loss)
            if patience is not None and best.waiting >= patience:
                break
            descent.clear()
            loss.backward()
            descent.step(epoch - 1)
    return tuple(training), tuple(validation)


def _check(epochs: int, validate_every: int, observations: Sequence[Observation]) -> None:
    if epochs < 1 or validate_every < 1:
        raise ValueError(f"fit: epochs {epochs} and validate_every {validate_every} must be 1 or more")
    if not observations:
        raise ForcingError("fit: there is no observation; give at least one Observation(output, data)")


def _settings(
    start: Any, end: Any, spin_up: int, physical_rate: float, network_rate: float, validate_until: Any
) -> dict[str, float | int | str]:
    return {
        "start": str(start),
        "end": str(end),
        "spin_up": spin_up,
        "physical_rate": physical_rate,
        "network_rate": network_rate,
        "validate_until": str(validate_until or "none"),
    }


def _finite(loss: float, what: str, epoch: int) -> float:
    if not isfinite(loss):
        raise GradientError(
            f"fit: the {what} of epoch {epoch} is {loss}, expected a finite number; lower the learning rates, or look "
            f"for nan in the forcing of that period"
        )
    return loss
