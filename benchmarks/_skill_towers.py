"""Flux towers for the skill scripts: one dataset (time, cell) of the ports of the models, with what was observed.

`towers(folder, ids)` reads the tables in folder/flux_towers through the data source "tower-weather", which see.
Licences: FLUXNET2015 itself is CC-BY-4.0. Its extraction of US-AR1 is clean, and weights trained on that tower may
be shipped; US-Wkg comes from a repository under GPL-2, CH-Lae and FR-Pue from one under AGPL-3 and another for
non-commercial use: benchmark results only. Cite Pastorello et al. (2020), doi:10.1038/s41597-020-0534-3.

What the tables hold (see docs/models/evapotranspiration.md): fluxes are constant where long gaps were filled, as at
US-AR1 until 2009-04 and in 2012-04 to 2012-08, at CH-Lae until 2004-03 and at FR-Pue until 2000-07, so that only days
count on which half of the half-hours of carbon were good; the level of soil moisture shifts at CH-Lae (2007-01-01)
and at US-Wkg (2007-08), and is levelled; FR-Pue has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from crest_core import conversion, registry

WITH_ALL = ("US-AR1", "US-Wkg", "CH-Lae")
"""Soil moisture, evapotranspiration, net ecosystem exchange and precipitation."""
WITH_ET = (*WITH_ALL, "FR-Pue")
GOOD = 0.5
"""Least fraction of good half-hours of a day."""
_CARBON, _RAIN = "g m-2 day-1", "kg m-2 day-1"
_OTHERS = {
    "air_temperature_min": "degC",
    "air_temperature_max": "degC",
    "net_ecosystem_exchange": _CARBON,
    "gross_primary_productivity": _CARBON,
    "leaf_area_index": "1",
}


def towers(folder: Path, ids: Sequence[str] = WITH_ALL) -> xr.Dataset:
    """Return weather, soil moisture and fluxes (time, cell), daily, in the units of the ports of the models.

    `folder` is CREST_DATA_DIR. Weather: precipitation_flux, air_temperature (_min, _max), vapour_pressure,
    vapour_pressure_deficit, wind_speed, shortwave_down, shortwave_toa, air_pressure, leaf_area_index. Observed:
    root_zone_soil_moisture, evapotranspiration (kg m-2 day-1), latent_heat, sensible_heat, ground_heat, net_radiation
    (W m-2), net_ecosystem_exchange, gross_primary_productivity and, as NEE + GPP, ecosystem_respiration (g m-2 day-1
    of carbon). nan where there is none, and where carbon has fewer than half of its half-hours good; observed
    net_radiation is not judged. Towers cover different years.
    """
    path, sites = folder / "flux_towers", folder / "fluxnet2015" / "sites.csv"
    sources = registry()
    data = sources.load("data_sources", "tower-weather")(path, sites=sites, ids=ids, min_good_fraction=GOOD)
    more = sources.load("data_sources", "flux-towers")(path, sites=sites, ids=ids, min_good_fraction=GOOD)
    for name, units in _OTHERS.items():
        if name in more:
            change = conversion(str(more[name].attrs["units"]), units)
            data[name] = change(more[name]).assign_attrs({**more[name].attrs, "units": units})
    carbon = data["net_ecosystem_exchange"]
    data["ecosystem_respiration"] = (carbon + data["gross_primary_productivity"]).assign_attrs(
        units=_CARBON, standard_name="ecosystem_respiration_of_carbon", positive="up"
    )
    change = conversion(data["evapotranspiration"].attrs["units"], _RAIN)
    data["evapotranspiration"] = change(data["evapotranspiration"]).assign_attrs(
        {**data["evapotranspiration"].attrs, "units": _RAIN}
    )
    return data.drop_attrs(deep=False).assign_attrs(source="flux towers, FLUXNET2015").load()


def of(data: xr.Dataset, tower: str) -> xr.Dataset:
    """Return one tower (time, cell of 1) over the days on which it has weather, gaps in the weather filled.

    Weather that is missing on single days is interpolated in time, rain is 0 there.
    """
    here = data.isel(cell=[[str(one) for one in data["cell_id"].values].index(tower)])
    there = np.flatnonzero(np.isfinite(here["air_temperature"].values[:, 0]))
    here = here.isel(time=slice(there[0], there[-1] + 1))
    for name in ("air_temperature", "air_temperature_min", "air_temperature_max", "vapour_pressure",
                 "vapour_pressure_deficit", "wind_speed", "shortwave_down", "air_pressure"):  # fmt: skip
        if name in here:
            whole = here[name].interpolate_na("time").ffill("time").bfill("time")
            here[name] = here[name].copy(data=np.ascontiguousarray(whole.values))
    here["precipitation_flux"] = here["precipitation_flux"].fillna(0.0).assign_attrs(here["precipitation_flux"].attrs)
    return here


def hashes(folder: Path, ids: Sequence[str] = WITH_ALL) -> dict[str, str]:
    """Return sha256 of the tables."""
    files = [folder / "flux_towers" / f"{one}_daily.csv" for one in ids]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
