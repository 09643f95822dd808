"""netCDF files with CF attributes, netCDF-3 and netCDF-4."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.gridded import MAX_BYTES, Reading, Wanted, check_sizes, conform_cf, names_of, told
from crest_data.readers.local_file import expect_kind, local_file
from crest_data.readers.netcdf3_size import check_not_cut


def read_netcdf(
    path: str | Path,
    variables: Wanted = None,
    *,
    step: str | None = None,
    label: str = "start",
    time_zone: str = "",
    cell_methods: str = "",
    chunks: Mapping[str, int] | None = None,
    max_bytes: int = MAX_BYTES,
    licence: str = "",
    citation: str = "",
) -> xr.Dataset:
    """Return a local netCDF file in the convention, by its CF attributes.

    `variables` are the source's names, or by these names Variables that overrule what the file does not tell; None is
    every field. `step` and `label` say what times without bounds stand for, `cell_methods` what variables are that
    do not tell, `time_zone` the zone where the file tells none (else UTC). With `chunks` the file is read lazily
    through dask, else whole, up to `max_bytes`. A file that is cut off is refused; damage within one that is
    read lazily is an error of its library (OSError or RuntimeError) when the values are asked for.
    """
    path = local_file(path)
    if expect_kind(path, "netCDF-4", "netCDF-3") == "netCDF-3":
        check_not_cut(path)
    reading = Reading(step, label, time_zone, cell_methods, licence=licence, citation=citation)
    return read_decoded(path, variables, reading, {"engine": "netcdf4"}, chunks, max_bytes)


def read_decoded(
    path: Path,
    variables: Wanted,
    reading: Reading,
    options: Mapping[str, Any],
    chunks: Mapping[str, int] | None,
    max_bytes: int,
) -> xr.Dataset:
    """Return what xarray opens with `options`, in the convention; sizes are checked before anything is read."""
    with told(path), xr.open_dataset(path, decode_times=False, create_default_indexes=False, **options) as closed:
        names = names_of(closed, variables)
        check_sizes(closed, names, lazy=chunks is not None, max_bytes=max_bytes, path=path)
        units = {name: str(one.attrs.get("units", "")) for name, one in closed.variables.items()}
    with told(path), _of_time(units):
        raw = xr.open_dataset(path, chunks=chunks, **options)
    if chunks is not None:
        return conform_cf(raw, variables, reading, path)
    with raw, told(path):
        return conform_cf(raw, variables, reading, path).load()


@contextmanager
def _of_time(units: Mapping[Hashable, str]) -> Iterator[None]:
    """Name the variable whose units say "since" and no date, which xarray takes for times."""
    try:
        yield
    except ValueError as error:
        odd = [(name, text) for name, text in units.items() if " since " in text and repr(text) in str(error)]
        if not odd:
            raise
        name, text = odd[0]
        raise DataError(
            f"{name}: units {text!r}: expected units of time since a date, as 'days since 2000-01-01', or units of the "
            f"variable without 'since'; correct the attribute"
        ) from error
