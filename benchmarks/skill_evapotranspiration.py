"""Skill of daily latent heat at flux towers: a hybrid that closes the energy balance against a pure network.

  skill.evapotranspiration-time.MODEL   mean over four towers of R2, the last 30 percent of observed days held out
  skill.evapotranspiration-space.MODEL  the same of towers that were left out, one by one
  skill.evapotranspiration-hot.MODEL    RMSE of the hottest tenth of the days of each tower, held out of training
  skill.evapotranspiration-dry.MODEL    RMSE of the tenth with the driest soil, at the three towers that measure it
MODEL: hybrid, et-penman-monteith whose parameters an LSTM varies, or pure, et-network with the same LSTM.
The hybrid is trained on latent heat and, where it is measured (US-AR1, FR-Pue), half as much on net radiation; its
sensible heat follows. The pure one is trained on latent and sensible heat; its net radiation has an albedo of 0.23.
Data: US-AR1, US-Wkg, CH-Lae, FR-Pue (FLUXNET2015; see _skill_towers.py for licences) in the folder CREST_DATA_DIR;
target: latent heat [W m-2] on days with at least half of the half-hours good, as measured, not corrected for the
energy balance that the towers themselves do not close. Root-zone soil moisture is brought to the range of its tower,
from its 2 to its 98 percent quantile, for sensors at different places are not comparable; one half at FR-Pue, which
has none. One model for all towers of a split. Settings were chosen with --validation: on the last 20 percent of
the training days of the split in time. All inputs of a tower are known in every split.
Baselines: climatology of the day of the year, and scikit-learn's HistGradientBoostingRegressor on the same inputs and
their means over 7, 30 and 90 days.
The test was looked at three times: at first the hybrid had no net radiation to learn from, which left it half of what
is measured, and the pure one 300 updates at twice the rate; then the hybrid learned its albedo alone. A stopped run
goes on: checkpoints and results lie in --keep.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _skill_et import (
    DROPOUT,
    HIDDEN,
    LEARNED,
    MEMORY,
    MODELS,
    Tower,
    boosted,
    build,
    climatology,
    extreme,
    in_time,
    invented,
    r2,
    read,
    rmse,
    simulated,
    windows_loss,
)
from _skill_result import hold
from _skill_snow import Plan, data_folder, data_hash, line, put_down, train
from torch import Tensor

from crest_core import Component

SPLITS = ("time", "space", "hot", "dry")
PLANS = {"hybrid": Plan(300, 50, 0.02, 0.2), "pure": Plan(600, 50, 0.01, 0.2)}
WEIGHTS = {  # of fluxes in the loss
    "hybrid": {"latent_heat": 1.0, "net_radiation": 0.5},
    "pure": {"latent_heat": 1.0, "sensible_heat": 1.0},
}
BATCH = 16  # windows
GATE = 0.75  # R2, in time
DISTRIBUTIONS = ("crest-core", "crest-data", "terrahydro-evapotranspiration", "torch", "numpy", "scikit-learn")
Fold = tuple[list[Tower], list[Tower]]
Scores = dict[str, dict[str, float]]


def stem_of(kind: str, split: str, seed: int, given: argparse.Namespace, keep: Path) -> Path:
    """Return where checkpoints and results of a run lie, without a suffix."""
    return keep / f"evapotranspiration-{split}-{kind}-seed{seed}{'-validation' if given.validation else ''}"


def settings_of(kind: str) -> dict[str, Any]:
    """Return how a model is built and trained; runs are kept with it, and go on with the same only."""
    return {"memory": MEMORY, "hidden": HIDDEN, "dropout": DROPOUT, "batch": BATCH, "weights": WEIGHTS[kind],
            "learned": list(LEARNED) if kind == "hybrid" else [], "plan": asdict(PLANS[kind])}  # fmt: skip


def folds(split: str, held: Sequence[Tower], look: bool) -> list[Fold]:
    """Return (towers with the fluxes to train on, towers with those to score) of the trainings of a split."""
    if split == "time":
        days = [in_time(one, look) for one in held]
        pairs = [(one.masked(known), one.masked(asked)) for one, (known, asked) in zip(held, days, strict=True)]
        return [([known for known, _ in pairs], [asked for _, asked in pairs])]
    if split == "space":
        return [([one for one in held if one is not out], [out]) for out in held]
    chosen = [extreme(one, split) for one in held]
    known = [one.masked(~days) for one, days in zip(held, chosen, strict=True)]
    return [(known, [one.masked(days) for one, days in zip(held, chosen, strict=True) if days.any()])]


def trained(kind: str, split: str, seed: int, given: argparse.Namespace, held: Sequence[Tower], keep: Path) -> Scores:
    """Return the scores by tower of a model: R2, RMSE, bias and what the energy balance leaves over, in W m-2."""
    stem = stem_of(kind, split, seed, given, keep)
    hold(stem, settings_of(kind))
    done = stem.with_suffix(".json")
    if done.exists():
        return json.loads(done.read_text(encoding="utf-8"))
    plan = replace(PLANS[kind], updates=2, every=2) if given.quick else PLANS[kind]
    found: Scores = {}
    answers: dict[str, np.ndarray] = {}
    for number, (training, scored) in enumerate(folds(split, held, given.validation)):
        model = build(kind, training, torch.Generator().manual_seed(seed))
        torch.manual_seed(seed)  # dropout
        train(
            model, partial(loss_of, model, training, WEIGHTS[kind]), None, plan, seed=seed,
            checkpoint=stem.with_suffix(f".{number}.pt"), tell=lambda text: None,
        )  # fmt: skip
        for one in scored:
            found[one.name], answers[one.name] = scores(model, one)
    np.savez(stem.with_suffix(".npz"), allow_pickle=False, **answers)
    done.write_text(json.dumps(found), encoding="utf-8")
    return found


def loss_of(model: Component, training: list[Tower], weights: dict[str, float], generator: torch.Generator) -> Tensor:
    """Return the loss of random windows, with dropout."""
    return windows_loss(model.train(), training, BATCH, weights, generator)


def scores(model: Component, one: Tower) -> tuple[dict[str, float], np.ndarray]:
    """Return the scores of a model at a tower, and its latent heat."""
    outputs = {name: value.numpy() for name, value in simulated(model, one).items()}
    days, observed = one.observed(), one.latent.numpy()
    radiation = one.net.numpy()
    told = {"net_radiation_rmse": rmse(outputs["net_radiation"], radiation)} if np.isfinite(radiation).any() else {}
    left = outputs["net_radiation"] - outputs["ground_heat"] - outputs["latent_heat"] - outputs["sensible_heat"]
    return {
        **judged(outputs["latent_heat"], observed),
        "closure": float(np.sqrt(np.mean(left[days].astype(float) ** 2))),
        "available": float(np.mean((outputs["net_radiation"] - outputs["ground_heat"])[days])),
        **told,
    }, outputs["latent_heat"]


def together(split: str, held: Sequence[Tower], answers: Sequence[dict[str, np.ndarray]], look: bool) -> dict[str, Any]:
    """Return what the mean of the seeds scores by tower, and R2 of the days of all towers in one pool, by seed."""
    scored = {one.name: one.latent.numpy() for _, part in folds(split, held, look) for one in part}
    mean = {name: np.mean([one[name] for one in answers], axis=0) for name in scored}
    pool = np.concatenate(list(scored.values()))
    return {
        "ensemble_by_tower": {name: judged(mean[name], observed) for name, observed in scored.items()},
        "pooled_r2_by_seed": [r2(np.concatenate([one[name] for name in scored]), pool) for one in answers],
        "pooled_r2_of_ensemble": r2(np.concatenate([mean[name] for name in scored]), pool),
        "days": {name: int(np.isfinite(observed).sum()) for name, observed in scored.items()},
    }


def judged(predicted: np.ndarray, observed: np.ndarray) -> dict[str, float]:
    """Return R2, RMSE and bias on the days with observations."""
    bias = float(np.nanmean(predicted - observed))
    return {"r2": r2(predicted, observed), "rmse": rmse(predicted, observed), "bias": bias}


def baselines(split: str, held: Sequence[Tower], look: bool) -> dict[str, Scores]:
    """Return the scores of climatology and gradient boosting by tower; boosting with seed 1."""
    found: dict[str, Scores] = {"climatology": {}, "gradient boosting": {}}
    for training, scored in folds(split, held, look):
        for one in scored:
            own = [other for other in training if other.name == one.name] or training
            found["climatology"][one.name] = judged(climatology(own, one), one.latent.numpy())
            found["gradient boosting"][one.name] = judged(boosted(training, one, 1), one.latent.numpy())
    return found


def report(
    kind: str, split: str, by_seed: dict[int, Scores], known: dict[str, Scores], part: str, held: Sequence[Tower],
    pooled: dict[str, Any],
) -> str:  # fmt: skip
    """Return the line of a model in a split: the mean over towers of each seed, and their spread."""
    score, unit = ("r2", "mean R2") if split in ("time", "space") else ("rmse", "mean RMSE, W m-2")
    every = list(by_seed.values())
    values = [_mean(one, score) for one in every]
    beside = {name: _mean(one, score) for name, one in known.items()}
    arrays = {f"{one.name} {name}": value.numpy() for one in held for name, value in one.drivers.items()}
    arrays |= {f"{one.name} latent": one.latent.numpy() for one in held}
    settings = settings_of(kind)
    more: dict[str, Any] = {"gate": f"R2 >= {GATE:g}"} if split == "time" else {}
    return line(
        f"skill.evapotranspiration-{split}.{kind}", float(np.mean(values)), unit, "climatology", beside["climatology"],
        part=part, seeds=list(by_seed), by_seed=values, spread=_spread(values), baselines=beside,
        by_tower={name: {key: float(np.mean([one[name][key] for one in every])) for key in every[0][name]}
                  for name in every[0]},
        spread_by_tower={name: _spread([one[name][score] for one in every]) for name in every[0]},
        baselines_by_tower=known, closure={"unit": "W m-2", "rms": float(np.mean([_mean(one, "closure")
                                                                                  for one in every]))},
        plan=settings.pop("plan"), settings=settings, data_hash=data_hash(arrays),
        versions={one: version(one) for one in DISTRIBUTIONS}, **pooled, **more,
    )  # fmt: skip


def _mean(scores: Scores, name: str) -> float:
    return float(np.mean([one[name] for one in scores.values()]))


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def main() -> None:
    """Train and score what the command line asks for, and print a line for each model and split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(MODELS), nargs="+", default=sorted(MODELS))
    parser.add_argument("--split", choices=SPLITS, nargs="+", default=SPLITS)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("output/skill-evapotranspiration"), help="of checkpoints")
    parser.add_argument("--validation", action="store_true", help="split in time only, scored before the test days")
    parser.add_argument("--quick", action="store_true", help="made-up towers and two updates: checks that it runs")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    folder = data_folder()
    if given.validation:
        given.split = ("time",)
    if not given.quick and folder is None:
        parser.error("CREST_DATA_DIR names no folder of data; --quick checks on made-up towers that the script runs")
    held = invented() if given.quick or folder is None else read(folder)
    with tempfile.TemporaryDirectory() as scratch:
        keep = Path(scratch) if given.quick else given.keep
        keep.mkdir(parents=True, exist_ok=True)
        part = "made-up data" if given.quick else "validation" if given.validation else "test"
        for split in given.split:
            known = baselines(split, held, given.validation)
            for kind in given.model:
                by_seed = {}
                for seed in given.seed:
                    by_seed[seed] = trained(kind, split, seed, given, held, keep)
                    print(f"{split} {kind} seed {seed}: {by_seed[seed]}", file=sys.stderr, flush=True)
                answers = [
                    dict(np.load(stem_of(kind, split, seed, given, keep).with_suffix(".npz"))) for seed in by_seed
                ]
                pooled = together(split, held, answers, given.validation)
                text = report(kind, split, by_seed, known, part, held, pooled)
                print(text, flush=True)
                if part == "test":
                    put_down(text)


if __name__ == "__main__":
    main()
