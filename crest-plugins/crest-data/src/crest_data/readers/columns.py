"""Columns of a table: times, cells and variables, brought to the convention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.readers.gridded import told
from crest_data.variable import Variable


def conform_columns(
    frame: pd.DataFrame,
    times: pd.DatetimeIndex,
    variables: Mapping[str, Variable],
    *,
    path: Path,
    cell: str,
    places: Mapping[str, tuple[float, float]],
    step: str | None,
    label: str,
    time_zone: str,
    source: str,
    licence: str,
    citation: str,
    notes: Sequence[str] = (),
) -> xr.Dataset:
    """Return the columns `variables` of a table as (time, cell); `places` has latitude and longitude by cell.

    Without a column `cell` the table is of one place. With it, each cell has rows at the same times. `notes` tell how
    the times were changed before.
    """
    if not places or not isinstance(places, Mapping):
        got = f"places {places!r}" if places else "no places"
        raise DataError(f"{path}: {got}; give places={{'an id': (latitude, longitude)}}, nan where they are not known")
    if not cell and len(places) != 1:
        raise DataError(f"{path}: {len(places)} places and no column of cells; give cell=, or one place")
    located = {one: _pair(one, place, path) for one, place in places.items()}
    ids = list(places)
    order = _rows(frame[cell].astype(str).to_numpy() if cell else np.full(len(frame), ids[0]), times, ids, path)
    coords = {
        "time": times[order[:, 0]].rename("time"),
        "cell": ids,
        "lat": ("cell", [located[one][0] for one in ids]),
        "lon": ("cell", [located[one][1] for one in ids]),
    }
    data = {name: (("time", "cell"), frame[name].to_numpy()[order]) for name in variables}
    attributes = {"changes": "\n".join(notes)} if notes else {}
    with told(path):
        return conform(
            xr.Dataset(data, coords, attributes), variables, step=step, label=label, time_zone=time_zone,
            source=source or path.name, licence=licence, citation=citation,
        )  # fmt: skip


def _pair(one: str, place: Any, path: Path) -> tuple[float, float]:
    """Return latitude and longitude of a place; DataError if it is anything but two numbers."""
    try:
        latitude, longitude = [] if isinstance(place, str) else list(place)
        return float(latitude), float(longitude)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path}: places: {one!r} is at {place!r}; expected (latitude, longitude) in degrees, two numbers"
        ) from error


def _rows(cells: np.ndarray, times: pd.DatetimeIndex, ids: list[str], path: Path) -> np.ndarray:
    """Return the rows (time, cell) of the table; DataError unless each cell has the same times, in the same order."""
    if unknown := sorted(set(cells) - set(ids)):
        raise DataError(f"{path}: no place for the cells {unknown[:5]} ({len(unknown)} in all); add them to places=")
    rows = [np.flatnonzero(cells == one) for one in ids]
    for one, found in zip(ids, rows, strict=True):
        if len(found) != len(rows[0]) or not times[found].equals(times[rows[0]]):
            raise DataError(
                f"{path}: the cell {one!r} has {len(found)} rows, {ids[0]!r} has {len(rows[0])}, or at other times; "
                f"add rows with empty values, or read the cells one by one"
            )
    return np.stack(rows, axis=1)
