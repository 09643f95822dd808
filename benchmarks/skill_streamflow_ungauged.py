"""Skill of streamflow in basins without a gauge: each basin is simulated by a model that has never seen its runoff.

  skill.streamflow-ungauged.MODEL   median over basins of the NSE of daily runoff, 1989-10-01 to 1999-09-30; FOLDS
                                    models, each trained on 1999-10-01 to 2008-09-30 of the basins of the other folds

Folds are fixed: basins in the order of sha256 of their names, dealt out. A run that was stopped goes on in the fold
that it was in. The baselines in the record know the gauge: the climatology of the basin itself, and the day before.
To choose settings, --phase validate takes the years that skill_streamflow.py keeps from training, by the same folds.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
import xarray as xr
from _skill_data import TARGET, camels, folds, invented
from _skill_result import Options, finish, hold, keep, kept, options
from _skill_training import Recipe, compared, trained
from crest_training import Anchor, score, summarise

from crest_core import Component, registry

NAME, LEAST, FOLDS = "streamflow-ungauged", 0.66, 4
ANCHORS = (
    Anchor("LSTM, ungauged", "nse", 0.69, "531 basins, 12 folds, other years, doi:10.1029/2019WR026065"),
    Anchor("SAC-SMA, calibrated at the gauge", "nse", 0.64, "same paper"),
)


def recipe(asked: Options) -> Recipe:
    """Return how the model of a fold is trained."""

    def build(generator: torch.Generator) -> Component:
        make = registry().load("components", f"streamflow-{asked.model}")
        if asked.model == "hbv":
            return make(generator=generator)
        return make(hidden=asked.hidden, attribute_noise=asked.noise, generator=generator)

    return Recipe(build, asked.epochs, asked.every, asked.batch, asked.rate, segment=asked.segment,
                  precision="float32" if asked.model == "hbv" or asked.quick else "bf16")  # fmt: skip


def main() -> None:
    """Train and score a model for each fold."""
    asked = options(__doc__ or "", ("lstm", "ea-lstm", "hbv"), epochs=2, every=30, folds=FOLDS, noise=0.5)
    basins = invented() if asked.quick else camels()
    split = basins.split
    training, period = (split.train, split.test) if asked.phase == "test" else (split.fit, split.validate)
    how, parts, seconds = recipe(asked), [], []
    settings = how.facts() | ({} if asked.model == "hbv" else {"hidden": asked.hidden, "attribute_noise": asked.noise})
    dealt = folds(basins.ids, FOLDS)
    for number, (seen, tested) in enumerate(dealt):
        if asked.fold not in (None, number):
            continue
        place = asked.place(NAME) / f"fold-{number}"
        hold(place, settings)
        if not (place / "predictions.nc").exists():
            model, record = trained(how, basins.of(seen), training, seed=asked.seed, folder=place)
            keep(place, compared([model], basins.of(tested), period, training))
            (place / "seconds.txt").write_text(f"{record.seconds:.0f}\n", encoding="utf-8")
        seconds.append(int((place / "seconds.txt").read_text(encoding="utf-8")))
        parts.append(kept([place]).isel(member=0, drop=True))
    if asked.fold is not None:
        held = compared(parts[0], basins.of(dealt[asked.fold][1]), period, training)
        found = [row.median for row in summarise(score(held, ("nse",))) if row.source == "model"]
        print(f"fold {asked.fold}, {asked.phase}: median NSE {found[0]:.3f}", file=sys.stderr)
        return
    joined = xr.concat(parts, "cell", join="exact")
    where = [joined["cell_id"].values.tolist().index(one) for one in basins.ids]
    comparison = compared(joined.isel(cell=where), basins, period, training)
    assert np.array_equal(comparison.observed["cell_id"], basins.data["cell_id"]) and comparison.output == TARGET
    finish(NAME, asked, basins, comparison, period=period, training=training, anchors=ANCHORS, least=LEAST,
           settings=settings | {"folds": len(parts), "seconds_of_folds": seconds},
           note="the baselines know the gauge, the model does not")  # fmt: skip


if __name__ == "__main__":
    main()
