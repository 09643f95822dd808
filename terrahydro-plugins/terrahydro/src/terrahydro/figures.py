"""Pictures of a run of the twin: states, fluxes, where the water went, and whether the spread tells the error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from crest_core import conversion
from terrahydro.members import SpreadAndError

# Okabe and Ito's colours, which people with colour blindness tell apart.
BLUE, SKY, GREEN, ORANGE, RED, PURPLE, GREY = (
    "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#888888"
)  # fmt: skip
RATE = "kg m-2 day-1"
_IN = ("precipitation", "snowfall_correction")
_OUT = {"evapotranspiration": GREEN, "runoff": BLUE}
_STORED = {"d_snow": SKY, "d_soil": ORANGE, "d_groundwater": PURPLE, "d_channel": GREY}


def draw_states(results: xr.Dataset, forcing: xr.Dataset, observed: Mapping[str, xr.DataArray], path: Path, *,
                title: str, shaded: tuple[str, str] | None = None) -> Path:  # fmt: skip
    """Draw rain, snow, soil moisture by layer and streamflow of the first cell, observations in black."""
    layers = results["soil_moisture"].isel(cell=0)
    figure = Figure(figsize=(12, 10), layout="constrained")
    axes = figure.subplots(4, 1, sharex=True, height_ratios=[1, 1, 2, 1.6])
    times = results["time"].values
    rain = _daily(forcing["precipitation_flux"].sel(time=results["time"]))
    axes[0].bar(times, rain, width=1.0, color=SKY)
    axes[0].invert_yaxis()
    axes[0].set_ylabel("rain and snow\n[mm/day]")
    axes[1].fill_between(times, results["surface_snow_amount"].isel(cell=0).values, color=SKY, alpha=0.7)
    axes[1].set_ylabel("snow water\n[mm]")
    bounds = results["soil_layer_bnds"].values
    seen = observed.get("soil_moisture")
    for number, colour in zip(range(layers.sizes["soil_layer"]), (BLUE, ORANGE, GREEN, PURPLE), strict=False):
        depth = f"{100 * bounds[number, 0]:.3g}-{100 * bounds[number, 1]:.3g} cm"
        axes[2].plot(times, layers.isel(soil_layer=number).values, color=colour, lw=1.4, label=f"twin, {depth}")
        if seen is not None:
            points = seen.isel(cell=0, soil_layer=number)
            axes[2].plot(points["time"].values, points.values, color=colour, lw=0.9, ls=":", label=f"observed, {depth}")
    axes[2].legend(ncols=3, fontsize=8, loc="lower left")
    axes[2].set_ylabel("soil moisture\n[m3/m3]")
    if "runoff_flux" in observed:
        gauge = observed["runoff_flux"]
        axes[3].plot(gauge["time"].values, _daily(gauge), color="black", lw=1.4, label="observed")
    axes[3].plot(times, _daily(results["runoff_flux"]), color=ORANGE, lw=0.9, label="twin")
    axes[3].legend(fontsize=8)
    axes[3].set_ylabel("streamflow\n[mm/day]")
    _finish(figure, axes, title, shaded)
    return _saved(figure, path)


def draw_fluxes(results: xr.Dataset, path: Path, *, title: str) -> Path:
    """Draw evapotranspiration, the parts of the energy, and the carbon of the first cell."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    times = results["time"].values
    demand = "surface_evapotranspiration" if "surface_evapotranspiration" in results else "evapotranspiration"
    axes[0].plot(times, _daily(results[demand]), color=GREY, lw=2.4, alpha=0.7, label="the surface asks for")
    if "soil_evapotranspiration" in results:
        axes[0].plot(times, _daily(results["soil_evapotranspiration"]), color=GREEN, lw=0.8, label="the soil gives")
    axes[0].legend(fontsize=8)
    axes[0].set_ylabel("evapotranspiration\n[mm/day]")
    for name, colour in (("net_radiation", ORANGE), ("latent_heat", BLUE), ("sensible_heat", RED)):
        if name in results:
            axes[1].plot(times, _smooth(results[name].isel(cell=0)), color=colour, label=name.replace("_", " "))
    axes[1].legend(fontsize=8)
    axes[1].set_ylabel("energy, week's mean\n[W/m2]")
    carbon = (("gross_primary_productivity", GREEN, -1.0), ("ecosystem_respiration", RED, 1.0),
              ("net_ecosystem_exchange", "black", 1.0))  # fmt: skip
    for name, colour, sign in carbon:
        values = sign * _smooth(results[name].isel(cell=0)) * _scale(results[name], "g m-2 day-1")
        axes[2].plot(times, values, color=colour, label=("- " if sign < 0 else "") + name.replace("_", " "))
    axes[2].axhline(0.0, color=GREY, lw=0.6)
    axes[2].legend(fontsize=8)
    axes[2].set_ylabel("carbon, up, week's mean\n[g C/m2/day]")
    _finish(figure, axes, title, None)
    return _saved(figure, path)


def draw_budget(budget: xr.Dataset, path: Path, *, title: str) -> Path:
    """Draw what came and went each month, and the residual by its part: of each step, and summed from the start."""
    means = budget.mean("cell")
    months = pd.DataFrame({str(name): means[name].values for name in means.data_vars},
                          index=pd.DatetimeIndex(means["time"].values)).resample("MS").sum()  # fmt: skip
    figure = Figure(figsize=(12, 10), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True, height_ratios=[2, 1, 1])
    gained = months[list(_IN)].sum(axis=1).to_numpy()
    ends = months.index.append(months.index[-1:] + pd.offsets.MonthBegin())  # the last month has a width, too
    axes[0].step(ends, np.append(gained, gained[-1]), where="post", color="black", lw=1.4,
                 label="precipitation, corrected")  # fmt: skip
    above, below = np.zeros(len(months)), np.zeros(len(months))
    for name, colour in (_OUT | _STORED).items():
        if name not in months:
            continue
        values = months[name].to_numpy()
        start = np.where(values >= 0.0, above, below)
        axes[0].bar(months.index, values, bottom=start, width=25, align="edge", color=colour,
                    label=name.replace("d_", "stored: "))  # fmt: skip
        above, below = above + np.maximum(values, 0.0), below + np.minimum(values, 0.0)
    axes[0].axhline(0.0, color=GREY, lw=0.6)
    axes[0].set_ylabel("water of a month [mm]\n(line less bars: residual)")
    axes[0].legend(ncols=4, fontsize=8)
    parts = [str(name) for name in means.data_vars if str(name).startswith("residual")]
    drawn = dict(zip(parts, (SKY, ORANGE, BLUE, "black"), strict=False))
    for name in sorted(drawn, key=lambda name: name != "residual"):  # all, below its parts, which it may equal
        wide, label = 1.0, name.removeprefix("residual_").replace("_", " ")
        if name == "residual":
            wide, label = 4.0, "all"
        lines = {"color": drawn[name], "label": label, "alpha": 0.4 if name == "residual" else 1.0}
        axes[1].plot(means["time"].values, means[name].values, lw=0.5 * wide, **lines)
        axes[2].plot(means["time"].values, means[name].cumsum("time").values, lw=wide, **lines)
    axes[1].set_ylabel("residual of a step [mm]")
    axes[2].set_ylabel("residual, summed [mm]")
    axes[2].legend(ncols=4, fontsize=8)
    _finish(figure, axes, title, None)
    return _saved(figure, path)


def draw_spread(found: Mapping[str, tuple[SpreadAndError, str]], path: Path, *, title: str) -> Path:
    """Draw error against spread and the ranks of the observations, for each name: (what was found, units)."""
    figure = Figure(figsize=(5.5 * len(found), 8), layout="constrained")
    axes = figure.subplots(2, len(found), squeeze=False)
    for column, (name, (one, units)) in enumerate(found.items()):
        top = 1.05 * float(max(one.spread.max(), one.error.max()))
        axes[0, column].plot([0, top], [0, top], color=GREY, lw=0.8, label="reliable")
        axes[0, column].plot(one.spread, one.error, "o-", color=BLUE, label=f"spread / error {one.ratio:.2f}")
        across, up = f"spread of the members [{units}]", f"error of their mean [{units}]"
        axes[0, column].set(title=name, xlabel=across, ylabel=up, xlim=(0, top), ylim=(0, top))
        axes[0, column].legend(fontsize=8)
        axes[1, column].bar(np.arange(len(one.ranks)), one.ranks, color=BLUE)
        axes[1, column].axhline(1.0 / len(one.ranks), color=GREY, lw=0.8)
        axes[1, column].set_xticks(np.arange(len(one.ranks)))
        axes[1, column].set(xlabel="members below the observation", ylabel="share of the observations")
    figure.suptitle(title)
    return _saved(figure, path)


def _finish(figure: Figure, axes: Any, title: str, shaded: tuple[str, str] | None) -> None:
    axis: Axes
    for axis in axes:
        axis.grid(alpha=0.25)
        if shaded:
            start, end = (float(date2num(np.datetime64(day))) for day in shaded)
            axis.axvspan(start, end, color="#f0e442", alpha=0.15)
    figure.suptitle(title)


def _scale(field: xr.DataArray, units: str) -> float:
    return conversion(str(field.attrs["units"]), units).scale


def _daily(field: xr.DataArray) -> np.ndarray:
    """Return a flux of the first cell [mm/day]."""
    return np.asarray(field.isel(cell=0).values * _scale(field, RATE))


def _smooth(field: xr.DataArray) -> np.ndarray:
    return np.asarray(field.rolling(time=7, center=True, min_periods=1).mean().values)


def _saved(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path
