"""Attributes of sites, a row each: numbers become static variables with units, text becomes coordinates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.choice import near
from crest_data.readers.text_table import NO_VALUE, read_table
from crest_data.variable import Variable


def read_sites(
    path: Path,
    *,
    key: str,
    numbers: Collection[str],
    separator: str = ",",
    text: Collection[str] = (),
    needs: Collection[str] = (),
) -> pd.DataFrame:
    """Return a table of attributes by site; the key is text as it stands, with its leading zeros.

    Columns of `numbers` hold numbers, those of `text` do not; of others, those are numbers that are so throughout.
    Those of `needs` have to be there.
    """
    table = read_table(path, separator=separator, numbers=numbers)
    table.require([key, *needs])
    ids = table.frame[key].str.strip()
    if (twice := np.flatnonzero(ids.duplicated().to_numpy())).size:
        at = int(twice[0])
        raise DataError(f"{path}, line {table.lines[at]}: {key} {ids.iloc[at]!r} appears twice; keep one")
    sites = table.frame.drop(columns=key).set_index(ids)
    for name in sites.columns:
        if name not in numbers and name not in text:
            guess = pd.to_numeric(sites[name].where(~sites[name].isin(NO_VALUE)), errors="coerce")
            sites[name] = guess if not (guess.isna() & ~sites[name].isin(NO_VALUE)).any() else sites[name]
    return sites


def with_sites(
    raw: xr.Dataset, sites: pd.DataFrame, variables: Mapping[str, Variable], *, path: Path, places: Mapping[str, str]
) -> tuple[xr.Dataset, dict[str, Variable], list[str]]:
    """Return raw data with the attributes of its cells, the variables that these are, and what was left out.

    `places` maps columns to "lat" and "lon". Numbers of unknown units are left out.
    """
    cells = [str(cell) for cell in raw["cell_id"].values]
    for cell in cells:
        if cell not in sites.index:
            raise DataError(f"{path}: no row for {cell!r}{near(cell, sites.index)}")
    rows = sites.loc[cells]
    found: dict[str, Variable] = {}
    unknown = []
    for name in map(str, sites.columns):
        if name in places:
            raw = raw.assign_coords({places[name]: ("cell", rows[name].to_numpy(dtype=np.float64))})
        elif name in variables:
            raw = raw.assign({name: ("cell", rows[name].to_numpy(dtype=np.float64))})
            found[name] = variables[name]
        elif rows[name].dtype.kind not in "fiu":
            raw = raw.assign_coords({name: ("cell", rows[name].fillna("").str.strip().to_numpy().astype(str))})
        else:
            unknown.append(name)
    changes = [f"{path.name}: left out, units unknown: {', '.join(unknown)}"] if unknown else []
    return raw, found, changes
