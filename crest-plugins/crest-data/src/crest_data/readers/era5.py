"""ERA5 single levels, hourly: netCDF of the old and the new Climate Data Store, and GRIB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from crest_data.readers.ecmwf import read_ecmwf
from crest_data.readers.gridded import MAX_BYTES, Wanted

CITATION = "Hersbach et al. (2020), doi:10.1002/qj.3803; Copernicus Climate Change Service, doi:10.24381/cds.adbb2d47"


def read_era5(
    path: str | Path | Sequence[str | Path],
    variables: Wanted = None,
    *,
    step: str = "1h",
    sampled: bool = False,
    chunks: Mapping[str, int] | None = None,
    max_bytes: int = MAX_BYTES,
) -> xr.Dataset:
    """Return ERA5 in the convention: one file, or files of several variables and periods.

    A time of the file is the end of its interval: accumulations over the `step` before it ("1h"; "3h" for the
    ensemble) become means in W m-2 and kg m-2 s-1, a value at a moment is the value at the end of its interval. So
    the hour labelled 00:00 has the rain until 01:00 and the temperature at 01:00. Fluxes keep ECMWF's sign, positive
    downward, but evaporation is turned positive upward. `variables` are short names, as in the file; None is every one
    that is known (others as {name: Variable}). `sampled` allows hours chosen from the series, as 00 and 12 UTC.
    """
    return read_ecmwf(
        path, variables, land=False, step=step, sampled=sampled, chunks=chunks, max_bytes=max_bytes, citation=CITATION
    )
