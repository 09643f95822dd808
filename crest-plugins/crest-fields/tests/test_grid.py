"""Grids: places in one convention of degrees; odd ones are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crest_fields.errors import GridError
from crest_fields.grid import PointGrid, RectilinearGrid

LATITUDES = st.lists(st.floats(-90, 90), min_size=1, max_size=5)


@settings(deadline=None)
@given(LATITUDES, st.data())
def test_a_grid_is_the_same_after_a_turn_around_the_globe(lat, data):
    lon = data.draw(st.lists(st.floats(-180, -1e-3), min_size=len(lat), max_size=len(lat)))
    np.testing.assert_allclose(PointGrid(lat, np.array(lon) + 360.0).lon, PointGrid(lat, lon).lon, rtol=0, atol=1e-8)


@settings(deadline=None)
@given(LATITUDES)
def test_longitudes_lie_from_minus_180_to_180(lat):
    lon = PointGrid(lat, np.linspace(-180, 360, len(lat))).lon
    assert ((lon >= -180) & (lon < 180)).all()


def test_sizes_and_coordinates_have_the_dims_of_the_grid():
    for grid in (PointGrid([1, 2], [3, 4]), RectilinearGrid([1, 2, 3], [4, 5])):
        assert tuple(grid.sizes) == grid.dims
        for dims, values in grid.coordinates.values():
            assert values.shape == tuple(grid.sizes[dim] for dim in dims)


def test_a_grid_across_the_date_line_or_around_the_globe_is_allowed():
    assert RectilinearGrid([0.0], [170, 179, -172]).lon.tolist() == [170, 179, -172]
    assert RectilinearGrid([1.0, 0.0], np.arange(0, 360, 1.5)).sizes == {"y": 2, "x": 240}


@pytest.mark.parametrize(
    ("lat", "lon", "words"),
    [
        ([91.0], [0.0], r"lat must be a list of degrees from -90 to 90, got \[91.\]"),
        ([0.0], [361.0], r"lon must be a list of degrees from -180 to 360, got \[361.\]"),
        ([0.0, 1.0], [0.0], "2 latitudes and 1 longitudes; a point needs both"),
        ([np.nan], [0.0], "lat must be a list of degrees"),
        ([], [], "lat must be a list"),
        ([[0.0]], [0.0], "lat must be a list"),
    ],
)
def test_odd_points_are_refused(lat, lon, words):
    with pytest.raises(GridError, match=words):
        PointGrid(lat, lon)


def test_points_need_distinct_names():
    with pytest.raises(GridError, match=r"expected 2 distinct names, got \['a', 'a'\]"):
        PointGrid([0, 1], [0, 1], names=["a", "a"])


@pytest.mark.parametrize(
    ("lat", "lon", "words"),
    [
        ([0.0, 2.0, 1.0], [0.0], "lat .* neither rises nor falls; sort it"),
        ([0.0], [0.0, 10.0, 5.0], "lon .* does not rise eastward once around"),
        ([0.0], [0.0, 180.0, 360.0], "does not rise eastward once around"),
        ([0.0], [5.0, 5.0], "drop doubles"),
    ],
)
def test_odd_axes_are_refused(lat, lon, words):
    with pytest.raises(GridError, match=words):
        RectilinearGrid(lat, lon)
