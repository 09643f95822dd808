"""Skill of the five-component twin as it comes out of the box, at two places, on years that no training has seen.

  skill.twin.soil-moisture.DEPTH.ensemble   NSE of daily soil moisture of a layer, Schwingbach, 2016; DEPTH as 0-17.5cm
  skill.twin.discharge.ensemble             NSE of daily discharge of the Fulda at Grebenau, July 1986 to 1988

  python benchmarks/skill_twin.py            # a minute; --parts soil=soil-bucket tries others and keeps no record

What is scored is the mean of the three sets of weights that come with soil and streamflow; records hold KGE and RMSE,
the ratio of spread to error, and what no term of the water budget explains, of the first set, by year in mm. The data
come with the package spotpy. Climatology is that of the years before; the day before is an observation, which the twin
is not told.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from _skill_snow import data_hash, line, put_down

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples" / "twin"))
from judged import METRICS, PLACES, Judged, judge
from terrahydro import PARTS, residuals, totals, water_budget

MEMBERS = (1, 2, 3)
DISTRIBUTIONS = ("crest-core", "crest-training", "crest-fortran", "terrahydro", "terrahydro-snow",
                 "terrahydro-soil-moisture", "terrahydro-evapotranspiration", "terrahydro-carbon",
                 "terrahydro-streamflow", "torch", "numpy", "spotpy")  # fmt: skip
SHORT = {"soil_moisture": "soil-moisture", "runoff_flux": "discharge"}
BASELINES = {"climatology": "climatology", "the day before": "persistence"}


def records(judged: Judged, parts: Mapping[str, str]) -> list[str]:
    """Return a line for each layer of what is observed at a place."""
    scores, place = judged.scores.isel(cell=0), judged.place
    layers = judged.first["soil_layer_bnds"].values * 100.0 if "soil_layer" in scores.dims else [None]
    budget = water_budget(judged.first, judged.forcing)
    facts: dict[str, Any] = {
        "place": place.where, "phase": "test", "period": place.test, "seeds": MEMBERS, "parts": dict(parts),
        "spread_over_error": judged.spread.ratio if judged.spread else None,
        "water": {name: values.round(1).to_dict() for name, values in totals(budget).items()},
        "residual_of_a_step": json.loads(residuals(budget).to_json(orient="index")),
        "versions": {one: version(one) for one in DISTRIBUTIONS},
        "data_hash": data_hash({name: field.values for name, field in judged.forcing.data_vars.items()}),
    }  # fmt: skip
    lines = []
    for number, depth in enumerate(layers):
        one = scores if depth is None else scores.isel(soil_layer=number)
        found = {str(source): {metric: round(float(one[metric].sel(source=source)), 4) for metric in METRICS}
                 for source in one["source"].values}  # fmt: skip
        beside = {name: found[source]["nse"] for name, source in BASELINES.items()}
        layer = "" if depth is None else f".{depth[0]:.3g}-{depth[1]:.3g}cm"
        name = f"skill.twin.{SHORT[place.observed]}{layer}.ensemble"
        lines.append(line(name, found["model"]["nse"], "NSE", "climatology", beside["climatology"],
                          baselines=beside, scores=found, rmse_units=place.units, **facts))  # fmt: skip
    return lines


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=[], metavar="PART=NAME", help="other components; keeps no record")
    given = parser.parse_args()
    given.parts = dict(one.partition("=")[::2] for one in given.parts)
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"--parts {unknown}; expected some of {list(PARTS)}")
    return given


def main() -> None:
    """Run the twin at both places, print a line for each score and keep those of the usual parts."""
    torch.set_num_threads(1)
    given = arguments()
    parts = PARTS | given.parts
    for place in PLACES:
        for text in records(judge(place, parts, MEMBERS, {}), parts):
            print(text, flush=True)
            if parts == PARTS:
                put_down(text)


if __name__ == "__main__":
    main()
