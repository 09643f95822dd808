"""Flux towers at overpasses of ECOSTRESS: in-situ fluxes and soil moisture beside satellite estimates, 2019-2023."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.readers.choice import chosen
from crest_data.readers.local_file import as_path
from crest_data.readers.text_table import Table, read_table
from crest_data.variable import Variable

_WATT = "W m-2"
_SOIL = "volume_fraction_of_condensed_water_in_soil"


def _point(
    name: str, units: str, long_name: str, standard_name: str = "", to_units: str = "", positive: str = ""
) -> Variable:
    return Variable(name, units, standard_name, to_units, "time: point", long_name=long_name, positive=positive)


_VARIABLES = {
    "LE_filt": _point(
        "latent_heat_flux", _WATT, "latent heat flux, tower", "surface_upward_latent_heat_flux", "", "up"
    ),
    "LEcorr50": _point("latent_heat_flux_closed", _WATT, "latent heat flux, tower, with the energy balance closed"),
    "H_filt": _point(
        "sensible_heat_flux", _WATT, "sensible heat flux, tower", "surface_upward_sensible_heat_flux", "", "up"
    ),
    "NETRAD_filt": _point(
        "net_radiation", _WATT, "net radiation, tower", "surface_net_downward_radiative_flux", "", "down"
    ),
    "G_filt": _point("ground_heat_flux", _WATT, "ground heat flux, tower", "downward_heat_flux_in_soil"),
    "SW_IN": _point(
        "shortwave_down", _WATT, "solar radiation, tower", "surface_downwelling_shortwave_flux_in_air", "", "down"
    ),
    "AirTempC": _point("air_temperature", "degC", "air temperature, tower", "air_temperature", "K"),
    "RH_percentage": _point("relative_humidity", "1", "relative humidity, tower, a fraction", "relative_humidity"),
    "SM_surf": _point("soil_moisture_surface", "1", "soil moisture near the surface, tower", _SOIL),
    "SM_rz": _point("soil_moisture_root_zone", "1", "soil moisture in the root zone, tower", _SOIL),
    "LST": _point("surface_temperature", "K", "land surface temperature, ECOSTRESS", "surface_temperature"),
    "NDVI": _point("ndvi", "1", "vegetation index, satellite", "normalized_difference_vegetation_index"),
    "albedo": _point("albedo", "1", "albedo, satellite", "surface_albedo"),
    "PTJPLSMinst": _point("latent_heat_flux_pt_jpl_sm", _WATT, "latent heat flux estimated by PT-JPL-SM"),
    "STICinst": _point("latent_heat_flux_stic", _WATT, "latent heat flux estimated by STIC"),
    "BESSinst": _point("latent_heat_flux_bess", _WATT, "latent heat flux estimated by BESS"),
    "MOD16inst": _point("latent_heat_flux_mod16", _WATT, "latent heat flux estimated by MOD16"),
    "ETinst": _point("latent_heat_flux_disalexi", _WATT, "latent heat flux estimated by ALEXI/DisALEXI"),
}


def read_overpasses(
    path: str | Path, *, sites: str | Path | None = None, ids: Sequence[str] | None = None
) -> xr.Dataset:
    """Return what towers and satellite say at each overpass (time, cell), nan where a tower was not passed.

    `path` is the table of the package ecov002-calval-tables, with `sites` its table of places, or the one of ptjplsm,
    which has the places in it. Times are instants in UTC, at no regular steps.
    """
    path = as_path(path)
    table = read_table(path, text=["ID", "eco_time_utc"], numbers=[*_VARIABLES])
    table.require(["ID", "eco_time_utc", *_VARIABLES])
    places = _places(table if sites is None else read_table(Path(sites), text=["Site ID"], numbers=["Lat", "Long"]))
    frame = table.frame.assign(time=table.times("eco_time_utc", "%Y-%m-%d %H:%M:%S"))
    names = chosen(ids, list(dict.fromkeys(frame["ID"])), kind="tower", path=path)
    frame = frame[frame["ID"].isin(names)]
    if twice := frame[frame.duplicated(["ID", "time"])]["ID"].tolist():
        raise DataError(f"{path}: the tower {twice[0]!r} has two rows for one overpass; keep one")
    if unknown := [name for name in names if name not in places.index]:
        raise DataError(f"{sites or path}: no place for the tower {unknown[0]!r}")
    times = pd.DatetimeIndex(np.unique(frame["time"])).as_unit("ns")
    rows, columns = times.get_indexer(frame["time"]), pd.Index(names).get_indexer(frame["ID"])
    data = {}
    for name in _VARIABLES:
        values = np.full((len(times), len(names)), np.nan)
        values[rows, columns] = frame[name].to_numpy()
        data[name] = (("time", "cell"), values)
    at = places.loc[names]
    coords = {"time": times.to_numpy(), "cell": names, "lat": ("cell", at["Lat"]), "lon": ("cell", at["Long"])}
    return conform(xr.Dataset(data, coords), _VARIABLES, step=None, source=f"{path.name}: ECOSTRESS overpasses")


def _places(table: Table) -> pd.DataFrame:
    """Return latitude and longitude by tower."""
    key = "Site ID"
    table.require([key, "Lat", "Long"])
    return table.frame.drop_duplicates(key).set_index(key)[["Lat", "Long"]].astype(np.float64)
