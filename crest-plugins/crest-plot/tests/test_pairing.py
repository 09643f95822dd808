"""Observations and precipitation of other files: of the same places and days, refused, or told."""

import numpy as np
import pytest
import xarray as xr
from crest_plot import PlotError
from crest_plot.plotting import field_page

AWAY = {"cell_id": ("cell", ["far"]), "lat": ("cell", [-33.0]), "lon": ("cell", [150.0])}
CELLS = ["cell_id", "lat", "lon"]


@pytest.fixture
def gauge(run):
    """Flow and rain of the upper catchment."""
    return run[["discharge", "rain"]].isel(cell=[0])


def refused(run, text, name="discharge", **options):
    with pytest.raises(PlotError, match=text):
        field_page(run, name, **options)


def test_observations_and_rain_of_another_id_are_refused(run, gauge):
    other = gauge.assign_coords(AWAY)
    text = "observed discharge is of far, and discharge of upper; take values of the same place"
    refused(run, text, cell="upper", observed=(other, "discharge"))
    refused(run, "precipitation rain is of far, and discharge of upper", cell="upper", rain=(other, "rain"))
    refused(run, "precipitation rain has no cell upper, lower; it has far", rain=(other, "rain"))


def test_observations_and_rain_without_ids_may_be_as_far_as_cell_reaches(run, gauge):
    alone, other = gauge.drop_vars("cell_id"), gauge.assign_coords(AWAY).drop_vars("cell_id")
    assert field_page(run, "discharge", cell="upper", observed=(alone, "discharge")).told == ()
    near = alone.assign_coords(lat=("cell", [51.5]))  # 111 km; the next cell of the run is 200 km away
    assert field_page(run, "discharge", cell="upper", observed=(near, "discharge")).told == ()
    text = "observed discharge is at -33,150, [0-9]+ km from discharge at 50.5,8.5; take values within 149 km"
    refused(run, text, cell="upper", observed=(other, "discharge"))
    refused(run, "precipitation rain is at -33,150, ", cell="upper", rain=(other, "rain"))
    refused(run, "precipitation rain: its nearest place is .* km from those of discharge", rain=(other, "rain"))


def test_one_id_in_two_places_is_told(run, gauge):
    moved = gauge.assign_coords(lat=("cell", [53.0]))
    page = field_page(run, "discharge", cell="upper", observed=(moved, "discharge"))
    told = "observed discharge: upper is 278 km from upper of discharge; taken as one by its id"
    assert page.told == (told,) and told in page.notes


def test_a_cell_of_a_grid_has_a_place_and_no_id(grid):
    gauge = grid.isel(y=2, x=2, drop=True).assign_coords(cell_id="g", lat=51.3, lon=6.4)
    where = {"cell": "51.3,6.4", "kind": "series"}
    assert field_page(grid, "warmth", **where, observed=(gauge, "warmth")).told == ()
    far = gauge.assign_coords(lat=54.0)
    refused(grid, "observed warmth is at 54,6.4, .* km from warmth at 51.25,6.25", "warmth", **where,
            observed=(far, "warmth"))  # fmt: skip


def test_what_tells_no_place_is_accepted_and_told(run, gauge):
    bare = gauge.drop_vars(CELLS)
    page = field_page(run, "discharge", cell="upper", observed=(bare, "discharge"), rain=(bare, "rain"))
    text = "{} and discharge have no ids or places to compare: taken as of the same place"
    assert page.told == (text.format("precipitation rain"), text.format("observed discharge"))
    page = field_page(run, "discharge", rain=(bare, "rain"))
    assert page.told == ("precipitation rain is one series for 2 cells of discharge",)
    assert field_page(run, "discharge", cell="upper").told == ()


def test_other_calendars_are_refused(run, gauge):
    dates = xr.date_range("2001-01-01", periods=800, calendar="noleap", use_cftime=True)
    other = gauge.drop_vars(["time_bnds", "time_end"], errors="ignore").assign_coords(time=dates)
    text = "observed discharge: its calendar is noleap, that of discharge is standard; convert one"
    refused(run, text, cell="upper", observed=(other, "discharge"))
    refused(run, "precipitation rain: its calendar is noleap", cell="upper", rain=(other, "rain"))
    dates = xr.date_range("2001-01-01", periods=800, calendar="proleptic_gregorian", use_cftime=True)
    same = other.assign_coords(time=dates)
    assert field_page(run, "discharge", cell="upper", observed=(same, "discharge")).told == ()


def test_days_of_two_zones_are_refused_and_of_one_untold_are_told(run, gauge):
    west, zero = gauge.assign_attrs(time_zone="UTC-5"), gauge.assign_attrs(time_zone="UTC+00:00")
    text = "observed discharge: its time_zone is 'UTC-5', that of discharge is 'UTC'; days of two zones"
    refused(run.assign_attrs(time_zone="UTC"), text, cell="upper", observed=(west, "discharge"))
    page = field_page(run, "discharge", cell="upper", observed=(west, "discharge"))
    told = "observed discharge has the time_zone 'UTC-5', discharge tells none: their days are taken as the same"
    assert page.told == (told,)
    for own in (run, run.assign_attrs(time_zone="UTC")):
        assert field_page(own, "discharge", cell="upper", observed=(zero, "discharge")).told == ()


def test_hours_are_of_utc_where_no_zone_is_told(run, gauge):
    hours = np.datetime64("2001-01-01", "ns") + np.arange(800) * np.timedelta64(1, "h")
    own, other = (one.drop_vars(["time_bnds", "time_end"], errors="ignore").assign_coords(time=hours)
                  for one in (run, gauge))  # fmt: skip
    text = "its time_zone is 'UTC-5', that of discharge is 'UTC'"
    refused(own, text, cell="upper", observed=(other.assign_attrs(time_zone="UTC-5"), "discharge"))


def test_the_command_prints_what_is_not_sure(crest, file, gauge):
    gauge.drop_vars(CELLS).to_netcdf("gauge.nc", engine="h5netcdf")
    words = ("--cell", "upper", "--observed", "gauge.nc:discharge", "--output", "h.html")
    status, out, _ = crest("plot", file, "discharge", *words)
    note = "observed discharge and discharge have no ids or places to compare: taken as of the same place"
    assert (status, out.splitlines()) == (0, [f"note: {note}", "h.html"])
