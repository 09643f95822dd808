"""One training of a skill script: statistics of the training part, samples, the loss NSE*, a folder to resume in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
import xarray as xr
from _skill_data import LAG, LAGGED, TARGET, Basins, Period
from crest_samples import Loader, Shuffled, Source, Window, make_samples
from crest_training import Comparison, Objective, Observation, Optimiser, Schedule, TrainingRecord, compare, train
from crest_training.losses import Standardised, nse

from crest_core import Component

SPIN_UP = 365  # days


@dataclass(frozen=True)
class Recipe:
    """What a training is made of; `build` makes an untrained model."""

    build: Callable[[torch.Generator], Component]
    epochs: int
    every: int
    """Days between the starts of two samples of a basin."""
    batch: int
    rate: float
    physical_rate: float = 1e-2
    steps: int = 365
    segment: int | None = None
    """Days after which gradients are cut; 365: the spin-up is run without."""
    precision: Literal["float32", "bf16"] = "bf16"

    def facts(self) -> dict[str, float | int | str | None]:
        """Return the settings for the record."""
        kept = ("epochs", "every", "batch", "rate", "physical_rate", "steps", "segment", "precision")
        return {name: getattr(self, name) for name in kept} | {"spin_up": SPIN_UP, "loss": "NSE*"}


def trained(
    recipe: Recipe, basins: Basins, period: Period, *, seed: int, folder: Path, progress: bool | None = None
) -> tuple[Component, TrainingRecord]:
    """Return a model trained on all basins given, in a period; goes on from the checkpoint in the folder."""
    model = recipe.build(generator(seed, "weights"))
    mean, std = statistics(model, known_in(basins.data, period), period)
    model.standardise(mean, std)  # type: ignore[operator]
    loader = loader_of(recipe, model, basins.data, period, seed)
    space = Standardised(mean[TARGET], std[TARGET])
    spread = _within(basins.data[TARGET], period).std("time").values / std[TARGET]
    objective = Objective(TARGET, nse, transform=space, scale=torch.tensor(spread, dtype=torch.float32))
    optimiser = Optimiser(
        network_rate=recipe.rate, physical_rate=recipe.physical_rate, schedule=Schedule("one-cycle", rise=0.1)
    )
    record = train(
        model, loader, [objective], epochs=recipe.epochs, optimiser=optimiser, precision=recipe.precision, seed=seed,
        segment=recipe.segment, folder=folder, resume=True, checkpoint_every=50, progress=progress,
    )  # fmt: skip
    return model.eval(), record


def known_in(data: xr.Dataset, period: Period) -> xr.Dataset:
    """Return the data without lagged runoff observed before a period: it stays unknown, in the spin-up, too."""
    if LAGGED not in data:
        return data
    first = np.datetime64(period[0]) + np.timedelta64(LAG, "D")
    return data.assign({LAGGED: data[LAGGED].where(data["time"] >= first)})


def statistics(model: Component, data: xr.Dataset, period: Period) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation of inputs and target over the basins given, in a period."""
    mean, std = {}, {}
    for name in [*(spec.name for spec in model.inputs), TARGET]:
        values = data[name] if "time" not in data[name].dims else _within(data[name], period)
        mean[name] = float(values.mean(dtype=np.float64))
        std[name] = float(values.std(dtype=np.float64)) or 1.0
    return mean, std


def loader_of(recipe: Recipe, model: Component, data: xr.Dataset, period: Period, seed: int) -> Loader:
    """Return batches whose scored days lie in the period; the spin-up sees forcing before it, and no target."""
    data, names = known_in(data, period), [spec.name for spec in model.inputs]
    sources = [Source(data, tuple(name for name in names if name != LAGGED), name="forcing and attributes")]
    if LAGGED in names:
        sources.append(Source(data, (LAGGED,), optional=True, name="lagged"))
    first = (pd.Timestamp(period[0]) - pd.Timedelta(days=SPIN_UP)).date().isoformat()
    samples = make_samples(
        sources,
        [Source(data, (TARGET,), name="observed")],
        Window(recipe.steps, spin_up=SPIN_UP),
        period=(first, period[1]),
        every=recipe.every,
    )
    ids = [str(one) for one in data["cell_id"].values]
    assert samples.places.ids.tolist() == ids  # scales of the loss are in this order
    drawn = generator(seed, "samples")
    return Loader(samples, Shuffled(len(samples)), recipe.batch, drawn, drop_last=len(samples) > recipe.batch)


def generator(seed: int, what: str) -> torch.Generator:
    """Return a generator of its own for each thing that draws: one seed for all would make their numbers equal."""
    return torch.Generator().manual_seed(int.from_bytes(sha256(f"{seed} {what}".encode()).digest()[:7]))


def compared(models: Sequence[Component] | xr.Dataset, basins: Basins, period: Period, training: Period) -> Comparison:
    """Return what a model, or the mean of several, simulates in a period, beside observations and baselines."""
    observation = Observation(TARGET, basins.data[TARGET])
    given = models if isinstance(models, xr.Dataset) else models[0] if len(models) == 1 else models
    return compare(
        given, basins.data, observation, start=period[0], end=period[1], spin_up=f"{SPIN_UP}D", training=training
    )


def _within(values: xr.DataArray, period: Period) -> xr.DataArray:
    times = values["time"].values
    return values.isel(time=(times >= np.datetime64(period[0])) & (times < np.datetime64(period[1])))
