"""The two Schwingbach files of the spotpy package: found, read, and put in their true order."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from crest_core import ForcingError

WEATHER = "driver_data_site24.csv"
SOIL = "soilmoisture_site24.csv"
FOLDER = "examples/cmf_data"  # inside the spotpy package
GROUNDWATER = "gwhead_m"
SOIL_COLUMNS = ("soil_moisture_10cm", "soil_moisture_25cm", "soil_moisture_40cm")

SWAPPED = (
    "weather: day and month of days 1 to 12 are swapped in the labels of the file; swapped back, which makes the "
    "file's own order a gapless hourly series"
)
NOT_SWAPPED = "weather: labels are in order; used as they are"


def schwingbach_folder() -> Path:
    """Return the folder of the files in the installed spotpy package, which is not imported."""
    spec = find_spec("spotpy")
    if spec is None or not spec.submodule_search_locations:
        raise ForcingError(
            "the data source schwingbach reads files that the package spotpy ships, but spotpy is not installed; "
            "install it with: pip install spotpy"
        )
    return Path(spec.submodule_search_locations[0]) / FOLDER


def read_weather(folder: Path) -> tuple[pd.DataFrame, str]:
    """Return the hourly weather, indexed by its true times, and a sentence on what was repaired.

    The logger export mixed up day and month (2 January is labelled 2014-02-01) wherever both readings are dates. Air
    pressure and temperature jump at midnight if the file is sorted by its labels (4.1 hPa on average) and do not in
    file order (0.3 hPa, as between any two hours). The groundwater head was joined by label before: it is smooth in
    label order, and stays with its labels.
    """
    table = _read_table(folder / WEATHER)
    labels = pd.DatetimeIndex(table.index)
    weather = table.drop(columns=GROUNDWATER)
    if labels.is_monotonic_increasing:
        note, times = NOT_SWAPPED, labels
    else:
        note, times = SWAPPED, swap_day_and_month(labels)
    _require_hourly(times, folder / WEATHER)
    weather.index = times
    weather[GROUNDWATER] = table[GROUNDWATER].sort_index().to_numpy()
    return weather, note


def read_soil(folder: Path) -> pd.DataFrame:
    """Return hourly volumetric soil moisture [m3 m-3] at 10, 25 and 40 cm."""
    table = _read_table(folder / SOIL, columns=("time", *SOIL_COLUMNS))
    _require_hourly(pd.DatetimeIndex(table.index), folder / SOIL)
    return table


def swap_day_and_month(labels: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the times with day and month exchanged where the day is 12 or less.

    >>> labels = pd.DatetimeIndex(["2014-02-01 05:00", "2014-01-13"])
    >>> swap_day_and_month(labels).strftime("%m-%d").tolist()
    ['01-02', '01-13']
    """
    both = labels.day <= 12
    parts = {
        "year": labels.year,
        "month": np.where(both, labels.day, labels.month),
        "day": np.where(both, labels.month, labels.day),
        "hour": labels.hour,
    }
    return pd.DatetimeIndex(pd.to_datetime(pd.DataFrame(parts)))


def _read_table(path: Path, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    if not path.is_file():
        raise ForcingError(
            f"the data source schwingbach expected {path.name} in the installed spotpy package, folder {FOLDER}, "
            f"but it is not there; spotpy 1.6.7 has it"
        )
    # The header of the soil file is itself a comment, so names are given and comments are left out.
    names = {"names": list(columns), "header": None} if columns else {}
    return pd.read_csv(path, comment="#", index_col=0, parse_dates=[0], skip_blank_lines=True, **names)


def _require_hourly(times: pd.DatetimeIndex, path: Path) -> None:
    steps = np.diff(times.to_numpy())
    wrong = np.flatnonzero(steps != np.timedelta64(1, "h"))
    if len(wrong):
        first = int(wrong[0])
        raise ForcingError(
            f"{path.name}: expected one row for each hour, but {times[first]} is followed by "
            f"{times[first + 1]}; the file differs from the one of spotpy 1.6.7, whose order is known"
        )
