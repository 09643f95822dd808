"""Soil moisture, evapotranspiration and NEE alone, coupled one way and two ways, and tuned together, at flux towers.

  python compare.py --seed 1 2 3 --data FOLDER      # a run that was stopped goes on
  python compare.py --seed 1 --phase validate       # to choose settings, without a look at the test
  python compare.py --seed 1 --phase drought        # 2011 at US-AR1 is kept from training, and drawn
  python compare.py --quick                         # made-up towers, one epoch: says nothing of skill

FOLDER holds the folders flux_towers and fluxnet2015; by default it is the one that CREST_DATA_DIR names. In the folder
of the results: table.md, scores.json, event.png, checkpoints.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from boosting import boosted
from crest_training import Observation, score
from crest_training import compare as beside
from drought import choose, draw
from tower_models import ET, ET_OF_SOIL, MOISTURE, NEE, TARGETS, Sizes
from tower_sets import TowerSet, flux_towers, invented
from tower_stages import ALONE, ARMS, TWO_WAY_TUNED, Plan, Stages, predictions

from crest_core import Component, CrestError

METRICS = ("nse", "rmse")
BOOSTING = "gradient boosting"
BASELINES = ("climatology", BOOSTING, "persistence")
BESIDE = ("climatology", "persistence")
"""Baselines that come with the comparison of any model."""
NAMES = {MOISTURE: "soil moisture", ET: "ET", NEE: "NEE"}
UNITS = {MOISTURE: "m3 m-3", ET: "mm/day", NEE: "g C m-2 day-1"}
Scored = dict[tuple[str, str, str], list[float]]


@dataclass(frozen=True)
class Scores:
    """One metric of one arm or baseline: by seed (the mean over towers), and by tower (the mean over seeds)."""

    target: str
    arm: str
    metric: str
    by_seed: tuple[float, ...]
    by_tower: tuple[float, ...]

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
    event: str
    seconds: dict[str, float]
    """Of training, by seed and stage."""


def run(
    towers: TowerSet, sizes: Sizes, plan: Plan, seeds: Sequence[int], folder: Path, arms: Sequence[str] = ARMS
) -> Experiment:
    """Train and score the arms for all seeds, and write table, scores and the picture of the event."""
    hold(folder, {"plan": asdict(plan), "sizes": asdict(sizes), "data": towers.hashes})
    held: dict[tuple[str, str, str], list[list[float]]] = {}
    seconds: dict[str, float] = {}
    event = choose(towers)
    drawn: dict[str, list[xr.Dataset]] = {}
    for seed in seeds:
        stages = Stages(towers, sizes, plan, seed, folder / f"seed-{seed}")
        for arm, models in stages.models(arms).items():
            made = {one: predicted(stages.folder / f"{arm}.{one}.nc", models, towers, one) for one in towers.ids}
            drawn.setdefault(arm, []).append(made[event.tower])
            for key, by_tower in scored(arm, made, towers).items():
                held.setdefault(key, []).append(by_tower)
        seconds |= {f"seed {seed}, {stage}": spent for stage, spent in stages.seconds.items()}
    for key, by_tower in scored(BOOSTING, boosted(towers), towers).items():
        held.setdefault(key, []).append(by_tower)
    scores = [
        Scores(*key, tuple(float(np.mean(one)) for one in found), tuple(np.mean(found, axis=0).tolist()))
        for key, found in held.items()
    ]
    lines = {arm: xr.concat(drawn[arm], "seed").mean("seed") for arm in (ALONE, TWO_WAY_TUNED) if arm in drawn}
    draw(event, towers, lines, folder / "event.png")
    found = Experiment(scores, event.describe(), seconds)
    (folder / "table.md").write_text(table(found, towers, seeds), encoding="utf-8")
    (folder / "scores.json").write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    return found


def hold(folder: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings beside the results, CrestError where a run before had others: its predictions are not ours."""
    file, now = folder / "settings.json", json.loads(json.dumps(settings))
    if file.exists() and (before := json.loads(file.read_text(encoding="utf-8"))) != now:
        other = {name: before.get(name) for name in now if before.get(name) != now[name]}
        raise CrestError(f"{folder} was made with {other}; give the same, or another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(now), encoding="utf-8")


def predicted(path: Path, models: Mapping[str, Component], towers: TowerSet, tower: str) -> xr.Dataset:
    """Return what an arm predicts at a tower, from a file where a run before left it."""
    if path.exists():
        return xr.load_dataset(path, engine="h5netcdf")
    made = predictions(models, towers, tower).load()
    part = path.with_suffix(".part")
    made.to_netcdf(part, engine="h5netcdf")
    part.replace(path)
    return made


def scored(arm: str, made: Mapping[str, xr.Dataset], towers: TowerSet) -> Scored:
    """Return metrics by tower of an arm, or of all baselines where it is gradient boosting."""
    found: Scored = {}
    for target in TARGETS:
        observed = ET_OF_SOIL if target == ET else target
        for tower, simulated in made.items():
            here = towers.of(tower)
            days = here["time"].values
            split = np.datetime64(towers.split[tower])
            compared = beside(simulated, None, Observation(target, here[observed].rename(target)), start=split,
                              end=days[-1] + np.timedelta64(1, "D"), training=(days[0], split))  # fmt: skip
            values = score(compared, METRICS)
            for metric in METRICS:
                for source in ("model", *(BESIDE if arm == BOOSTING else ())):
                    name = arm if source == "model" else source
                    number = values[metric].sel(source=source).values.item()
                    found.setdefault((target, name, metric), []).append(number)
    return found


def table(found: Experiment, towers: TowerSet, seeds: Sequence[int]) -> str:
    """Return the tables in Markdown: over all towers with the spread over seeds, then NSE by tower."""
    head = [f"{metric.upper()} of {name}" for name in NAMES.values() for metric in METRICS]
    since = ", ".join(f"{one} {day.date()}" for one, day in towers.split.items())
    lines = [f"{towers.source}, scored from {since} on, seeds {', '.join(map(str, seeds))}; means over towers, RMSE in "
             f"{', '.join(UNITS.values())}.", "", *row("", head), "|---|" + "---|" * len(head)]  # fmt: skip
    known = {(one.target, one.arm, one.metric): one for one in found.scores}
    arms = [arm for arm in (*ARMS, *BASELINES) if (MOISTURE, arm, "nse") in known]
    for arm in arms:
        cells = [cell(known[target, arm, metric]) for target in NAMES for metric in METRICS]
        lines += row(arm, cells)
    head = [f"{name} {tower}" for name in NAMES.values() for tower in towers.ids]
    lines += ["", "NSE by tower:", "", *row("", head), "|---|" + "---|" * len(head)]
    for arm in arms:
        cells = [f"{value:.2f}" for target in NAMES for value in known[target, arm, "nse"].by_tower]
        lines += row(arm, cells)
    return "\n".join([*lines, "", f"Event drawn: {found.event}.", ""])


def row(first: str, cells: Sequence[str]) -> list[str]:
    """Return one row of a table."""
    return [f"| {first} | {' | '.join(cells)} |"]


def cell(one: Scores) -> str:
    """Return mean and spread over seeds."""
    digits = 4 if (one.target, one.metric) == (MOISTURE, "rmse") else 2
    spread = "" if one.spread is None or one.arm in BASELINES else f" ± {one.spread:.{digits}f}"
    return f"{one.mean:.{digits}f}{spread}"


def whole(text: str) -> int:
    """Return a whole number of 1 or more, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, got {text!r}")
    return int(text)


def arguments(given: Sequence[str] | None = None, *, doc: str | None = __doc__) -> argparse.Namespace:
    """Return the options of the command line; `doc` is the help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add, plan, sizes = parser.add_argument, Plan(), Sizes()
    add("--seed", type=int, nargs="+", default=[1])
    add("--phase", choices=["test", "validate", "drought"], default="test")
    add("--arm", choices=ARMS, nargs="+", default=list(ARMS), help="default: all")
    add("--epochs", type=whole, nargs=2, metavar=("FIRST", "FURTHER"), default=[plan.first, plan.further])
    add("--every", type=whole, default=plan.every, metavar="DAYS", help="between the starts of two samples of a tower")
    add("--rate", type=float, default=plan.rate, help="highest learning rate (default %(default)s)")
    add("--hidden", type=whole, default=sizes.hidden, help="units of each LSTM (default %(default)s)")
    add("--dropout", type=float, default=sizes.dropout, help="share of units (default %(default)s)")
    add("--threads", type=whole, default=1)
    add("--data", type=Path, help="folder with flux_towers and fluxnet2015")
    add("--folder", type=Path, default=Path("output/towers"), help="results and checkpoints (default %(default)s)")
    add("--quick", action="store_true", help="made-up towers, one epoch: checks that it runs, says nothing of skill")
    found = parser.parse_args(given)
    if len(set(found.seed)) != len(found.seed):
        parser.error(f"--seed {' '.join(map(str, found.seed))}: expected each seed once")
    return found


def experiment(given: argparse.Namespace) -> tuple[Experiment, TowerSet, Sizes, Plan]:
    """Run what the command line asked for."""
    place = given.folder / ("quick" if given.quick else given.phase)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"--folder {place}: {error.strerror}; name a folder that can be written to") from error
    torch.set_num_threads(given.threads)
    sizes = Sizes(given.hidden, given.dropout)
    plan = Plan(*given.epochs, every=given.every, rate=given.rate)
    if given.quick:
        sizes = replace(sizes, hidden=4)
        plan = replace(plan, first=1, further=1, steps=30, spin_up=30, every=120, batch=8)
        towers = invented()
    else:
        folder = given.data or Path(os.environ.get("CREST_DATA_DIR", ""))
        if not (folder / "flux_towers").is_dir():
            raise SystemExit(f"{folder} holds no folder flux_towers: name the one that does by --data, or try --quick")
        towers = flux_towers(folder, phase=given.phase)
    return run(towers, sizes, plan, given.seed, place, given.arm), towers, sizes, plan


if __name__ == "__main__":
    asked = arguments()
    try:
        results, used, *_ = experiment(asked)
    except CrestError as error:
        raise SystemExit(f"compare: {error}") from error
    print(table(results, used, asked.seed))
