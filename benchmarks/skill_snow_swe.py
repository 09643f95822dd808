"""Skill of snow water equivalent on CAMELS-US basins that the models have never seen.

  skill.snow-swe.MODEL   median NSE of daily basin-mean SWE over the basins where it snows, each simulated by the
                         model of the fold that it was left out of; MODEL is degree-day or lstm
Data: UAZ SWE averaged over CAMELS-US basins (CC-BY-4.0), Maurer forcing, 1981-09 to 2008-09; the folder is named by
CREST_DATA_DIR (camels_us/ in it). "Where it snows": the mean over the water years 1982-2008 of the year's largest
observed SWE is at least 50 kg m-2. Folds: the basins in the order of sha256(basin), dealt into FOLDS; of the basins
of the other folds every sixth is for validation. Trained on years from 1 September, from bare ground; scored in one
run from 1981-09. Baselines: climatology and last year's value of the same day, both of the basin itself, which a
model without its observations does not have; and the mean climatology of the 5 nearest basins of the training folds.
A stopped run goes on: checkpoints and results of folds lie in --keep.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _skill_result import hold
from _skill_snow import Plan, data_folder, data_hash, line, nse, put_down, run, train
from torch import Tensor

from crest_core import Component, Tensors, registry

FOLDS = 4
SNOWY = 50.0  # kg m-2
YEAR = 366  # days of a training window
BATCH = 192  # windows
SOFT = 10.0  # kg m-2, added to a basin's standard deviation, so that basins with little snow do not rule
BANDS = 5
FROM, TO = "1981-09-01", "2008-09-30"
DAY, ZERO_CELSIUS = 86400.0, 273.15
NEAREST = 5
STATIC = {"elev_mean": "m", "slope_mean": "m km-1", "frac_forest": "1", "lai_max": "1", "p_mean": "mm day-1",
          "frac_snow": "1", "aridity": "1", "latitude": "degree", "longitude": "degree"}  # fmt: skip
PLANS = {"degree-day": Plan(400, 50, 0.005, 0.05), "lstm": Plan(300, 50, 0.005, 0.01)}


@dataclass(frozen=True)
class Basins:
    """Forcing and SWE (time, basin), attributes (basin,), of the basins where it snows."""

    forcing: Tensors
    static: Tensors
    swe: Tensor
    days: pd.DatetimeIndex
    ids: tuple[str, ...]

    def part(self, chosen: np.ndarray) -> Basins:
        """Return some basins."""
        at = torch.as_tensor(chosen)
        forcing = {name: value[:, at] for name, value in self.forcing.items()}
        static = {name: value[at] for name, value in self.static.items()}
        return Basins(forcing, static, self.swe[:, at], self.days, tuple(self.ids[i] for i in chosen))


def read(folder: Path, ids: list[str] | None = None) -> Basins:
    """Return the basins of CAMELS-US where it snows."""
    reader = registry().load("data_sources", "camels-us-netcdf")
    file = folder / "camels_us" / "camels_us_maurer_1980_2008.nc"
    dataset = reader(file, ids=ids, srad="24h", attributes=folder / "camels_us" / "attributes.csv")
    dataset = dataset.sel(time=slice(FROM, TO)).load()
    to = {"precipitation_flux": (DAY, 0.0), "air_temperature_max": (1.0, -ZERO_CELSIUS),
          "air_temperature_min": (1.0, -ZERO_CELSIUS), "shortwave_down": (1.0, 0.0)}  # fmt: skip
    forcing = {
        name: torch.tensor(dataset[name].transpose("time", "cell").values * factor + offset, dtype=torch.float32)
        for name, (factor, offset) in to.items()
    }
    place = {"latitude": dataset["lat"], "longitude": dataset["lon"]}
    static = {n: torch.tensor(place.get(n, dataset.get(n)).values, dtype=torch.float32) for n in STATIC}
    swe = torch.tensor(dataset["snow_water_equivalent"].transpose("time", "cell").values, dtype=torch.float32)
    days = pd.DatetimeIndex([pd.Timestamp(str(one)[:10]) for one in dataset["time"].values])
    found = Basins(forcing, static, swe, days, tuple(str(one) for one in dataset["cell_id"].values))
    return found.part(where_it_snows(found))


def where_it_snows(basins: Basins) -> np.ndarray:
    """Return the numbers of the basins whose yearly largest SWE is at least SNOWY on average."""
    table = pd.DataFrame(basins.swe.numpy(), index=basins.days)
    year = basins.days.year + (basins.days.month >= 10)
    largest = table.groupby(np.asarray(year)).max().loc[1982:2008]
    return np.flatnonzero((largest.mean() >= SNOWY).to_numpy())


def dealt(ids: tuple[str, ...], fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (training, validation, test) numbers of basins."""
    order = np.argsort([hashlib.sha256(one.encode()).hexdigest() for one in ids])
    test = np.sort(order[fold::FOLDS])
    rest = np.array([i for i in order if i not in set(test)])
    validation = np.sort(rest[::6])
    return np.setdiff1d(rest, validation), validation, test


def build(kind: str, training: Basins, generator: torch.Generator) -> Component:
    """Return an untrained model whose scaling comes from the training basins."""
    model = registry().load("components", f"snow-{kind}")(
        attributes=STATIC, bands=BANDS, hidden=16 if kind == "degree-day" else 48, generator=generator
    )
    known = {**training.forcing, **training.static}
    model.standardise({n: float(v.mean()) for n, v in known.items()}, {n: float(v.std()) for n, v in known.items()})
    return model


def windows_loss(model: Component, basins: Basins, generator: torch.Generator) -> Tensor:
    """Return the mean over BATCH random years of squared errors over the variance of the basin."""
    september = np.flatnonzero((basins.days.month == 9) & (basins.days.day == 1))
    starts = torch.as_tensor(september[september + YEAR <= len(basins.days)])
    place = torch.randint(len(basins.ids), (BATCH,), generator=generator)
    start = starts[torch.randint(len(starts), (BATCH,), generator=generator)]
    rows = start + torch.arange(YEAR).unsqueeze(1)
    inputs = {name: value[rows, place] for name, value in basins.forcing.items()}
    inputs |= {name: value[place] for name, value in basins.static.items()}
    simulated = run(model, inputs)["surface_snow_amount"]
    observed = basins.swe[rows, place]
    seen = torch.isfinite(observed)
    spread = torch.as_tensor(np.nanstd(basins.swe.numpy(), axis=0))[place] + SOFT
    error = torch.where(seen, simulated - observed.nan_to_num(), 0.0) / spread
    return error.square().sum() / seen.sum()


def simulated(model: Component, basins: Basins) -> np.ndarray:
    """Return SWE (time, basin) of one run over all days."""
    with torch.no_grad():
        return run(model, {**basins.forcing, **basins.static})["surface_snow_amount"].numpy()


def baselines(training: Basins, test: Basins) -> dict[str, list[float]]:
    """Return NSE by basin of what needs no model."""
    observed = pd.DataFrame(test.swe.numpy(), index=test.days)
    day = np.minimum(test.days.day_of_year, 365)
    own = observed.groupby(day).transform("mean")
    last = observed.shift(365)
    known = pd.DataFrame(training.swe.numpy(), index=training.days).groupby(day).mean().loc[day].to_numpy()
    here = np.stack([test.static[n].numpy() for n in ("latitude", "longitude")], -1)
    there = np.stack([training.static[n].numpy() for n in ("latitude", "longitude")], -1)
    nearest = np.argsort(((here[:, None] - there[None]) ** 2).sum(-1), axis=1)[:, :NEAREST]
    return {
        "climatology of the basin": nse(own.to_numpy(), observed.to_numpy()).tolist(),
        "last year of the basin": nse(last.to_numpy(), observed.to_numpy()).tolist(),
        "climatology of the nearest basins": nse(known[:, nearest].mean(-1), observed.to_numpy()).tolist(),
    }


def fold_result(kind: str, basins: Basins, fold: int, seed: int, plan: Plan, keep: Path, look: bool) -> dict:
    """Train on a fold's basins and return NSE by basin: of the test part, or of the validation part if `look`."""
    stem = keep / f"swe-{kind}-fold{fold}-seed{seed}{'-validation' if look else ''}"
    hold(stem, asdict(plan) | {"batch": BATCH, "window": YEAR})
    if stem.with_suffix(".json").exists():
        return json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    training, validation, test = (basins.part(one) for one in dealt(basins.ids, fold))
    model = build(kind, training, torch.Generator().manual_seed(seed))
    trained = train(
        model,
        lambda generator: windows_loss(model, training, generator),
        lambda: -float(np.median(nse(simulated(model, validation), validation.swe.numpy()))),
        plan, seed=seed, checkpoint=stem.with_suffix(".pt"),
        tell=lambda text: print(f"fold {fold}: {text}", file=sys.stderr, flush=True),
    )  # fmt: skip
    scored = validation if look else test
    result = {
        "seed": seed,
        "fold": fold,
        "ids": scored.ids,
        "nse": nse(simulated(model, scored), scored.swe.numpy()).tolist(),
        **trained,
    }
    result |= {"baselines": baselines(training, scored)}
    stem.with_suffix(".json").write_text(json.dumps(result), encoding="utf-8")
    return result


def synthetic() -> Basins:
    """Return made-up basins in the shape of the data, to see that the script runs."""
    days = pd.date_range(FROM, TO)
    weather = importlib.import_module("terrahydro_snow.example").weather
    made = weather(len(days), 8, generator=torch.Generator().manual_seed(3))
    forcing = {name: value.float() for name, value in made.items()}
    static = {name: torch.linspace(0.1, 1.0, 8) for name in STATIC}
    truth = registry().load("components", "snow-degree-day")(parameters={"degree_day_factor": 4.0})
    with torch.no_grad():
        swe = run(truth, forcing)["surface_snow_amount"]
    return Basins(forcing, static, swe, days, tuple(f"made-up-{number}" for number in range(8)))


def report(kind: str, basins: Basins, results: list[dict], given: argparse.Namespace, part: str) -> str:
    """Return the line of a model: the median over all scored basins, for each seed, and their spread."""
    by_seed: dict[int, list[float]] = {}
    for one in results:
        by_seed.setdefault(one["seed"], []).extend(one["nse"])
    medians = [float(np.median(scores)) for scores in by_seed.values()]
    first = [one for one in results if one["seed"] == results[0]["seed"]]
    known = {name: float(np.median([x for one in first for x in one["baselines"][name]]))
             for name in first[0]["baselines"]}  # fmt: skip
    arrays = {"swe": basins.swe.numpy(), **{name: value.numpy() for name, value in basins.forcing.items()}}
    by_basin: dict[str, list[float]] = {}
    for one in results:
        for basin, value in zip(one["ids"], one["nse"], strict=True):
            by_basin.setdefault(basin, []).append(round(value, 4))
    quantiles = {str(q): float(np.quantile([x for scores in by_seed.values() for x in scores], q))
                 for q in (0.05, 0.25, 0.5, 0.75, 0.95)}  # fmt: skip
    return line(
        f"skill.snow-swe.{kind}", float(np.mean(medians)), "median NSE", "climatology of the basin",
        known["climatology of the basin"], part=part, basins=len(by_seed[results[0]["seed"]]), seeds=list(by_seed),
        by_seed=medians, spread=float(np.std(medians, ddof=1)) if len(medians) > 1 else None, quantiles=quantiles,
        baselines=known, folds=given.fold, nse_by_basin=by_basin, plan=asdict(PLANS[kind]),
        data_hash=data_hash(arrays), seconds=sum(one["seconds"] for one in results),
    )  # fmt: skip


def main() -> None:
    """Train and score what the command line asks for, and print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(PLANS), nargs="+", default=sorted(PLANS))
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--fold", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("output/skill-snow"), help="where checkpoints lie")
    parser.add_argument("--validation", action="store_true", help="score validation basins; test basins are not used")
    parser.add_argument("--quick", action="store_true", help="made-up basins and two updates: checks that it runs")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    folder = data_folder()
    if given.quick or folder is None:
        if not given.quick:
            parser.error(
                "CREST_DATA_DIR names no folder of data; --quick checks on made-up basins that the script runs"
            )
        basins, given.fold = synthetic(), [0]
    else:
        basins = read(folder)
    with tempfile.TemporaryDirectory() as scratch:
        keep = Path(scratch) if given.quick else given.keep
        keep.mkdir(parents=True, exist_ok=True)
        for kind in given.model:
            plan = replace(PLANS[kind], updates=2, every=2) if given.quick else PLANS[kind]
            results = [
                fold_result(kind, basins, fold, seed, plan, keep, given.validation)
                for seed in given.seed
                for fold in given.fold
            ]
            part = "made-up data" if given.quick else "validation basins" if given.validation else "basins left out"
            text = report(kind, basins, results, given, part)
            print(text, flush=True)
            if part == "basins left out" and set(given.fold) == set(range(FOLDS)):
                put_down(text)


if __name__ == "__main__":
    main()
