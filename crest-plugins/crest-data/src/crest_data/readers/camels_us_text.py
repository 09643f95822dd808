"""Files of one basin of CAMELS-US: basin-mean forcing and USGS streamflow, as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crest_data.errors import DataError
from crest_data.quality import FILLED, GOOD, MISSING
from crest_data.readers import camels_us_variables as camels
from crest_data.readers.possible_values import check_possible
from crest_data.readers.site_series import regular
from crest_data.readers.text_table import Table, read_table, text_lines

CUBIC_FOOT = 0.3048**3  # m3, exact
_COLUMNS = {"dayl(s)": "dayl", "prcp(mm/day)": "prcp", "srad(w/m2)": "srad", "swe(mm)": "swe", "tmax(c)": "tmax",
            "tmin(c)": "tmin", "vp(pa)": "vp"}  # fmt: skip
_DATE = ("year", "mnth", "day")
_FLOW = ("gauge", "year", "mnth", "day", "flow", "flag")
_FLAGS = {"A": GOOD, "A:e": FILLED, "M": MISSING}  # approved, estimated, missing
_MISSING = -999.0


@dataclass(frozen=True)
class BasinForcing:
    """The forcing of one basin: latitude [degrees], mean altitude [m], area [m2], and the daily series."""

    latitude: float
    altitude: float
    area: float
    frame: pd.DataFrame
    changes: list[str]


def read_forcing(path: Path, *, fill_gaps: bool) -> BasinForcing:
    """Return the forcing in a file *_lump_*_forcing_leap.txt: three lines about the basin, a header, a line a day."""
    latitude, altitude, area = _head(path)
    table = read_table(path, separator=None, skip=3, lower=True)
    table.require([*_DATE, "hr", *(column for column in _COLUMNS if column != "swe(mm)")])
    if (hours := np.unique(table.frame["hr"].to_numpy())).size != 1:
        raise DataError(f"{path}: column 'hr' holds {hours.tolist()}; expected one hour, the middle of each day")
    held = [column for column in _COLUMNS if column in table.frame]
    check_possible(table, {column: camels.FORCING[name] for column, name in _COLUMNS.items()}, step="1D")
    frame, changes = regular(table, _days(table), held, step="1D", fill_gaps=fill_gaps)
    return BasinForcing(latitude, altitude, area, frame.rename(columns=_COLUMNS), changes)


def read_streamflow(path: Path, basin: str, *, fill_gaps: bool) -> tuple[pd.DataFrame, list[str]]:
    """Return discharge `flow` [ft3 s-1] and its quality `flag` of a file *_streamflow_qc.txt; -999 is nan."""
    table = read_table(path, separator=None, names=_FLOW, text=("gauge", "flag"))
    other = np.flatnonzero((table.frame["gauge"] != basin).to_numpy())
    if other.size:
        at = int(other[0])
        raise DataError(f"{path}, line {table.lines[at]}: gauge {table.frame['gauge'].iloc[at]!r}, expected {basin!r}")
    codes = table.frame["flag"].map(_FLAGS)
    if (bad := np.flatnonzero(codes.isna().to_numpy())).size:
        at = int(bad[0])
        raise DataError(
            f"{path}, line {table.lines[at]}: flag {table.frame['flag'].iloc[at]!r}, expected {', '.join(_FLAGS)}"
        )
    missing = (table.frame["flow"] == _MISSING).to_numpy()
    odd = np.flatnonzero(missing != (codes == MISSING).to_numpy())
    if odd.size:
        at = int(odd[0])
        raise DataError(
            f"{path}, line {table.lines[at]}: discharge {table.frame['flow'].iloc[at]:g} with the flag "
            f"{table.frame['flag'].iloc[at]!r}; -999 and M belong together"
        )
    table.frame["flow"] = table.frame["flow"].where(~missing)
    table.frame["flag"] = codes.astype(np.float64)
    frame, changes = regular(table, _days(table), ["flow", "flag"], step="1D", fill_gaps=fill_gaps)
    if missing.any():
        changes.append(f"{path.name}: -999 -> missing, {int(missing.sum())} values")
    return frame, changes


def _head(path: Path) -> tuple[float, float, float]:
    """Return latitude, altitude and area of the first three lines."""
    numbers = []
    what = ("latitude [degrees]", "mean altitude [m]", "area [m2]")
    lines = text_lines(path)[:3]
    for number, name in enumerate(what, 1):
        text = lines[number - 1].strip() if len(lines) >= number else ""
        if not re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", text):
            raise DataError(f"{path}, line {number}: expected the {name} of the basin, got {text[:60]!r}")
        numbers.append(float(text))
    latitude, altitude, area = numbers
    if not (-90.0 <= latitude <= 90.0 and area > 0.0):
        raise DataError(
            f"{path}: latitude {latitude:g} and area {area:g} m2 cannot be; expected lines 1 and 3 to be these"
        )
    return latitude, altitude, area


def _days(table: Table) -> pd.DatetimeIndex:
    """Return the days of the columns year, mnth, day."""
    year, month, day = (table.frame[name] for name in _DATE)
    table.frame["date"] = [f"{a:g}-{b:g}-{c:g}" for a, b, c in zip(year, month, day, strict=True)]
    return table.times("date", "%Y-%m-%d")
