"""airGR: daily precipitation, temperature, potential evaporation and discharge of catchments, as CSV or netCDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.readers import airgr_variables as airgr
from crest_data.readers.choice import chosen, only
from crest_data.readers.local_file import as_path
from crest_data.readers.netcdf_file import opened
from crest_data.readers.possible_values import check_possible
from crest_data.readers.progress import shown
from crest_data.readers.site_series import regular, stacked, with_history
from crest_data.readers.site_table import read_sites, with_sites
from crest_data.readers.text_table import Table, read_table, text_lines

_PLACES = {"lat": "lat", "lon": "lon"}


def read_airgr(
    path: str | Path,
    *,
    ids: Sequence[str] | None = None,
    basins: str | Path | None = None,
    fill_gaps: bool = False,
) -> xr.Dataset:
    """Return the series of catchments (time, cell), read from a netCDF file, a CSV table, or a folder of such tables.

    A table is named after its catchment and has a column of dates (`DatesR` or `date`) and the columns of airGR
    (P, T, E, Qls, Qmm) or of airGRdatasets (Ptot, Temp, Evap, Qls, Qmmd). `basins` is a table of the catchments:
    code, name, lat, lon, area_km2, elev_median; without it they have no coordinates.
    """
    file = as_path(path)
    raw, changes = _netcdf(file, ids) if file.suffix == ".nc" else _tables(file, ids, fill_gaps)
    variables = {name: variable for name, variable in airgr.SERIES.items() if name in raw}
    if "hypso_m" in raw:
        variables["hypso_m"] = airgr.HYPSOMETRY
    if basins is not None:
        sites = read_sites(Path(basins), key="code", numbers={*airgr.BASINS, *_PLACES}, text=["name"])
        sites = sites.rename(columns={"name": "gauge_name"})
        raw, static, more = with_sites(raw, sites, airgr.BASINS, path=Path(basins), places=_PLACES)
        variables, changes = {**variables, **static}, [*changes, *more]
    dataset = conform(
        raw, variables, step="1D", time_zone=airgr.TIME_ZONE, source=f"airGR tables: {file.name}",
        licence=airgr.LICENCE, citation=airgr.CITATION,
    )  # fmt: skip
    return with_history(dataset, changes)


def series_table(file: Path, more: Sequence[str] = ()) -> tuple[Table, pd.DatetimeIndex, list[str]]:
    """Return a table of one catchment, its days, and the columns of airGR, and those of `more`, that it has."""
    header = (text_lines(file) or [""])[0].replace('"', "").split(",")
    wanted = [name for name in header if name in airgr.SERIES or name in more]
    table = read_table(file, numbers=wanted)
    held = [name for name in airgr.DATES if name in table.frame]
    if len(held) != 1 or not wanted:
        raise DataError(
            f"{file}: expected one column of dates ({', '.join(airgr.DATES)}) and columns of airGR "
            f"({', '.join(airgr.SERIES)}); it holds {', '.join(map(str, table.frame.columns))}"
        )
    check_possible(table, airgr.SERIES, step="1D")
    return table, table.times(held[0], "%Y-%m-%d"), wanted


def _tables(path: Path, ids: Sequence[str] | None, fill_gaps: bool) -> tuple[xr.Dataset, list[str]]:
    """Return the series of CSV tables, one a catchment."""
    files: dict[str, list[Path]] = {}
    found = sorted([*path.rglob("*.csv"), *path.rglob("*.csv.gz")]) if path.is_dir() else [path]
    for file in found:
        files.setdefault(file.name.removesuffix(".gz").removesuffix(".csv"), []).append(file)
    catchments = chosen(ids, list(files), kind="catchment", path=path)
    series, changes = {}, []
    for catchment in shown(catchments, "airGR"):
        table, days, columns = series_table(only(files[catchment], f"series of catchment {catchment}"))
        series[catchment], more = regular(table, days, columns, step="1D", fill_gaps=fill_gaps)
        changes += more
    raw, more = stacked(series, step="1D")
    return raw, [*changes, *more]


def _netcdf(file: Path, ids: Sequence[str] | None) -> tuple[xr.Dataset, list[str]]:
    """Return the series of a netCDF file on (basin, Date)."""
    raw = opened(file, needs=["basin", "Date"])
    if not any(name in raw for name in airgr.SERIES):
        raise DataError(f"{file}: none of {', '.join(airgr.SERIES)}; it holds {', '.join(map(str, raw.data_vars))}")
    held = [str(one) for one in raw["basin"].values]
    catchments = chosen(ids, held, kind="catchment", path=file)
    raw = raw.isel(basin=[held.index(one) for one in catchments])
    return raw.drop_indexes("basin").rename_vars(basin="cell_id").rename_dims(basin="cell"), []
