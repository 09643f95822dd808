"""Registers the data sources, the catalogue and the commands of crest-data; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"

_READERS = {
    "netcdf": "A netCDF file with CF attributes",
    "zarr": "A Zarr store in a local folder, with CF attributes",
    "csv": "A text table with a column of times",
    "parquet": "A parquet table with a column of times",
    "grib": "GRIB files, through ecCodes",
    "era5": "ERA5 files of the Climate Data Store, old and new layout",
    "era5-land": "ERA5-Land files of the Climate Data Store, accumulations as means",
    "camels-us": "CAMELS-US text files: forcing, streamflow, attributes of basins",
    "camels-us-netcdf": "CAMELS-US as one netCDF file",
    "caravan": "Caravan CSV files: ERA5-Land forcing, streamflow, attributes of catchments",
    "airgr": "Tables of airGR: precipitation, potential evapotranspiration, discharge",
    "modis-snow": "MODIS snow-cover fraction by elevation band, with weather and discharge",
    "fluxnet": "FLUXNET2015 tables and workbooks: fluxes, weather and their quality",
    "flux-towers": "Daily series of flux towers, one table a site",
    "smap": "SMAP soil moisture, level 3 and 4, HDF5",
    "smap-conus": "SMAP soil moisture with NLDAS-2 forcing at pixels of the USA",
}


@hookimpl
def register_data_sources(register: Register) -> None:
    """Register the readers of file formats, the records that packages ship, and the entries of catalogues."""
    for name, summary in _READERS.items():
        module = name.replace("-", "_")
        register(name, f"crest_data.readers.{module}:read_{module}", summary=summary)
    register(
        "schwingbach",
        "crest_data.schwingbach:read_schwingbach",
        summary="Weather and soil moisture at 10, 25, 40 cm, Schwingbach, Germany, 2014-2016",
    )
    register(
        "fulda", "crest_data.fulda:read_fulda", summary="Daily weather and discharge, Fulda at Grebenau, 1979-1988"
    )
    register("overpasses", "crest_data.overpasses:read_overpasses", summary="Flux towers at overpasses of ECOSTRESS")
    register(
        "catalogue",
        "crest_data.catalogue.shelf:open_entry",
        summary="An entry of a catalogue, as `crest data list` has",
    )


@hookimpl
def register_catalogues(register: Register) -> None:
    """Register the catalogue of data that packages ship."""
    register("package-data", "crest_data.catalogues:SAMPLES", summary="Real data that Python packages ship")


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register data."""
    register("data", "crest_data.commands:app", summary="Data sets: list, info, check, open, add")
