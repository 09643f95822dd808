"""The places of the demo, what is observed there, and how a run of the twin is judged by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import xarray as xr
from crest_training import Observation, compare, score
from terrahydro import SpreadAndError, spread_and_error, together, twin, twin_weather

from crest_core import simulate

METRICS = ("nse", "kge", "rmse")
Settings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Place:
    """A place, the years that are run there, and the observation that judges them."""

    name: str
    where: str
    start: str
    test: tuple[str, str]
    """[start, end), seen by no training."""
    training: tuple[str, str]
    """What the baselines know."""
    observed: str
    units: str
    """Of the observation, for people."""
    unverified: str


PLACES = (
    Place("schwingbach", "Schwingbach, Hesse, Germany: weather near Rechtenbach, soil near Vollnkirchen", "2014-01-01",
          ("2016-01-01", "2017-01-01"), ("2014-01-01", "2016-01-01"), "soil_moisture",
          "m3/m3", "snow, evapotranspiration, carbon and streamflow"),
    Place("fulda", "Fulda at Grebenau, Germany, 2976 km2", "1979-01-01", ("1986-07-01", "1989-01-01"),
          ("1979-01-01", "1986-07-01"), "runoff_flux", "mm/day",
          "snow, soil moisture, evapotranspiration and carbon"),
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What the twin said at a place, and how good it was."""

    place: Place
    forcing: xr.Dataset
    members: tuple[xr.Dataset, ...]
    scores: xr.Dataset
    """Of the mean of the members and of the baselines (source, *places)."""
    spread: SpreadAndError | None

    @property
    def first(self) -> xr.Dataset:
        """The run of the first member."""
        return self.members[0]


def untrained(parts: Mapping[str, str], settings: Settings) -> list[str]:
    """Return the parts whose weights are drawn at random: what they say means nothing before a training."""
    one, other = (
        twin(**parts, settings=settings, generator=torch.Generator().manual_seed(seed)).components for seed in (1, 2)
    )
    return [part for part in parts if any(not torch.equal(value, other[part].state_dict()[name])
                                          for name, value in one[part].state_dict().items())]  # fmt: skip


def judge(place: Place, parts: Mapping[str, str], members: Sequence[int], settings: Settings) -> Judged:
    """Run the twin at a place, once for each member, and score it on the years that no training has seen."""
    forcing = twin_weather(place.name)
    graphs = [twin(**parts, settings=settings, member=member) for member in members]
    runs = tuple(simulate(one, forcing, start=place.start, end=place.test[1], progress=False) for one in graphs)
    made = (together(runs) if len(runs) > 1 else runs[0])[[place.observed]]
    observed = forcing[place.observed]
    compared = compare(made, None, Observation(place.observed, observed), start=place.test[0], end=place.test[1],
                       training=place.training)  # fmt: skip
    spread = None
    if len(runs) > 1:
        test = {"time": slice(place.test[0], None)}
        members_of_test = made[place.observed].sel(test)
        spread = spread_and_error(members_of_test, observed.sel(time=members_of_test["time"]))
    return Judged(place, forcing, runs, score(compared, METRICS), spread)
