"""Skill of the soil LSTM as an emulator of ERA5-Land: four layers from weather, in other years and at other places.

  skill.soil-moisture-caravan.MODEL.years   mean over layers and catchments of the NSE of soil moisture from 2016-01-01
                                            on, by models of 1982-2012 of the same catchments
  skill.soil-moisture-caravan.MODEL.places  the same of catchments that were left out of training, one after another;
                                            all years from 1982 on, or from its third year on, those
                                            among them on which settings were chosen
MODEL is lstm or boosting (gradient boosting on the same inputs). Data: ERA5-Land over 5 catchments of Caravan
(CC-BY-4.0), the folder caravan in the one that CREST_DATA_DIR names, by the source caravan-soil: liquid water,
temperature, vapour pressure, wind. It is a model's soil, of a model's weather: the skill is nearness to ERA5-Land and
says nothing of measured soil moisture. No soil attributes are given, so that at other places the level is a guess; r
and ubrmse tell how far the course is right. Settings were chosen on 2013-2015 with --validation. Baselines:
climatology of the day (31 days smoothed) of the training part of the catchment itself, at other places the mean of
those of the others. A stopped run goes on: checkpoints lie in --keep.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _skill_result import hold
from _skill_snow import Plan, data_folder, put_down, run, train
from _skill_soil import Array, hashed, record, scores, smoothed_days, trees, weighted_error
from torch import Tensor

from crest_core import Component, Sizes, Tensors, registry

FORCING = ("precipitation_flux", "air_temperature", "vapour_pressure", "wind_speed")
LAYERS = ((0.0, 0.07), (0.07, 0.28), (0.28, 1.0), (1.0, 2.89))  # m
BOUNDS = (0.05, 0.6)
SPIN_UP, WINDOW, BATCH = 365, 730, 24  # days, days, windows
HIDDEN, DROPOUT, RADIUS = 48, 0.1, 0.15
PLAN = Plan(400, 100, 0.005, 0.005)
START, FIT, VALIDATED = np.datetime64("1982-01-01"), np.datetime64("2013-01-01"), np.datetime64("2016-01-01")
KINDS = ("years", "places")


@dataclass(frozen=True)
class Catchments:
    """Weather (time, place) without gaps, where it was filled, soil moisture (time, layer, place), and the days."""

    weather: dict[str, Array]
    filled: Array
    soil: Array
    times: Array
    day: Array
    ids: tuple[str, ...]


def read(folder: Path) -> Catchments:
    """Return the catchments; outside its record the weather of a catchment is its mean, and its soil moisture nan."""
    data = registry().load("data_sources", "caravan-soil")(folder / "caravan").load()
    weather = {name: data[name].transpose("time", "cell").values for name in FORCING}
    filled = ~np.isfinite(np.stack(list(weather.values()))).all(0)
    whole = {name: np.where(filled, np.nanmean(one, axis=0), one).astype(np.float32) for name, one in weather.items()}
    soil = data["soil_moisture"].transpose("time", "soil_layer", "cell").values.astype(np.float32)
    day = np.asarray(data["time"].dt.dayofyear.values, dtype=int)
    return Catchments(whole, filled, soil, data["time"].values, day, tuple(str(one) for one in data["cell_id"].values))


def windows(catchments: Catchments, known: Array, places: Sequence[int]) -> Array:
    """Return (first day, place) of all windows whose weather is there and whose scored days may all be learned from."""
    found = []
    for place in places:
        bad = catchments.filled[:, place].astype(int)
        unknown = (~np.isfinite(known[:, 0, place])).astype(int)
        for first in range(0, len(bad) - WINDOW, 30):
            scored = slice(first + SPIN_UP, first + WINDOW)
            if not bad[first : first + WINDOW].any() and not unknown[scored].any():
                found.append((first, place))
    return np.array(found)


def build(catchments: Catchments, known: Array, places: Sequence[int], generator: torch.Generator) -> Component:
    """Return an untrained LSTM whose scaling comes from the days and places of training."""
    model: Component = registry().load("components", "soil-lstm")(
        hidden=HIDDEN, layers=LAYERS, forcing=FORCING, dropout=DROPOUT, radius=RADIUS, bounds=BOUNDS,
        initial_soil_moisture=0.33, generator=generator,
    )  # fmt: skip
    learned = np.isfinite(known[:, 0]) & ~catchments.filled
    values = {name: one[:, places][learned[:, places]] for name, one in catchments.weather.items()}
    mean, std = ({name: float(f(one)) for name, one in values.items()} for f in (np.mean, np.std))
    model.standardise(mean, std)
    return model


def facts(plan: Plan) -> dict[str, Any]:
    """Return the settings for the record; checkpoints are kept with them, and go on with the same only."""
    return asdict(plan) | {"hidden": HIDDEN, "dropout": DROPOUT, "radius": RADIUS, "batch": BATCH}


def simulated(model: Component, catchments: Catchments) -> Array:
    """Return soil moisture (time, layer, place) of one run over all days."""
    inputs = {name: torch.as_tensor(one) for name, one in catchments.weather.items()}
    with torch.no_grad():
        return np.asarray(run(model, inputs)["soil_moisture"])


def member(catchments: Catchments, known: Array, places: Sequence[int], seed: int, plan: Plan, stem: Path) -> Array:
    """Return soil moisture of a model that was trained on what is known of some places."""
    hold(stem, facts(plan))
    model = build(catchments, known, places, torch.Generator().manual_seed(seed)).eval()
    starts = torch.as_tensor(windows(catchments, known, places))
    weather = {name: torch.as_tensor(one) for name, one in catchments.weather.items()}
    target = torch.as_tensor(np.where(np.isfinite(known), known, np.nan), dtype=torch.float32)
    spread = torch.as_tensor(np.nanstd(known[:, :, places], axis=(0, 2)), dtype=torch.float32)[:, None]

    def loss(generator: torch.Generator) -> Tensor:
        first, place = starts[torch.randint(len(starts), (BATCH,), generator=generator)].unbind(1)
        rows = first + torch.arange(WINDOW).unsqueeze(1)
        inputs = {name: one[rows, place] for name, one in weather.items()}
        with torch.no_grad():
            state = _state_after(model, {name: one[:SPIN_UP] for name, one in inputs.items()})
        model.train()
        later = {name: one[SPIN_UP:] for name, one in inputs.items()}
        answer = model(state, later, range(WINDOW - SPIN_UP))[0]["soil_moisture"]
        model.eval()
        observed = target[rows[SPIN_UP:], :, place].movedim(-1, 1)
        return weighted_error(answer, observed, spread)

    def training_error() -> float:
        whole = simulated(model, catchments)[:, :, places]
        return float(np.nanmean(((whole - known[:, :, places]) / spread.numpy()) ** 2))

    torch.manual_seed(seed)  # of dropout
    train(
        model,
        loss,
        training_error,
        plan,
        seed=seed,
        checkpoint=stem.with_suffix(".pt"),
        tell=lambda text: print(f"{stem.name}: {text} (of the training part)", file=sys.stderr, flush=True),
    )
    return simulated(model, catchments)


def _state_after(model: Component, inputs: Tensors) -> Tensors:
    first = inputs["precipitation_flux"]
    return model(model.initial_state(Sizes({"cell": first.shape[-1]})), inputs, range(len(first)))[1]


def parted(catchments: Catchments, kind: str, *, validation: bool) -> list[tuple[Array, Array, list[int]]]:
    """Return (known, scored, places of training) of each model that a kind of skill needs; nan is neither."""
    soil, times = catchments.soil, catchments.times
    late = np.stack([_third_year(one) for one in soil[:, 0].T], axis=1)[:, None]
    usable = np.where((times >= START)[:, None, None] & late, soil, np.nan)
    everywhere = list(range(len(catchments.ids)))
    end = FIT if validation else VALIDATED
    early, after = (times < FIT)[:, None, None], (times >= end)[:, None, None]
    if validation:
        after = after & (times < VALIDATED)[:, None, None]
    if kind == "years":
        return [(np.where(early, usable, np.nan), np.where(after, usable, np.nan), everywhere)]
    parts = []
    for left_out in everywhere:
        here = (np.arange(len(everywhere)) == left_out)[None, None]
        at = early & ~here
        whole = (after if validation else np.ones_like(after)) & here
        parts.append(
            (np.where(at, usable, np.nan), np.where(whole, usable, np.nan), [p for p in everywhere if p != left_out])
        )
    return parts


def _third_year(column: Array) -> Array:
    """Return which days come two years or more after the first value."""
    return np.arange(len(column)) >= int(np.argmax(np.isfinite(column))) + WINDOW


def by_layer(answer: Array, observed: Array) -> dict[str, Array]:
    """Return each score as (layer, place)."""
    rows = [scores(answer[:, layer], observed[:, layer]) for layer in range(answer.shape[1])]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def together(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    """Return the scores of several models, each of its own places."""
    return {name: np.nanmean(np.stack([one[name] for one in parts]), axis=0) for name in parts[0]}


def climatology(catchments: Catchments, known: Array, places: Sequence[int], kind: str) -> Array:
    """Return soil moisture (time, layer, place) by the day of the year alone."""
    answer = np.empty_like(catchments.soil)
    for layer in range(answer.shape[1]):
        days = smoothed_days(known[:, layer, places], catchments.day)[catchments.day - 1]
        answer[:, layer] = days if kind == "years" else days.mean(axis=1, keepdims=True)
    return answer


def by_trees(catchments: Catchments, known: Array, seed: int, rounds: int) -> Array:
    """Return soil moisture of gradient boosting, layer by layer."""
    learned = np.where(catchments.filled[:, None], np.nan, known)
    made = [
        trees(catchments.weather, {}, learned[:, layer], seed=seed, rounds=rounds) for layer in range(known.shape[1])
    ]
    return np.stack(made, axis=1)


def made_up() -> Catchments:
    """Return three made-up catchments over a few years, to see that the script runs."""
    times = np.arange("2009-01-01", "2018-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    draw = np.random.default_rng(1)
    weather = {name: draw.uniform(0.0, 1.0, (len(times), 3)).astype(np.float32) for name in FORCING}
    soil = 0.3 + 0.1 * np.sin(np.arange(len(times)) / 58.0)[:, None, None] + np.linspace(0.0, 0.1, 12).reshape(1, 4, 3)
    day = np.arange(len(times)) % 365 + 1
    return Catchments(weather, np.zeros((len(times), 3), bool), soil.astype(np.float32), times, day, ("a", "b", "c"))


def report(name: str, found: list[dict[str, Array]], beside: dict[str, Array], catchments: Catchments,
           given: argparse.Namespace, part: str) -> str:  # fmt: skip
    """Return the line of a model: NSE over layers and places, of each seed, and all scores by layer."""
    values = [float(np.nanmean(one["nse"])) for one in found]
    table = {score: np.round(np.mean([np.nanmean(one[score], axis=1) for one in found], axis=0), 4).tolist()
             for score in ("nse", "r", "rmse", "ubrmse", "bias")}  # fmt: skip
    places = np.stack([np.nanmean(one["nse"], axis=0) for one in found]).mean(axis=0).round(3)
    return record(
        f"soil-moisture-caravan.{name}", values, "mean NSE", {"climatology": float(np.nanmean(beside["nse"]))},
        part=part, seeds=given.seed[: len(found)], layers=LAYERS, by_layer=table, forcing=FORCING, settings=facts(PLAN),
        climatology_by_layer={score: np.round(np.nanmean(beside[score], axis=1), 4).tolist() for score in table},
        nse_by_place={one: float(value) for one, value in zip(catchments.ids, places, strict=True)}, gate="",
        data="ERA5-Land over 5 catchments, Caravan, CC-BY-4.0", data_hash=hashed(catchments.weather, catchments.soil),
    )  # fmt: skip


def main() -> None:
    """Train and score what the command line asks for, and print a line for each model and kind of skill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--model", choices=("lstm", "boosting"), nargs="+", default=["lstm", "boosting"])
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("output/skill-soil"), help="where checkpoints lie")
    parser.add_argument("--validation", action="store_true", help="score 2013-2015; later years are not used")
    parser.add_argument("--quick", action="store_true", help="made-up catchments, two updates: checks that it runs")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    folder = data_folder()
    if not given.quick and folder is None:
        parser.error("CREST_DATA_DIR names no folder of data; --quick checks on made-up data that the script runs")
    catchments = made_up() if given.quick or folder is None else read(folder)
    plan, rounds = (replace(PLAN, updates=2, every=2), 5) if given.quick else (PLAN, 300)
    part = "made-up data" if given.quick else "2013-2015" if given.validation else "test"
    with tempfile.TemporaryDirectory() as scratch:
        keep = Path(scratch) if given.quick else given.keep / ("validation" if given.validation else "test")
        for kind in given.kind:
            parts = parted(catchments, kind, validation=given.validation)
            beside = together([by_layer(climatology(catchments, known, places, kind), scored)
                               for known, scored, places in parts])  # fmt: skip
            for name in given.model:
                found = []
                for seed in given.seed if name == "lstm" else given.seed[:1]:
                    each = []
                    for number, (known, scored, places) in enumerate(parts):
                        stem = keep / f"caravan-{kind}-{number}-seed{seed}"
                        answer = (member(catchments, known, places, seed, plan, stem) if name == "lstm"
                                  else by_trees(catchments, known, seed, rounds))  # fmt: skip
                        each.append(by_layer(answer, scored))
                    found.append(together(each))
                text = report(f"{name}.{kind}", found, beside, catchments, given, part)
                print(text, flush=True)
                if part == "test":
                    put_down(text)


if __name__ == "__main__":
    main()
