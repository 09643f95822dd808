"""FLUXNET2015: fluxes, weather and soil of towers, daily or half-hourly, with their quality, from CSV or xlsx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.quality import FILLED, GOOD, REJECTED
from crest_data.readers import fluxnet_variables as fluxnet
from crest_data.readers.choice import chosen, is_fraction, only
from crest_data.readers.fluxnet_files import STEPS, FluxFile, flux_files, read_flux_file
from crest_data.readers.local_file import as_path
from crest_data.readers.progress import shown
from crest_data.readers.site_series import stacked, with_history
from crest_data.readers.site_table import read_sites, with_sites
from crest_data.variable import Variable

_PLACES = {"lat": "lat", "lon": "lon"}


def read_fluxnet(
    path: str | Path,
    *,
    ids: Sequence[str] | None = None,
    step: str | None = None,
    min_good_fraction: float = 0.0,
    worst_flag: int = 3,
    time_zone: str = fluxnet.TIME_ZONE,
    sites: str | Path | None = None,
    fill_gaps: bool = False,
) -> xr.Dataset:
    """Return the towers' series (time, cell) of a folder or one file, SUBSET or FULLSET, with a quality of each.

    `step` is "1D", "1h" or "30min"; None takes the only one there is. Quality of daily values: "good" where all
    half-hours were measured or well filled, else "filled"; rejected (nan) below `min_good_fraction`. Of half-hourly
    values: "good" where measured (flag 0), else "filled"; rejected above `worst_flag` (1 good, 2 medium, 3 poor
    filling). Times stay local standard time, as in the files, unless `time_zone` tells one such as "UTC-6" for
    half-hours. `sites` is a table with the columns site, lat, lon; the files themselves tell no place.
    """
    if not is_fraction(min_good_fraction) or worst_flag not in (0, 1, 2, 3):
        raise DataError(
            f"min_good_fraction {min_good_fraction!r}, worst_flag {worst_flag!r}: expected a fraction from 0 to 1 "
            "and 0, 1, 2 or 3"
        )
    folder = as_path(path)
    files = _of_step(flux_files(folder), step, folder)
    towers = chosen(ids, list(dict.fromkeys(file.site for file in files)), kind="site", path=folder)
    resolution = files[0].resolution
    raw, changes = _read([file for file in files if file.site in towers], towers, fill_gaps)
    variables = {str(name): of for name in raw.data_vars if (of := fluxnet.variable(str(name)))}
    if resolution != "DD":
        raw, variables, more = _carbon_mass(raw, variables)
        changes += more
    flags = _flags(raw, variables, min_good_fraction if resolution == "DD" else None, worst_flag)
    if sites is not None:
        table = read_sites(Path(sites), key="site", numbers=_PLACES, needs=_PLACES)
        raw, _, more = with_sites(raw, table[list(_PLACES)], {}, path=Path(sites), places=_PLACES)
        changes += more
    dataset = conform(
        raw, variables, step=STEPS[resolution], time_zone=time_zone, flags=flags, licence=fluxnet.LICENCE,
        citation=fluxnet.CITATION, source=f"FLUXNET2015 files at {STEPS[resolution]}",
    )  # fmt: skip
    return with_history(dataset, changes)


def _read(files: list[FluxFile], towers: list[str], fill_gaps: bool) -> tuple[xr.Dataset, list[str]]:
    """Return the series of the towers' files of one resolution, and what was changed."""
    series, changes, step = {}, [], STEPS[files[0].resolution]
    for tower in shown(towers, "FLUXNET2015"):
        path = only([file.path for file in files if file.site == tower], f"site {tower} at {step}")
        series[tower], more = read_flux_file(next(file for file in files if file.path == path), fill_gaps=fill_gaps)
        changes += more
    raw, more = stacked(series, step=step)
    return raw, [*changes, *more]


def _of_step(files: list[FluxFile], step: str | None, path: Path) -> list[FluxFile]:
    """Return the files of one resolution."""
    if step is not None and step not in STEPS.values():
        raise DataError(f"step {step!r}: expected {', '.join(map(repr, STEPS.values()))}")
    there = list(dict.fromkeys(STEPS[file.resolution] for file in files))
    if not there:
        raise DataError(f"{path}: no file of FLUXNET2015 at {' or '.join(STEPS.values())} (HH, HR, DD) found here")
    if step is None and len(there) > 1:
        raise DataError(f"{path}: files at {' and '.join(there)}; choose one, as step={there[0]!r}")
    if step is not None and step not in there:
        raise DataError(f"{path}: no file at {step!r}; there are files at {' and '.join(there)}")
    return [file for file in files if STEPS[file.resolution] == (step or there[0])]


def _carbon_mass(raw: xr.Dataset, variables: dict[str, Variable]) -> tuple[xr.Dataset, dict[str, Variable], list[str]]:
    """Return raw data with fluxes of carbon in g m-2 day-1, as daily files have them."""
    changes = []
    scale = fluxnet.CARBON * 1000.0 * 86400.0
    for name in variables:
        if fluxnet.is_carbon(name):
            values = raw[name].where(raw[name] != fluxnet.MISSING)
            raw = raw.assign({name: (values * scale).where(values.notnull(), raw[name])})
            changes.append(f"{name}: umol m-2 s-1 of CO2 -> g m-2 day-1 of carbon (x {scale:.6g}), 12.011 g mol-1")
    return raw, variables, changes


def _flags(
    raw: xr.Dataset, variables: dict[str, Variable], fraction: float | None, worst: int
) -> dict[str, xr.DataArray]:
    """Return quality codes by handed-out name, from daily fractions of good half-hours or from half-hourly flags."""
    flags = {}
    for name, variable in variables.items():
        column = fluxnet.quality_column(name)
        if column not in raw:
            continue
        told = raw[column].where(raw[column] != fluxnet.MISSING)
        absent = raw[name].isnull() | (raw[name] == fluxnet.MISSING)
        allowed = told.isin([0.0, 1.0, 2.0, 3.0]) if fraction is None else (told >= 0.0) & (told <= 1.0)
        if bool((bad := ~allowed & told.notnull()).any()):
            expected = "0, 1, 2 or 3" if fraction is None else "a fraction from 0 to 1"
            first = float(told.values[bad.values][0])
            raise DataError(f"{column}: {first:g}, expected {expected}; is this a file of another resolution?")
        good = told == (0.0 if fraction is None else 1.0)
        rejected = (told > worst) if fraction is None else (told.fillna(0.0) < fraction)
        codes = xr.where(rejected & ~absent, REJECTED, xr.where(good, GOOD, FILLED))
        flags[variable.name] = xr.where(absent, GOOD, codes).astype(np.uint8)
    return flags
