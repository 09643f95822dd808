"""Maps: where values lie, what they are the mean of, and what there is no map of."""

import numpy as np
import pytest
from crest_plot import PlotError
from crest_plot.pictures import Map
from crest_plot.plotting import field_page


def maps(page):
    return [one for row in page.rows for one in row if isinstance(one, Map)]


def test_a_grid_is_a_map_of_its_mean_with_edges_half_way(grid):
    page = field_page(grid, "warmth")
    (found,) = maps(page)
    assert found.grid and found.geographic and found.colour_label == "warmth [degC]"
    np.testing.assert_allclose(found.values, grid.warmth.mean("time"))
    np.testing.assert_allclose(found.x, 5.0 + 0.5 * np.arange(7))
    np.testing.assert_allclose(found.y, 50.0 + 0.5 * np.arange(5))
    assert page.notes == ("mean of 2001-01-01 to 2001-01-21", "grey: 1 of 24 places without a value")


def test_means_of_blocks_are_the_mean(grid, monkeypatch):
    grid["warmth"] = grid.warmth.where(grid.time > grid.time[3])
    monkeypatch.setattr("crest_plot.maps._BLOCK", 50)
    np.testing.assert_allclose(maps(field_page(grid, "warmth"))[0].values, grid.warmth.mean("time"))


def test_a_map_of_a_time_shows_its_values(grid):
    page = field_page(grid, "warmth", time="2001-01-04")
    np.testing.assert_array_equal(maps(page)[0].values, grid.warmth.values[3])
    assert page.notes[0] == "2001-01-04 to 2001-01-05"


def test_cells_are_points_at_their_coordinates_with_their_ids(run):
    (found,) = maps(field_page(run, "elevation"))
    assert not found.grid and found.labels == ("upper", "lower")
    assert (found.x.tolist(), found.y.tolist(), found.values.tolist()) == ([8.5, 7.0], [50.5, 49.0], [240.0, 800.0])


def test_layers_are_maps_of_one_colour_scale(run):
    found = maps(field_page(run, "soil_moisture", time="2001-03-01"))
    assert [one.title for one in found] == ["0-10 cm", "10-30 cm", "30-90 cm"]
    assert len({one.limits for one in found}) == 1


def test_a_transposed_grid_gives_the_same_map(grid):
    (straight,), (turned,) = (maps(field_page(data, "warmth")) for data in (grid, grid.transpose("time", "x", "y")))
    np.testing.assert_array_equal(straight.values, turned.values)


def test_longitudes_of_0_to_360_are_drawn_west_to_east(grid):
    wide = grid.isel(x=slice(0, 4)).assign_coords(lon=("x", [0.0, 90.0, 180.0, 270.0]))
    (found,) = maps(field_page(wide, "warmth", time="2001-01-01"))
    np.testing.assert_allclose(found.x, [-225.0, -135.0, -45.0, 45.0, 135.0])
    assert np.isnan(found.values[0, 2])  # the missing corner is at 0 degrees


def test_coordinates_of_both_dims_make_points(grid):
    lat, lon = np.meshgrid(grid.lat, grid.lon, indexing="ij")
    bent = grid.assign_coords(lat=(("y", "x"), lat + 0.01 * lon), lon=(("y", "x"), lon))
    (found,) = maps(field_page(bent, "warmth"))
    assert not found.grid and found.values.shape == (24,)
    np.testing.assert_allclose(found.x[:7], [5.25, 5.75, 6.25, 6.75, 7.25, 7.75, 5.25])


def test_axes_without_degrees_keep_their_units(grid):
    plain = grid.drop_vars(["lat", "lon"]).assign_coords(y=("y", np.arange(4) * 1e3, {"units": "m"}))
    (found,) = maps(field_page(plain, "warmth"))
    assert not found.geographic and (found.x_label, found.y_label) == ("x", "y [m]")


def test_what_has_no_places_has_no_map(run, many):
    with pytest.raises(PlotError, match="discharge has too few places for a map: its dims are time 800; ask for a se"):
        field_page(run.isel(cell=0), "discharge", kind="map")
    with pytest.raises(PlotError, match="level has no coordinates lat and lon over cell, so no map"):
        field_page(many, "level", kind="map")
    deep = run.soil_moisture.isel(soil_layer=[0] * 9).to_dataset(name="deep")
    with pytest.raises(PlotError, match="deep has 9 layers, too many maps; choose one with --layer"):
        field_page(deep, "deep", kind="map")
    with pytest.raises(PlotError, match="warm has 3 dims of places .y, x, cell."):
        three = run.discharge.isel(time=0).expand_dims(y=2, x=2).to_dataset(name="warm")
        field_page(three, "warm", kind="map")


def test_missing_values_and_values_without_logarithm_are_told(grid):
    with pytest.raises(PlotError, match="warmth: all values of the map are missing"):
        field_page(grid * np.nan, "warmth")
    with pytest.raises(PlotError, match="warmth has no value above 0, so no logarithmic colours; leave out --log"):
        field_page(-grid, "warmth", log=True)
