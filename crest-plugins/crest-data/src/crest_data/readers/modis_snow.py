"""MODIS snow cover in elevation bands of a catchment, with its weather and discharge, as CemaNeige uses them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.readers import airgr_variables as airgr
from crest_data.readers.airgr import series_table
from crest_data.readers.local_file import as_path
from crest_data.readers.possible_values import check_possible
from crest_data.readers.site_series import regular, stacked, with_history
from crest_data.readers.text_table import text_lines
from crest_data.variable import Variable

_BAND = re.compile(r"SCA(\d+)")
_COVER = Variable("snow_cover_fraction", "1", "surface_snow_area_fraction", "1", bounds=(0.0, 1.0),
                  long_name="snow-covered fraction of the elevation band, MODIS")  # fmt: skip
_UNITS = {"1": 1.0, "%": 100.0}  # and the largest value
_CITATION = "Riboust et al. (2019), doi:10.2478/johh-2018-0004; Hall and Riggs, MODIS snow cover, NSIDC"


def read_modis_snow(
    path: str | Path,
    *,
    units: str = "1",
    cell_id: str = "",
    lat: float | None = None,
    lon: float | None = None,
    altitudes: Sequence[float] | None = None,
    fill_gaps: bool = False,
) -> xr.Dataset:
    """Return the snow-covered fraction (time, elevation_band, cell) and the other series of one catchment.

    The table has a column of dates, columns SCA1, SCA2, ... from the lowest band to the highest, and may have those
    of airGR. A day without a clear view is missing. `units` of the fraction are "1" or "%"; values that do not fit
    are an error. The table tells no place: give `lat` and `lon` [degrees] and the bands' `altitudes` [m] if known.
    """
    file = as_path(path)
    if units not in _UNITS:
        raise DataError(f"units {units!r}: expected '1' or '%'")
    bands, cover = _bands(file), replace(_COVER, units=units)
    table, days, columns = series_table(file, more=bands)
    frame, changes = regular(table, days, columns, step="1D", fill_gaps=fill_gaps)
    _check_units(table.frame[bands].to_numpy(), units, file)
    check_possible(table, dict.fromkeys(bands, cover), step="1D")
    raw, _ = stacked({cell_id or file.name.removesuffix(".gz").removesuffix(".csv"): frame}, step="1D")
    raw = _with_bands(raw, bands)
    if lat is not None and lon is not None:
        raw = raw.assign_coords(lat=("cell", [lat]), lon=("cell", [lon]))
    if altitudes is not None:
        raw = raw.assign_coords(band_altitude=_altitudes(altitudes, len(bands)))
    variables = {name: variable for name, variable in airgr.SERIES.items() if name in raw} | {"SCA": cover}
    dataset = conform(
        raw, variables, step="1D", time_zone=airgr.TIME_ZONE, licence=airgr.LICENCE, citation=_CITATION,
        flags={"snow_cover_fraction": xr.zeros_like(raw["SCA"], dtype=np.uint8)},
        source=f"MODIS snow-covered area in elevation bands: {file.name}",
    )  # fmt: skip
    return with_history(dataset, [*changes, f"{', '.join(bands)} -> the dim elevation_band"])


def _bands(file: Path) -> list[str]:
    """Return the columns of bands in their order."""
    header = (text_lines(file) or [""])[0].replace('"', "").split(",")
    numbers = sorted(int(match[1]) for name in header if (match := _BAND.fullmatch(name.strip())))
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise DataError(f"{file}: expected columns SCA1, SCA2, ... without a break; it holds {', '.join(header)}")
    return [f"SCA{number}" for number in numbers]


def _with_bands(raw: xr.Dataset, bands: list[str]) -> xr.Dataset:
    """Return raw data with the columns of bands as SCA on the dim elevation_band."""
    packed = np.stack([raw[name].values for name in bands], axis=1)
    numbers = np.arange(1, len(bands) + 1), {"long_name": "elevation band, the lowest is 1"}
    raw = raw.drop_vars(bands).assign(SCA=(("time", "elevation_band", "cell"), packed))
    return raw.assign_coords(elevation_band=("elevation_band", *numbers))


def _check_units(values: np.ndarray, units: str, file: Path) -> None:
    largest = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    if largest > _UNITS[units]:
        hint = "they may be percent: give units='%'" if largest <= 100.0 else "expected 0 to 100 percent"
        raise DataError(f"{file}: snow-covered areas reach {largest:g}, more than {_UNITS[units]:g}; {hint}")
    if units == "%" and 0.0 < largest <= 1.0:
        raise DataError(f"{file}: snow-covered areas reach only {largest:g} %; they may be fractions: give units='1'")


def _altitudes(altitudes: Sequence[float], count: int) -> tuple[str, list[float], dict[str, str]]:
    values = [float(one) for one in altitudes]
    if len(values) != count or sorted(values) != values:
        raise DataError(f"altitudes {values}: expected {count}, one a band, from the lowest to the highest")
    return "elevation_band", values, {"units": "m", "standard_name": "surface_altitude", "positive": "up"}
