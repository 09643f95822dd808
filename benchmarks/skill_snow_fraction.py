"""Skill of the snow-covered fraction of the Durance at Embrun, in five elevation bands, in its last two years.

  skill.snow-fraction.MODEL   RMSE of the fraction over all bands and clear days of 2006-09-01 to 2008-08-31; MODEL is
                              degree-day or lstm
Data: MODIS snow-covered area with precipitation and temperature, of the package airGR (GPL-2: results only, weights
trained on it are not shipped); the folder is named by CREST_DATA_DIR (airgr_france/ in it). Trained on clear days from
2000-02 to 2005-08, the year to 2006-08 being for validation; windows of a year and a month begin on 1 August on bare
ground. Scored in one run from 1999-01. Baselines: the mean of the training years in the 31 days about the day, and
the fraction of the same day of last year. A stopped run goes on: checkpoints and results lie in --keep.
"""

from __future__ import annotations

import argparse
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
from _skill_snow import Plan, data_folder, data_hash, line, put_down, rmse, run, train
from torch import Tensor

from crest_core import Component, Tensors, registry

BANDS = 5
WINDOW = 396  # days from 1 August
VALIDATION, TEST = pd.Timestamp("2005-09-01"), pd.Timestamp("2006-09-01")
DAY, ZERO_CELSIUS = 86400.0, 273.15
PLANS = {"degree-day": Plan(150, 25, 0.01, 0.08), "lstm": Plan(150, 25, 0.005, 0.02)}


@dataclass(frozen=True)
class Record:
    """Forcing (time, 1) and the fraction (time, elevation_band, 1) of the catchment."""

    forcing: Tensors
    cover: Tensor
    days: pd.DatetimeIndex

    def target(self, first: pd.Timestamp | None, stop: pd.Timestamp | None) -> np.ndarray:
        """Return the fraction from `first` up to `stop`, nan elsewhere."""
        inside = np.ones(len(self.days), dtype=bool)
        inside &= self.days >= first if first is not None else True
        inside &= self.days < stop if stop is not None else True
        return np.where(inside[:, None, None], self.cover.numpy(), np.nan)


def read(folder: Path) -> Record:
    """Return the record of the Durance at Embrun."""
    reader = registry().load("data_sources", "modis-snow")
    dataset = reader(folder / "airgr_france" / "durance_embrun_modis_sca.csv").load()
    days = pd.DatetimeIndex([pd.Timestamp(str(one)[:10]) for one in dataset["time"].values])
    values = {
        "precipitation_flux": dataset["precipitation_flux"].values * DAY,
        "air_temperature": dataset["air_temperature"].values - ZERO_CELSIUS,
        "day_of_year": days.day_of_year.to_numpy()[:, None],
    }
    forcing = {name: torch.tensor(value.reshape(len(days), 1), dtype=torch.float32) for name, value in values.items()}
    cover = dataset["snow_cover_fraction"].transpose("time", "elevation_band", "cell").values
    return Record(forcing, torch.tensor(cover, dtype=torch.float32), days)


def build(kind: str, record: Record, generator: torch.Generator) -> Component:
    """Return an untrained model whose scaling comes from the training years."""
    more = {} if kind == "degree-day" else {"hidden": 16}
    model = registry().load("components", f"snow-{kind}")(
        temperature="mean", drivers=["day_of_year"], bands=BANDS, generator=generator, **more
    )
    known = {name: value[record.days < VALIDATION] for name, value in record.forcing.items()}
    model.standardise({n: float(v.mean()) for n, v in known.items()}, {n: float(v.std()) for n, v in known.items()})
    return model


def windows_loss(model: Component, record: Record) -> Tensor:
    """Return the mean squared error over all training years at once, each a column from bare ground."""
    starts = np.flatnonzero((record.days.month == 8) & (record.days.day == 1) & (record.days < VALIDATION))
    rows = torch.as_tensor(starts) + torch.arange(WINDOW).unsqueeze(1)
    inputs = {name: value[rows, 0] for name, value in record.forcing.items()}
    simulated = run(model, inputs)["band_snow_area_fraction"]
    observed = torch.tensor(record.target(None, VALIDATION))[rows, :, 0].movedim(1, 2)
    seen = torch.isfinite(observed)
    seen[:31] = False  # August is in the window of the year before
    return torch.where(seen, simulated - observed.nan_to_num(), 0.0).square().sum() / seen.sum()


def simulated(model: Component, record: Record) -> np.ndarray:
    """Return the fraction (time, elevation_band, 1) of one run over all days."""
    with torch.no_grad():
        return run(model, record.forcing)["band_snow_area_fraction"].numpy()


def baselines(record: Record, first: pd.Timestamp, stop: pd.Timestamp | None) -> dict[str, float]:
    """Return the RMSE of what needs no model."""
    target = record.target(first, stop)
    known = record.target(None, VALIDATION)
    day = record.days.day_of_year.to_numpy()
    apart = np.abs(day[:, None] - np.arange(1, 367)[None])
    near = np.minimum(apart, 366 - apart) <= 15
    climatology = np.stack([np.nanmean(known[near[:, one]], axis=0) for one in range(366)])[day - 1]
    last = np.full_like(target, np.nan)
    last[365:] = record.cover.numpy()[:-365]
    return {"climatology": rmse(climatology, target), "the day of last year": rmse(last, target)}


def result_of(kind: str, record: Record, seed: int, plan: Plan, keep: Path, look: bool) -> dict:
    """Train and return the RMSE over all bands and by band: of the test years, or of the validation year if `look`."""
    stem = keep / f"fraction-{kind}-seed{seed}{'-validation' if look else ''}"
    hold(stem, asdict(plan) | {"window": WINDOW})
    if stem.with_suffix(".json").exists():
        return json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    model = build(kind, record, torch.Generator().manual_seed(seed))
    validation = record.target(VALIDATION, TEST)
    trained = train(
        model,
        lambda generator: windows_loss(model, record),
        lambda: rmse(simulated(model, record), validation),
        plan, seed=seed, checkpoint=stem.with_suffix(".pt"),
        tell=lambda text: print(text, file=sys.stderr, flush=True),
    )  # fmt: skip
    target = validation if look else record.target(TEST, None)
    found = simulated(model, record)
    bands = [rmse(found[:, band], target[:, band]) for band in range(BANDS)]
    result = {"seed": seed, "rmse": rmse(found, target), "bands": bands, **trained}
    stem.with_suffix(".json").write_text(json.dumps(result), encoding="utf-8")
    return result


def synthetic() -> Record:
    """Return a made-up catchment in the shape of the data, to see that the script runs."""
    days = pd.date_range("1999-01-01", "2008-08-31")
    weather = importlib.import_module("terrahydro_snow.example").weather
    made = {
        name: value.float() for name, value in weather(len(days), 1, generator=torch.Generator().manual_seed(3)).items()
    }
    forcing = {
        "precipitation_flux": made["precipitation_flux"],
        "air_temperature": 0.5 * (made["air_temperature_max"] + made["air_temperature_min"]),
        "day_of_year": torch.tensor(days.day_of_year.to_numpy(), dtype=torch.float32).unsqueeze(-1),
    }
    options = {"temperature": "mean", "drivers": ["day_of_year"], "bands": BANDS}
    truth = registry().load("components", "snow-degree-day")(parameters={"degree_day_factor": 4.0}, **options)
    with torch.no_grad():
        return Record(forcing, run(truth, forcing)["band_snow_area_fraction"], days)


def main() -> None:
    """Train and score what the command line asks for, and print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(PLANS), nargs="+", default=sorted(PLANS))
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("output/skill-snow"), help="where checkpoints lie")
    parser.add_argument("--validation", action="store_true", help="score the validation year; test years are not used")
    parser.add_argument("--quick", action="store_true", help="a made-up catchment and two updates: checks that it runs")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    folder = data_folder()
    if folder is None and not given.quick:
        parser.error("CREST_DATA_DIR names no folder of data; --quick checks on made-up data that the script runs")
    record = synthetic() if given.quick or folder is None else read(folder)
    known = baselines(record, *((VALIDATION, TEST) if given.validation else (TEST, None)))
    part = "made-up data" if given.quick else "validation year" if given.validation else "last two years"
    arrays = {"cover": record.cover.numpy(), **{name: value.numpy() for name, value in record.forcing.items()}}
    with tempfile.TemporaryDirectory() as scratch:
        keep = Path(scratch) if given.quick else given.keep
        keep.mkdir(parents=True, exist_ok=True)
        for kind in given.model:
            plan = replace(PLANS[kind], updates=2, every=2) if given.quick else PLANS[kind]
            results = [result_of(kind, record, seed, plan, keep, given.validation) for seed in given.seed]
            scores = [one["rmse"] for one in results]
            text = line(
                f"skill.snow-fraction.{kind}", float(np.mean(scores)), "RMSE of the fraction", "climatology",
                known["climatology"], part=part, seeds=given.seed, by_seed=scores,
                spread=float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
                bands=np.mean([one["bands"] for one in results], axis=0).round(4).tolist(), baselines=known,
                data_hash=data_hash(arrays), seconds=sum(one["seconds"] for one in results), plan=asdict(PLANS[kind]),
            )  # fmt: skip
            print(text, flush=True)
            if part == "last two years":
                put_down(text)


if __name__ == "__main__":
    main()
