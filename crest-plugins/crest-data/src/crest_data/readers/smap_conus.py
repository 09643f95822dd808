"""SMAP over CONUS with NLDAS-2 weather and statics: the example data of hydroDL in one netCDF file, lazily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from crest_data.convention import conform
from crest_data.readers.choice import chosen
from crest_data.readers.local_file import as_path
from crest_data.readers.netcdf_file import opened
from crest_data.readers.overpass_time import COMMENT, HOURS, OVERPASS_TIME, by_longitude
from crest_data.readers.site_series import with_history
from crest_data.variable import Variable

_LICENCE = "extraction under the non-commercial licence of hydroDL; SMAP and NLDAS-2 are NASA data"
_CITATION = "Fang et al. (2017), doi:10.1002/2017GL075619"
_REMARK = (
    "the source does not tell the units of APCP_FORA; mm h-1 agrees with the climate of the pixels, and is a guess"
)


# fmt: off
_SERIES: Mapping[str, Variable] = {
    "SMAP_AM": Variable("soil_moisture", "m3 m-3", "volume_fraction_of_condensed_water_in_soil", "1", "time: point",
                        bounds=(0.0, 1.0), long_name="SMAP L3 soil moisture at the 6 am overpass",
                        vertical=(0.0, 0.05), comment=COMMENT, point_time=OVERPASS_TIME),
    "APCP_FORA": Variable("precipitation_flux", "mm h-1", "precipitation_flux", "kg m-2 s-1", bounds=(0.0, 1.0),
                          long_name="precipitation, its units a guess", positive="down"),
    "TMP_2_FORA": Variable("air_temperature", "K", "air_temperature", bounds=(150.0, 350.0), vertical=(2.0, 2.0)),
    "DSWRF_FORA": Variable("shortwave_down", "W m-2", "surface_downwelling_shortwave_flux_in_air",
                           bounds=(0.0, 1600.0), positive="down"),
    "DLWRF_FORA": Variable("longwave_down", "W m-2", "surface_downwelling_longwave_flux_in_air",
                           bounds=(0.0, 800.0), positive="down"),
    "SPFH_2_FORA": Variable("specific_humidity", "kg kg-1", "specific_humidity", bounds=(0.0, 0.1),
                            vertical=(2.0, 2.0)),
    "UGRD_10_FORA": Variable("eastward_wind", "m s-1", "eastward_wind", bounds=(-150.0, 150.0), vertical=(10.0, 10.0)),
    "VGRD_10_FORA": Variable("northward_wind", "m s-1", "northward_wind", bounds=(-150.0, 150.0),
                             vertical=(10.0, 10.0)),
}
# fmt: on
_STATIC: Mapping[str, Variable] = {
    "const_Bulk": Variable("bulk_density", "g cm-3", long_name="bulk density of soil"),
    "const_Sand": Variable("sand", "%", long_name="sand in soil"),
    "const_Silt": Variable("silt", "%", long_name="silt in soil"),
    "const_Clay": Variable("clay", "%", long_name="clay in soil"),
    "const_NDVI": Variable("ndvi", "1", "normalized_difference_vegetation_index"),
}


def read_smap_conus(path: str | Path, *, ids: Sequence[str] | None = None) -> xr.Dataset:
    """Return soil moisture, weather and statics of pixels (time, cell); pixels are numbered from 0 in the file's order.

    Soil moisture is of the 6 am overpass (local solar time) in the UTC day that is its time, as in SMAP level 3: the
    coordinate overpass_time, from the longitude, 10:30 to 14:20 UTC over CONUS, where it is one day in both clocks.
    Statics of unknown units (capacity, SMAP's flags) are left out and told. For research only: see the licence.
    """
    file = as_path(path)
    raw = opened(file, needs=[*_SERIES, "lat", "lon", "time"])
    held = [str(number) for number in range(raw.sizes["pixel"])]
    pixels = chosen(ids, held, kind="pixel", path=file)
    raw = raw.isel(pixel=[int(one) for one in pixels]).rename_dims(pixel="cell")
    raw = raw.assign_coords(cell_id=("cell", pixels))
    raw = raw.assign_coords({OVERPASS_TIME: by_longitude(raw["time"].values, raw["lon"], HOURS["am"])})
    variables = {**_SERIES, **{name: variable for name, variable in _STATIC.items() if name in raw}}
    unknown = [str(name) for name in raw.data_vars if name not in variables and name not in ("lat", "lon")]
    changes = [f"left out, units unknown: {', '.join(unknown)}"] if unknown else []
    dataset = conform(
        raw, variables, step="1D", licence=_LICENCE, citation=_CITATION, source=f"{file.name}, hydroDL example data"
    )
    return with_history(dataset, changes, [_REMARK])
