"""CAMELS-US as the fields that the streamflow models take, for training samples and for runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from crest_core import FieldError, FieldSpec, conversion, registry
from terrahydro_streamflow.ports import (
    KRATZERT_ATTRIBUTES,
    LAGGED,
    MAURER_FORCING,
    RUNOFF,
    attribute_ports,
    forcing_ports,
)

_NAMES = {RUNOFF.name: "streamflow", "surface_snow_amount": "snow_water_equivalent"}  # ours, and the reader's


def basin_data(
    path: str | Path,
    attributes: str | Path,
    *,
    ids: Sequence[str] | None = None,
    listed: str | Path | None = None,
    forcing: Sequence[str] = MAURER_FORCING,
    static: Mapping[str, str] = KRATZERT_ATTRIBUTES,
    lag: int | None = None,
) -> xr.Dataset:
    """Return forcing, attributes and `runoff_flux` (time, cell) by the names and in the units of the models.

    `path` is CAMELS-US as one netCDF file, `attributes` its table; both are read by the source "camels-us-netcdf" of
    crest-data, radiation as a mean over 24 h. `ids` chooses basins, or `listed`, a text file of ids of which those are
    taken that the file holds, as the 531 of Kratzert et al. (2019). With a `lag` in days, `runoff_flux_lagged` of a day
    is what was observed so many days before, nan where nothing was. Attributes that a basin lacks are an error.
    """
    read: Callable[..., xr.Dataset] = registry().load("data_sources", "camels-us-netcdf")
    held = read(path, ids=ids, listed=listed, srad="24h", attributes=attributes)
    wanted = (*forcing_ports(forcing), *attribute_ports(static), RUNOFF)
    fields = {spec.name: _in_units(held, spec) for spec in wanted}
    for name in static:
        lacking = held["cell_id"].values[fields[name].isnull().values]
        if len(lacking):
            raise FieldError(f"attribute {name}: no value for the basins {', '.join(map(str, lacking[:5]))}")
    if lag is not None:
        fields[LAGGED] = _lagged(fields[RUNOFF.name], lag)
    bounds: dict[str, Any] = {"time_bnds": held["time_bnds"]} if "time_bnds" in held.variables else {}
    return xr.Dataset(fields, attrs=held.attrs).assign_coords(bounds)


def _in_units(held: xr.Dataset, spec: FieldSpec) -> xr.DataArray:
    """Return the values of a field in its units, with their meaning in the attributes."""
    name = _NAMES.get(spec.name, spec.name)
    if name not in held.data_vars:
        raise FieldError(f"{spec.name}: the data hold no {name}, only {', '.join(map(str, held.data_vars))}")
    given = held[name]
    change = conversion(str(given.attrs["units"]), spec.units)
    return change(given).assign_attrs({**given.attrs, "units": spec.units}).rename(spec.name)


def _lagged(runoff: xr.DataArray, lag: int) -> xr.DataArray:
    """Return what was observed `lag` days before; the standard name goes, for it is no runoff of the day."""
    if lag < 1:
        raise FieldError(f"{LAGGED}: a lag of {lag} days would tell the model its own answer; expected 1 or more")
    told = {name: value for name, value in runoff.attrs.items() if name != "standard_name"}
    return runoff.shift(time=lag).assign_attrs(told, long_name=f"discharge observed {lag} days before").rename(LAGGED)
