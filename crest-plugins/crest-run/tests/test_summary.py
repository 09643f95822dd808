"""The words at the end of a run: its time span in any calendar, its fields, its files."""

from pathlib import Path

import pytest
import xarray as xr
from crest_run.summary import summary


def results(start="2001-01-01", freq="D", calendar="standard", **fields):
    times = xr.date_range(start, periods=31, freq=freq, calendar=calendar).values
    bounds = ("time", "bnds"), times[[[step, step + 1] for step in range(30)]]
    return xr.Dataset(fields, {"time": times[:-1], "time_bnds": bounds})


@pytest.mark.parametrize(
    ("start", "freq", "calendar", "span"),
    [
        ("2001-01-01", "D", "standard", "2001-01-01 to 2001-01-31"),
        ("2001-01-01", "D", "360_day", "2001-01-01 to 2001-02-01"),
        ("2001-01-01T12:00", "D", "standard", "2001-01-01 12:00 to 2001-01-31 12:00"),
        ("2001-01-01", "h", "noleap", "2001-01-01 00:00 to 2001-01-02 06:00"),
    ],
)
def test_the_span_is_from_the_first_interval_to_the_end_of_the_last(start, freq, calendar, span):
    text = summary(results(start, freq, calendar), Path("out.nc"), restart=None, record=None)
    assert text.splitlines() == [f"out.nc: 30 steps, {span}", 'next, in Python: xarray.open_dataset("out.nc")']


def test_each_field_has_its_shape_and_units_in_columns():
    maps = xr.Variable(("time", "y", "x"), [[[0.0] * 3] * 2] * 30, {"units": "mm"})
    share = xr.Variable("time", [0.0] * 30)
    text = summary(results(snow=maps, cover=share), Path("out.nc"), restart=None, record=Path("r.json"))
    assert text.splitlines()[1:4] == [
        "  snow   time 30, y 2, x 3  mm",
        "  cover  time 30",
        "r.json: versions, hashes, seed and the run itself",
    ]
