"""One dry year at a tower, chosen by a rule that looks at rain alone, and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from tower_models import ET, ET_OF_SOIL, MOISTURE, NEE
from tower_sets import DROUGHT, TowerSet

from crest_core import CrestError

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  the backend comes first

LEAST_DAYS = 365  # of a year that counts
STYLES = (("#e69f00", "-"), ("#0072b2", "-"))


@dataclass(frozen=True)
class DryYear:
    """The year of the record of a tower with the least rain of those that are scored."""

    tower: str
    year: int
    rain: float
    """kg m-2 in the year."""
    others: float
    """kg m-2 a year, mean of the other whole years of the record."""

    def describe(self) -> str:
        """Return the event in words."""
        return f"{self.tower}, {self.year}: {self.rain:.0f} mm of rain, {self.others:.0f} mm a year in the other years"


def choose(towers: TowerSet) -> DryYear:
    """Return the driest whole year of the record that is scored, at US-AR1 where that is among the towers.

    Where no whole year is scored the year in which scoring begins is taken.
    """
    tower = DROUGHT if DROUGHT in towers.ids else towers.ids[0]
    rain = towers.of(tower)["precipitation_flux"].isel(cell=0)
    years = rain.groupby("time.year")
    sums, days = years.sum().to_series(), years.count().to_series()
    full = sums[days >= LEAST_DAYS]
    split = towers.split[tower]
    scored = full[[pd.Timestamp(f"{year}-01-01") >= split for year in full.index]]
    chosen = int(scored.idxmin()) if len(scored) else split.year
    others = full.drop(chosen, errors="ignore")
    if not len(others):
        raise CrestError(f"drought: {tower} has no other whole year than {chosen} to compare with")
    return DryYear(tower, chosen, float(sums[chosen]), float(others.mean()))


def draw(event: DryYear, towers: TowerSet, made: Mapping[str, xr.Dataset], path: Path) -> None:
    """Draw rain, temperature, soil moisture, ET and NEE of the year: observed, and by the arms given."""
    here = towers.of(event.tower).isel(cell=0).sel(time=str(event.year))
    figure, axes = plt.subplots(4, 1, figsize=(10, 10), sharex=True, layout="constrained", height_ratios=[2, 3, 3, 3])
    days = here["time"].values
    axes[0].bar(days, here["precipitation_flux"].values, width=1.0, color="#56b4e9")
    axes[0].set_ylabel("rain [mm/day]")
    warm = axes[0].twinx()
    warm.plot(days, here["air_temperature"].values, color="#d55e00", linewidth=1.0)
    warm.set_ylabel("air temperature [degC]", color="#d55e00")
    for axis, name, label in ((axes[1], MOISTURE, "soil moisture [m3 m-3]"), (axes[2], ET, "ET [mm/day]"),
                              (axes[3], NEE, "NEE [g C m-2 day-1]")):  # fmt: skip
        observed = here[ET_OF_SOIL if name == ET else name].values
        axis.plot(days, weekly(observed), color="black", linewidth=1.4, label="observed", zorder=4)
        for (colour, line), (arm, one) in zip(STYLES, made.items(), strict=False):
            shown = one[name].isel(cell=0).sel(time=str(event.year))
            axis.plot(shown["time"].values, weekly(shown.values), line, color=colour, linewidth=1.6, label=arm)
        axis.set_ylabel(label)
        axis.margins(x=0)
        axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes[3].axhline(0.0, color="#999999", linewidth=0.7)
    figure.suptitle(f"{event.describe()}\nmeans of 7 days; NEE is positive where carbon is lost", fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def weekly(values: np.ndarray) -> np.ndarray:
    """Return running means of 7 days, nan where fewer than 4 are known."""
    return pd.Series(values.astype(np.float64)).rolling(7, center=True, min_periods=4).mean().to_numpy()
