"""Fields, cells, periods, layers and units that a user asks for."""

import numpy as np
import pytest
import xarray as xr
from crest_plot import PlotError
from crest_plot.plotting import field_page
from crest_plot.selection import at_time, field_of, plottable, select


def refused(run, text, name="discharge", **options):
    with pytest.raises(PlotError, match=text):
        field_page(run, name, **options)


def test_an_unknown_field_names_near_ones_and_all(run):
    refused(run, "no field 'discharg'; did you mean 'discharge'.; fields: discharge, rain, soil_mo", "discharg")


def test_text_and_empty_dims_are_refused(run):
    run["station"] = ("cell", ["a", "b"])
    refused(run, "station holds .* and no numbers; fields: discharge", "station")
    refused(run.isel(cell=slice(0, 0)), "discharge is empty: its dimension cell has length 0")


def test_quality_flags_are_no_fields(run):
    run["discharge_quality"] = run.discharge.astype("uint8")
    assert "discharge_quality" not in plottable(run)


def test_cells_are_found_by_id_by_number_and_by_place(run):
    field = field_of(run, "discharge")
    for cell in ("lower", "1", "49.1,7.05"):
        np.testing.assert_array_equal(select(field, cell=cell).read()[:, 0, 0], run.discharge.values[:, 1])
    assert select(field, cell="49.1,7.05").notes == ("cell at 49, 7: 11.7 km from 49.1,7.05",)


def test_a_cell_of_a_grid_is_the_one_that_holds_the_point_and_none_beyond(grid):
    field = select(field_of(grid, "warmth"), cell="51.2,6.3")
    np.testing.assert_array_equal(field.read()[:, 0, 0], grid.warmth.values[:, 2, 2])
    refused(grid, "--cell '60,6': beyond the grid of warmth, whose latitude is 50.25 to 51.75", "warmth", cell="60,6")
    refused(grid, "'3': warmth lies on a grid .y, x.; give latitude,longitude", "warmth", cell="3")


def test_a_point_far_from_all_cells_is_refused_with_the_distance_of_the_nearest(run, grid):
    one = run.isel(cell=[0])
    said = (
        r"--cell '5,5': the nearest cell of discharge .upper. is at 50.5,8.5, 5.07e.03 km away; give a point within 25"
    )
    refused(one, said + " km of a cell, an id or a number", cell="5,5")
    assert select(field_of(one, "discharge"), cell="50.7,8.5").notes == ("cell at 50.5, 8.5: 22.2 km from 50.7,8.5",)
    refused(
        run, "the nearest cell of discharge .lower. is at 49,7, 222 km away; give a point within 149 km", cell="47,7"
    )
    assert select(field_of(run, "discharge"), cell="48,7").notes == ("cell at 49, 7: 111 km from 48,7",)
    refused(grid.isel(y=[0], x=[0]), "nearest cell of warmth is at 50.25,5.25, .* of a cell$", "warmth", cell="60,6")


def test_cells_without_coordinates_are_not_the_nearest(run):
    run = run.assign_coords(lat=("cell", [np.nan, 49.0], run.lat.attrs))
    assert select(field_of(run, "discharge"), cell="49,7").array.cell_id.values.tolist() == ["lower"]
    run = run.assign_coords(lat=("cell", [np.nan, np.nan], run.lat.attrs))
    refused(run, "the places of discharge have no latitude and longitude; give an id or a number", cell="49,7")


def test_unknown_cells_are_named_with_near_ones(run):
    refused(run, "--cell 'uper': discharge has no such cell; did you mean 'upper'.; it has ids such as", cell="uper")
    refused(run, "numbers 0 to 1", cell="2")
    refused(run, "--cell 'a,b': expected latitude,longitude", cell="a,b")
    refused(run.drop_vars(["lat", "lon"]), "has no coordinates lat and lon over cell", cell="50,8")
    refused(run.isel(cell=0), "--cell: discharge has no cells; its dims are time", cell="0")


def test_the_end_of_a_period_is_excluded(run):
    field = select(field_of(run, "discharge"), start="2001-02-01", end="2001-03-01")
    assert len(field.axis) == 28 and field.axis.period() == "2001-02-01 to 2001-03-01"


def test_an_empty_period_names_the_one_that_there_is(run):
    text = "discharge has nothing from 2010-01-01 to its end: it has 2001-01-01 to 2003-03-12; the end is excluded"
    refused(run, text, start="2010-01-01")
    refused(run, "--from: time 'soon' is not an ISO date", start="soon")
    refused(run, "--from and --to: elevation has no dimension time", "elevation", start="2001-01-01")


def test_a_time_is_the_interval_that_holds_it(run):
    field = at_time(field_of(run, "discharge"), "2001-01-03T18:00")
    np.testing.assert_array_equal(field.read()[0, 0], run.discharge.values[2])
    assert field.notes == ("2001-01-03 to 2001-01-04",)
    refused(run, "--time 2005-01-01 is in no interval of discharge, which has 2001", time="2005-01-01")
    refused(
        run, "--time asks for the map of one time, and a series has no use for it", time="2001-01-02", kind="series"
    )


def test_a_layer_is_chosen_by_number(run):
    field = select(field_of(run, "soil_moisture"), layer=2)
    np.testing.assert_array_equal(field.read()[:, 0], run.soil_moisture.values[:, 2])
    refused(run, r"--layer 3: soil_moisture has the layers 0 \(0-10 cm\), 1 \(10-30 cm\)", "soil_moisture", layer=3)
    refused(run, "--layer: discharge has no layers", layer=0)


def test_units_are_converted_and_the_density_of_water_is_told(run):
    field = select(field_of(run, "rain"), units="mm day-1")
    np.testing.assert_allclose(field.read()[0, 0], [10.0, 10.0])
    assert field.label == "rain [mm day-1]" and "1 kg m-2 = 1 mm" in field.notes[0]
    refused(run, "discharge cannot be shown in 'K'", units="K")
    del run.discharge.attrs["units"]
    refused(run, "discharge has no units", units="K")


def test_an_unknown_kind_names_near_ones(run):
    refused(run, "kind 'hydrogaph' is unknown; did you mean 'hydrograph'", kind="hydrogaph")


def test_times_must_be_dates_that_increase(run):
    refused(run.isel(time=[1, 0, 2]), "discharge: times do not increase at 2001-01-01; sort the file by time")
    refused(run.drop_vars("time"), "time has no dates; add the coordinate time")
    refused(run.assign_coords(time=np.arange(800)), "time holds int64 and no dates")


def test_members_are_lines_of_one_cell(run):
    members = xr.concat([run.discharge.isel(cell=0) + n for n in range(3)], "member").to_dataset(name="flow")
    (panel,), *_ = field_page(members.transpose("time", ...), "flow", kind="series").rows
    assert [line.label for line in panel.lines] == ["member 0", "member 1", "member 2"]
