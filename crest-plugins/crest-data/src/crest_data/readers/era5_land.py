"""ERA5-Land, hourly: as ERA5, but accumulations are sums since 00 UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from crest_data.readers.ecmwf import read_ecmwf
from crest_data.readers.gridded import MAX_BYTES, Wanted

CITATION = (
    "Munoz-Sabater et al. (2021), doi:10.5194/essd-13-4349-2021; Copernicus Climate Change Service, "
    "doi:10.24381/cds.e2161bac"
)


def read_era5_land(
    path: str | Path | Sequence[str | Path],
    variables: Wanted = None,
    *,
    sampled: bool = False,
    chunks: Mapping[str, int] | None = None,
    max_bytes: int = MAX_BYTES,
) -> xr.Dataset:
    """Return ERA5-Land in the convention; arguments and labels as of `read_era5`.

    An accumulation is the sum since 00 UTC; that of 00 UTC is the sum of the whole day before. Differences within the
    day become means over the hour. The first hour of a file (unless it ends at 01 UTC) and hours after a gap have no
    known sum: missing. Files of several months are joined before that.
    """
    return read_ecmwf(
        path, variables, land=True, step="1h", sampled=sampled, chunks=chunks, max_bytes=max_bytes, citation=CITATION
    )
