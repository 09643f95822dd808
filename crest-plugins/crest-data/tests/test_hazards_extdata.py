"""The forcing cases of an operational framework (MAPL ExtData), each with its stated outcome.

Numbers are the cases of that list. Never here: interpolation in time (a value holds over its interval), values beyond
the data. A file that is not there (38) and /dev/null (19) are cases of the readers. Vector regridding, cubed spheres,
vertical edges, exports derived from others and nested configurations (12, 17, 18, 21, 24 to 26) are no matter of data.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.climatology import climatology
from crest_data.convention import check_convention, conform
from crest_data.errors import DataError
from crest_data.periods import persist, select_period, splice
from crest_data.variable import Variable


def series(start, end, freq="1D", *, offset=0.0, step=None, source="a file", name="rain", **options):
    """Return one cell whose value is the number of the interval, from offset on."""
    times = pd.date_range(start, end, freq=freq, inclusive="left", unit="ns")
    raw = xr.Dataset({"v": ("time", offset + np.arange(len(times)))}, {"time": times, "lat": 50.0, "lon": 8.0})
    return conform(raw, {"v": Variable(name, "mm day-1")}, step=step or freq, source=source, **options)


def months(year=2007):
    """Return twelve monthly values 1 to 12."""
    edges = pd.date_range(f"{year}-01-01", periods=13, freq="MS", unit="ns").to_numpy()
    raw = xr.Dataset({"v": ("time", np.arange(1.0, 13.0))}, {"time": edges[:-1], "lat": 50.0, "lon": 8.0})
    raw["time_bnds"] = (("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1))
    raw["time"].attrs["bounds"] = "time_bnds"
    return conform(raw, {"v": Variable("rain", "mm day-1")}, step=None, source="months")


def at(dataset, date):
    return float(dataset["rain"].sel(time=date).values[0])


def day(date):
    """Return the number of the day in its year."""
    return pd.Timestamp(date).day_of_year - 1.0


WHOLE = ("2007-01-01", "2008-01-01")
LEAP = ("2008-01-01", "2009-01-01")
GIVEN = {
    "2, 3: monthly climatology of 2004 read in 2007": (
        lambda: climatology(months(2004), "2007-03-01", "2007-04-01", "1D"),
        {"2007-03-01": 3.0, "2007-03-31": 3.0},
    ),
    "4: daily files, no interpolation": (
        lambda: select_period(series(*WHOLE), "2007-02-03", "2007-02-05"),
        {"2007-02-03": day("2007-02-03"), "2007-02-04": day("2007-02-04")},
    ),
    "6: 12 UTC on 31 December of another year": (
        lambda: climatology(series(*WHOLE), "2006-12-31T12:00", "2007-01-01", "12h"),
        {"2006-12-31T12:00": 364.0},
    ),
    "7: the year wraps around": (
        lambda: climatology(months(2004), "2004-12-31", "2005-01-02", "1D"),
        {"2004-12-31": 12.0, "2005-01-01": 1.0},
    ),
    "7: a year that begins in October": (
        lambda: climatology(series("2006-10-01", "2007-10-01"), "2010-09-30", "2010-10-02", "1D"),
        {"2010-09-30": 364.0, "2010-10-01": 0.0},
    ),
    "8: files every three hours from 00:30": (
        lambda: series("2007-01-01T00:30", "2007-01-02T00:30", "3h"),
        {"2007-01-01T00:30": 0.0, "2007-01-01T21:30": 7.0},
    ),
    "8: hourly means labelled 00:30, their middle": (
        lambda: series("2007-01-01T00:30", "2007-01-02T00:30", "1h", label="middle"),
        {"2007-01-01T00:00": 0.0, "2007-01-01T23:00": 23.0},
    ),
    "9: a single time, persisted because asked": (
        lambda: persist(series("2007-01-01", "2007-01-02", offset=5.0), "2012-02-28", "2012-03-02", "1D"),
        {"2012-02-28": 5.0, "2012-02-29": 5.0, "2012-03-01": 5.0},
    ),
    "13: months of a common year, 29 February as told": (
        lambda: climatology(months(2007), "2008-02-28", "2008-03-02", "1D", leap_day="28 February"),
        {"2008-02-29": 2.0, "2008-03-01": 3.0},
    ),
    "14: days of a common year, 29 February as told": (
        lambda: climatology(series(*WHOLE), "2008-02-28", "2008-03-02", "1D", leap_day="28 February"),
        {"2008-02-28": 58.0, "2008-02-29": 58.0, "2008-03-01": 59.0},
    ),
    "15: days of a common year in a common year": (
        lambda: climatology(series(*WHOLE), "2006-03-29", "2006-03-30", "1D"),
        {"2006-03-29": day("2007-03-29")},
    ),
    "16: days of a leap year in a common year": (
        lambda: climatology(series(*LEAP), "2006-02-28", "2006-03-30", "1D"),
        {"2006-02-28": 58.0, "2006-03-01": 60.0, "2006-03-29": day("2008-03-29")},
    ),
    "20: days of a leap year from 29 February of another on": (
        lambda: climatology(series("2016-01-01", "2017-01-01"), "2020-02-29", "2020-03-02", "1D"),
        {"2020-02-29": 59.0, "2020-03-01": 60.0},
    ),
    "22: two datasets across a transition date": (
        lambda: splice(series(*WHOLE), series(*LEAP, offset=1000.0, source="another"), "2008-01-01"),
        {"2007-12-31": 364.0, "2008-01-01": 1000.0},
    ),
    "22: two datasets that overlap, each on its side of the date": (
        lambda: splice(series(*WHOLE), series("2007-06-01", "2008-06-01", offset=1000.0, source="b"), "2007-07-01"),
        {"2007-06-30": 180.0, "2007-07-01": 1030.0, "2008-05-31": 1365.0},
    ),
    "23: a climatology, then real time": (
        lambda: splice(
            climatology(series("2001-01-01", "2002-01-01"), "2007-12-01", "2008-01-01", "1D"),
            series(*LEAP, offset=1000.0, source="now"),
            "2008-01-01",
        ),
        {"2007-12-31": 364.0, "2008-01-01": 1000.0},
    ),
    "27: a gap in the data, asked for beside the gap": (
        lambda: select_period(gappy(), "2007-01-03", "2007-01-05"),
        {"2007-01-03": 1.0, "2007-01-04": 2.0},
    ),
}


def gappy():
    """Return 1, 3, 4 January 2007."""
    times = pd.DatetimeIndex(["2007-01-01", "2007-01-03", "2007-01-04"]).as_unit("ns")
    raw = xr.Dataset({"v": ("time", np.arange(3.0))}, {"time": times, "lat": 50.0, "lon": 8.0})
    return conform(raw, {"v": Variable("rain", "mm day-1")}, step="1D", source="a file")


@pytest.mark.parametrize("case", GIVEN)
def test_it_gives_the_stated_values(case):
    make, values = GIVEN[case]
    held = make()
    check_convention(held)
    assert {date: at(held, date) for date in values} == values


REFUSED = {
    "1: monthly values are no climatology unless asked": (
        lambda: select_period(months(2004), "2005-01-01", "2005-02-01"),
        "is not within the data, 2004-01-01T00:00:00 to 2005-01-01T00:00:00; nothing is carried beyond them",
    ),
    "5: values inside an interval": (
        lambda: select_period(series(*WHOLE), "2007-01-01T12:00", "2007-01-03"),
        "2007-01-01T12:00:00 is in a gap or inside an interval; choose times of the data",
    ),
    "10: after the data": (
        lambda: select_period(series(*WHOLE), "2007-12-31", "2008-01-02"),
        "the period 2007-12-31 to 2008-01-02 is not within the data, 2007-01-01T00:00:00 to 2008-01-01T00:00:00",
    ),
    "11: before the data": (
        lambda: select_period(series(*WHOLE), "2006-12-31", "2007-01-02"),
        "shorten the period, or ask for climatology() or persist()",
    ),
    "13: months of a common year, 29 February untold": (
        lambda: climatology(months(2007), "2008-02-28", "2008-03-02", "1D"),
        "2008-02-29T00:00:00 is a day that the year from 2007-01-01T00:00:00 in the calendar standard does not have; "
        "with leap_day='28 February' it gets the day before",
    ),
    "14: days of a common year, 29 February untold": (
        lambda: climatology(series(*WHOLE), "2008-02-01", "2008-04-01", "1D"),
        "with leap_day='28 February' it gets the day before",
    ),
    "9: several times are not persisted": (
        lambda: persist(series(*WHOLE), "2012-01-01", "2012-01-03", "1D"),
        "persist: expected a dataset of one time, got 365; select the one",
    ),
    "2: two years are no climatology": (
        lambda: climatology(series("2007-01-01", "2009-01-01"), "2012-01-01", "2012-01-03", "1D"),
        "expected data of one year, 2007-01-01T00:00:00 to 2008-01-01T00:00:00, got them to 2009-01-01T00:00:00",
    ),
    "27: a climatology with a gap": (
        lambda: climatology(series(*WHOLE).isel(time=np.r_[0:9, 10:365]), "2012-01-01", "2012-01-03", "1D"),
        "climatology: the year has a gap at 2007-01-10T00:00:00; fill it in sight",
    ),
    "27: a period that begins in a gap": (
        lambda: select_period(gappy(), "2007-01-02", "2007-01-04"),
        "2007-01-02T00:00:00 is in a gap or inside an interval",
    ),
    "a step longer than the intervals of the climatology": (
        lambda: climatology(series(*WHOLE), "2012-01-01", "2012-01-05", "2D"),
        "the step from 2012-01-01T00:00:00 reaches beyond the interval 2007-01-01T00:00:00 to 2007-01-02T00:00:00",
    ),
    "a day of 360_day that no other calendar has": (
        lambda: climatology(series(*WHOLE), "2012-02-30", "2012-03-02", "1D", calendar="360_day"),
        "2012-02-30T00:00:00 is a day that the year from 2007-01-01T00:00:00 in the calendar standard does not have; "
        "convert the calendar of one",
    ),
    "a rule for leap days that there is not": (
        lambda: climatology(series(*WHOLE), "2012-01-01", "2012-01-03", "1D", leap_day="skip"),
        "leap_day 'skip' is not one of 'refuse', '28 February'",
    ),
    "22: a gap at the transition": (
        lambda: splice(series("2007-01-01", "2007-12-30"), series(*LEAP), "2008-01-01"),
        "splice at 2008-01-01: no interval of the earlier dataset (2007-01-01T00:00:00 to 2007-12-30T00:00:00) ends",
    ),
    "22: the later dataset begins too late": (
        lambda: splice(series(*WHOLE), series("2008-01-02", "2008-02-01"), "2008-01-01"),
        "no interval of the later dataset (2008-01-02T00:00:00 to 2008-02-01T00:00:00) starts there; choose a date",
    ),
    "22: other variables": (
        lambda: splice(series(*WHOLE), series(*LEAP, name="snow"), "2008-01-01"),
        "splice: the later dataset lacks rain; drop them from the other, or add them",
    ),
    "22: another phase": (
        lambda: splice(series(*WHOLE), series("2008-01-01T12:00", "2008-02-01T12:00"), "2008-01-01"),
        "time phase, intervals start at: 2007-01-01T00:00:00",
    ),
    "an empty period": (
        lambda: select_period(series(*WHOLE), "2007-03-01", "2007-03-01"),
        "the period 2007-03-01 to 2007-03-01 is empty; the end is excluded and lies after the start",
    ),
    "a date that there is not": (
        lambda: select_period(series(*WHOLE), "2007-02-29", "2007-03-02"),
        "time '2007-02-29' does not exist in the calendar standard",
    ),
    "a period of no whole steps": (
        lambda: climatology(series(*WHOLE), "2007-01-01", "2007-01-02T12:00", "1D"),
        "not a multiple of the step; move the end",
    ),
    "point values without intervals": (
        lambda: select_period(overpasses(), "2007-01-01", "2007-01-03"),
        "the dataset holds point values without intervals; select its times one by one",
    ),
    "no time": (
        lambda: select_period(overpasses()[["rain"]].isel(time=0, drop=True), "2007-01-01", "2007-01-03"),
        "the dataset has no time",
    ),
}


def overpasses():
    times = pd.DatetimeIndex(["2007-01-01T10:12", "2007-01-02T09:50"]).as_unit("ns")
    raw = xr.Dataset({"v": ("time", [1.0, 2.0])}, {"time": times, "lat": 50.0, "lon": 8.0})
    variable = Variable("rain", "mm day-1", cell_methods="time: point")
    return conform(raw, {"v": variable}, step=None, source="a satellite")


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_reason(case):
    make, said = REFUSED[case]
    with pytest.raises(DataError) as caught:
        make()
    assert said in str(caught.value)


def test_a_gap_that_was_left_out_is_told_no_more():
    assert "gaps" in gappy().attrs and "gaps" in select_period(gappy(), "2007-01-01", "2007-01-04").attrs
    assert "gaps" not in select_period(gappy(), "2007-01-03", "2007-01-05").attrs


def test_what_was_repeated_held_or_spliced_is_told():
    repeated = climatology(series(*WHOLE), "2008-02-28", "2008-03-02", "1D", leap_day="28 February")
    told = "climatology: 2007 repeated from 2008-02-28 to 2008-03-02, 29 February as 28 February"
    assert repeated.attrs["changes"].splitlines()[-1] == told
    held = persist(series("2007-01-01", "2007-01-02"), "2012-01-01", "2012-01-03", "1D")
    assert held.attrs["changes"].splitlines()[-1] == "2007-01-01T00:00:00 held from 2012-01-01 to 2012-01-03"
    joined = splice(series(*WHOLE), series(*LEAP, source="another"), "2008-01-01")
    assert joined.attrs["source"] == "a file; another"
    assert joined.attrs["changes"].splitlines()[-1] == "another from 2008-01-01 on, spliced"


def test_a_climatology_of_a_common_year_goes_into_a_noleap_run():
    held = climatology(series(*WHOLE), "2012-02-28", "2012-03-02", "1D", calendar="noleap")
    assert held["rain"].values[:, 0].tolist() == [58.0, 59.0] and held["time"].dt.calendar == "noleap"


def test_a_splice_keeps_quality_and_static_variables():
    def with_static(start, end, area=2.0):
        times = pd.date_range(start, end, inclusive="left", unit="ns")
        raw = xr.Dataset(
            {"v": ("time", np.arange(float(len(times)))), "area": area}, {"time": times, "lat": 1.0, "lon": 2.0}
        )
        variables = {"v": Variable("rain", "mm day-1", missing=(0.0,)), "area": Variable("area", "km2")}
        return conform(raw, variables, step="1D", source="a file")

    joined = splice(with_static(*WHOLE), with_static(*LEAP), "2008-01-01")
    assert joined["rain_quality"].dtype == np.uint8 and joined["rain_quality"].values.sum() == 2
    assert joined["area"].dims == ("cell",)
    with pytest.raises(DataError, match="splice: area is static and differs between the two; drop or rename it"):
        splice(with_static(*WHOLE), with_static(*LEAP, area=3.0), "2008-01-01")


def test_ends_of_intervals_move_with_the_clock():
    times = pd.date_range(*WHOLE, freq="1D", inclusive="left", unit="ns")
    raw = xr.Dataset({"v": ("time", np.arange(len(times)) * 1.0)}, {"time": times, "lat": 50.0, "lon": 8.0})
    wet = conform(raw, {"v": Variable("wetness", "1", cell_methods="time: point")}, step="1D", source="wet")
    one = persist(wet.isel(time=[5]), "2012-01-01", "2012-01-03", "1D")
    year = climatology(wet, "2012-01-01", "2012-01-03", "1D")
    for held in (one, year):
        assert [str(end)[:10] for end in held["time_end"].values] == ["2012-01-02", "2012-01-03"]
