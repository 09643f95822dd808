"""Times in the convention: starts of intervals with bounds, gaps that are kept, one calendar that is declared."""

import cftime
import numpy as np
import pytest
import xarray as xr
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.variable import Variable

DAYS = np.arange("2001-01-01", "2001-01-05", dtype="datetime64[D]").astype("datetime64[ns]")
RAIN = Variable("rain", "mm day-1", standard_name="precipitation_flux")


def cells(values=None, times=DAYS, **coords):
    """Return raw rain at two gauges."""
    values = np.arange(2.0 * len(times)).reshape(-1, 2) if values is None else values
    places = {"gauge_id": ["a", "b"], "lat": ("gauge_id", [50.0, 51.0]), "lon": ("gauge_id", [8.0, 190.0])}
    return xr.Dataset({"P": (("time", "gauge_id"), values)}, {"time": times, **places, **coords})


def conformed(raw, variable=RAIN, **options):
    return conform(raw, {"P": variable}, **{"step": "1D", "source": "gauges", **options})


def changes(dataset):
    return dataset.attrs["changes"].splitlines()


@pytest.mark.parametrize(
    ("label", "step", "first"),
    [("start", "1D", "2001-01-01T00"), ("end", "1D", "2000-12-31T00"), ("middle", "1D", "2000-12-31T12")],
)
def test_labels_become_the_start_of_the_interval(label, step, first):
    held = conformed(cells(), label=label, step=step)
    assert held["time"].values[0] == np.datetime64(first)
    assert held["time_bnds"].values[0, 0] == np.datetime64(first)
    assert any("-> start of the interval" in line for line in changes(held)) == (label != "start")


def test_hours_of_a_fixed_zone_become_utc_and_local_days_stay():
    hours = np.arange("2001-01-01T00", "2001-01-01T04", dtype="datetime64[h]").astype("datetime64[ns]")
    hourly = conformed(cells(times=hours), step="1h", time_zone="UTC-5")
    assert hourly["time"].values[0] == np.datetime64("2001-01-01T05") and hourly.attrs["time_zone"] == "UTC"
    assert "time: UTC-5 -> UTC" in changes(hourly)
    daily = conformed(cells(), time_zone="local standard time, UTC-5")
    assert daily["time"].values[0] == DAYS[0] and daily.attrs["time_zone"] == "local standard time, UTC-5"


def test_bounds_of_the_source_are_kept_and_label_its_times():
    middle = DAYS[:2] + np.timedelta64(15, "D")
    edges = np.array([["2001-01-01", "2001-02-01"], ["2001-02-01", "2001-03-01"]], dtype="datetime64[ns]")
    raw = cells(times=middle).assign(time_bnds=(("time", "bnds"), edges))
    raw["time"] = np.array(["2001-01-16", "2001-02-15"], dtype="datetime64[ns]")
    raw["time"].attrs["bounds"] = "time_bnds"
    held = conformed(raw, step=None)
    assert held["time"].values.tolist() == edges[:, 0].tolist()
    assert held["time_bnds"].values.tolist() == edges.tolist()
    assert "time: label -> start of the interval, as the bounds tell" in changes(held)


def test_a_time_outside_of_its_own_bounds_is_refused():
    edges = np.stack([DAYS, DAYS + np.timedelta64(1, "D")], axis=1)
    edges[2] += np.timedelta64(365, "D")
    raw = cells().assign(time_bnds=(("time", "bnds"), edges))
    raw["time"].attrs["bounds"] = "time_bnds"
    with pytest.raises(DataError, match=r"time at index 2: 2001-01-03.* lies outside of its bounds, 2002-01-03"):
        conformed(raw, step=None)


def test_bounds_that_contradict_the_step_are_an_error():
    edges = np.stack([DAYS, DAYS + np.timedelta64(6, "h")], axis=1)
    raw = cells().assign(time_bnds=(("time", "bnds"), edges))
    raw["time"].attrs["bounds"] = "time_bnds"
    with pytest.raises(DataError, match="2001-01-01T00:00:00 to 2001-01-01T06:00:00 does not last the step 1 day"):
        conformed(raw)


def test_bounds_that_overlap_or_are_empty_are_an_error():
    for hours, said in ((36, "2001-01-02T00:00:00 to 2001-01-03T12:00:00 overlaps the one before"), (0, "is empty")):
        raw = cells().assign(time_bnds=(("time", "bnds"), np.stack([DAYS, DAYS + np.timedelta64(hours, "h")], axis=1)))
        raw["time"].attrs["bounds"] = "time_bnds"
        with pytest.raises(DataError, match=said):
            conformed(raw, step=None)


def test_gaps_are_kept_and_told():
    held = conformed(cells(times=DAYS[[0, 1, 3]]))
    assert held.attrs["gaps"] == "1 gaps, 1 steps absent, the first after 2001-01-02T00:00:00; kept"
    assert held.sizes["time"] == 3


def test_point_values_at_odd_times_need_no_interval():
    times = np.array(["2001-01-01T10:12", "2001-01-03T09:47"], dtype="datetime64[ns]")
    held = conformed(cells(times=times), Variable("rain", "mm day-1", cell_methods="time: point"), step=None)
    assert "time_bnds" not in held and held["time"].values.tolist() == times.tolist()


def test_means_without_any_interval_are_an_error():
    with pytest.raises(DataError, match="rain: 'time: mean' without time bounds"):
        conformed(cells(), step=None)


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_other_calendars_are_kept_and_declared(calendar):
    times = xr.date_range("2001-02-27", periods=4, calendar=calendar, use_cftime=True)
    held = conformed(cells(times=times))
    assert held.attrs["calendar"] == calendar == held["time"].dt.calendar
    assert held["time_bnds"].values[1, 1] == held["time"].values[2]


def test_standard_dates_of_cftime_become_datetime64():
    times = [cftime.DatetimeGregorian(2001, 1, day) for day in (1, 2, 3, 4)]
    assert conformed(cells(times=times))["time"].dtype == np.dtype("datetime64[ns]")


def test_dates_of_several_calendars_are_refused():
    times = [cftime.DatetimeNoLeap(2001, 1, 1), cftime.Datetime360Day(2001, 1, 2), cftime.DatetimeNoLeap(2001, 1, 3)]
    with pytest.raises(DataError, match="time: dates of the calendars noleap and 360_day; read those of each by them"):
        conformed(cells(times=times))


def test_bounds_of_another_calendar_are_refused():
    times = xr.date_range("2001-01-01", periods=4, calendar="noleap", use_cftime=True)
    edges = xr.date_range("2001-01-01", periods=5, calendar="360_day", use_cftime=True)
    raw = cells(times=times).assign(time_bnds=(("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1)))
    raw["time"].attrs["bounds"] = "time_bnds"
    with pytest.raises(DataError, match="time_bnds: calendar 360_day, time: calendar noleap; correct the one that is"):
        conformed(raw)


def test_values_of_weeks_are_not_taken_for_those_of_days():
    weeks = np.arange("2001-01-01", "2001-02-01", 7, dtype="datetime64[D]").astype("datetime64[ns]")
    with pytest.raises(DataError, match="no two times follow each other by the step 1 day, .* are 7 days"):
        conformed(cells(times=weeks), Variable("rain", "mm", cell_methods="time: sum"))
    assert conformed(cells(times=weeks), step="7D")["time_bnds"].sizes["time"] == 5


def test_where_point_values_go_is_told():
    point = Variable("rain", "mm", cell_methods="time: point")
    said = "time: point values -> the end of the step that begins at their time, as label start says"
    assert said in changes(conformed(cells(), point))
    assert said not in changes(conformed(cells(), point, label="end")) + changes(conformed(cells(), point, step=None))


@pytest.mark.parametrize("first", ["1582-10-01", "1500-02-25"])
def test_days_before_the_gregorian_calendar_are_refused_as_such(first):
    early = xr.date_range(first, periods=20, freq="1D", calendar="proleptic_gregorian", use_cftime=True).values
    with pytest.raises(DataError, match=f"time: {first}.* of the calendar proleptic_gregorian is before"):
        conformed(cells(times=early))
    late = xr.date_range("1582-10-15", periods=20, freq="1D", calendar="proleptic_gregorian", use_cftime=True).values
    assert conformed(cells(times=late)).attrs["calendar"] == "standard"
