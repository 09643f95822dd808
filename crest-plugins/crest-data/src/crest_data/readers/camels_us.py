"""CAMELS-US: daily basin-mean forcing, USGS streamflow and basin attributes, from the original text files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.quality import MISSING
from crest_data.readers import camels_us_variables as camels
from crest_data.readers.camels_us_attributes import with_attributes
from crest_data.readers.camels_us_text import CUBIC_FOOT, BasinForcing, read_forcing, read_streamflow
from crest_data.readers.choice import chosen, only
from crest_data.readers.local_file import as_path
from crest_data.readers.progress import shown
from crest_data.readers.site_series import stacked, with_history
from crest_data.variable import Variable

_PRODUCTS = {"maurer": "maurer", "nldas": "nldas", "daymet": "cida"}  # and how their files are named
_BASIN = {"area": Variable("basin_area", "m2", long_name="area of the basin, as the forcing file tells"),
          "altitude": Variable("basin_altitude", "m", "surface_altitude", long_name="its mean altitude")}  # fmt: skip


def read_camels_us(
    path: str | Path,
    *,
    ids: Sequence[str] | None = None,
    forcing: str = "maurer",
    srad: str = "daylight",
    streamflow: bool = True,
    attributes: str | Path | None = None,
    fill_gaps: bool = False,
) -> xr.Dataset:
    """Return forcing, streamflow and attributes of basins (time, cell), read from the folder of CAMELS-US.

    Files are found by name in any sub-folder, packed by gzip or not: `<id>_lump_<product>_forcing_leap.txt` and
    `<id>_streamflow_qc.txt`. `forcing` is "maurer", "daymet" or "nldas". The source's radiation is a mean over
    daylight; srad="24h" gives the mean over the day. Discharge in ft3 s-1 is divided by the area in the forcing
    file. `attributes` is a folder with camels_*.txt or one CSV table. A missing day is an error unless `fill_gaps`.
    """
    folder = as_path(path)
    files = _forcing_files(folder, forcing)
    basins = chosen(ids, list(files), kind="basin", path=folder)
    flows = _streamflow_files(folder, basins) if streamflow else {}
    forcings = {one: only(files[one], f"forcing {forcing!r} of basin {one}") for one in basins}
    raw, changes = _read(forcings, flows, fill_gaps)
    raw, variables, more, remarks = _selected(raw, forcing, srad)
    changes += more
    if attributes is not None:
        raw, static, more = with_attributes(raw.drop_vars("lat"), Path(attributes))
        variables, changes = {**variables, **static}, [*changes, *more]
    flags = {}
    if streamflow:
        variables["streamflow"] = camels.STREAMFLOW
        flags = {"streamflow": raw["flag"].fillna(MISSING).astype(np.uint8)}
    dataset = conform(
        raw, variables, step="1D", time_zone=camels.TIME_ZONE, flags=flags, licence=camels.LICENCE,
        source=f"CAMELS-US text files, forcing {forcing}", citation=camels.CITATION,
    )  # fmt: skip
    return with_history(dataset, changes, remarks)


def _read(forcings: Mapping[str, Path], flows: Mapping[str, Path], fill_gaps: bool) -> tuple[xr.Dataset, list[str]]:
    """Return what the files of the basins hold, and what was changed."""
    basins, series, changes = [], {}, []
    for basin in shown(list(forcings), "CAMELS-US"):
        forcing = read_forcing(forcings[basin], fill_gaps=fill_gaps)
        series[basin], more = _joined(basin, forcing, flows.get(basin), fill_gaps)
        basins.append(forcing)
        changes += [*forcing.changes, *more]
    raw, more = stacked(series, step="1D")
    raw = raw.assign({name: ("cell", [getattr(one, name) for one in basins]) for name in _BASIN})
    raw = raw.assign_coords(lat=("cell", [one.latitude for one in basins]))
    return raw, [*changes, "time: days labelled at Hr -> start of the day", *more]


def _forcing_files(folder: Path, forcing: str) -> dict[str, list[Path]]:
    if forcing not in _PRODUCTS:
        raise DataError(f"forcing {forcing!r}: expected {', '.join(map(repr, _PRODUCTS))}")
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob(f"*_lump_{_PRODUCTS[forcing]}_forcing_leap.txt*")):
        files.setdefault(file.name.partition("_")[0], []).append(file)
    return files


def _streamflow_files(folder: Path, basins: list[str]) -> dict[str, Path]:
    found: dict[str, list[Path]] = {basin: [] for basin in basins}
    for file in sorted(folder.rglob("*_streamflow_qc.txt*")):
        found.get(file.name.partition("_")[0], []).append(file)
    return {basin: only(files, f"streamflow of basin {basin}") for basin, files in found.items()}


def _joined(basin: str, forcing: BasinForcing, flow: Path | None, fill_gaps: bool) -> tuple[pd.DataFrame, list[str]]:
    """Return forcing and streamflow [mm day-1] of a basin on the days of both."""
    if flow is None:
        return forcing.frame, []
    series, changes = read_streamflow(flow, basin, fill_gaps=fill_gaps)
    depth = series["flow"] * (CUBIC_FOOT * 86400.0 * 1000.0 / forcing.area)  # ft3 s-1 -> mm day-1
    joined = forcing.frame.join(depth.rename("streamflow").to_frame().join(series["flag"]), how="outer")
    said = f"{basin}: streamflow ft3 s-1 -> mm day-1 by the area {forcing.area:.0f} m2"
    if len(joined) != len(forcing.frame) or len(joined) != len(series):
        said += (
            f"; forcing covers {forcing.frame.index[0]:%Y-%m-%d} to {forcing.frame.index[-1]:%Y-%m-%d}, streamflow "
            f"{series.index[0]:%Y-%m-%d} to {series.index[-1]:%Y-%m-%d}, nan outside"
        )
    return joined, [*changes, said]


def _selected(raw: xr.Dataset, forcing: str, srad: str) -> tuple[xr.Dataset, dict[str, Variable], list[str], list[str]]:
    """Return raw data, the variables handed out, what was changed, and what looks odd."""
    raw, radiation, changes = camels.with_shortwave(raw, "srad", "dayl", srad)
    held: Mapping[str, Variable] = {**camels.FORCING, "srad": radiation, **_BASIN}
    variables = {name: variable for name, variable in held.items() if name in raw}
    remarks = []
    if forcing != "daymet" and "swe" in raw and not (raw["swe"].fillna(0.0) != 0.0).any():
        del variables["swe"]
        changes.append(f"swe: left out, {forcing} has none and its column is 0 throughout")
    same = [
        str(one) for one in raw["cell_id"].values[((raw["tmax"] == raw["tmin"]) | raw["tmax"].isnull()).all("time")]
    ]
    if same:
        remarks.append(f"tmax equals tmin on all days of {', '.join(same)}: both are the daily mean, not extremes")
    return raw, variables, changes, remarks
