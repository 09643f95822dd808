"""Clock: calendars, periods, windows at absolute times, and the xarray edge."""

from datetime import date, datetime, timedelta

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from crest_fields.clock import (
    CALENDARS,
    Clock,
    check_calendar,
    format_timestep,
    from_xarray_time,
    parse_time,
    parse_timestep,
    to_xarray_time,
)
from crest_fields.errors import TimeError

STEPS = st.sampled_from(["1h", "6h", "1D", "7D"])


def clock_of(calendar, first_day, steps, timestep):
    start = parse_time("1999-02-20", calendar) + timedelta(days=first_day)
    return Clock(start, start + steps * parse_timestep(timestep), timestep, calendar)


@settings(deadline=None)
@given(st.sampled_from(CALENDARS), st.integers(0, 800), st.integers(2, 900), STEPS, st.data())
def test_windows_of_a_part_are_those_of_the_whole(calendar, first, steps, timestep, data):
    whole = clock_of(calendar, first, steps, timestep)
    length = data.draw(st.sampled_from(["1D", "30D", "365D"]))
    cut = data.draw(st.integers(1, steps - 1))
    edges = {whole.times[i] for i, _ in whole.windows(length)}
    rest = whole.sub(cut, steps)
    later = {rest.times[i] for i, _ in rest.windows(length)}
    assert later - {rest.start} == {time for time in edges if time > rest.start}


@settings(deadline=None)
@given(st.sampled_from(CALENDARS), st.integers(0, 800), st.integers(1, 900), STEPS)
def test_windows_cover_every_step_once(calendar, first, steps, timestep):
    windows = clock_of(calendar, first, steps, timestep).windows("30D")
    assert [i for begin, end in windows for i in range(begin, end)] == list(range(steps))
    assert all(begin < end for begin, end in windows)


@settings(deadline=None)
@given(st.sampled_from(CALENDARS), st.integers(0, 800), st.integers(1, 300), STEPS)
def test_steps_follow_each_other_without_gaps(calendar, first, steps, timestep):
    clock = clock_of(calendar, first, steps, timestep)
    assert len(clock) == len(clock.times) == steps
    assert (clock.times[1:] == clock.bounds[:-1, 1]).all()
    assert (np.diff(clock.times) == parse_timestep(timestep)).all()
    assert clock.bounds.shape == (steps, 2) and clock.bounds[-1, 1] == clock.end


@settings(deadline=None)
@given(st.sampled_from(CALENDARS), st.integers(0, 800), st.integers(1, 100), STEPS)
def test_times_survive_the_way_to_xarray_and_back(calendar, first, steps, timestep):
    clock = clock_of(calendar, first, steps, timestep)
    times = to_xarray_time(clock.times, calendar)
    assert (times.dtype == "datetime64[ns]") == (calendar == "standard")
    assert (from_xarray_time(times, calendar) == clock.times).all()


@settings(deadline=None)
@given(st.integers(1, 10_000), st.sampled_from(["s", "min", "h", "D"]))
def test_a_timestep_written_and_read_is_the_same(number, unit):
    step = parse_timestep(f"{number}{unit}")
    assert parse_timestep(format_timestep(step)) == step


@pytest.mark.parametrize(
    ("calendar", "days", "last_of_february"),
    [("standard", 366, 29), ("noleap", 365, 28), ("360_day", 360, 30)],
)
def test_the_year_2000_in_every_calendar(calendar, days, last_of_february):
    clock = Clock("2000-01-01", "2001-01-01", "1D", calendar)
    assert len(clock) == days
    assert max(time.day for time in clock.times if time.month == 2) == last_of_february


def test_windows_are_cut_at_multiples_since_2000():
    clock = Clock("1999-12-30", "2000-01-04", "12h")
    assert clock.windows("2D") == [(0, 4), (4, 8), (8, 10)]
    assert Clock("2000-01-01", "2001-12-30", "1D").windows() == [(0, 365), (365, 729)]


def test_a_clock_in_words():
    clock = Clock(datetime(2014, 1, 1), "2014-01-02", timedelta(hours=6))
    assert clock.describe() == "2014-01-01T00:00:00 to 2014-01-02T00:00:00 by 6h (standard)"
    assert clock == Clock("2014-01-01", "2014-01-02", "6h", "gregorian")
    assert clock.sub(1, 3).times[0].isoformat() == "2014-01-01T06:00:00"


def test_times_of_a_clock_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        Clock("2014-01-01", "2014-01-03", "1D").times[0] = None


@pytest.mark.parametrize(
    "value",
    [
        "2014-01-01",
        "2014-01-01T00:00",
        "2014-01-01 00:00:00.000",
        date(2014, 1, 1),
        datetime(2014, 1, 1),
        pd.Timestamp("2014-01-01"),
        np.datetime64("2014-01-01"),
        np.datetime64("2014-01-01T00", "ns"),
        cftime.datetime(2014, 1, 1, calendar="standard"),
        cftime.DatetimeProlepticGregorian(2014, 1, 1),
    ],
)
def test_every_form_of_a_date_is_read(value):
    assert parse_time(value) == cftime.DatetimeGregorian(2014, 1, 1)


def test_xarray_selects_by_date_in_every_calendar():
    for calendar in CALENDARS:
        times = to_xarray_time(Clock("2000-01-01", "2000-03-01", "1D", calendar).times, calendar)
        data = xr.DataArray(np.zeros(len(times)), dims="time", coords={"time": times})
        assert data.sel(time="2000-02-05").size == 1


def test_dates_that_nanoseconds_cannot_hold_stay_cftime():
    times = Clock("1500-01-01", "1500-01-03", "1D", "standard").times
    assert to_xarray_time(times, "standard").dtype == object
    assert to_xarray_time([], "standard").dtype == "datetime64[ns]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1MS", "'1MS' is not .* months and years have no fixed length"),
        ("junk", "'junk' is not a whole number and one of D, h, min, s"),
        ("1.5h", "is not a whole number"),
        ("0D", "'0D': expected a positive number of whole seconds"),
        (timedelta(seconds=-1), "expected a positive number"),
        (timedelta(milliseconds=1), "whole seconds"),
    ],
)
def test_odd_timesteps_are_refused(text, words):
    with pytest.raises(TimeError, match=words):
        parse_timestep(text)


@pytest.mark.parametrize(
    ("value", "calendar", "words"),
    [
        ("yesterday", "standard", "'yesterday' is not an ISO date"),
        (3.0, "standard", "time '3.0' is not an ISO date"),
        ("2001-02-29", "noleap", "'2001-02-29' does not exist in the calendar noleap"),
        ("2001-01-31", "360_day", "does not exist in the calendar 360_day"),
        (np.datetime64("NaT"), "standard", "is not an ISO date"),
        ("2014-01-01T06:00Z", "standard", "has a time zone; convert it to UTC and drop the zone"),
        (pd.Timestamp("2014-01-01", tz="Europe/Berlin"), "standard", "has a time zone"),
        (cftime.DatetimeNoLeap(2014, 1, 1), "standard", "calendar noleap, expected standard"),
        (cftime.DatetimeGregorian(2014, 1, 1), "360_day", "calendar standard, expected 360_day"),
        (cftime.DatetimeGregorian(2014, 1, 1, 0, 0, 0, 5), "standard", "is not an ISO date at a whole second"),
        ("2014-01-01", "julian", "'julian' is not one of standard, noleap, 360_day"),
    ],
)
def test_odd_times_are_refused(value, calendar, words):
    with pytest.raises(TimeError, match=words):
        parse_time(value, calendar)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2014-01-01", "2014-01-01", "2014-01-01T00:00:00 to 2014-01-01T00:00:00 by 1D .* is empty"),
        ("2014-01-02", "2014-01-01", "the end is excluded and must lie after the start"),
        ("2014-01-01", "2014-01-02T06:00", "1 day, 6:00:00, not a multiple of the step"),
    ],
)
def test_odd_periods_are_refused(start, end, words):
    with pytest.raises(TimeError, match=words):
        Clock(start, end, "1D")


def test_steps_outside_the_clock_are_refused():
    with pytest.raises(TimeError, match="steps 1 to 4 do not lie within the 3 steps"):
        Clock("2014-01-01", "2014-01-04", "1D").sub(1, 4)


@pytest.mark.parametrize(
    ("values", "calendar", "words"),
    [
        (pd.date_range("2014", periods=2), "noleap", "datetime64.* expected noleap"),
        (np.array(["2014-01-01", "NaT"], "datetime64[ns]"), "standard", "'NaT' is not an ISO date"),
        (np.array(["2014-01-01T00:00:00.5"], "datetime64[ns]"), "standard", "is not an ISO date at a whole second"),
        (pd.date_range("2014", periods=2, tz="UTC"), "standard", "has a time zone"),
        (
            xr.date_range("2014", periods=2, calendar="noleap", use_cftime=True),
            "standard",
            "calendar noleap, expected standard",
        ),
    ],
)
def test_odd_time_coordinates_are_refused(values, calendar, words):
    with pytest.raises(TimeError, match=words):
        from_xarray_time(values, calendar)


def test_calendars_have_one_name():
    assert check_calendar("gregorian") == "standard"
    assert check_calendar("365_day") == "noleap"
