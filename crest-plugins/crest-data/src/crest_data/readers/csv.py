"""Text tables with a column of times and columns of variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.columns import conform_columns
from crest_data.readers.local_file import local_file
from crest_data.readers.text_table import Table, read_table
from crest_data.variable import Variable


def read_csv(
    path: str | Path,
    variables: Mapping[str, Variable],
    *,
    places: Mapping[str, tuple[float, float]],
    step: str | None,
    time: str = "time",
    time_format: str = "",
    cell: str = "",
    separator: str | None = ",",
    skip: int = 0,
    label: str = "start",
    time_zone: str = "UTC",
    source: str = "",
    licence: str = "",
    citation: str = "",
) -> xr.Dataset:
    """Return columns of a text table in the convention; `variables` has what each column is.

    `time` is the column of dates, ISO or as `time_format` says in the words of strftime; dates with an offset become
    UTC. `places` has (latitude, longitude) by id, of the one place or of each in the column `cell`. `skip` lines come
    before the header. Empty cells and NA are missing; any other text for a number is an error with its line.
    """
    path = local_file(path)
    table = read_table(path, separator=separator, skip=skip, numbers=list(variables))
    table.require([time, *([cell] if cell else []), *variables])
    dates, notes = _dates(table, time, time_format)
    return conform_columns(
        table.frame, dates, variables, notes=notes, path=path, cell=cell, places=places, step=step,
        label=label, time_zone=time_zone, source=source, licence=licence, citation=citation,
    )  # fmt: skip


def _dates(table: Table, column: str, form: str) -> tuple[pd.DatetimeIndex, list[str]]:
    """Return the dates of a column, in UTC if they tell their offset, and how they were moved."""
    if form:
        dates = table.times(column, form)
        return dates, [] if dates.tz is None else [f"time: offsets as the dates tell them ({form}) -> UTC"]
    text = table.frame[column].astype(str)
    offsets = text.where(text.str.contains(":"), "").str.extract(r"(Z|[+-]\d\d:?\d\d)$")[0].fillna("")
    has = offsets != ""
    where = f"{table.path}, line {{}}, column {column!r}"
    if has.any() and not has.all():
        at = int((has != has.iloc[0]).to_numpy().argmax())
        raise DataError(
            f"{where.format(table.lines[at])}: {text.iloc[at]!r} tells its offset from UTC and others do not, or the "
            f"other way; write all dates alike"
        )
    parsed = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=bool(has.any()))
    if parsed.isna().any():
        at = int(parsed.isna().to_numpy().argmax())
        raise DataError(
            f"{where.format(table.lines[at])}: {text.iloc[at]!r} is no ISO date; give time_format= in the "
            f"words of strftime"
        )
    told = [offset for offset in dict.fromkeys(offsets) if offset.strip("+-0:Z")]
    notes = [f"time: {', '.join(told)}, as the dates tell it, -> UTC"] if told else []
    return table.nanoseconds(column, pd.DatetimeIndex(parsed)), notes
