"""Outlines lie where they are drawn, also over the date line."""

import numpy as np
import pytest
import shapely
import xarray as xr
from crest_samples import Inside, Places, SampleError, Source
from crest_samples.example import example_weather as weather
from crest_samples.matching import match
from crest_samples.times import TimeAxis


def around_the_globe(west=-180.0):
    """Longitude of the cell, on a global grid of one degree and 10 rows that begins at some meridian."""
    lon = west + np.arange(360) + 0.5
    values = np.broadcast_to(lon, (10, 360))
    return xr.Dataset({"east": (("y", "x"), values)}, {"lat": ("y", np.arange(-4.5, 5.0)), "lon": ("x", lon)})


ACROSS = {
    "beyond 180": shapely.box(178.0, -1.0, 183.0, 1.0),
    "beyond -180": shapely.box(-182.0, -1.0, -177.0, 1.0),
    "split at 180": shapely.MultiPolygon(
        [shapely.box(178.0, -1.0, 180.0, 1.0), shapely.box(-180.0, -1.0, -177.0, 1.0)]
    ),
}


@pytest.mark.parametrize("outline", ACROSS.values(), ids=ACROSS)
@pytest.mark.parametrize("west", [-180.0, -180.5, 0.0])
def test_an_outline_over_the_date_line_takes_both_sides(outline, west):
    """Two of its five degrees lie in the west, three in the east, whatever the grid begins with."""
    grid = around_the_globe(west)
    places = Places(np.zeros(1), np.array([-179.5]), np.array(["strait"]), areas=(outline,))
    found = match(Source(grid, match="area mean", cover=1.0), places)
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    weights = found.weights.toarray()[0].reshape(10, 360)
    assert np.flatnonzero(weights.sum(axis=1)).tolist() == [4, 5]
    lon = (grid["lon"].values + 180.0) % 360.0 - 180.0
    side = weights[:, lon > 0].sum(), weights[:, lon < 0].sum()
    if west != -180.5:  # there one cell lies across the line
        assert side == pytest.approx((0.4, 0.6))
        assert sorted(lon[weights.sum(axis=0) > 0]) == [-179.5, -178.5, -177.5, 178.5, 179.5]
    mean = float(weights.sum(axis=0) @ (lon % 360.0))
    assert mean == pytest.approx(180.5)  # its middle


def test_an_outline_of_the_whole_globe_has_the_mean_of_the_globe():
    grid = around_the_globe()
    places = Places(np.zeros(1), np.zeros(1), np.array(["belt"]), areas=(shapely.box(-180.0, -5.0, 180.0, 5.0),))
    weights = match(Source(grid, match="area mean"), places).weights
    assert weights.nnz == 3600 and weights.sum() == pytest.approx(1.0)


def test_an_outline_that_may_go_either_way_round_is_refused():
    jump = shapely.Polygon([(179.0, -1.0), (-178.0, -1.0), (-178.0, 1.0), (179.0, 1.0)])
    places = Places(np.zeros(1), np.array([-180.0]), np.array(["strait"]), areas=(jump,))
    words = (
        "place 'strait': its outline has an edge from 179 to -178 degrees east, which may go either way round the "
        "globe; split it at 180 into a MultiPolygon, let its longitudes go on beyond 180, or give such an edge more"
    )
    with pytest.raises(SampleError, match=words):
        match(Source(around_the_globe(), match="area mean"), places)
    high = Places(np.zeros(1), np.zeros(1), np.array(["a"]), areas=(shapely.box(0.0, 80.0, 1.0, 91.0),))
    with pytest.raises(SampleError, match="place 'a': its outline has a point that is not on the globe; give lon, lat"):
        match(Source(around_the_globe(), match="area mean"), high)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_outline_that_may_go_either_way_round_is_refused_within_collections(depth):
    jump = shapely.Polygon([(179.0, -1.0), (-178.0, -1.0), (-178.0, 1.0), (179.0, 1.0)])
    outline = shapely.MultiPolygon([shapely.box(0.0, 0.0, 1.0, 1.0), jump])
    for _ in range(depth):
        outline = shapely.GeometryCollection([shapely.Point(5.0, 5.0), outline])
    with pytest.raises(SampleError, match=r"Inside\(strait\): its outline has an edge from 179 to -178 degrees east"):
        Inside(outline, "strait")
    whole = shapely.GeometryCollection([shapely.Point(5.0, 5.0), shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])])
    places = Places(np.array([0.5, 5.0, 5.0]), np.array([0.5, 5.0, 6.0]), np.array(["a", "b", "c"]))
    assert Inside(whole).keep(places, TimeAxis(np.array([]))).tolist() == [True, True, False]


def test_an_outline_that_crosses_itself_is_refused():
    bow = shapely.Polygon([(6, 46), (7, 47), (7, 46), (6, 47)])
    places = Places(np.array([46.5]), np.array([6.5]), np.array(["bow"]), areas=(bow,))
    with pytest.raises(SampleError, match="place 'bow': its outline crosses itself; repair it"):
        match(Source(weather(), match="area mean"), places)
