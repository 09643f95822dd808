"""Daily series of flux towers that others took out of FLUXNET2015: a CSV table a site, or one netCDF file of all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.quality import FILLED, GOOD, REJECTED
from crest_data.readers import fluxnet_variables as fluxnet
from crest_data.readers.choice import chosen, is_fraction, only
from crest_data.readers.local_file import as_path
from crest_data.readers.netcdf_file import opened
from crest_data.readers.possible_values import check_possible
from crest_data.readers.progress import shown
from crest_data.readers.site_series import regular, stacked, with_history
from crest_data.readers.site_table import read_sites, with_sites
from crest_data.readers.text_table import read_table, text_lines
from crest_data.variable import Variable

# Their names of what FLUXNET2015 names otherwise.
_AS_IN_FLUXNET = {
    "p": "P_F", "ta": "TA_F", "sw_in": "SW_IN_F", "lw_in": "LW_IN_F", "vpd": "VPD_F", "pa": "PA_F", "ws": "WS_F",
    "netrad": "NETRAD", "le": "LE_F_MDS", "h": "H_F_MDS", "g": "G_F_MDS", "swc1": "SWC_F_MDS_1", "swc2": "SWC_F_MDS_2",
    "nee": "NEE_VUT_REF", "gpp": "GPP_NT_VUT_REF", "gpp_nt": "GPP_NT_VUT_REF", "gpp_dt": "GPP_DT_VUT_REF",
}  # fmt: skip
_OTHERS = (
    Variable("air_temperature_min", "degC", "air_temperature", "K", "time: minimum", bounds=(150.0, 350.0)),
    Variable("air_temperature_max", "degC", "air_temperature", "K", "time: maximum", bounds=(150.0, 350.0)),
    Variable("evapotranspiration", "mm day-1", "water_evapotranspiration_flux", "kg m-2 s-1", bounds=(-0.001, 0.002),
             long_name="evapotranspiration, from the latent heat flux", positive="up"),
    Variable("leaf_area_index", "1", "leaf_area_index", bounds=(0.0, 20.0)),
    Variable("absorbed_radiation_fraction", "1", bounds=(0.0, 1.0), long_name="fraction of absorbed PAR"),
)  # fmt: skip
_QUALITY = "nee_qc_frac"
_CARBON = ("nee", "gpp", "gpp_nt", "gpp_dt")  # the quality is that of NEE
_PLACES = {"lat": "lat", "lon": "lon"}
_FILE = re.compile(r"([A-Z]{2}-[A-Za-z0-9]{2,5})_daily\.csv(\.gz)?")
_LICENCE = "FLUXNET2015: CC-BY-4.0; extractions may carry other terms: see where the files came from"


def read_flux_towers(
    path: str | Path,
    *,
    ids: Sequence[str] | None = None,
    min_good_fraction: float = 0.0,
    sites: str | Path | None = None,
    fill_gaps: bool = False,
) -> xr.Dataset:
    """Return daily series of towers (time, cell), from a folder of `<site>_daily.csv` or a netCDF file on (site, time).

    Columns are p, ta, ta_min, ta_max, sw_in, lw_in, vpd, pa, ws, netrad, swc1, swc2, le, h, g, et, nee, gpp or gpp_nt
    and gpp_dt, lai, fpar, those that are there, in FLUXNET's daily units; nee_qc_frac is the fraction of good
    half-hours of nee. Carbon is "good" where it is 1, else "filled", and rejected (nan) below `min_good_fraction`.
    `sites` is a table with the columns site, lat, lon. Days are local, as in the source.
    """
    if not is_fraction(min_good_fraction):
        raise DataError(f"min_good_fraction {min_good_fraction!r}: expected a fraction from 0 to 1")
    file, known = as_path(path), _variables()
    raw, changes = _netcdf(file, ids) if file.suffix == ".nc" else _tables(file, ids, known, fill_gaps)
    variables = {name: variable for name, variable in known.items() if name in raw}
    if not variables:
        raise DataError(f"{file}: none of {', '.join(known)}; it holds {', '.join(map(str, raw.data_vars))}")
    flags = {}
    if _QUALITY in raw:
        flags = {variables[name].name: _quality(raw, name, min_good_fraction) for name in _CARBON if name in variables}
    if sites is not None:
        table = read_sites(Path(sites), key="site", numbers=_PLACES, needs=_PLACES)
        raw, _, more = with_sites(raw, table[list(_PLACES)], {}, path=Path(sites), places=_PLACES)
        changes += more
    dataset = conform(
        raw, variables, step="1D", time_zone=fluxnet.TIME_ZONE, flags=flags, licence=_LICENCE,
        citation=fluxnet.CITATION, source=f"daily series of flux towers: {file.name}",
    )  # fmt: skip
    return with_history(dataset, changes)


def _variables() -> Mapping[str, Variable]:
    """Return what the columns are."""
    found = {name: of for name, column in _AS_IN_FLUXNET.items() if (of := fluxnet.variable(column))}
    return {**found, **dict(zip(("ta_min", "ta_max", "et", "lai", "fpar"), _OTHERS, strict=True))}


def _tables(
    folder: Path, ids: Sequence[str] | None, known: Mapping[str, Variable], fill_gaps: bool
) -> tuple[xr.Dataset, list[str]]:
    """Return the series of the tables of a folder, or of one."""
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*_daily.csv*")) if folder.is_dir() else [folder]:
        if match := _FILE.fullmatch(file.name):
            files.setdefault(match[1], []).append(file)
    series, changes = {}, []
    for site in shown(chosen(ids, list(files), kind="site", path=folder), "flux towers"):
        file = only(files[site], f"series of site {site}")
        header = (text_lines(file) or [""])[0].split(",")
        columns = [name for name in header if name in known or name == _QUALITY]
        table = read_table(file, numbers=columns)
        table.require(["date"])
        check_possible(table, known, step="1D")
        series[site], more = regular(table, table.times("date", "%Y-%m-%d"), columns, step="1D", fill_gaps=fill_gaps)
        changes += more
        if other := [name for name in header if name not in columns and name != "date"]:
            changes.append(f"{file.name}: left out, not known: {', '.join(other)}")
    raw, more = stacked(series, step="1D")
    return raw, [*changes, *more]


def _netcdf(file: Path, ids: Sequence[str] | None) -> tuple[xr.Dataset, list[str]]:
    """Return the series of a netCDF file on (site, time)."""
    raw = opened(file, needs=["site", "time"])
    held = [str(one) for one in raw["site"].values]
    raw = raw.isel(site=[held.index(one) for one in chosen(ids, held, kind="site", path=file)])
    return raw.drop_indexes("site").rename_vars(site="cell_id").rename_dims(site="cell"), []


def _quality(raw: xr.Dataset, name: str, least: float) -> xr.DataArray:
    """Return codes of quality from the fraction of good half-hours; where it is not told, none is counted as good."""
    fraction = raw[_QUALITY].fillna(0.0)
    codes = xr.where(fraction < least, REJECTED, xr.where(fraction >= 1.0, GOOD, FILLED))
    return xr.where(raw[name].isnull(), GOOD, codes).astype(np.uint8)
