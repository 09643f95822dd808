"""Grids: the same places are recognised, others are named."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crest_core.errors import GridError
from crest_core.grid import Grid, PointGrid, RectilinearGrid, Regridder, check_same_grid

LATITUDES = st.lists(st.floats(-90, 90), min_size=1, max_size=5)


class MeanOfAll:
    """The smallest regridder: the mean of all points at one point."""

    def __init__(self, source: Grid) -> None:
        self.source: Grid = source
        self.target: Grid = PointGrid([0.0], [0.0], name="mean")

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        return values.mean(-1, keepdim=True)

    def describe(self) -> str:
        return f"mean of {self.source.name}"


@settings(deadline=None)
@given(LATITUDES, st.data())
def test_a_grid_is_the_same_after_a_turn_around_the_globe(lat, data):
    lon = data.draw(st.lists(st.floats(-180, -1e-3), min_size=len(lat), max_size=len(lat)))
    check_same_grid(PointGrid(lat, lon), PointGrid(lat, np.array(lon) + 360.0))


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


def test_a_millionth_of_a_degree_is_forgiven_and_more_is_named():
    grid = PointGrid([50.0, 51.0], [8.0, -180.0])
    check_same_grid(grid, PointGrid([50.0, 51.0 + 9e-7], [8.0, 179.9999995]))
    with pytest.raises(GridError, match="points and other differ in lat at index 1: 51 and 51.00001"):
        check_same_grid(grid, PointGrid([50.0, 51.00001], [8.0, -180.0], name="other"))
    with pytest.raises(GridError, match="differ in lon at index 0: 8 and 8.1; add a regridder"):
        check_same_grid(grid, PointGrid([50.0, 51.0], [8.1, -180.0]))
    with pytest.raises(GridError, match="differ: {'cell': 2} and {'y': 1, 'x': 2}; add a regridder"):
        check_same_grid(grid, RectilinearGrid([50.0], [8.0, 9.0]))


def test_a_regridder_is_linear_and_differentiable():
    regridder: Regridder = MeanOfAll(PointGrid([1, 2], [3, 4]))
    values = torch.tensor([[1.0, 3.0]], requires_grad=True)
    regridder(values).sum().backward()
    assert regridder(values).tolist() == [[2.0]]
    assert values.grad is not None and values.grad.tolist() == [[0.5, 0.5]]
    assert regridder.describe() == "mean of points"


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
