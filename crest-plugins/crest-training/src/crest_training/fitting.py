"""fit: train networks and calibrate physical parameters together, through the whole coupled graph."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import cos, isfinite, nan, pi
from time import monotonic
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from crest_core import Component, ForcingError, GradientError, Graph, PhysicalParameters, Prepared, prepare
from crest_training.observation import Observation, masked_loss, stream_scale
from crest_training.progress import Progress
from crest_training.record import TrainingRecord


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

    An epoch is one run of the whole period and one step of Adam (Kingma and Ba 2015,
    arXiv:1412.6980). Physical parameters (in PhysicalParameters) and network weights have learning
    rates of their own, which fall to `final_rate` of themselves along a cosine. The gradient's norm
    is clipped at `clip`. The first `spin_up` steps are run but not scored. With `validate_until`,
    [end, validate_until) is scored every `validate_every` epochs, the parameters with the best
    validation loss are kept, and the fit ends after `patience` validations without a better one;
    else those with the best training loss are kept. Nothing is drawn at random here. Denormal
    numbers are flushed.

    Raises GradientError where a loss or gradient is not finite: it names epoch and parameter.
    """
    _check(epochs, validate_every, observations)
    torch.set_flush_denormal(True)
    began = monotonic()
    run = prepare(model, forcing, start=start, end=end, dtype=dtype)
    target = _Target.of(run, observations, spin_up)
    check = _Validation.of(model, forcing, run, observations, target, validate_until, dtype)
    optimiser = torch.optim.Adam(_groups(run.graph, physical_rate, network_rate))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda i: final_rate + (1 - final_rate) * (1 + cos(pi * i / epochs)) / 2
    )
    inputs = run.inputs()
    training: list[float] = []
    validation: list[float] = []
    best, best_epoch, waiting = float("inf"), 0, 0
    kept = deepcopy(model.state_dict())
    with Progress(epochs, progress) as bar:
        for epoch in range(1, epochs + 1):
            optimiser.zero_grad()
            outputs, _ = run.graph(run.state, inputs, run.clock.times)
            loss = target.loss(outputs)
            training.append(float(loss.detach()))
            due = check is not None and (epoch % validate_every == 0 or epoch == epochs)
            validation.append(check.loss() if check is not None and due else nan)
            judged = validation[-1] if check is not None else training[-1]
            if not isfinite(training[-1]):
                raise GradientError(f"fit: the loss of epoch {epoch} is {training[-1]}; lower the learning rates")
            if judged < best:
                best, best_epoch, waiting = judged, epoch, 0
                kept = deepcopy(model.state_dict())
            elif due or check is None:
                waiting += 1
            bar.update(epoch, training[-1], best)
            if patience is not None and waiting >= patience:
                break
            loss.backward()
            _check_gradients(model, epoch)
            nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimiser.step()
            schedule.step()
    model.load_state_dict(kept)
    settings: dict[str, float | int | str] = {
        "start": str(start),
        "end": str(end),
        "spin_up": spin_up,
        "physical_rate": physical_rate,
        "network_rate": network_rate,
        "validate_until": str(validate_until or "none"),
    }
    return TrainingRecord(tuple(training), tuple(validation), best_epoch, monotonic() - began, settings)


@dataclass(frozen=True)
class _Target:
    """What outputs are compared with, over the steps from `first` on."""

    first: int
    streams: tuple[tuple[str, float, Tensor, Tensor], ...]  # output, weight, observed, scale

    @staticmethod
    def of(run: Prepared, observations: Sequence[Observation], first: int) -> _Target:
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
                    f"observation {stream.output}: nothing is observed in "
                    f"{run.clock.describe()} after a "
                    f"spin-up of {first} steps; move the period or shorten the spin-up"
                )
            scale = stream_scale(values[first:], stream.normalise)
            streams.append((stream.output, stream.weight, values[first:], scale))
        return _Target(first, tuple(streams))

    def loss(self, outputs: dict[str, Tensor]) -> Tensor:
        """Return the mean of the streams' losses, by their weights."""
        total = sum(weight for _, weight, _, _ in self.streams)
        parts = [
            weight / total * masked_loss(outputs[name][self.first :], observed, scale)
            for name, weight, observed, scale in self.streams
        ]
        return torch.stack(parts).sum()


@dataclass(frozen=True)
class _Validation:
    """A run on from the start of training, scored after its end with the scales of training."""

    run: Prepared
    target: _Target

    @staticmethod
    def of(
        model: Component,
        forcing: xr.Dataset,
        training: Prepared,
        observations: Sequence[Observation],
        target: _Target,
        until: Any,
        dtype: torch.dtype,
    ) -> _Validation | None:
        if until is None:
            return None
        run = prepare(model, forcing, start=training.clock.start, end=until, dtype=dtype)
        own = _Target.of(run, observations, len(training.clock))
        scaled = tuple(
            (name, weight, observed, scale)
            for (name, weight, observed, _), (_, _, _, scale) in zip(own.streams, target.streams, strict=True)
        )
        return _Validation(run, _Target(own.first, scaled))

    @torch.no_grad()
    def loss(self) -> float:
        outputs, _ = self.run.graph(self.run.state, self.run.inputs(), self.run.clock.times)
        return float(self.target.loss(outputs))


def _check(epochs: int, validate_every: int, observations: Sequence[Observation]) -> None:
    if epochs < 1 or validate_every < 1:
        raise ValueError(f"fit: epochs {epochs} and validate_every {validate_every} must be 1 or more")
    if not observations:
        raise ForcingError("fit: there is no observation; give at least one Observation(output, data)")


def _groups(graph: Graph, physical_rate: float, network_rate: float) -> list[dict[str, Any]]:
    """Return parameter groups for Adam: physical parameters and network weights."""
    holders = [child for child in graph.modules() if isinstance(child, PhysicalParameters)]
    physical = {id(p): p for holder in holders for p in holder.parameters() if p.requires_grad}
    network = [p for p in graph.parameters() if p.requires_grad and id(p) not in physical]
    groups = [
        {"params": list(physical.values()), "lr": physical_rate},
        {"params": network, "lr": network_rate},
    ]
    if not physical and not network:
        raise GradientError("fit: the graph has no trainable parameter; expected at least one")
    return [group for group in groups if group["params"]]


def _check_gradients(model: Component, epoch: int) -> None:
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
            raise GradientError(
                f"fit: the gradient of {name} is not finite in epoch {epoch}; look at its "
                "component "
                f"with gradient_report(), or lower the learning rates"
            )
