"""Attributes of the basins of CAMELS-US: the files camels_*.txt of the archive, or one CSV table of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.camels_us_variables import ATTRIBUTES, TEXT_ATTRIBUTES
from crest_data.readers.site_table import read_sites, with_sites
from crest_data.variable import Variable

_PLACES = {"gauge_lat": "lat", "gauge_lon": "lon"}


def with_attributes(raw: xr.Dataset, path: Path) -> tuple[xr.Dataset, dict[str, Variable], list[str]]:
    """Return raw data with the attributes of its basins, from a CSV file or a folder of camels_*.txt files."""
    if path.is_dir():
        files = sorted(path.rglob("camels_*.txt"))
        if not files:
            raise DataError(f"{path}: no files camels_*.txt of attributes here")
    else:
        files = [path]
    tables = [_table(file) for file in files]
    sites = pd.concat(tables, axis=1, join="inner")
    if twice := [name for name in sites.columns[sites.columns.duplicated()]]:
        raise DataError(f"{path}: the attribute {twice[0]!r} is in two files; keep one")
    raw, found, changes = with_sites(raw, sites, ATTRIBUTES, path=path, places=_PLACES)
    return raw, found, [*changes, f"attributes of {path.name} joined by gauge_id"]


def _table(file: Path) -> pd.DataFrame:
    separator = ";" if file.name.removesuffix(".gz").endswith(".txt") else ","
    return read_sites(file, key="gauge_id", separator=separator, numbers={*ATTRIBUTES, *_PLACES}, text=TEXT_ATTRIBUTES)
