"""Caravan: daily ERA5-Land, streamflow and attributes of catchments, from the CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.readers import caravan_variables as caravan
from crest_data.readers.choice import chosen, only
from crest_data.readers.local_file import as_path
from crest_data.readers.possible_values import check_possible
from crest_data.readers.progress import shown
from crest_data.readers.site_series import regular, stacked, with_history
from crest_data.readers.site_table import read_sites, with_sites
from crest_data.readers.text_table import read_table, text_lines
from crest_data.variable import Variable

_PLACES = {"gauge_lat": "lat", "gauge_lon": "lon"}
_TABLES = ("caravan", "other")


def read_caravan(
    path: str | Path,
    *,
    ids: Sequence[str] | None = None,
    attributes: bool = True,
    extra: Mapping[str, Variable] | None = None,
    fill_gaps: bool = False,
) -> xr.Dataset:
    """Return forcing, streamflow and attributes of catchments (time, cell); soil moisture has the dim soil_layer.

    Files `<source>_<id>.csv` are found in any sub-folder, packed by gzip or not, with the tables
    `attributes_caravan_<source>.csv` and `attributes_other_<source>.csv`; HydroATLAS is not read. Columns that Caravan
    does not document are left out and told, unless `extra` says what they are. A missing day is an error unless
    `fill_gaps`; catchments that cover other periods are nan outside theirs.
    """
    folder = as_path(path)
    files = _series_files(folder)
    gauges = chosen(ids, list(files), kind="gauge", path=folder)
    known = {**caravan.DAILY, **(extra or {})}
    series, changes, unknown = {}, [], []
    for gauge in shown(gauges, "Caravan"):
        file = only(files[gauge], f"series of gauge {gauge}")
        series[gauge], more, other = _series(file, known, fill_gaps)
        changes += more
        unknown += [name for name in other if name not in unknown]
    raw, more = stacked(series, step="1D")
    changes += more
    if unknown:
        changes.append(f"left out, not documented by Caravan: {', '.join(unknown)}; name them in extra= to have them")
    variables = {name: variable for name, variable in known.items() if name in raw}
    raw, soil = _with_soil_layers(raw)
    variables |= soil
    if attributes:
        raw, static, more = _with_attributes(raw, folder)
        variables, changes = {**variables, **static}, [*changes, *more]
    dataset = conform(
        raw, variables, step="1D", time_zone=caravan.TIME_ZONE, licence=caravan.LICENCE, citation=caravan.CITATION,
        source="Caravan CSV files: ERA5-Land over catchments and observed streamflow",
    )  # fmt: skip
    return with_history(dataset, changes)


def _series_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of series by gauge: those whose first column is a date."""
    files: dict[str, list[Path]] = {}
    for file in sorted([*folder.rglob("*.csv"), *folder.rglob("*.csv.gz")]):
        gauge = file.name.removesuffix(".gz").removesuffix(".csv")
        if "_" in gauge and not gauge.startswith("attributes_"):
            files.setdefault(gauge, []).append(file)
    return files


def _series(file: Path, known: Mapping[str, Variable], fill_gaps: bool) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the known columns of one gauge on its days, what was changed, and the unknown columns."""
    header = (text_lines(file) or [""])[0].split(",")
    wanted = [name for name in header if name in known or name in caravan.SOIL_COLUMNS]
    table = read_table(file, numbers=wanted)
    table.require(["date", "streamflow", "total_precipitation_sum", "temperature_2m_mean"])
    check_possible(table, {**known, **caravan.SOIL_COLUMNS}, step="1D")
    frame, changes = regular(table, table.times("date", "%Y-%m-%d"), wanted, step="1D", fill_gaps=fill_gaps)
    return frame, changes, [name for name in header if name not in wanted and name != "date"]


def _with_soil_layers(raw: xr.Dataset) -> tuple[xr.Dataset, dict[str, Variable]]:
    """Return raw data with the soil columns packed into the dim soil_layer, and what they are."""
    found = {}
    for ending, variable in caravan.SOIL_MOISTURE.items():
        columns = [f"{caravan.SOIL}_{layer}_{ending}" for layer in range(1, 5)]
        held = [name for name in columns if name in raw]
        if held and held != columns:
            raise DataError(f"of the soil columns *_{ending} only {', '.join(held)} are there; expected four layers")
        if held:
            packed = np.stack([raw[name].values for name in columns], axis=1)
            raw = raw.drop_vars(columns).assign({f"soil_{ending}": (("time", "soil_layer", "cell"), packed)})
            found[f"soil_{ending}"] = variable
    if found:
        tops, bottoms = zip(*caravan.SOIL_LAYERS, strict=True)
        depth = {"units": "m", "positive": "down"}
        raw = raw.assign_coords(
            depth_top=("soil_layer", list(tops), {**depth, "long_name": "top of the layer"}),
            depth_bottom=("soil_layer", list(bottoms), {**depth, "long_name": "bottom of the layer"}),
        )
    return raw, found


def _with_attributes(raw: xr.Dataset, folder: Path) -> tuple[xr.Dataset, dict[str, Variable], list[str]]:
    """Return raw data with the attributes of its gauges, from the tables of each source that are there."""
    sources = list(dict.fromkeys(str(gauge).partition("_")[0] for gauge in raw["cell_id"].values))
    variables: dict[str, Variable] = {}
    changes = []
    for kind in _TABLES:
        tables = []
        for source in sources:
            found = sorted(folder.rglob(f"attributes_{kind}_{source}.csv*"))
            if not found:
                changes.append(f"no table attributes_{kind}_{source}.csv: its attributes are absent")
                continue
            file = only(found, f"attributes of {source}")
            numbers = {*caravan.ATTRIBUTES, *_PLACES}
            tables.append(read_sites(file, key="gauge_id", numbers=numbers, text=caravan.TEXT_ATTRIBUTES))
        if len(tables) == len(sources):
            where = folder / f"attributes_{kind}_*.csv"
            raw, more, told = with_sites(raw, pd.concat(tables), caravan.ATTRIBUTES, path=where, places=_PLACES)
            variables, changes = {**variables, **more}, [*changes, *told]
    return raw, variables, changes
