"""Parquet tables with a column of times and columns of variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.choice import near
from crest_data.readers.columns import conform_columns
from crest_data.readers.gridded import MAX_BYTES
from crest_data.readers.local_file import expect_kind, local_file
from crest_data.variable import Variable


def read_parquet(
    path: str | Path,
    variables: Mapping[str, Variable],
    *,
    places: Mapping[str, tuple[float, float]],
    step: str | None,
    time: str = "time",
    cell: str = "",
    label: str = "start",
    time_zone: str = "UTC",
    max_bytes: int = MAX_BYTES,
    source: str = "",
    licence: str = "",
    citation: str = "",
) -> xr.Dataset:
    """Return columns of a parquet file in the convention; arguments as of `read_csv`.

    Only the columns asked for are read: numbers, dates and text, up to `max_bytes`. The pandas metadata of the file
    are not used.
    """
    path = local_file(path)
    expect_kind(path, "parquet")
    names = list(dict.fromkeys([time, *([cell] if cell else []), *variables]))
    try:
        with pq.ParquetFile(path) as file:
            _check(file, names, variables, max_bytes, path)
            table = file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}); is it cut off or damaged?") from error
    frame = pd.DataFrame({name: _numbers(table.column(name)) for name in variables})
    if cell:
        frame[cell] = [str(value) for value in table.column(cell).to_pylist()]
    try:
        times = pd.DatetimeIndex(table.column(time).to_pandas()).as_unit("ns")
    except pd.errors.OutOfBoundsDatetime as error:
        raise DataError(f"{path}, column {time!r}: {error}; expected dates of 1678 to 2261") from error
    return conform_columns(
        frame, times, variables, path=path, cell=cell, places=places, step=step, label=label, time_zone=time_zone,
        source=source, licence=licence, citation=citation,
    )  # fmt: skip


def _check(
    file: pq.ParquetFile, names: list[str], variables: Mapping[str, Variable], max_bytes: int, path: Path
) -> None:
    """Raise if a column is absent or of another type, or if the columns are too large."""
    schema = file.schema_arrow
    if absent := [name for name in names if name not in schema.names]:
        held = ", ".join(schema.names)
        raise DataError(
            f"{path}: no column {', '.join(map(repr, absent))}; it holds {held}{near(absent[0], schema.names)}"
        )
    for name in names:
        kind = schema.field(name).type
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if name in variables and not number:
            raise DataError(f"{path}, column {name!r}: expected numbers, got {kind}")
        if name == names[0] and not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            raise DataError(f"{path}, column {name!r}: expected dates, got {kind}")
    if (size := file.metadata.num_rows * len(names) * 8) > max_bytes:
        raise DataError(
            f"{path}: {file.metadata.num_rows} rows of {len(names)} columns take {size} bytes, the limit is "
            f"{max_bytes}; raise max_bytes or split the file"
        )


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers of a column as float64, nan where there is none."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
