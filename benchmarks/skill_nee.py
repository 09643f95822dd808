"""Skill of net ecosystem exchange of carbon at flux towers that the models have never seen.

  skill.nee.MODEL   R2 = 1 - SSE / SST of daily net exchange over all good days of all sites, each simulated by the
                    model of the fold that it was left out of; MODEL is lstm or light-response
  skill.nee.MODEL.ensemble   the same of the mean of the seeds
Data: FLUXNET2015, daily, 1991-2014 (CC-BY-4.0), sites with at least a year of days with half or more good half-hours,
and those days only; the folder is named by CREST_DATA_DIR (fluxnet2015/ in it). Folds: the sites in the order of
sha256(name), dealt into 5; of the sites of the other folds every sixth is for validation, where settings are chosen
(--phase validate; in the test they are trained on, too). A site for validation in one fold is tested in another: one
plan for all folds has seen some test sites; sites_not_chosen_on in a record has the scores of the others. Inputs are
the weather, what it tells of the climate, the latitude, and IGBP's class of the land cover
(fluxnet_monthly/location_fluxnet.csv). Baselines, on the same days: gradient boosting of the same with means over 7, 30
and 90 days, and the mean year of the five training sites nearest in climate and cover. A record has R2 of the means of
sites, of months about them and of days about their month; intervals draw the sites again. The test was looked at twice:
before, without a layer of the day (`direct`), 0.424 by the light response and 0.372 by the LSTM, means of three seeds.
A stopped run goes on: checkpoints and predictions of folds lie in --keep.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from _skill_nee import (
    FOLDS,
    NEE,
    STATIC,
    WEATHER,
    Plan,
    boosted,
    dealt,
    facts,
    read,
    simulated,
    synthetic,
    trained,
    usual,
)
from _skill_nee_scores import drawn, parts, scores, unchosen
from _skill_result import hold, versions
from _skill_snow import data_folder, data_hash, line, put_down

DISTRIBUTIONS = ("crest-core", "crest-training", "crest-samples", "crest-data", "crest-torch", "terrahydro-carbon",
                 "torch", "numpy", "scikit-learn")  # fmt: skip
LEAST = 0.45
BOOSTING = "gradient boosting"
PLANS = {"lstm": Plan("lstm"), "light-response": Plan("light-response")}
PUBLISHED = [{"name": "178 models, daily, many scales, Shi et al. (2022), doi:10.5194/bg-19-3739-2022", "median": 0.5}]


def fold_of(plan: Plan, data: xr.Dataset, fold: int, seed: int, keep: Path, look: bool) -> np.ndarray:
    """Return net exchange (time, scored site) by the model of a fold, trained now or before."""
    name = f"{plan.kind}.{'validate' if look else 'test'}.fold-{fold}.seed-{seed}"
    hold(keep / name, facts(plan))
    kept = keep / name / "predictions.npy"
    if kept.exists():
        answers: np.ndarray = np.load(kept, allow_pickle=False)
        return answers
    training, validation, test = dealt(data["cell_id"].values, fold)
    known = training if look else np.sort(np.concatenate([training, validation]))
    model, seconds = trained(plan, data.isel(cell=known), seed, keep / name)
    answers = simulated(model, data.isel(cell=validation if look else test))
    part = kept.with_suffix(".part.npy")
    np.save(part, answers)
    part.replace(kept)
    print(f"{name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return answers


def whole(answers: dict[int, np.ndarray]) -> np.ndarray:
    """Return values (time, site) of all folds side by side."""
    return np.concatenate(list(answers.values()), axis=1)


def beside(data: xr.Dataset, folds: list[int], seed: int, look: bool) -> dict[str, np.ndarray]:
    """Return net exchange (time, scored site) by the baselines."""
    found: dict[str, dict[int, np.ndarray]] = {BOOSTING: {}, "mean year of similar sites": {}}
    for fold in folds:
        training, validation, test = dealt(data["cell_id"].values, fold)
        both = np.sort(np.concatenate([training, validation]))
        scored, known = data.isel(cell=validation if look else test), data.isel(cell=training if look else both)
        found[BOOSTING][fold] = boosted(known, scored, seed)
        found["mean year of similar sites"][fold] = usual(known, scored)
    return {name: whole(answers) for name, answers in found.items()}


def judged(answer: np.ndarray, observed: xr.DataArray, free: np.ndarray) -> dict[str, Any]:
    """Return the scores of all sites, their parts, and the scores of the `free` sites, on which nothing was chosen."""
    told: dict[str, Any] = scores(answer, observed.values)
    told |= parts(answer, observed.values, observed["time"].dt.month.values)
    if free.any():
        told["sites_not_chosen_on"] = scores(answer[:, free], observed.values[:, free])
    return told


def main() -> None:
    """Train and score what the command line asks for, and print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", choices=sorted(PLANS), nargs="+", default=sorted(PLANS))
    add("--seed", type=int, nargs="+", default=[1])
    add("--fold", type=int, nargs="+", choices=range(FOLDS), default=list(range(FOLDS)))
    add(
        "--phase",
        choices=("test", "validate"),
        default="test",
        help="validate: validation sites, the test is left alone",
    )
    add("--threads", type=int, default=1)
    add("--keep", type=Path, default=Path("output/skill-nee"), help="where checkpoints and predictions lie")
    add("--quick", action="store_true", help="made-up sites, a few seconds: checks that it runs, says nothing of skill")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    folder = data_folder()
    if folder is None and not given.quick:
        parser.error("CREST_DATA_DIR names no folder of data; --quick checks on made-up sites that the script runs")
    data = synthetic() if given.quick or folder is None else read(folder)
    if given.quick:
        given.fold = [0]
    look = given.phase == "validate"
    told = "made-up sites" if given.quick else "validation sites" if look else "sites left out"
    with tempfile.TemporaryDirectory() as scratch:
        keep = Path(scratch) if given.quick else given.keep
        others = beside(data, given.fold, given.seed[0], look)
        sites = np.concatenate([dealt(data["cell_id"].values, fold)[1 if look else 2] for fold in given.fold])
        free = unchosen(data["cell_id"].values)[sites] & (not look)
        for kind in given.model:
            plan = replace(PLANS[kind], epochs=1, hidden=4, every=300) if given.quick else PLANS[kind]
            answers = {seed: whole({fold: fold_of(plan, data, fold, seed, keep, look) for fold in given.fold})
                       for seed in given.seed}  # fmt: skip
            ran = np.isfinite(np.stack([*answers.values(), *others.values()])).all(axis=0)
            observed = data[NEE].isel(cell=sites).where(xr.DataArray(ran, dims=("time", "cell")))
            found = {seed: judged(one, observed, free) for seed, one in answers.items()}
            baselines = {name: judged(one, observed, free) for name, one in others.items()}
            values = [one["r2"] for one in found.values()]
            mean = np.mean(list(answers.values()), axis=0)
            common = {
                "part": told, "seeds": given.seed, "folds": given.fold, "gate": f"R2 >= {LEAST}",
                "baselines": {name: one["r2"] for name, one in baselines.items()}, "baseline_scores": baselines,
                "published": PUBLISHED, "settings": facts(plan), "versions": versions(DISTRIBUTIONS),
                "data_hash": data_hash({name: data[name].values for name in (*WEATHER, NEE, *STATIC)}),
            }  # fmt: skip
            boosting = baselines[BOOSTING]["r2"]
            lines = [line(f"skill.nee.{kind}", float(np.mean(values)), "R2", BOOSTING, boosting,
                          by_seed=values, spread=float(np.std(values, ddof=1)) if len(values) > 1 else None,
                          scores={str(seed): one for seed, one in found.items()}, **common)]  # fmt: skip
            if len(values) > 1:
                score = judged(mean, observed, free)
                score["intervals"] = drawn(mean, others[BOOSTING], observed.values, 1)
                if free.any():
                    score["sites_not_chosen_on"]["intervals"] = drawn(
                        mean[:, free], others[BOOSTING][:, free], observed.values[:, free], 1
                    )
                lines.append(line(f"skill.nee.{kind}.ensemble", score["r2"], "R2", BOOSTING, boosting,
                                  by_seed=[score["r2"]], spread=None, scores=score, **common))  # fmt: skip
            for text in lines:
                print(text, flush=True)
                if told == "sites left out" and given.fold == list(range(FOLDS)):
                    put_down(text)


if __name__ == "__main__":
    main()
