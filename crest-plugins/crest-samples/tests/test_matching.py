"""Places find their cells, by name, distance, edges and area."""

import numpy as np
import pytest
import shapely
import xarray as xr
from crest_samples import Places, SampleError, Source, cell_boxes
from crest_samples.example import example_gauges as gauges
from crest_samples.example import example_weather as weather
from crest_samples.great_circle import EARTH_RADIUS, distance, nearest, within
from crest_samples.matching import match
from crest_samples.reading import read
from hypothesis import given, settings
from hypothesis import strategies as st

latitude, longitude = st.floats(-90, 90), st.floats(-180, 179.99)


def points(*pairs):
    lat, lon = np.array(pairs, dtype=float).T
    return Places(lat, lon, np.arange(len(lat)).astype(str))


def test_a_quarter_of_the_globe_is_a_quarter_of_its_circumference():
    assert distance(0, 0, 0, 90) == pytest.approx(np.pi / 2 * EARTH_RADIUS)
    assert distance(90, 0, -90, 77) == pytest.approx(np.pi * EARTH_RADIUS)


@given(latitude, longitude, latitude, longitude)
def test_distance_is_symmetric_and_agrees_with_the_haversine(lat, lon, to_lat, to_lon):
    a, b, c, d = np.radians([lat, lon, to_lat, to_lon])
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    expected = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(min(h, 1.0)))
    assert distance(lat, lon, to_lat, to_lon) == pytest.approx(expected, rel=1e-6, abs=1.0)
    assert distance(lat, lon, to_lat, to_lon) == distance(to_lat, to_lon, lat, lon)


@settings(max_examples=30)
@given(st.lists(st.tuples(latitude, longitude), min_size=1, max_size=20), latitude, longitude)
def test_the_nearest_is_the_one_at_the_least_distance(others, lat, lon):
    to_lat, to_lon = np.array(others).T
    (found,), (metres,) = nearest(np.array([lat]), np.array([lon]), to_lat, to_lon)
    every = distance(lat, lon, to_lat, to_lon)
    assert metres == pytest.approx(every.min(), rel=1e-9, abs=0.1)
    near = within(np.array([lat]), np.array([lon]), to_lat, to_lon, 2e6)[0]
    assert set(np.flatnonzero(every < 2e6 - 1)) <= set(near) <= set(np.flatnonzero(every < 2e6 + 1))


def test_nearest_goes_across_the_date_line():
    grid = xr.Dataset({"rain": (("y", "x"), [[1.0, 2.0]])}, {"lat": ("y", [0.0]), "lon": ("x", [-179.9, 170.0])})
    found = match(Source(grid, match="nearest", radius=50e3), points((0.0, 179.8), (0.0, 150.0)))
    assert found.cells().tolist() == [0, -1] and found.matched.tolist() == [True, False]


def test_containing_takes_the_cell_whose_edges_are_around_the_point():
    source = Source(weather(), ("elevation",), match="containing")
    found = match(source, points((45.2501, 5.0), (45.2499, 5.2501), (44.99, 5.1), (45.0, 5.0)))
    values = read(source, found, "elevation", 0, 1)[:, 0]
    assert values[[0, 1, 3]].tolist() == [100.0, 1.0, 0.0] and np.isnan(values[2])


def test_containing_finds_cells_of_a_global_grid_at_the_seam_and_at_the_pole():
    lat, lon = np.arange(-89.5, 90), np.arange(-180.0, 180.0)
    grid = xr.Dataset({"a": (("y", "x"), np.zeros((180, 360)))}, {"lat": ("y", lat), "lon": ("x", lon)})
    found = match(Source(grid, match="containing"), points((90.0, 0.0), (0.5, 179.7), (-90.0, -180.0)))
    assert found.cells().tolist() == [179 * 360 + 180, 90 * 360, 0]


def test_bounds_of_the_coordinates_are_taken_for_edges():
    grid = weather().isel(y=[0], x=[0, 1])[["elevation"]]
    grid["lat_bnds"] = (("y", "bnds"), [[40.0, 50.0]])
    grid["lat"].attrs["bounds"] = "lat_bnds"
    assert match(Source(grid, match="containing"), points((41.0, 5.1))).matched.all()
    grid = grid.drop_vars("lat_bnds")
    with pytest.raises(SampleError, match="lat has 1 values and no bounds, expected two or more that ascend; give it"):
        match(Source(grid, match="containing"), points((41.0, 5.1)))


def test_bounds_with_gaps_are_refused():
    grid = weather().isel(y=[0, 1])[["elevation"]]
    grid["lat_bnds"] = (("y", "bnds"), [[45.0, 45.1], [45.3, 45.5]])
    grid["lat"].attrs["bounds"] = "lat_bnds"
    with pytest.raises(SampleError, match="leave gaps or overlap; expected cells side by side"):
        match(Source(grid, match="containing"), points((45.2, 5.1)))


def test_a_grid_over_the_date_line_is_torn_in_the_middle():
    """In the convention its longitudes begin at -180: columns 9 and 10 are no neighbours."""
    lon = np.concatenate([np.arange(-180.0, -170.0), np.arange(170.0, 180.0)])
    grid = weather().assign_coords(lon=("x", lon))
    words = (
        "lon goes on from -171 to 170, where neighbours are 1 apart, as on a grid over the date line; select one side"
    )
    with pytest.raises(SampleError, match=words):
        match(Source(grid, match="containing"), points((46.125, 0.0)))
    places = points(*((46.125, one) for one in lon))
    near = match(Source(grid, match="nearest", radius=1e5), places)
    assert near.matched.all()  # great circles know of no line
    images = match(Source(grid, match="nearest", radius=1e5, patch=(1, 3)), places)
    assert np.flatnonzero(~images.matched).tolist() == [0, 9, 10, 19]
    single = match(Source(grid, match="nearest", radius=1e5, patch=(3, 1)), places)
    assert single.matched.all()


def test_a_grid_without_rows_and_columns_has_no_edges():
    curved = weather().assign_coords(lat=(("y", "x"), np.ones((16, 20))))
    with pytest.raises(SampleError, match=r"need lat\(y\) and lon\(x\).*match it by 'nearest'"):
        match(Source(curved, match="containing"), points((1.0, 1.0)))


def test_names_match_cells_in_any_order():
    data = gauges()
    turned = data.isel(cell=[3, 1, 5])
    found = match(Source(data), Places.of(turned))
    assert found.cells().tolist() == [3, 1, 5]
    assert match(Source(turned), Places.of(data)).cells().tolist() == [-1, 1, -1, 0, -1, 2]


def test_names_do_not_match_cells_and_grids():
    with pytest.raises(SampleError, match="match it by 'nearest' or 'containing'"):
        match(Source(weather()), Places.of(gauges()))
    moved = weather().assign_coords(lon=("x", 5.0 + 0.25 * np.arange(20)))
    with pytest.raises(SampleError, match="its grid has cell '0' at 45.125, 5, the places have it at 45.125, 5.125"):
        match(Source(moved), Places.of(weather()))


def test_the_mean_over_cells_of_a_coarse_grid_is_the_area_weighted_mean():
    fine = weather(rows=16, columns=20)[["elevation"]]
    coarse = xr.Dataset(coords={"lat": ("y", [45.5, 46.5]), "lon": ("x", [5.5, 6.5])})
    places = Places.of(coarse, areas=cell_boxes(coarse))
    source = Source(fine, match="area mean")
    got = read(source, match(source, places), "elevation", 0, 1)[:, 0]
    weight = np.cos(np.radians(fine["lat"])) * xr.ones_like(fine["lon"])
    weight = np.sin(np.radians(fine["lat"] + 0.125)) - np.sin(np.radians(fine["lat"] - 0.125)) + 0 * fine["lon"]
    for number, (south, west) in enumerate([(45, 5), (45, 6), (46, 5), (46, 6)]):
        box = dict(y=slice(4 * (south - 45), 4 * (south - 44)), x=slice(4 * (west - 5), 4 * (west - 4)))
        assert got[number] == pytest.approx(
            float(fine["elevation"].isel(box).weighted(weight.isel(box)).mean()), rel=1e-6
        )


def test_shares_of_an_outline_inside_the_grid_sum_to_one():
    places = Places(
        np.array([46.0]), np.array([6.0]), np.array(["basin"]), areas=(shapely.Point(6.4, 46.3).buffer(0.8),)
    )
    weights = match(Source(weather(), match="area mean"), places).weights
    assert weights.sum() == pytest.approx(1.0, abs=1e-12) and weights.nnz > 20


def test_an_outline_mostly_outside_the_grid_is_unmatched():
    places = Places(np.array([46.0]), np.array([5.0]), np.array(["basin"]), areas=(shapely.box(3.0, 45.5, 5.5, 46.5),))
    assert not match(Source(weather(), match="area mean"), places).matched.any()
    assert match(Source(weather(), match="area mean", cover=0.1), places).weights.sum() == pytest.approx(0.2)


def test_a_radius_takes_all_cells_within_it():
    source = Source(weather(), ("elevation",), match="area mean", radius=30e3)
    place = points((46.125, 6.125))
    found, data = match(source, place), Places.of(weather())
    near = np.flatnonzero(distance(46.125, 6.125, data.lat, data.lon) <= 30e3)
    assert sorted(found.weights.indices.tolist()) == near.tolist() and found.weights.sum() == pytest.approx(1.0)
    with pytest.raises(SampleError, match="needs places with areas .* or a radius= in metres"):
        match(Source(weather(), match="area mean"), place)


def test_a_mean_needs_enough_of_its_area():
    data = weather()[["elevation"]].astype(float)
    data["elevation"][4:6, :] = np.nan
    box = shapely.box(5.0, 46.0, 6.0, 47.0)  # rows 4 to 7
    places = Places(np.array([46.5]), np.array([5.5]), np.array(["a"]), areas=(box,))
    got = {}
    for cover in (0.4, 0.6):
        source = Source(data, match="area mean", cover=cover)
        got[cover] = float(read(source, match(source, places), "elevation", 0, 1)[0, 0])
    assert 600 < got[0.4] < 710 and np.isnan(got[0.6])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"match": "closest"}, "match 'closest', expected one of id, nearest, containing, area mean"),
        ({"match": "nearest"}, "'nearest' needs radius= in metres"),
        ({"variables": ("snow",)}, r"no variables \['snow'\]; it holds discharge, slope, land_cover"),
        ({"cover": 0.0}, "cover 0.0, expected a share of the area above 0 and up to 1"),
        ({"patch": (3, 3)}, "needs the dims y and x, one or more cells along each"),
        ({"flag": True}, "which needs optional=True"),
        (
            {"flag": True, "optional": True, "patch": (1, 1), "match": "containing", "data": weather()},
            "images have no flags; leave out flag=True, missing values are nan in the patch",
        ),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(options, words):
    with pytest.raises(SampleError, match=words):
        Source(**({"data": gauges()} | options))


def test_places_need_names_that_differ_and_coordinates():
    with pytest.raises(SampleError, match="the name 'a' is given twice"):
        Places(np.zeros(2), np.zeros(2), np.array(["a", "a"]))
    with pytest.raises(SampleError, match="2 latitudes, 1 longitudes and 2 names"):
        Places(np.zeros(2), np.zeros(1), np.array(["a", "b"]))
    with pytest.raises(SampleError, match=r"lacks \['lat', 'lon'\]; expected the dim cell, or y and x"):
        Places.of(xr.Dataset({"a": ("cell", [1.0])}))
    with pytest.raises(SampleError, match="1 areas for 6 places; give one for each"):
        Places.of(gauges(), areas=[shapely.box(0, 0, 1, 1)])


@pytest.mark.parametrize("way", ["nearest", "containing", "area mean"])
@pytest.mark.parametrize(("name", "value"), [("lat", np.nan), ("lon", np.nan), ("lat", np.inf)])
def test_a_place_without_coordinates_is_refused_by_name(way, name, value):
    data = gauges()
    data[name][2] = value
    words = (
        f"source 'rain': '{way}': 1 of 6 places have no {name}, the first 'g2' with {value}; give coordinates, leave "
        r"such places out \(Places.take\), or match by 'id'"
    )
    source = Source(weather(), ("rain",), match=way, radius=20e3)
    with pytest.raises(SampleError, match=words):
        match(source, Places.of(data))
    assert len(match(source, Places.of(data).take([0, 1, 3])).matched) == 3
    outlines = [shapely.box(6.0, 46.0, 7.0, 47.0)] * 6
    assert match(Source(weather(), ("rain",), match="area mean"), Places.of(data, areas=outlines)).matched.all()


def test_a_source_without_coordinates_is_refused():
    nowhere = weather().assign_coords(lon=weather()["lon"] * np.nan)
    for way, words in [
        ("nearest", "source 'rain': none of its 320 cells has both lat and lon; give them coordinates"),
        ("area mean", "source 'rain': lon holds nan; a cell without coordinates has no edges: select it out"),
        ("containing", "source 'rain': lon holds nan; a cell without coordinates has no edges: select it out"),
    ]:
        with pytest.raises(SampleError, match=words):
            match(Source(nowhere, ("rain",), match=way, radius=20e3), Places.of(gauges()))
    grid = weather().isel(y=[0, 1])[["elevation"]]
    grid["lat_bnds"] = (("y", "bnds"), [[45.0, 45.25], [45.25, np.nan]])
    grid["lat"].attrs["bounds"] = "lat_bnds"
    with pytest.raises(
        SampleError, match="source 'elevation': the bounds lat_bnds of lat hold nan; expected degrees f"
    ):
        match(Source(grid, match="containing"), points((45.2, 5.1)))


@pytest.mark.parametrize(
    ("data", "variable", "words"),
    [
        (
            gauges().isel(time=[]),
            "discharge",
            r"discharge is empty, its dims \['time'\] have length 0; look at what was",
        ),
        (gauges().isel(cell=[]), "slope", r"slope is empty, its dims \['cell'\] have length 0"),
        (weather().isel(y=[]), "elevation", r"elevation is empty, its dims \['y'\] have length 0"),
    ],
)
def test_an_empty_source_is_refused_when_it_is_made(data, variable, words):
    with pytest.raises(SampleError, match=f"source '{variable}': {words}"):
        Source(data, (variable,))
    with pytest.raises(SampleError, match="source 'void': it holds no variables; give a dataset with one or more"):
        Source(gauges()[[]], name="void")


def test_names_are_no_match_for_cells_that_lie_apart():
    data = gauges()
    moved = data.assign_coords(lat=data["lat"] + 0.1 * (data["cell_id"] == "g3"))
    words = (
        "has cell 'g3' at .*, the places have it at .*, 11120 m apart, more than 1000 m; mend .*, give a larger radius="
    )
    with pytest.raises(SampleError, match=words):
        match(Source(moved), Places.of(data))
    assert match(Source(moved, radius=12e3), Places.of(data)).cells().tolist() == [0, 1, 2, 3, 4, 5]
    unknown = data.assign_coords(lat=data["lat"] * np.nan)
    assert match(Source(unknown), Places.of(data)).matched.all()


def test_cells_without_names_match_only_where_they_lie_at_the_same_place():
    data = gauges()
    nameless = data.drop_vars("cell_id")
    assert match(Source(nameless), Places.of(nameless)).cells().tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(SampleError, match="has cell '0' at .* more than 1 m; without cell_id .* give both a cell_id"):
        match(Source(nameless.isel(cell=[3, 1, 2])), Places.of(nameless))
    with pytest.raises(SampleError, match="at nan, .*give both a cell_id, or match it by 'nearest'"):
        match(Source(nameless.assign_coords(lat=nameless["lat"] * np.nan)), Places.of(nameless))
