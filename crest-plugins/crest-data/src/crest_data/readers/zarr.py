"""Zarr stores with CF attributes, formats 2 and 3, in a local folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.gridded import MAX_BYTES, Reading, Wanted
from crest_data.readers.netcdf import read_decoded
from crest_data.readers.zarr_chunks import check_chunks
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
    are absent are told in `changes` where they mean missing; where they would be numbers, such as 0, the store is
    refused unless `missing_chunks` is "fill".
    """
    path = Path(path)
    check_store(path, max_bytes)
    if ".." in Path(group).parts:
        raise DataError(f"{path}: the group {group!r} is outside of the store")
    if missing_chunks not in ("", "fill"):
        raise DataError(f"missing_chunks {missing_chunks!r}: expected 'fill', or nothing")
    told = check_chunks(path, fill=missing_chunks == "fill")
    reading = Reading(step, label, time_zone, cell_methods, licence=licence, citation=citation)
    options = {"engine": "zarr", "backend_kwargs": {"consolidated": False, "group": group or None}}
    dataset = read_decoded(path, variables, reading, options, chunks, max_bytes)
    return dataset.assign_attrs(changes="\n".join([*told, dataset.attrs["changes"]])) if told else dataset
