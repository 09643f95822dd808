"""One flood with snow in it, chosen by a rule that looks at observations alone, and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from basin_models import DISCHARGE, SNOW
from basin_sets import BasinSet, within
from basin_stages import ALONE, COUPLED, JOINT, MELT, SNOW_ALONE

from crest_core import CrestError

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  the backend comes first

DAYS = 5  # up to the flood, over which water is counted
LEAST_LOSS = 30.0  # kg m-2 of SWE lost in these days
LEAST_SHARE = 1 / 3  # of snow in the water of these days
RAINY = 20.0  # kg m-2 of precipitation in these days, from which on it is rain on snow
LEAD, LAG = 40, 20  # days before and after the peak that are drawn
COLOURS = {SNOW_ALONE: "#009e73", ALONE: "#e69f00", COUPLED: "#56b4e9", JOINT: "#0072b2"}


@dataclass(frozen=True)
class Flood:
    """A day of high discharge after a loss of snow."""

    cell: int
    basin: str
    day: pd.Timestamp
    kind: str
    discharge: float
    """Observed, kg m-2 day-1."""
    height: float
    """Discharge over the mean yearly largest discharge of the training years."""
    loss: float
    rain: float

    def describe(self) -> str:
        """Return the event in words."""
        return (
            f"{self.kind} in basin {self.basin}, {self.day.date().isoformat()}: {self.discharge:.0f} mm in a day, "
            f"{self.height:.1f} times the mean annual flood, observed; in {DAYS} days {self.loss:.0f} mm of snow went "
            f"and {self.rain:.0f} mm of precipitation fell"
        )


def choose(basins: BasinSet) -> Flood:
    """Return the flood of the scored period by this rule, which knows no model.

    Of all basins and days with observed discharge whose last DAYS days lost at least LEAST_LOSS of observed SWE, and
    where that is at least LEAST_SHARE of SWE lost + precipitation: the day with the largest discharge per area of the
    basin. From RAINY of precipitation on it is rain on snow.
    """
    test = {name: within(basins.data[name], basins.test).transpose("time", "cell")
            for name in (DISCHARGE, SNOW, "precipitation_flux")}  # fmt: skip
    swe, rain = test[SNOW].values.astype(np.float64), test["precipitation_flux"].values.astype(np.float64)
    lost, fallen = np.full(swe.shape, np.nan), np.full(swe.shape, np.nan)
    lost[DAYS:] = swe[:-DAYS] - swe[DAYS:]
    total = np.concatenate([np.zeros((1, swe.shape[1])), rain.cumsum(axis=0)])
    fallen[DAYS:] = (total[DAYS:] - total[:-DAYS])[1:]
    water = np.where(lost > 0, lost + fallen, np.nan)
    with np.errstate(invalid="ignore"):
        counts = (lost >= LEAST_LOSS) & (lost / water >= LEAST_SHARE)
    flow = test[DISCHARGE].values
    flow = np.where(counts & np.isfinite(flow), flow, -np.inf)
    day, cell = np.unravel_index(int(flow.argmax()), flow.shape)
    if not np.isfinite(flow[day, cell]):
        raise CrestError(
            f"flood: no day of {basins.test} lost {LEAST_LOSS} mm of snow in {DAYS} days; take more basins"
        )
    kind = "rain on snow" if fallen[day, cell] >= RAINY else "snowmelt"
    when = pd.Timestamp(str(test[SNOW]["time"].values[day])[:10])
    most = float(flow[day, cell])
    return Flood(int(cell), basins.ids[cell], when, kind, most, most / float(annual_flood(basins)[cell]),
                 float(lost[day, cell]), float(fallen[day, cell]))  # fmt: skip


def annual_flood(basins: BasinSet) -> np.ndarray:
    """Return the mean yearly largest discharge of the training years, by basin."""
    flow = within(basins.data[DISCHARGE], basins.train).transpose("time", "cell")
    year = (flow["time"].dt.year + (flow["time"].dt.month >= 10)).rename("year")
    return flow.groupby(year).max().mean("year").values


def draw_flood(flood: Flood, basins: BasinSet, made: Mapping[str, xr.Dataset], path: Path) -> None:
    """Draw forcing, SWE, melt and discharge around the flood, observed and simulated."""
    first, last = flood.day - pd.Timedelta(days=LEAD), flood.day + pd.Timedelta(days=LAG)
    here = basins.data.isel(cell=flood.cell).sel(time=slice(first, last))
    days = here["time"].values
    figure, axes = plt.subplots(4, 1, figsize=(10, 11), sharex=True, layout="constrained", height_ratios=[2, 2, 2, 3])
    _draw_weather(axes[0], here)
    for axis, name, label in ((axes[1], SNOW, "SWE [mm]"), (axes[2], MELT, "melt [mm/day]"),
                              (axes[3], DISCHARGE, "discharge [mm/day]")):  # fmt: skip
        for arm, one in made.items():
            if name in one:
                shown = one[name].isel(cell=flood.cell).sel(time=slice(first, last))
                line = "--" if arm == SNOW_ALONE else "-"  # the same snow as that of the frozen one
                axis.plot(shown["time"].values, shown.values, line, color=COLOURS[arm], linewidth=1.6, label=arm,
                          zorder=3 if arm == SNOW_ALONE else 2)  # fmt: skip
        if name in here:
            axis.plot(days, here[name].values, color="black", linewidth=1.4, label="observed", zorder=4)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axis in axes:
        axis.axvline(flood.day, color="#999999", linewidth=0.8, linestyle=":")
        axis.margins(x=0)
    figure.suptitle(flood.describe().replace("; ", "\n"), fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_weather(axis: plt.Axes, here: xr.Dataset) -> None:
    """Draw precipitation from above, and the range of the temperature of each day."""
    days, rain = here["time"].values, here["precipitation_flux"].values
    axis.bar(days, rain, width=1.0, color="#56b4e9")
    axis.set_ylim(float(rain.max()) * 2.2 + 1.0, 0)
    axis.set_ylabel("precipitation [mm/day]")
    other = axis.twinx()
    other.fill_between(days, here["air_temperature_min"].values, here["air_temperature_max"].values,
                       color="#d55e00", alpha=0.35, linewidth=0)  # fmt: skip
    other.axhline(0.0, color="#d55e00", linewidth=0.7)
    other.set_ylabel("air temperature [degC]")
