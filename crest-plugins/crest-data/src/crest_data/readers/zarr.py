"""Zarr stores with CF attributes, formats 2 and 3, in a local folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.gridded import MAX_BYTES, Reading, Wanted, told, with_notes
from crest_data.readers.local_file import as_path
from crest_data.readers.netcdf import read_decoded
from crest_data.readers.zarr_chunks import check_lacks, lacks_of
from crest_data.readers.zarr_metadata import check_store


def read_zarr(
    path: str | Path,
    variables: Wanted = None,
    *,
    group: str = "",
    step: str | None = None,
    label: str = "start",
    time_zone: str = "",
    cell_methods: str = "",
    chunks: Mapping[str, int] | None = None,
    max_bytes: int = MAX_BYTES,
    missing_chunks: Literal["", "fill"] = "",
    licence: str = "",
    citation: str = "",
) -> xr.Dataset:
    """Return a local Zarr store in the convention, by its CF attributes; arguments as of `read_netcdf`.

    Every array of the store is checked before any is read: numbers or text, by codecs that run no code. Chunks that
    are not there are told in `changes` and in the quality where they are read as missing. Where they would be read as
    numbers, such as 0, or where a variable has none, the store is refused unless `missing_chunks` is "fill".
    """
    path = as_path(path)
    check_store(path, max_bytes)
    if ".." in Path(group).parts:
        raise DataError(f"{path}: the group {group!r} is outside of the store")
    if missing_chunks not in ("", "fill"):
        raise DataError(f"missing_chunks {missing_chunks!r}: expected 'fill', or nothing")
    options: dict[str, Any] = {"engine": "zarr", "backend_kwargs": {"consolidated": False, "group": group or None}}
    with (
        told(path, TypeError),
        xr.open_dataset(path, decode_times=False, create_default_indexes=False, **options) as closed,
    ):
        lacks = lacks_of(path / group.strip("/"), closed, variables)
    if not missing_chunks:
        check_lacks(lacks, path)
    absent = tuple(lack.name for lack in lacks if lack.is_missing)
    reading = Reading(step, label, time_zone, cell_methods, licence=licence, citation=citation, absent=absent)
    dataset = read_decoded(path, variables, reading, options, chunks, max_bytes)
    return with_notes(dataset, [f"{lack}, read as {lack.read_as}" for lack in lacks])
