"""Data sources and catalogues: real observations read into CF datasets, every change of theirs in sight."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "catalogue.check": ("Finding", "check_entry"),
    "catalogue.errors": ("CatalogueError",),
    "catalogue.intake_catalogue": ("to_intake",),
    "catalogue.load": ("Catalogue", "Entry", "load_catalogue"),
    "catalogue.schema": ("CatalogueSection",),
    "catalogue.shelf": ("all_catalogues", "find_entry", "open_entry"),
    "catalogue.write": ("add_catalogue", "as_yaml", "write_catalogue"),
    "convention": ("check_convention", "conform"),
    "downloads.cds": ("CdsRequest", "download_cds", "era5_land_request", "era5_request"),
    "downloads.earthdata": ("EarthdataRequest", "download_earthdata", "earthdata_request"),
    "errors": ("DataError",),
    "fulda": ("read_fulda",),
    "overpasses": ("read_overpasses",),
    "readers.airgr": ("read_airgr",),
    "readers.camels_us": ("read_camels_us",),
    "readers.camels_us_netcdf": ("read_camels_us_netcdf",),
    "readers.caravan": ("read_caravan",),
    "readers.csv": ("read_csv",),
    "readers.era5": ("read_era5",),
    "readers.era5_land": ("read_era5_land",),
    "readers.fluxnet": ("read_fluxnet",),
    "readers.flux_towers": ("read_flux_towers",),
    "readers.grib": ("read_grib",),
    "readers.modis_snow": ("read_modis_snow",),
    "readers.netcdf": ("read_netcdf",),
    "readers.parquet": ("read_parquet",),
    "readers.smap": ("read_smap",),
    "readers.smap_conus": ("read_smap_conus",),
    "readers.zarr": ("read_zarr",),
    "schwingbach": ("read_schwingbach",),
    "variable": ("Variable",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
