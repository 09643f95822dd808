"""Series of several sites on one regular axis of time; what is absent is told, and filled with nan only if asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.text_table import Table


def regular(
    table: Table, times: pd.DatetimeIndex, columns: list[str], *, step: str, fill_gaps: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns on regular times, and what was inserted; DataError names a time twice, unsorted or absent."""
    _check_order(table, times)
    frame = table.frame[columns].set_axis(times, axis=0)
    axis = pd.date_range(times[0], times[-1], freq=step)
    if (odd := ~times.isin(axis)).any():
        at = int(np.flatnonzero(odd)[0])
        raise DataError(
            f"{table.path}, line {table.lines[at]}: {times[at]} is no whole number of {step} after the first"
        )
    absent = axis[~axis.isin(times)]
    if absent.empty:
        return frame, []
    said = f"{len(absent)} times are absent, the first {_said(absent[0])}"
    if not fill_gaps:
        raise DataError(f"{table.path}: {said}; repair the file, or ask for fill_gaps=True to have them as nan")
    return frame.reindex(axis), [f"{table.path.name}: {said}; inserted as nan"]


def stacked(series: Mapping[str, pd.DataFrame], *, step: str) -> tuple[xr.Dataset, list[str]]:
    """Return the series as (time, cell) on the time axis that covers all of them, and where nan was put around them."""
    first = min(frame.index[0] for frame in series.values())
    last = max(frame.index[-1] for frame in series.values())
    axis = pd.date_range(first, last, freq=step)
    columns = list(dict.fromkeys(str(name) for frame in series.values() for name in frame.columns))
    changes = []
    for cell, frame in series.items():
        if not frame.index.isin(axis).all():
            raise DataError(f"{cell}: its times, from {frame.index[0]}, are not those of the others, from {first}")
        if len(frame) != len(axis):
            changes.append(f"{cell}: covers {_said(frame.index[0])} to {_said(frame.index[-1])}, nan before and after")
        if lacking := [name for name in columns if name not in frame]:
            changes.append(f"{cell}: has no {', '.join(lacking)}, nan")
    wide = {cell: frame.reindex(axis) for cell, frame in series.items()}
    empty = np.full(len(axis), np.nan)
    data = {
        name: (("time", "cell"), np.stack([_column(frame, name, empty) for frame in wide.values()], axis=1))
        for name in columns
    }
    times = axis.to_numpy().astype("datetime64[ns]")
    return xr.Dataset(data, {"time": times, "cell_id": ("cell", np.array(list(series), dtype=str))}), changes


def with_history(dataset: xr.Dataset, before: list[str], remarks: list[str] | None = None) -> xr.Dataset:
    """Return the dataset with what a reader changed told before what the convention changed, and with remarks."""
    lines = [*before, *filter(None, str(dataset.attrs.get("changes", "")).split("\n"))]
    told = {"remarks": "\n".join(remarks)} if remarks else {}
    return dataset.assign_attrs({"changes": "\n".join(lines), **told})


def _said(time: pd.Timestamp) -> str:
    """Return a time as people write it: a day without its midnight."""
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M}"


def _column(frame: pd.DataFrame, name: str, empty: np.ndarray) -> np.ndarray:
    return frame[name].to_numpy(dtype=np.float64) if name in frame else empty


def _check_order(table: Table, times: pd.DatetimeIndex) -> None:
    gaps = np.diff(times.to_numpy()).astype("timedelta64[s]").astype(np.int64)
    for bad, what, remedy in ((gaps == 0, "appears twice", "keep one"), (gaps < 0, "is not sorted", "sort the file")):
        if bad.any():
            at = int(np.flatnonzero(bad)[0]) + 1
            raise DataError(f"{table.path}, line {table.lines[at]}: the time {_said(times[at])} {what}; {remedy}")
