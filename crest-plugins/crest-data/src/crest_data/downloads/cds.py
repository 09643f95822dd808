"""ERA5 and ERA5-Land from the Climate Data Store, through its client cdsapi."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from crest_data.downloads.client import client
from crest_data.errors import DataError

_STORE = "https://cds.climate.copernicus.eu"
_HOURS = tuple(f"{hour:02d}:00" for hour in range(24))


@dataclass(frozen=True)
class CdsRequest:
    """What is asked of the Climate Data Store."""

    dataset: str
    request: dict[str, Any]


def era5_land_request(
    variables: Sequence[str], month: str, *, area: tuple[float, float, float, float], hours: Sequence[str] = _HOURS
) -> CdsRequest:
    """Return the request for a month of ERA5-Land, as netCDF; arguments as of `era5_request`."""
    return CdsRequest("reanalysis-era5-land", _request(variables, month, area, hours))


def era5_request(
    variables: Sequence[str], month: str, *, area: tuple[float, float, float, float], hours: Sequence[str] = _HOURS
) -> CdsRequest:
    """Return the request for a month "2020-01" of ERA5; `area` is north, west, south, east in degrees.

    `variables` are called as the store does: "total_precipitation", "2m_temperature". Read the file with `read_era5`.
    """
    return CdsRequest(
        "reanalysis-era5-single-levels", {"product_type": ["reanalysis"], **_request(variables, month, area, hours)}
    )


def download_cds(request: CdsRequest, path: str | Path) -> Path:
    """Fetch what a request asks for into a file that does not exist yet; may wait for hours in the store's queue."""
    path = Path(path)
    if path.exists():
        raise DataError(f"{path} exists; give another path")
    cdsapi = client("cdsapi", "pip install cdsapi, the extra cds of crest-data", f"{_STORE}, in ~/.cdsapirc")
    partial = path.with_name(f"{path.name}.partial")
    try:
        cdsapi.Client().retrieve(request.dataset, request.request, str(partial))
    except (OSError, RuntimeError) as error:  # refused, failed there, or came in part
        raise DataError(
            f"{path}: the Climate Data Store did not give it ({error}); what became of the request, and the licence of "
            f"{request.dataset} that has to be accepted once, are at {_STORE}/requests and "
            f"{_STORE}/datasets/{request.dataset}: mend what is said there, or ask for less, and ask again"
        ) from error
    partial.replace(path)
    return path


def _request(
    variables: Sequence[str], month: str, area: tuple[float, float, float, float], hours: Sequence[str]
) -> dict[str, Any]:
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise DataError(f"month {month!r}: expected a year and month, as '2020-01'") from error
    north, west, south, east = area
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 360):
        raise DataError(
            f"area {area}: expected north, west, south, east in degrees, north above south, west before east"
        )
    if isinstance(variables, str) or not variables:
        raise DataError(f"variables {variables!r}: expected a list of names, as ['total_precipitation']")
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return {
        "variable": list(variables),
        "year": f"{first:%Y}",
        "month": f"{first:%m}",
        "day": [f"{day:02d}" for day in range(1, last.day + 1)],
        "time": list(hours),
        "area": [float(edge) for edge in area],
        "data_format": "netcdf",
        "download_format": "unarchived",
    }
