"""Snow and streamflow alone, coupled, and tuned together, scored on years that nothing was trained on.

  python compare.py --seed 1 2 3 --data FOLDER      # of CAMELS-US; a run that was stopped goes on
  python compare.py --seed 1 --phase validate       # to choose settings, without a look at the test
  python compare.py --quick                         # made-up basins, one epoch: says nothing of skill

FOLDER holds camels_us_maurer_1980_2008.nc, attributes.csv and basins_531.txt; by default it is the folder camels_us of
the one that CREST_DATA_DIR names. In the folder of the results: table.md, scores.json, flood.png, checkpoints.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from basin_models import DISCHARGE, SNOW, Kinds
from basin_sets import BasinSet, camels, invented
from basin_stages import ARMS, Plan, Stages, predictions
from crest_training import Observation, score
from crest_training import compare as beside
from flood import choose, draw_flood

from crest_core import CrestError

METRICS = ("nse", "kge")
BASELINES = ("climatology", "persistence")
NAMES = {DISCHARGE: "discharge", SNOW: "SWE"}


@dataclass(frozen=True)
class Scores:
    """One metric of one arm or baseline, by seed (the median over basins)."""

    target: str
    arm: str
    metric: str
    by_seed: tuple[float, ...]
    by_basin: tuple[float, ...]
    """Of the first seed."""

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.by_seed))

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds, None of one."""
        return float(np.std(self.by_seed, ddof=1)) if len(self.by_seed) > 1 else None


@dataclass(frozen=True)
class Experiment:
    """What came out."""

    scores: list[Scores]
    flood: str
    seconds: dict[str, float]
    """Of training, by seed and stage."""


def run(basins: BasinSet, kinds: Kinds, plan: Plan, seeds: Sequence[int], folder: Path) -> Experiment:
    """Train and score all arms for all seeds, and write table, scores and the picture of the flood."""
    folder.mkdir(parents=True, exist_ok=True)
    held: dict[tuple[str, str, str], list[np.ndarray]] = {}
    seconds: dict[str, float] = {}
    first: dict[str, xr.Dataset] = {}
    for seed in seeds:
        stages = Stages(basins, kinds, plan, seed, folder / f"seed-{seed}")
        made = {arm: predictions(model, basins) for arm, model in stages.models().items()}
        first = first or made
        for arm, values in made.items():
            for key, by_basin in scored(arm, values, basins).items():
                held.setdefault(key, []).append(by_basin)
        seconds |= {f"seed {seed}, {stage}": spent for stage, spent in stages.seconds.items()}
    scores = [
        Scores(target, arm, metric, tuple(float(np.nanmedian(one)) for one in found), tuple(map(float, found[0])))
        for (target, arm, metric), found in held.items()
    ]
    flood = choose(basins)
    draw_flood(flood, basins, first, folder / "flood.png")
    found = Experiment(scores, flood.describe(), seconds)
    (folder / "table.md").write_text(table(found, basins, kinds, seeds), encoding="utf-8")
    (folder / "scores.json").write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    return found


def scored(arm: str, made: xr.Dataset, basins: BasinSet) -> dict[tuple[str, str, str], np.ndarray]:
    """Return metrics by basin of an arm, and of the baselines where the arm is the first that has the target."""
    found = {}
    for target in NAMES:
        if target not in made:
            continue
        start, end = basins.test
        compared = beside(made, None, Observation(target, basins.data[target]), start=start, end=end,
                          training=basins.train)  # fmt: skip
        values = score(compared, METRICS)
        for metric in METRICS:
            found[target, arm, metric] = values[metric].sel(source="model").values
            if arm == first_with(target):
                for name in BASELINES:
                    found[target, name, metric] = values[metric].sel(source=name).values
    return found


def first_with(target: str) -> str:
    """Return the arm beside which the baselines of a target are scored, once."""
    return ARMS[0] if target == SNOW else ARMS[1]


def table(found: Experiment, basins: BasinSet, kinds: Kinds, seeds: Sequence[int]) -> str:
    """Return the table in Markdown: medians over basins, mean and spread over seeds."""
    lines = [f"{kinds.name}, {basins.source}, {len(basins.ids)} basins, trained on {' to '.join(basins.train)}, "
             f"scored on {' to '.join(basins.test)}, seeds {', '.join(map(str, seeds))}; medians over basins.", "",
             "| | " + " | ".join(f"{metric.upper()} of {name}" for name in NAMES.values() for metric in METRICS) + " |",
             "|---|" + "---|" * (len(NAMES) * len(METRICS))]  # fmt: skip
    known = {(one.target, one.arm, one.metric): one for one in found.scores}
    for arm in (*ARMS, *BASELINES):
        cells = [cell(known.get((target, arm, metric))) for target in NAMES for metric in METRICS]
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Flood drawn: {found.flood}.", ""])


def cell(one: Scores | None) -> str:
    """Return mean and spread over seeds."""
    if one is None:
        return ""
    return f"{one.mean:.3f}" if one.spread is None or one.arm in BASELINES else f"{one.mean:.3f} ± {one.spread:.3f}"


def whole(text: str) -> int:
    """Return a whole number of 1 or more, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, got {text!r}")
    return int(text)


def arguments(given: Sequence[str] | None = None, *, doc: str | None = __doc__) -> argparse.Namespace:
    """Return the options of the command line; `doc` is the help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add, plan = parser.add_argument, Plan()
    add("--seed", type=int, nargs="+", default=[1])
    add("--snow", choices=["degree-day", "lstm"], default="degree-day")
    add("--streamflow", choices=["hbv", "lstm"], default="hbv")
    add("--phase", choices=["test", "validate"], default="test")
    add("--basins", type=whole, default=120, help="so many of those where it snows (default %(default)s)")
    add(
        "--epochs",
        type=whole,
        nargs=3,
        metavar=("SNOW", "FIRST", "FURTHER"),
        default=[plan.snow, plan.first, plan.further],
    )
    add("--every", type=whole, default=plan.every, metavar="DAYS", help="between the starts of two samples of a basin")
    add("--threads", type=whole, default=2)
    add("--data", type=Path, help="folder of CAMELS-US")
    add("--folder", type=Path, default=Path("output/basins"), help="results and checkpoints (default %(default)s)")
    add("--quick", action="store_true", help="made-up basins, one epoch: checks that it runs, says nothing of skill")
    found = parser.parse_args(given)
    if len(set(found.seed)) != len(found.seed):
        parser.error(f"--seed {' '.join(map(str, found.seed))}: expected each seed once")
    return found


def experiment(given: argparse.Namespace) -> tuple[Experiment, BasinSet, Kinds, Plan]:
    """Run what the command line asked for."""
    torch.set_num_threads(given.threads)
    kinds = Kinds(given.snow, given.streamflow)
    epochs = dict(zip(("snow", "first", "further"), given.epochs, strict=True))
    plan = Plan(**epochs, every=given.every)
    if given.quick:
        kinds, plan = replace(kinds, bands=2, units=2, hidden=8), replace(plan, snow=1, first=1, further=1, every=180)
        basins = invented(3)
    else:
        folder = given.data or Path(os.environ.get("CREST_DATA_DIR", "")) / "camels_us"
        if not folder.is_dir():
            raise SystemExit(f"{folder} is no folder: name that of CAMELS-US by --data, or try --quick")
        basins = camels(folder, given.basins, phase=given.phase)
    place = given.folder / f"{kinds.name}.{'quick' if given.quick else given.phase}"
    return run(basins, kinds, plan, given.seed, place), basins, kinds, plan


if __name__ == "__main__":
    asked = arguments()
    try:
        results, used, named, _ = experiment(asked)
    except CrestError as error:
        raise SystemExit(f"compare: {error}") from error
    print(table(results, used, named, asked.seed))
