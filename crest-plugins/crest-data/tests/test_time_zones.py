"""Zones of hours: an offset from UTC is used, local time is told, and what is neither is refused."""

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.variable import Variable


def hours(time_zone, step="1h"):
    times = np.arange("2001-01-01", "2001-01-05", np.timedelta64(24 if step == "1D" else 1, "h"), "datetime64[ns]")
    raw = xr.Dataset({"P": ("time", np.ones(len(times)))}, {"time": times, "lat": 50.0, "lon": 8.0})
    return conform(raw, {"P": Variable("rain", "mm day-1")}, step=step, time_zone=time_zone, source="a gauge")


@pytest.mark.parametrize(
    ("time_zone", "first"),
    [
        ("UTC", "2001-01-01T00:00"),
        ("UTC+5:30", "2000-12-31T18:30"),
        ("UTC +14", "2000-12-31T10:00"),
        ("UTC-5", "2001-01-01T05:00"),
        ("UTC+1, inferred; days are local days", "2000-12-31T23:00"),
        ("local standard time, UTC-5", "2001-01-01T05:00"),
    ],
)
def test_hours_at_an_offset_from_utc_become_utc(time_zone, first):
    held = hours(time_zone)
    assert str(held["time"].values[0])[:16] == first and held.attrs["time_zone"] == "UTC"


def test_hours_of_an_unknown_local_time_stay_and_say_so():
    held = hours("local standard time")
    assert str(held["time"].values[0])[:13] == "2001-01-01T00" and held.attrs["time_zone"] == "local standard time"


@pytest.mark.parametrize(
    "time_zone",
    ["GMT-5", "America/New_York", "CET", "utc-5", "UTC+99", "UTC+14:30", "UTC-5h", "UTC+1:75", "", "locale"],
)
def test_hours_of_a_zone_that_is_not_understood_are_refused(time_zone):
    with pytest.raises(DataError) as caught:
        hours(time_zone)
    assert str(caught.value) == (
        f"time_zone {time_zone!r}: for steps shorter than a day expected 'UTC', 'UTC+h' or 'UTC-h:mm' within 14 hours, "
        f"or a text that begins with 'local'; a name has no fixed offset: give that of its standard time"
    )


def test_days_may_be_those_of_any_zone_which_is_told():
    assert hours("America/New_York", step="1D").attrs["time_zone"] == "America/New_York"
