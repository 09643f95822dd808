"""Whether values of two files are of the same places and the same days."""

from __future__ import annotations

import re

import numpy as np

from crest_plot.cells import NEAR, ids_of, kilometres, place_names, points_of, reach_of
from crest_plot.errors import PlotError
from crest_plot.selection import Field

_CALENDARS = {"gregorian": "standard", "proleptic_gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_FEW = 8  # places that are compared with all of another file
_UTC = ("utc", "gmt", "z", "etc/utc")


def same_days(what: str, other: Field, field: Field) -> tuple[str, ...]:
    """Return notes on the days of values beside a field; PlotError where calendars or time zones differ.

    Shorter steps than a day are of UTC where no zone is told; days may be those of a local clock.
    """
    assert other.axis is not None and field.axis is not None
    theirs, own = (_CALENDARS.get(one.calendar, one.calendar) for one in (other.axis, field.axis))
    if theirs != own:
        raise PlotError(
            f"{what}: its calendar is {theirs}, that of {field.name} is {own}; convert one with xarray's "
            f"convert_calendar"
        )
    short = min(other.axis.step, field.axis.step) < np.timedelta64(1, "D")
    zones = [axis.zone or ("UTC" if short else "") for axis in (other.axis, field.axis)]
    if _plain(zones[0] or "UTC") == _plain(zones[1] or "UTC"):
        return ()
    if all(zones):
        raise PlotError(
            f"{what}: its time_zone is {zones[0]!r}, that of {field.name} is {zones[1]!r}; days of two zones are not "
            f"the same days: make both of one zone from hours, or, where they mean the same, give both one "
            f"attrs['time_zone']"
        )
    told, untold = (what, field.name) if zones[0] else (field.name, what)
    return (f"{told} has the time_zone {''.join(zones)!r}, {untold} tells none: their days are taken as the same",)


def same_places(what: str, other: Field, field: Field, whole: Field) -> tuple[str, ...]:
    """Return notes on the places of values beside a field, one for one; PlotError where they are other places.

    Ids decide where both have them, else the distance, which may be as far as `--cell` reaches in the whole field.
    """
    theirs, own = ids_of(other.array, other.places), ids_of(field.array, field.places)
    shown = _listed(own or place_names(field.array, field.places))
    if theirs and own and theirs != own:
        raise PlotError(
            f"{what} is of {_listed(theirs)}, and {field.name} of {shown}; take values of the same place, or, where "
            f"they are of one place, give both one cell_id"
        )
    apart, limits = _distances(other, field, whole)
    if not np.isfinite(apart).any():
        if theirs and own:
            return ()
        return (f"{what} and {field.name} have no ids or places to compare: taken as of the same place",)
    over = np.flatnonzero(apart > limits)
    if not len(over):
        return ()
    far = f"{apart[over[0]]:.0f} km"
    if theirs and own:
        return (f"{what}: {own[over[0]]} is {far} from {own[over[0]]} of {field.name}; taken as one by its id",)
    (lat, lon), (own_lat, own_lon) = (_point(one, int(over[0])) for one in (other, field))
    raise PlotError(
        f"{what} is at {lat:.4g},{lon:.4g}, {far} from {field.name} at {own_lat:.4g},{own_lon:.4g}; take values "
        f"within {limits[over[0]]:.3g} km"
    )


def some_near(what: str, other: Field, field: Field, whole: Field) -> None:
    """Raise PlotError where no place of other values is near any of the first places of a field."""
    points, own = points_of(other.array, other.places), points_of(field.array, field.places)
    if points is None or own is None:
        return
    found = []
    for lat, lon in list(zip(*own, strict=True))[:_FEW]:
        limit = max(reach_of(one.array, one.places, lat, lon) for one in (whole, other))
        found.append((float(np.nanmin(kilometres(*points, lat, lon))), limit))
    if all(away > limit for away, limit in found):
        away, limit = min(found)
        raise PlotError(
            f"{what}: its nearest place is {away:.0f} km from those of {field.name}; take values within {limit:.3g} km"
        )


def _distances(other: Field, field: Field, whole: Field) -> tuple[np.ndarray, np.ndarray]:
    """Return how far [km] places lie from those of a field, and how far they may; nan where it is not known."""
    points, own = points_of(other.array, other.places), points_of(field.array, field.places)
    if points is None or own is None or len(points[0]) != len(own[0]):
        return np.array([np.nan]), np.array([np.nan])
    apart = kilometres(*points, *own)
    limits = np.full(len(apart), NEAR)
    for number in np.flatnonzero(apart > NEAR):
        limits[number] = reach_of(whole.array, whole.places, own[0][number], own[1][number])
    return apart, limits


def _point(field: Field, number: int) -> tuple[float, float]:
    points = points_of(field.array, field.places)
    assert points is not None
    return float(points[0][number]), float(points[1][number])


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _plain(zone: str) -> str:
    """Return one text for all names of an offset.

    >>> _plain("GMT"), _plain("UTC+00:00"), _plain("UTC-5"), _plain("Europe/Berlin")
    ('UTC+0', 'UTC+0', 'UTC-300', 'europe/berlin')
    """
    text = zone.strip()
    offset = _OFFSET.fullmatch(text)
    if offset is None:
        return "UTC+0" if text.lower() in _UTC else text.lower()
    minutes = 60 * int(offset[2]) + int(offset[3] or 0)
    return f"UTC{-minutes if offset[1] == '-' else minutes:+d}"
