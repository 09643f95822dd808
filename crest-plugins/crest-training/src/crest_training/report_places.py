"""Places of a report: names, coordinates, and which of them are worth a hydrograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from crest_core import ForcingError
from crest_core.plugins import near
from crest_training.comparison import MODEL, Comparison
from crest_training.pairs import Floats
from crest_training.summary import perfect


@dataclass(frozen=True)
class Place:
    """One place of a comparison as plain series, and why it is shown."""

    name: str
    why: str
    number: int
    """Among all places, the dims of which are taken as one."""


def chosen(comparison: Comparison, scores: xr.Dataset, metric: str, more: tuple[str, ...] = ()) -> tuple[Place, ...]:
    """Return the best, the median and the worst place of a metric, that with the largest flood, and those named."""
    values = np.asarray(scores[metric].sel(source=MODEL).values, dtype=np.float64).reshape(-1)
    order = np.argsort(-np.abs(values - perfect(metric)), kind="stable")
    order = order[np.isfinite(values[order])]
    names = names_of(comparison.observed)
    found: dict[int, str] = {}
    if len(order):
        for why, place in (("best", order[-1]), ("median", order[(len(order) - 1) // 2]), ("worst", order[0])):
            found.setdefault(int(place), f"{why} by {metric}")
        observed = flat(comparison.observed)[:, order]
        with np.errstate(invalid="ignore", divide="ignore"):
            flood = np.nanmax(observed, axis=0) / np.nanmean(observed, axis=0)
        if np.isfinite(flood).any():
            found.setdefault(int(order[np.nanargmax(flood)]), "largest flood over its mean")
    for name in more:
        if name not in names:
            raise ForcingError(f"place {name!r}: there is none among {len(names)}{near(name, names)}")
        if np.isfinite(flat(comparison.observed)[:, names.index(name)]).any():
            found.setdefault(names.index(name), "chosen")
    return tuple(Place(names[number], why, number) for number, why in found.items())


def flat(values: xr.DataArray) -> Floats:
    """Return values (time, ..., *places) as (time, place), with `member` as (time, member, place)."""
    lead = [dim for dim in ("time", "member") if dim in values.dims]
    array = np.asarray(values.transpose(*lead, ...).values, dtype=np.float64)
    return array.reshape(*array.shape[: len(lead)], -1)


def names_of(values: xr.DataArray) -> list[str]:
    """Return a name for each place: its id, else its number along each dim."""
    places = [dim for dim in values.dims if dim not in ("time", "member")]
    sizes = [values.sizes[dim] for dim in places]
    parts = []
    for dim in places:
        own = [f"{name}" for name in (f"{dim}_id", dim) if name in values.coords]
        parts.append([str(one) for one in values[own[0]].values] if own else [str(n) for n in range(values.sizes[dim])])
    return [
        ", ".join(parts[k][i] for k, i in enumerate(np.unravel_index(n, sizes))) for n in range(int(np.prod(sizes)))
    ]


def coordinates_of(scores: xr.Dataset) -> tuple[Floats, Floats] | None:
    """Return longitude and latitude of each place, None where they are not known."""
    dims = [dim for dim in scores["observations"].dims]
    found = []
    for name, units in (("lon", "degrees_east"), ("lat", "degrees_north")):
        known = [c for key, c in scores.coords.items() if key == name or c.attrs.get("units") == units]
        if not known or not set(known[0].dims) <= set(dims):
            return None
        found.append(np.asarray(known[0].broadcast_like(scores["observations"]).transpose(*dims).values, dtype=float))
    return found[0].reshape(-1), found[1].reshape(-1)
