"""Epistemic uncertainty: ensembles over seeds, and Monte Carlo dropout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from crest_core import Component, ComponentError, Tensors, flushed_denormals, simulate
from crest_training.batch import Batch
from crest_training.modes import modes_restored
from crest_training.passes import Passes


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean and standard deviation (of n - 1) over members of each output, (time, sample, *dims)."""

    mean: Tensors
    std: Tensors
    members: int


def predict(model: Component, batch: Batch) -> Tensors:
    """Return the outputs of all steps of a batch, spin-up included, with dropout off."""
    with modes_restored(model):
        model.eval()
        return _outputs(model, batch)


def ensemble(models: Sequence[Component], batch: Batch) -> Spread:
    """Return mean and spread of models that were trained with different seeds.

    The mean of several is better than most of them: Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019.
    """
    if len(models) < 2:
        raise ComponentError(f"ensemble: {len(models)} models, expected 2 or more")
    return _spread(predict(model, batch) for model in models)


def mc_dropout(model: Component, batch: Batch, *, runs: int, seed: int) -> Spread:
    """Return mean and spread of a trained model over `runs` runs with dropout on; it costs as many runs.

    Gal and Ghahramani (2016), arXiv:1506.02142; for hydrology Fang et al. (2019), arXiv:1906.04595. Torch's own
    generator draws, from `seed`, and is put back.
    """
    if runs < 2:
        raise ComponentError(f"mc_dropout: {runs} runs, expected 2 or more")
    with _dropping(model), torch.random.fork_rng():
        torch.manual_seed(seed)
        return _spread(_outputs(model, batch) for _ in range(runs))


def simulate_dropout(
    model: Component,
    forcing: xr.Dataset,
    *,
    runs: int,
    seed: int,
    start: Any = None,
    end: Any = None,
    outputs: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return `runs` runs over [start, end) with dropout on, along the dim `member`: what `compare` scores.

    As in `mc_dropout` torch's own generator draws, from `seed`, and is put back.
    """
    if runs < 2:
        raise ComponentError(f"simulate_dropout: {runs} runs, expected 2 or more")
    with _dropping(model), torch.random.fork_rng():
        torch.manual_seed(seed)
        found = [simulate(model, forcing, start=start, end=end, outputs=outputs, progress=False) for _ in range(runs)]
    return xr.concat(
        found, "member", join="exact", combine_attrs="override", coords="minimal", compat="override", data_vars="all"
    )


@torch.no_grad()
def _outputs(model: Component, batch: Batch) -> Tensors:
    with flushed_denormals():
        return Passes(model, ()).outputs(batch)


@contextmanager
def _dropping(model: Component) -> Iterator[None]:
    """Switch on what drops out, and nothing else, inside; ComponentError where nothing does."""
    dropping = [
        module
        for module in model.modules()
        if (isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0)
        or (isinstance(module, nn.RNNBase) and module.dropout > 0)
    ]
    if not dropping:
        raise ComponentError("mc_dropout: the model has no dropout, so that all runs are equal; train it with dropout")
    with modes_restored(model):
        model.eval()
        handles = [module.register_forward_pre_hook(_switch_on) for module in dropping]  # simulate calls eval(), too
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _switch_on(module: nn.Module, given: Any) -> None:
    module.training = True


def _spread(members: Iterable[Tensors]) -> Spread:
    """Return mean and standard deviation in one pass: Welford (1962), doi:10.1080/00401706.1962.10490022."""
    mean: Tensors = {}
    squares: dict[str, Tensor] = {}
    count = 0
    for count, outputs in enumerate(members, start=1):
        for name, value in outputs.items():
            if count == 1:
                mean[name], squares[name] = value.clone(), torch.zeros_like(value)
                continue
            change = value - mean[name]
            mean[name] = mean[name] + change / count
            squares[name] = squares[name] + change * (value - mean[name])
    return Spread(mean, {name: (value / (count - 1)).sqrt() for name, value in squares.items()}, count)
