"""Dates of any calendar on an axis."""

import numpy as np
import pytest
import xarray as xr
from crest_plot.plotting import field_page
from crest_plot.time_axis import places, time_axis


def of_calendar(calendar, days=730):
    dates = xr.date_range("2003-01-01", periods=days, freq="D", calendar=calendar, use_cftime=True)
    return xr.Dataset({"flow": ("time", np.arange(float(days)), {"units": "m3 s-1"})}, {"time": dates})


def test_a_date_that_exists_is_itself_in_every_calendar():
    axis = time_axis(of_calendar("noleap"), "flow")
    assert axis.label == "time [UTC, calendar noleap]"
    assert axis.starts[365] == np.datetime64("2004-01-01") and axis.starts[-1] == np.datetime64("2004-12-31")
    assert len(axis.jumps()) == 0  # 29 February is no gap: the calendar has none


@pytest.mark.parametrize(("calendar", "days"), [("360_day", 360), ("all_leap", 366)])
def test_a_year_of_another_length_fills_the_real_year_evenly(calendar, days):
    axis = time_axis(of_calendar(calendar, 2 * days), "flow")
    assert axis.starts[days] == np.datetime64("2004-01-01")
    assert "drawn by the fraction of the year" in axis.label
    steps = np.diff(axis.starts[:days]).astype(np.int64)
    assert np.ptp(steps) <= 1  # microseconds, of rounding


def test_periods_are_cut_in_the_calendar_of_the_file():
    (panel,), *_ = field_page(of_calendar("noleap"), "flow", start="2004-02-28", end="2004-03-02", kind="series").rows
    assert panel.lines[0].y.tolist() == [423.0, 424.0]


def test_local_time_is_said(run):
    run.attrs["time_zone"] = "local standard time, UTC-5"
    assert time_axis(run, "discharge").label == "time [local standard time, UTC-5]"


def test_a_leap_day_of_the_julian_calendar_that_never_was_lies_next_to_its_neighbours():
    import cftime

    dates = np.array([cftime.datetime(1900, 2, day, calendar="julian") for day in (28, 29)])
    assert places(dates)[1] - places(dates)[0] < np.timedelta64(2, "D")


def test_months_are_steps_of_one_length_for_the_eye():
    dates = np.arange("2001-01", "2003-01", dtype="datetime64[M]").astype("datetime64[ns]")
    axis = time_axis(xr.Dataset({"flow": ("time", np.ones(24))}, {"time": dates}), "flow")
    assert axis.regular and len(axis.jumps()) == 0
