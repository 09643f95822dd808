"""The twin of the land surface, out of the box: five components, two places, judged by their own observations.

Snow, soil moisture, evapotranspiration, carbon and streamflow run together, with weights that come with their
packages, on weather that comes with a Python package. Nothing is trained here. Run it with `make demo`, as a script,
or cell by cell in an editor that knows `# %%`.
"""

# %% What runs: five names of the registry, each replaceable
import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from judged import METRICS, PLACES, Judged, judge, untrained
from rich.console import Console
from rich.progress import track
from rich.table import Table
from terrahydro import (
    PARTS,
    draw_budget,
    draw_fluxes,
    draw_spread,
    draw_states,
    residuals,
    totals,
    twin,
    water_budget,
)

from crest_core import CrestError, registry

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
for part, usual in PARTS.items():
    parser.add_argument(f"--{part}", default=usual, metavar="NAME", help="a component of the registry (%(default)s)")
parser.add_argument("--set", nargs="+", default=[], metavar="PART.SETTING=VALUE",
                    help="arguments of components, as surface.altitude=239; crest info NAME lists them")  # fmt: skip
parser.add_argument("--members", type=int, choices=(1, 2, 3), default=3, help="sets of weights (%(default)s)")
parser.add_argument("--output", type=Path, default=Path("output/twin"), help="folder of the results (%(default)s)")
arguments = parser.parse_args([] if "ipykernel" in sys.modules else None)
settings: dict[str, dict[str, Any]] = {}
for one in arguments.set:
    target, _, value = one.partition("=")
    part, _, setting = target.partition(".")
    if part not in PARTS or not setting or not value:
        parser.error(f"--set {one}: expected PART.SETTING=VALUE, PART one of {', '.join(PARTS)}")
    try:
        settings.setdefault(part, {})[setting] = json.loads(value)
    except json.JSONDecodeError:
        settings.setdefault(part, {})[setting] = value

began = monotonic()
torch.set_num_threads(1)  # tensors of one cell: threads only cost
logging.getLogger("matplotlib").setLevel(logging.WARNING)
console = Console(width=120)
folder = arguments.output
parts = {part: getattr(arguments, part) for part in PARTS}
entries = {entry.name: entry for entry in registry().of_kind("components")}
listed = Table(title="The twin", show_lines=False)
for heading in ("part", "component", "what it is", "package"):
    listed.add_column(heading)
for part, name in parts.items():
    entry = entries.get(name)
    listed.add_row(part, name, entry.summary if entry else "?", entry.distribution if entry else "?")
console.print(listed)
try:
    console.print(str(twin(**parts, settings=settings).plan()).split("forcing:")[0], markup=False)
    drawn = untrained(parts, settings)
    folder.mkdir(parents=True, exist_ok=True)
except CrestError as error:
    sys.exit(f"demo: {error}")
except OSError as error:
    sys.exit(f"demo: --output {folder}: {error.strerror}; name a folder that can be written to")
if drawn:
    told = ", ".join(f"{part} ({parts[part]})" for part in drawn)
    console.print(f"[bold red]Random weights: {told}.[/bold red] What it says, and what depends on it, means nothing "
                  "before a training.", highlight=False)  # fmt: skip


# %% Run it at both places, with each set of weights, and judge it on years that no training has seen
def say(judged: Judged) -> None:
    """Print the scores of a place."""
    place, scores = judged.place, judged.scores
    console.print(f"\n[bold]{place.where}[/bold], {place.start} to {place.test[1]}")
    sets = f"mean of {len(judged.members)} sets of weights" if len(judged.members) > 1 else "first set of weights"
    console.print(f"{place.observed.replace('_', ' ')}, {place.test[0]} to {place.test[1]} (end excluded), not seen in "
                  f"training; model: {sets}", highlight=False)  # fmt: skip
    table = Table()
    for heading in ("", *(f"{metric.upper()}, {place.units}" if metric == "rmse" else metric.upper()
                          for metric in METRICS)):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "" else "right")
    flat = scores.isel(cell=0)
    depths = judged.first["soil_layer_bnds"].values * 100.0 if "soil_layer" in flat.dims else [None]
    for source in flat["source"].values:
        for layer, depth in enumerate(depths):
            one = flat.sel(source=source)
            one = one if depth is None else one.isel(soil_layer=layer)
            what = str(source) if depth is None else f"{source}, {depth[0]:.3g}-{depth[1]:.3g} cm"
            table.add_row(what, *(f"{float(one[metric]):.3f}" for metric in METRICS))
    console.print(table)
    console.print("climatology: the mean of the day of the year in the years before\n"
                  "persistence: what was observed the day before, which the model is not told")  # fmt: skip
    console.print(f"Not verified here: {place.unverified}. Their skill elsewhere: docs/models/how-good.md.")
    for key in ("source", "remarks"):
        if key in judged.forcing.attrs:
            console.print(f"  {key}: {judged.forcing.attrs[key]}", markup=False, highlight=False)
    guessed = [str(name).replace("_", " ") for name, field in judged.forcing.data_vars.items() if "time" in field.dims
               and str(field.attrs.get("comment", "")).startswith(("estimate", "assumed"))]  # fmt: skip
    if guessed:
        console.print(f"  estimated or assumed, not measured: {', '.join(guessed)}", markup=False, highlight=False)


ORDER = ("precipitation", "snowfall_correction", "liquid_water", "evapotranspiration", "drained", "runoff", "d_snow",
         "d_soil", "d_groundwater", "d_channel", "residual_snow", "residual_soil", "residual_streamflow",
         "residual_soil_and_streamflow", "residual")  # fmt: skip
members = range(1, arguments.members + 1)
try:
    found = [judge(place, parts, members, settings) for place in track(PLACES, "running both places", console=console)]
except CrestError as error:
    sys.exit(f"demo: {error}")
for one in found:
    say(one)

# %% Where the water went, and what no term explains
for one in found:
    budget = water_budget(one.first, one.forcing)
    yearly = totals(budget)
    table = Table(title=f"Water of a year, {one.place.name}, first set of weights; mm")
    table.add_column("")
    for year in yearly.index:
        table.add_column(str(year), justify="right")
    for name in ORDER:
        if name in yearly:
            table.add_row(name.replace("_", " "), *(f"{value:z.1f}" for value in yearly[name]),
                          end_section=name in ("runoff", "d_channel"))  # fmt: skip
    console.print(table)
    table = Table(title=f"What no term explains in a step, {one.place.name}; mm")
    for heading in ("", "largest", "on", "root mean square"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for name, row in residuals(budget).iterrows():
        table.add_row(str(name).replace("_", " "), f"{row['largest']:.2g}", row["on"], f"{row['rms']:.2g}")
    console.print(table)
    budget.to_netcdf(folder / f"{one.place.name}-budget.nc")
    draw_budget(budget, folder / f"{one.place.name}-budget.png", title=f"Where the water went: {one.place.where}")

console.print(
    "liquid water: rain and melt that the snow lets go; drained: runoff of the soil; d: what a store gained\n"
    "A residual is water that a part took and did not pass on, or the reverse; snow and soil close by construction,\n"
    "a learned streamflow makes up for rain and evapotranspiration that do not fit the river."
)

# %% Pictures
for one in found:
    name, title = one.place.name, one.place.where
    seen = {one.place.observed: one.forcing[one.place.observed]}
    told = f"{title}\nfirst set of weights; shaded: the days that judge; not verified here: {one.place.unverified}"
    draw_states(one.first, one.forcing, seen, folder / f"{name}-states.png", title=told, shaded=one.place.test)
    draw_fluxes(one.first, folder / f"{name}-fluxes.png", title=f"{title}; not verified here")
    one.first.to_netcdf(folder / f"{name}.nc")
if arguments.members > 1:
    spreads = {f"{one.place.observed.replace('_', ' ')}, {one.place.name.title()}": (one.spread, one.place.units)
               for one in found if one.spread}  # fmt: skip
    draw_spread(spreads, folder / "spread.png", title="Does the spread of the members tell their error?")
    for one in found:
        if one.spread:
            console.print(f"{one.place.name}: spread / error of {one.place.observed} {one.spread.ratio:.2f}; "
                          "1 would be reliable, less is too sure of itself")  # fmt: skip

scores = {one.place.name: {str(source): {metric: one.scores[metric].sel(source=source).values.ravel().tolist()
                                         for metric in METRICS} for source in one.scores["source"].values}
          for one in found}  # fmt: skip
(folder / "scores.json").write_text(json.dumps({"parts": parts, "settings": settings, "untrained": drawn, **scores,
                                                "places": [asdict(one.place) for one in found]}, indent=1))  # fmt: skip
console.print(f"Results and figures: {folder}\nTime: {monotonic() - began:.0f} s", markup=False)
