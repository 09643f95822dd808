"""Skill of surface soil moisture against SMAP over the contiguous USA: trained on its first year, scored on the second.

  skill.soil-moisture-smap.MODEL   median over pixels of the RMSE [m3 m-3] at the 6 am overpasses of 2016-04-01 to
                                   2017-03-31; MODEL is lstm (soil-lstm), lstm.ensemble (the mean of the seeds), or
                                   boosting (gradient boosting on the same inputs)
Data: 330 pixels of SMAP L3 (0-5 cm) with NLDAS-2 weather from 2015-04-01 on (Fang et al. 2017,
doi:10.1002/2017GL075619), smap_conus/smap_conus.nc in the folder that CREST_DATA_DIR names. The extraction is for
research only: results, no weights. The units of its precipitation are a guess of the reader. Trained on 2015-04-01 to
2016-03-31, all pixels at once, from a state of zeros without a loss on the first WARM days; the test is run on from
there without any observation. The pixels of both years are the same, so the mean and the standard deviation of a
pixel's soil moisture in the training part are inputs beside soil and vegetation: the second year of pixels that have
been seen, not of others. All settings were chosen with --validation: a quarter of the pixels lacks the first quarter
of the training year, another the second, and so on; that is scored, and the second year is not read.
Baselines: mean and smoothed day of the year of the pixel in the training part, which one year gives; and the last
overpass, which is told the observations of the second year. A stopped run goes on: checkpoints lie in --keep.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _skill_result import hold
from _skill_snow import Plan, data_folder, put_down, run, train
from _skill_soil import Array, hashed, last_seen, medians, record, scores, smoothed_days, trees, weighted_error
from torch import Tensor

from crest_core import Component, Tensors, registry

DAYS, FIRST = 731, 366  # of both years, and of the first, 2015-04-01 to 2016-03-31
WARM = 20  # days without a loss
SOFT = 0.3  # of the overall standard deviation, added to a pixel's, so that pixels in which little happens do not rule
BATCH = 66  # pixels
DEPTH = ((0.0, 0.05),)  # m, what SMAP senses
BOUNDS = (0.0, 0.6)
FORCING = ("precipitation_flux", "air_temperature", "shortwave_down", "longwave_down", "vapour_pressure",
           "vapour_pressure_deficit", "wind_speed")  # fmt: skip
STATIC = {"bulk_density": "g cm-3", "sand": "%", "silt": "%", "clay": "%", "ndvi": "1", "latitude": "degree",
          "longitude": "degree", "mean_soil_moisture": "1", "std_soil_moisture": "1"}  # fmt: skip
HIDDEN, DROPOUT, RADIUS = 128, 0.3, 0.17
NOISE = 0.1  # added to the statics while training, in their standard deviations: no pixel is learned by heart
PLAN = Plan(600, 100, 0.01, 0.01)
GATE = 0.033  # m3 m-3, median RMSE
PUBLISHED = "Fang et al. (2017), doi:10.1002/2017GL075619: RMSE < 0.035 and R > 0.87 for more than 75 percent of CONUS"
SEA_LEVEL = 101325.0  # Pa; the extraction has no pressure, so that vapour pressure is that of the same air at sea level


@dataclass(frozen=True)
class Pixels:
    """Weather (time, pixel), statics (pixel,), soil moisture of both years, and what a model may learn from."""

    weather: dict[str, Array]
    static: dict[str, Array]
    observed: Array
    known: Array
    scored: Array
    day: Array


def read(path: Path) -> tuple[dict[str, Array], dict[str, Array], Array, Array]:
    """Return weather, soil and place, soil moisture, and the day of the year, of both years."""
    data = registry().load("data_sources", "smap-conus")(path).isel(time=slice(0, DAYS)).load()
    celsius, humidity = data["air_temperature"].values - 273.15, data["specific_humidity"].values
    pressure = humidity * SEA_LEVEL / (0.622 + 0.378 * humidity)
    saturation = 610.94 * np.exp(17.625 * celsius / (celsius + 243.04))  # Alduchov and Eskridge (1996)
    weather = {
        "precipitation_flux": data["precipitation_flux"].values * 86400.0,
        "air_temperature": celsius,
        **{name: data[name].values for name in ("shortwave_down", "longwave_down")},
        "vapour_pressure": pressure,
        "vapour_pressure_deficit": np.maximum(saturation - pressure, 0.0),
        "wind_speed": np.hypot(data["eastward_wind"].values, data["northward_wind"].values),
    }
    static = {name: data[name].values for name in ("bulk_density", "sand", "silt", "clay", "ndvi")}
    static |= {"latitude": data["lat"].values, "longitude": data["lon"].values}
    day = np.array([int(one) for one in data["time"].dt.dayofyear.values])
    return weather, static, data["soil_moisture"].values, day


def parted(
    weather: dict[str, Array], static: dict[str, Array], observed: Array, day: Array, *, validation: bool
) -> Pixels:
    """Return the pixels with what may be learned from and what is scored; statics are of the first alone."""
    learned = np.zeros(observed.shape, bool)
    learned[:FIRST] = True
    scored = ~learned
    if validation:
        group = np.random.default_rng(0).permutation(observed.shape[1]) % 4
        quarter = np.minimum(np.arange(len(observed)) * 4 // FIRST, 4)
        scored = quarter[:, None] == group
        scored[:WARM] = False
        learned &= quarter[:, None] != group
    known = np.where(learned, observed, np.nan)
    seen = np.isfinite(known).sum(0) > 1
    mean, std = np.full(len(seen), np.nan), np.full(len(seen), np.nan)
    mean[seen], std[seen] = np.nanmean(known[:, seen], 0), np.nanstd(known[:, seen], 0)
    filled = {**static, "mean_soil_moisture": mean, "std_soil_moisture": std}
    filled = {name: np.where(np.isfinite(one), one, np.nanmean(one)) for name, one in filled.items()}
    days = slice(0, FIRST) if validation else slice(None)
    weather = {name: values[days] for name, values in weather.items()}
    return Pixels(weather, filled, np.where(scored, observed, np.nan)[days], known[days], scored[days], day[days])


def build(pixels: Pixels, hidden: int, generator: torch.Generator) -> Component:
    """Return an untrained LSTM whose scaling comes from the first year."""
    model: Component = registry().load("components", "soil-lstm")(
        hidden=hidden, layers=DEPTH, forcing=FORCING, attributes=STATIC, dropout=DROPOUT, radius=RADIUS, bounds=BOUNDS,
        initial_soil_moisture=0.2, generator=generator,
    )  # fmt: skip
    known = {**{name: pixels.weather[name][:FIRST] for name in FORCING}, **pixels.static}
    mean, std = ({name: float(f(one)) for name, one in known.items()} for f in (np.mean, np.std))
    model.standardise(mean, {name: value or 1.0 for name, value in std.items()})
    return model


def inputs_of(pixels: Pixels) -> Tensors:
    """Return weather and statics as tensors."""
    return {name: torch.tensor(one, dtype=torch.float32) for name, one in {**pixels.weather, **pixels.static}.items()}


def year_loss(model: Component, inputs: Tensors, known: Tensor, spread: Tensor, generator: torch.Generator) -> Tensor:
    """Return the weighted error of BATCH random pixels over the first year."""
    pick = torch.randperm(known.shape[1], generator=generator)[:BATCH]
    chosen = {name: one[:FIRST, pick] if one.dim() > 1 else one[pick] for name, one in inputs.items()}
    for name in STATIC:
        noise = torch.randn(len(pick), generator=generator)
        chosen[name] = chosen[name] + NOISE * inputs[name].std() * noise
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        simulated = run(model, chosen)["soil_moisture"][:, 0]
    model.eval()
    return weighted_error(simulated[WARM:], known[WARM:FIRST, pick], spread[pick])


def facts(plan: Plan, hidden: int) -> dict[str, Any]:
    """Return the settings for the record; checkpoints are kept with them, and go on with the same only."""
    return {**asdict(plan), "hidden": hidden, "dropout": DROPOUT, "radius": RADIUS, "noise": NOISE,
            "batch": BATCH, "forcing": FORCING, "attributes": list(STATIC), "precision": "bf16"}  # fmt: skip


def member(pixels: Pixels, seed: int, plan: Plan, keep: Path, hidden: int) -> tuple[Array, float]:
    """Return soil moisture (time, pixel) of a model of one seed, and the seconds of its training."""
    hold(keep / f"smap-seed{seed}", facts(plan, hidden))
    inputs, known = inputs_of(pixels), torch.tensor(pixels.known, dtype=torch.float32)
    overall = float(np.nanstd(pixels.known))
    spread = torch.tensor(pixels.static["std_soil_moisture"] + SOFT * overall, dtype=torch.float32)
    model = build(pixels, hidden, torch.Generator().manual_seed(seed)).eval()

    def simulated(days: int) -> Array:
        part = {name: one[:days] if one.dim() > 1 else one for name, one in inputs.items()}
        with torch.no_grad():
            return np.asarray(run(model, part)["soil_moisture"][:, 0])

    torch.manual_seed(seed)  # of dropout
    trained = train(
        model,
        lambda generator: year_loss(model, inputs, known, spread, generator),
        lambda: medians(scores(simulated(FIRST)[WARM:], pixels.known[WARM:FIRST]))["rmse"],
        plan, seed=seed, checkpoint=keep / f"smap-seed{seed}.pt",
        tell=lambda text: print(f"seed {seed}: {text} (of the training part)", file=sys.stderr, flush=True),
    )  # fmt: skip
    return simulated(len(known)), trained["seconds"]


def baselines(pixels: Pixels, every: Array) -> dict[str, Array]:
    """Return what needs no model; `every` has all observations, for the last overpass."""
    days = smoothed_days(pixels.known, pixels.day)[pixels.day - 1]
    mean = np.broadcast_to(pixels.static["mean_soil_moisture"], days.shape)
    return {"mean of the first year": mean, "day of the first year, smoothed": days, "last overpass": last_seen(every)}


def made_up() -> tuple[dict[str, Array], dict[str, Array], Array, Array]:
    """Return weather and soil moisture of a leaking bucket, to see that the script runs."""
    draw, shape = np.random.default_rng(1), (DAYS, 8)
    weather = {name: draw.uniform(0.1, 1.0, shape) for name in FORCING}
    weather["precipitation_flux"] = 20.0 * (draw.random(shape) < 0.3) * draw.random(shape)
    soil = np.full(shape, 0.2)
    for index in range(1, DAYS):
        soil[index] = 0.05 + 0.9 * (soil[index - 1] - 0.05) + 0.005 * weather["precipitation_flux"][index]
    observed = np.where(draw.random(shape) < 0.4, np.minimum(soil, 0.5), np.nan)
    static = {name: np.linspace(0.1, 1.0, 8) for name in list(STATIC)[:7]}
    return weather, static, observed, (90 + np.arange(DAYS)) % 365 + 1


def report(kind: str, simulated: list[Array], pixels: Pixels, given: argparse.Namespace, known: dict[str, Array],
           part: str, seconds: float) -> str:  # fmt: skip
    """Return the line of a model: the median over the pixels, of each seed."""
    found = [scores(one, pixels.observed) for one in simulated]
    beside = {name: medians(scores(one, pixels.observed)) for name, one in known.items()}
    table = {name: float(np.mean([medians(one)[name] for one in found])) for name in ("r", "ubrmse", "bias", "nse")}
    held = np.isfinite(found[0]["rmse"])
    share = {
        "rmse below 0.035": float(np.mean([(one["rmse"][held] < 0.035).mean() for one in found])),
        "r above 0.87": float(np.mean([(one["r"][held] > 0.87).mean() for one in found])),
    }
    pooled = [float(np.sqrt(np.nanmean((one - pixels.observed) ** 2))) for one in simulated]
    return record(
        f"soil-moisture-smap.{kind}", [medians(one)["rmse"] for one in found], "median RMSE [m3 m-3]",
        {name: one["rmse"] for name, one in beside.items()}, part=part, pixels=int(held.sum()), medians=table,
        baselines_medians=beside, share_of_pixels=share, pooled_rmse=float(np.mean(pooled)),
        seeds=given.seed if kind.startswith("lstm") else given.seed[:1],
        gate=f"median RMSE <= {GATE}" if kind.startswith("lstm") else "", paper=PUBLISHED, seconds=round(seconds, 1),
        settings=facts(PLAN, HIDDEN), data_hash=hashed(pixels.weather, pixels.observed),
        data="SMAP L3 and NLDAS-2, extraction for research only; units of precipitation guessed by the reader",
    )  # fmt: skip


def main() -> None:
    """Train and score what the command line asks for, and print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("lstm", "boosting"), nargs="+", default=["lstm", "boosting"])
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("output/skill-soil"), help="where checkpoints lie")
    parser.add_argument("--validation", action="store_true", help="score a part of the first year that is left out")
    parser.add_argument("--quick", action="store_true", help="made-up pixels and two updates: checks that it runs")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    folder = data_folder()
    if not given.quick and folder is None:
        parser.error("CREST_DATA_DIR names no folder of data; --quick checks on made-up pixels that the script runs")
    data = made_up() if given.quick or folder is None else read(folder / "smap_conus" / "smap_conus.nc")
    pixels = parted(*data, validation=given.validation)
    known = baselines(pixels, data[2][: len(pixels.known)])
    plan = replace(PLAN, updates=2, every=2) if given.quick else PLAN
    part = "made-up data" if given.quick else "quarters left out" if given.validation else "second year"
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        keep = Path(scratch) if given.quick else given.keep / ("validation" if given.validation else "test")
        if "lstm" in given.model:
            made = [member(pixels, seed, plan, keep, 8 if given.quick else HIDDEN) for seed in given.seed]
            seconds, members = sum(one for _, one in made), [one for one, _ in made]
            lines.append(report("lstm", members, pixels, given, known, part, seconds))
            if len(members) > 1:
                mean = [np.mean(members, axis=0)]
                lines.append(report("lstm.ensemble", mean, pixels, given, known, part, seconds))
    if "boosting" in given.model:
        moving = {name: pixels.weather[name] for name in FORCING}
        made_by_trees = [trees(moving, pixels.static, pixels.known, seed=seed, rounds=5 if given.quick else 400)
                         for seed in given.seed[:1]]  # fmt: skip
        lines.append(report("boosting", made_by_trees, pixels, given, known, part, 0.0))
    for text in lines:
        print(text, flush=True)
        if part == "second year":
            put_down(text)


if __name__ == "__main__":
    main()
