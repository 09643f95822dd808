"""GRIB files through cfgrib, which writes no index here: it would read an index file as a pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.gridded import MAX_BYTES, Reading, Wanted, check_sizes, conform_cf, names_of, told
from crest_data.readers.local_file import expect_kind, local_file

# What a GRIB step type says of the values over time.
_METHODS = {"instant": "point", "accum": "sum", "avg": "mean", "max": "maximum", "min": "minimum"}
_SCALARS = ("number", "surface", "step", "time", "depthBelowLandLayer", "heightAboveGround", "meanSea")


def read_grib(
    path: str | Path,
    variables: Wanted = None,
    *,
    filter_by_keys: Mapping[str, str | int] | None = None,
    step: str | None = None,
    label: str = "end",
    chunks: Mapping[str, int] | None = None,
    max_bytes: int = MAX_BYTES,
    licence: str = "",
    citation: str = "",
) -> xr.Dataset:
    """Return the fields of a GRIB file at their valid times, in the convention.

    Messages of several levels or step types are told apart by `filter_by_keys`, as {"stepType": "accum"}. A valid
    time is the end of its interval of `step`; without a step only values at a moment (`time: point`) can be read.
    Members of an ensemble are the dim `member`. Other arguments as of `read_netcdf`.
    """
    path = local_file(path)
    raw = open_grib(path, filter_by_keys, chunks)
    names = names_of(raw, variables)
    check_sizes(raw, names, lazy=chunks is not None, max_bytes=max_bytes, path=path)
    with grib_errors(path):
        held = conform_cf(raw, variables, Reading(step, label, licence=licence, citation=citation), path)
        return held if chunks is not None else held.load()


@contextmanager
def grib_errors(path: Path) -> Iterator[None]:
    """Take errors of eccodes for errors of the data, and name the file."""
    from eccodes import CodesInternalError

    try:
        yield
    except CodesInternalError as error:
        raise DataError(f"{path}: cannot be read ({error}); is it cut off or damaged?") from error


def open_grib(
    path: Path, filter_by_keys: Mapping[str, str | int] | None = None, chunks: Mapping[str, int] | None = None
) -> xr.Dataset:
    """Return the fields of a GRIB file by valid_time, with cell_methods from their step type."""
    expect_kind(path, "GRIB")
    options = {
        "indexpath": "", "time_dims": ["valid_time"], "filter_by_keys": dict(filter_by_keys or {}), "errors": "raise",
    }  # fmt: skip
    with told(path), grib_errors(path):
        raw = xr.open_dataset(path, engine="cfgrib", backend_kwargs=options, chunks=chunks)
    raw = raw.drop_vars([name for name in _SCALARS if name in raw.coords and not raw[name].ndim])
    for variable in raw.data_vars.values():
        kind = _METHODS.get(str(variable.attrs.get("GRIB_stepType")), "unknown")
        variable.attrs["cell_methods"] = f"time: {kind}"
    if "valid_time" in raw.coords and "valid_time" not in raw.dims:  # a single time
        raw = raw.expand_dims("valid_time")
    return raw.rename(number="member") if "number" in raw.dims else raw
