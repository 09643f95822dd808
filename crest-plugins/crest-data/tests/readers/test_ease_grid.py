"""EASE-Grid 2.0: known corners, laws of the projection, and files that disagree with it."""

from pathlib import Path

import numpy as np
import pytest
from crest_data.errors import DataError
from crest_data.readers.ease_grid import CELL, ease_axes, file_axes


@pytest.mark.parametrize(
    "shape, latitude, longitude",
    [((406, 964), 83.63197, -179.81328), ((1624, 3856), 84.65642, -179.95332)],
)
def test_the_first_cell_is_where_the_grid_is_documented_to_have_it(shape, latitude, longitude):
    lat, lon = ease_axes(*shape)
    assert lat[0] == pytest.approx(latitude, abs=1e-5) and lon[0] == pytest.approx(longitude, abs=1e-5)


@pytest.mark.parametrize("shape", CELL)
def test_the_grid_is_symmetric_and_falls_from_north_to_south(shape):
    lat, lon = ease_axes(*shape)
    np.testing.assert_allclose(lat, -lat[::-1], atol=1e-11)
    np.testing.assert_allclose(lon, -lon[::-1], atol=1e-11)
    assert (np.diff(lat) < 0).all() and (np.diff(lon) > 0).all()


def test_four_cells_of_9_km_make_one_of_36_km_in_each_direction():
    coarse, fine = ease_axes(406, 964)[1], ease_axes(1624, 3856)[1]
    np.testing.assert_allclose(fine.reshape(964, 4).mean(axis=1), coarse, atol=1e-9)


def test_rows_that_a_file_does_not_tell_come_from_the_formula():
    lat, lon = ease_axes(406, 964)
    latitude, longitude = np.full((406, 964), np.nan), np.full((406, 964), np.nan)
    latitude[10, 20], longitude[10, 20] = np.float32(lat[10]), np.float32(lon[20])
    axes = file_axes(latitude, longitude, Path("a.h5"))
    np.testing.assert_array_equal(axes[0], lat)
    latitude[10, 20] += 0.5
    with pytest.raises(DataError, match="a.h5: latitude 71.4357 at row 10, column 20; EASE-Grid 2.0 has 70.9357 there"):
        file_axes(latitude, longitude, Path("a.h5"))


def test_another_grid_must_tell_each_of_its_rows_and_columns():
    latitude, longitude = np.full((2, 3), np.nan), np.full((2, 3), np.nan)
    latitude[:, 0], longitude[0] = [40.0, 30.0], [1.0, 2.0, 3.0]
    lat, lon = file_axes(latitude, longitude, Path("a.h5"))
    assert lat.tolist() == [40.0, 30.0] and lon.tolist() == [1.0, 2.0, 3.0]
    longitude[:, 2] = np.nan
    with pytest.raises(DataError, match="a grid of 2 x 3 is no global EASE-Grid .* its column 2 tells no longitude"):
        file_axes(latitude, longitude, Path("a.h5"))
    with pytest.raises(DataError, match=r"latitude \(2, 3\) and longitude \(3, 2\) are not one grid"):
        file_axes(latitude, longitude.T, Path("a.h5"))
