"""Two files that xarray would align in silence: they agree after conversion, or are refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.handshake import handshake
from crest_data.variable import Variable

HOURS = pd.date_range("2014-03-29T22:00", periods=8, freq="1h", unit="ns")
KELVIN = Variable("warmth", "K", standard_name="air_temperature", bounds=(150.0, 350.0))
RAIN = Variable("rain", "mm day-1", to_units="kg m-2 s-1")


def raw(
    values=280.0, *, times=HOURS, lat=(50.0, 51.0), lon=(8.0, 9.0), dims=("time", "lat", "lon"), units="K", kind=None
):
    """Return a small grid as a file would hold it."""
    sizes = {"time": len(times), "lat": len(lat), "lon": len(lon)}
    data = np.full([sizes[dim] for dim in dims], values, dtype=kind or np.float64)
    attributes = {"units": units} if units else {}
    return xr.Dataset(
        {"t2m": (dims, data, attributes)}, {"time": times, "lat": np.asarray(lat), "lon": np.asarray(lon)}
    )


def conformed(dataset, variable=KELVIN, step="1h", **options):
    return conform(dataset, {"t2m": variable}, step=step, source="a file", **options)


PAIRS = {
    "longitudes 0 to 360 against -180 to 180": (
        lambda: conformed(raw(lon=(10.0, 190.0))),
        lambda: conformed(raw(lon=(10.0, -170.0)).sortby("lon")),
        None,
    ),
    "latitudes in two orders": (lambda: conformed(raw(lat=(51.0, 50.0))), lambda: conformed(raw()), None),
    "float32 against float64": (
        lambda: conformed(raw(lat=np.array([50.1, 51.2], np.float32))),
        lambda: conformed(raw(lat=(50.1, 51.2))),
        None,
    ),
    "a jitter of 1e-9 degrees": (
        lambda: conformed(raw(lon=(8.0, 9.000000001))),
        lambda: conformed(raw()),
        "lon: 9.000000001 in dataset 1 (a file), 9.0 in dataset 2 (a file); they differ by up to 1.0e-09 degrees: if",
    ),
    "days from 00 and from 12 UTC": (
        lambda: conformed(raw(times=pd.date_range("2001-01-01", periods=3)), step="1D"),
        lambda: conformed(raw(times=pd.date_range("2001-01-01T12:00", periods=3)), step="1D"),
        "time phase, intervals start at: 2001-01-01T00:00:00 in dataset 1 (a file), 2001-01-01T12:00:00 in dataset 2",
    ),
    "noleap against standard": (
        lambda: conformed(
            raw(times=xr.date_range("2001-01-01", periods=3, calendar="noleap", use_cftime=True)), step="1D"
        ),
        lambda: conformed(raw(times=pd.date_range("2001-01-01", periods=3)), step="1D"),
        "calendar: noleap in dataset 1 (a file), standard in dataset 2 (a file); convert one",
    ),
    "360_day against standard": (
        lambda: conformed(
            raw(times=xr.date_range("2001-01-01", periods=3, calendar="360_day", use_cftime=True)), step="1D"
        ),
        lambda: conformed(raw(times=pd.date_range("2001-01-01", periods=3)), step="1D"),
        "calendar: 360_day in dataset 1 (a file), standard in dataset 2 (a file); convert one",
    ),
    "mm day-1 against kg m-2 s-1": (
        lambda: conformed(raw(units="mm day-1"), RAIN),
        lambda: conformed(raw(units="mm day-1"), Variable("rain", "mm day-1")),
        "units of rain: 'kg m-2 s-1' in dataset 1 (a file), 'mm day-1' in dataset 2 (a file); convert one",
    ),
    "labels at the end against labels at the start": (
        lambda: conformed(raw(times=HOURS + pd.Timedelta("1h")), label="end"),
        lambda: conformed(raw()),
        None,
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_two_files_agree_after_conversion_or_are_refused(case):
    one, two, said = PAIRS[case]
    if said is None:
        handshake(one(), two())
        return
    with pytest.raises(DataError) as caught:
        handshake(one(), two())
    assert said in str(caught.value)


def test_the_hour_that_a_local_clock_leaves_out_in_spring_is_a_gap_that_is_told():
    times = pd.DatetimeIndex(["2014-03-30T00:00", "2014-03-30T01:00", "2014-03-30T03:00"]).as_unit("ns")
    held = conformed(raw(times=times))
    assert held.attrs["gaps"] == "1 gaps, 1 steps absent, the first after 2014-03-30T01:00:00; kept"
    with pytest.raises(DataError, match="select the period and the times of both in sight"):
        handshake(held, conformed(raw(times=pd.date_range("2014-03-30", periods=3, freq="1h"))))
