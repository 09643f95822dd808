"""Skill of streamflow on CAMELS-US: the basins of the list of Kratzert et al. (2019) that are at hand.

  skill.streamflow.MODEL   median over basins of the NSE of daily runoff, 1989-10-01 to 1999-09-30, by models that were
                           trained on 1999-10-01 to 2008-09-30 of the same basins; MODEL is lstm, ea-lstm, hbv or
                           boosting (gradient boosting, a baseline)

  python benchmarks/skill_streamflow.py --seed 1            # then 2 and 3; a run that was stopped goes on
  python benchmarks/skill_streamflow.py --ensemble 1 2 3    # the mean of what they simulated
  python benchmarks/skill_streamflow.py --phase validate    # to choose settings, without a look at the test

Data: the folder camels_us of CREST_DATA_DIR. Baselines in each record: day-of-year climatology of the training period,
and the runoff of the day before. Published medians stand beside ours; they are of all 531 basins.
"""

from __future__ import annotations

import torch
from _skill_boosting import boosted
from _skill_data import camels, invented
from _skill_result import Options, finish, keep, kept, options
from _skill_training import Recipe, compared, trained
from crest_training import Anchor

from crest_core import Component, registry

NAME, LEAST = "streamflow", {False: 0.73, True: 0.75}
MODELS = ("lstm", "ea-lstm", "hbv", "boosting")
_PAPER = "531 basins, same split, Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019"
ANCHORS = {
    False: (Anchor("LSTM, one", "nse", 0.732, _PAPER), Anchor("EA-LSTM, one", "nse", 0.712, _PAPER)),
    True: (Anchor("LSTM, mean of 8", "nse", 0.759, _PAPER), Anchor("EA-LSTM, mean of 8", "nse", 0.741, _PAPER)),
}


def recipe(asked: Options) -> Recipe:
    """Return how a model is trained."""

    def build(generator: torch.Generator) -> Component:
        make = registry().load("components", f"streamflow-{asked.model}")
        return make(generator=generator) if asked.model == "hbv" else make(hidden=asked.hidden, generator=generator)

    return Recipe(build, asked.epochs, asked.every, asked.batch, asked.rate, segment=asked.segment,
                  precision="float32" if asked.model == "hbv" or asked.quick else "bf16")  # fmt: skip


def main() -> None:
    """Train and score one model, or score the mean of several."""
    asked = options(__doc__ or "", MODELS, epochs=5, every=30)
    basins = invented() if asked.quick else camels()
    split = basins.split
    training, period = (split.train, split.test) if asked.phase == "test" else (split.fit, split.validate)
    how = recipe(asked)
    settings = how.facts() | ({} if asked.model == "hbv" else {"hidden": asked.hidden})
    many = bool(asked.ensemble)
    least = LEAST[many] if asked.model == "lstm" else None
    if many:
        simulated = kept([asked.place(NAME, seed) for seed in asked.ensemble])
        comparison = compared(simulated, basins, period, training)
    elif asked.model == "boosting":
        names = [name for name in basins.data.data_vars if name != "runoff_flux" and "bnds" not in str(name)]
        settings = {"trees": 5 if asked.quick else 500}
        made = boosted(basins, [str(one) for one in names], training, period, seed=asked.seed, trees=settings["trees"])
        comparison = compared(made, basins, period, training)
    else:
        model, record = trained(how, basins, training, seed=asked.seed, folder=asked.place(NAME))
        settings |= {"seconds": round(record.seconds), "notes": "; ".join(record.notes)}
        comparison = compared([model], basins, period, training)
        keep(asked.place(NAME), comparison)
    finish(NAME, asked, basins, comparison, period=period, training=training, anchors=ANCHORS[many], least=least,
           settings=settings)  # fmt: skip


if __name__ == "__main__":
    main()
