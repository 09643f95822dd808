"""When SMAP passes over: told by the file, or the hour of local solar time as UTC within the UTC day of the product."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

OVERPASS_TIME = "overpass_time"
HOURS = {"am": 6.0, "pm": 18.0}  # h of local solar time; SMAP flies at 6 am downward, at 6 pm upward
COMMENT = (
    "an instant within the UTC day that is its time, not the value at the end of that day: see the coordinate "
    "overpass_time; a daily model may compare it with the day that it falls in"
)
_DEGREES_PER_HOUR = 15.0
# The calendar is the standard one after 1582; under its own name xarray cannot write a day without any date.
_ENCODING = {"units": "seconds since 1970-01-01", "dtype": "float64", "calendar": "proleptic_gregorian"}


def by_longitude(days: np.ndarray, longitude: xr.DataArray, hour: float) -> xr.Variable:
    """Return the UTC time in each UTC day at which the mean sun's clock shows `hour`, (time, *dims of longitude).

    6 am at 100 degrees west is 12:40 UTC. At 170 degrees east it is 18:40 UTC, the morning of the next local day.

    >>> days = np.array(["2015-04-01"], dtype="datetime64[ns]")
    >>> by_longitude(days, xr.DataArray([-100.0, 170.0], dims="x"), 6.0).values.astype("datetime64[m]").tolist()[0]
    [datetime.datetime(2015, 4, 1, 12, 40), datetime.datetime(2015, 4, 1, 18, 40)]
    """
    seconds = np.rint(np.mod(hour - longitude.values / _DEGREES_PER_HOUR, 24.0) * 3600.0)
    starts = days.astype("datetime64[D]").astype("datetime64[ns]").reshape(-1, *(1,) * longitude.ndim)
    return _coordinate(
        ("time", *longitude.dims),
        starts + seconds.astype("timedelta64[s]"),
        f"{hour:g} h local solar time by longitude",
    )


def by_text(texts: xr.DataArray) -> xr.DataArray:
    """Return ISO texts in UTC as dates, when they are needed; NaT where there is no date, as beside the swath."""
    return xr.apply_ufunc(_dates, texts, dask="parallelized", output_dtypes=[np.dtype("datetime64[ns]")])


def as_told(dates: xr.DataArray, name: str) -> xr.Variable:
    """Return the coordinate of the dates that the variable `name` of the file tells."""
    return _coordinate(tuple(map(str, dates.dims)), dates.data, f"{name} of the file, NaT where it tells none")


def _dates(texts: np.ndarray) -> np.ndarray:
    plain = pd.Series(texts.ravel()).map(lambda text: text.decode("ascii", "replace") if type(text) is bytes else text)
    dates = pd.to_datetime(plain, errors="coerce", utc=True, format="ISO8601")
    return dates.dt.tz_localize(None).to_numpy().astype("datetime64[ns]").reshape(texts.shape)


def _coordinate(dims: tuple[object, ...], values: object, how: str) -> xr.Variable:
    attributes = {"standard_name": "time", "long_name": f"UTC time of the overpass: {how}"}
    return xr.Variable(dims, values, attributes, dict(_ENCODING))
