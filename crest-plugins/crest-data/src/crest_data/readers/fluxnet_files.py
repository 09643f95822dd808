"""Files of FLUXNET2015: which site and resolution each is, and its table on a regular axis of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crest_data.errors import DataError
from crest_data.readers import fluxnet_variables as fluxnet
from crest_data.readers.possible_values import check_possible
from crest_data.readers.site_series import regular
from crest_data.readers.text_table import Table, read_table, text_lines
from crest_data.readers.workbook import read_workbook

_NAME = re.compile(
    r"[A-Z]+_([A-Z]{2}-[A-Za-z0-9]{2,5})_(.+)_(HH|HR|DD|WW|MM|YY)_\d{4}[-_]\d{4}_[\w-]+\.(csv|csv\.gz|xlsx)"
)
STEPS = {"HH": "30min", "HR": "1h", "DD": "1D"}
_MINUTES = {"HH": 30, "HR": 60}
_INSTANT, _DAY = "%Y%m%d%H%M", "%Y%m%d"


@dataclass(frozen=True)
class FluxFile:
    """A file, and what its name tells: the site, the product, and the resolution HH, HR or DD."""

    path: Path
    site: str
    product: str
    resolution: str


def flux_files(path: Path) -> list[FluxFile]:
    """Return the files of a folder, or the one file, whose names are FLUXNET's, weekly and longer means left out."""
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [FluxFile(file, match[1], match[2], match[3]) for file in found if (match := _NAME.fullmatch(file.name))]
    if not files and not path.is_dir():
        raise DataError(
            f"{path}: the name is not FLUXNET's; expected FLX_<site>_FLUXNET2015_<SUBSET or FULLSET>_<HH, HR or DD>_"
            f"<first>-<last year>_<version>.csv or .xlsx"
        )
    return [file for file in files if file.resolution in STEPS]


def read_flux_file(file: FluxFile, *, fill_gaps: bool) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns that are known, and those of their quality, on regular starts of intervals."""
    table = _table(file)
    times = _days(table) if file.resolution == "DD" else _starts(table, _MINUTES[file.resolution])
    columns = [str(name) for name in table.frame.columns if _is_read(str(name))]
    known = {name: of for name in columns if (of := fluxnet.variable(name))}
    if not known:
        raise DataError(f"{file.path}: no column of FLUXNET2015; it holds {', '.join(map(str, table.frame.columns))}")
    check_possible(table, known, step=STEPS[file.resolution])
    return regular(table, times, columns, step=STEPS[file.resolution], fill_gaps=fill_gaps)


def _table(file: FluxFile) -> Table:
    if file.path.suffix == ".xlsx":
        return read_workbook(file.path, is_number=_is_read)
    header = (text_lines(file.path) or [""])[0].split(",")
    return read_table(file.path, numbers=[name.strip() for name in header if _is_read(name.strip())])


def _is_read(column: str) -> bool:
    """Return whether a column is a known variable or the quality of one."""
    return fluxnet.variable(column) is not None or (
        column.endswith("_QC") and fluxnet.variable(column.removesuffix("_QC")) is not None
    )


def _days(table: Table) -> pd.DatetimeIndex:
    table.require(["TIMESTAMP"])
    return table.times("TIMESTAMP", _DAY)


def _starts(table: Table, minutes: int) -> pd.DatetimeIndex:
    """Return the starts of the intervals; DataError where an interval has another length than the name tells."""
    table.require(["TIMESTAMP_START", "TIMESTAMP_END"])
    starts, ends = table.times("TIMESTAMP_START", _INSTANT), table.times("TIMESTAMP_END", _INSTANT)
    odd = np.flatnonzero((ends - starts) != pd.Timedelta(minutes=minutes))
    if odd.size:
        at = int(odd[0])
        raise DataError(
            f"{table.path}, line {table.lines[at]}: {starts[at]} to {ends[at]} is not the interval of {minutes} "
            f"minutes that the file's name tells"
        )
    return starts
