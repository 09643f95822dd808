"""Masks take out places, or hide values of targets, and count what they take."""

import numpy as np
import pytest
import shapely
from crest_samples import Between, Box, Inside, OneOf, Places, SampleError, Source, Window, make_samples
from crest_samples.example import example_gauges as gauges
from crest_samples.example import example_weather as weather
from crest_samples.times import TimeAxis
from hypothesis import given
from hypothesis import strategies as st

NO_TIME = TimeAxis(np.array([], dtype="datetime64[ns]"))


def made(mask):
    data = gauges()
    return make_samples([Source(data, ("slope",))], [Source(data, ("discharge",))], Window(10), masks=[mask])


@given(st.floats(-180, 179), st.floats(1, 359), st.floats(-180, 179.9))
def test_a_box_goes_east_from_west_whatever_the_signs(west, width, lon):
    places = Places(np.zeros(1), np.array([lon]), np.array(["a"]))
    inside = Box(-1, 1, west, (west + width + 180) % 360 - 180).keep(places, NO_TIME)[0]
    offset = (lon - west) % 360
    if min(abs(offset - width), offset, 360 - offset) > 1e-6:
        assert inside == (offset < width)


@pytest.mark.parametrize(
    ("west", "east", "inside"),
    [
        (-180.0, 180.0, [-180.0, -90.0, 0.0, 90.0, 179.5]),  # the whole globe
        (90.0, 90.0, [90.0]),  # one meridian
        (180.0, 180.0, [-180.0]),  # the same one as -180
        (180.0, -180.0, [-180.0]),
        (90.0, -90.0, [-180.0, -90.0, 90.0, 179.5]),
        (-90.0, 90.0, [-90.0, 0.0, 90.0]),
    ],
)
def test_a_box_is_what_a_box_of_history_is(west, east, inside):
    lon = np.array([-180.0, -90.0, 0.0, 90.0, 179.5])
    places = Places(np.zeros(5), lon, np.arange(5).astype(str))
    assert lon[Box(-1, 1, west, east).keep(places, NO_TIME)].tolist() == inside


def test_a_box_of_one_parallel_keeps_what_lies_on_it():
    places = Places(np.array([0.0, 1.0]), np.zeros(2), np.array(["a", "b"]))
    assert Box(1, 1, -180, 180).keep(places, NO_TIME).tolist() == [False, True]


def test_a_box_and_its_outline_keep_the_same_places():
    data = gauges(count=50)
    places = Places.of(data)
    box, outline = Box(46.5, 48.0, 6.5, 8.0), Inside(shapely.box(6.5, 46.5, 8.0, 48.0))
    kept = box.keep(places, NO_TIME)
    assert 0 < kept.sum() < 50 and (kept == outline.keep(places, NO_TIME)).all()


@pytest.mark.parametrize(
    "outline",
    [
        shapely.box(175.0, -1.0, 190.0, 1.0),
        shapely.box(-185.0, -1.0, -170.0, 1.0),
        shapely.MultiPolygon([shapely.box(175.0, -1.0, 180.0, 1.0), shapely.box(-180.0, -1.0, -170.0, 1.0)]),
    ],
)
def test_an_outline_over_the_date_line_keeps_both_sides(outline):
    lon = np.array([174.0, 176.0, -180.0, -171.0, -169.0, 0.0])
    places = Places(np.zeros(6), lon, np.arange(6).astype(str))
    assert Inside(outline).keep(places, NO_TIME).tolist() == [False, True, True, True, False, False]
    assert Box(-1, 1, 175, -170).keep(places, NO_TIME).tolist() == [False, True, True, True, False, False]


def test_an_outline_that_jumps_over_the_date_line_is_refused():
    with pytest.raises(
        SampleError, match=r"Inside\(strait\): its outline has an edge from 179 to -179 degrees east, w"
    ):
        Inside(shapely.Polygon([(179, -1), (-179, -1), (-179, 1), (179, 1)]), "strait")


def test_places_outside_of_a_region_are_left_out_with_a_count():
    data = gauges()
    north = float(np.sort(data["lat"].values)[3])
    samples = made(Box(0.0, north, -180.0, 180.0))
    assert len(samples.places) == 4 and samples.places.lat.max() == north
    assert samples.log[0].endswith("2 of 6 places left out")


def test_land_cover_keeps_places_of_some_classes():
    samples = made(OneOf(Source(gauges(), ("land_cover",)), (0, 2)))
    assert samples.places.ids.tolist() == ["g0", "g2", "g3", "g5"]
    assert samples.log[0] == "OneOf(land_cover, [0, 2]): 2 of 6 places left out"


def test_a_static_value_keeps_places_from_another_grid():
    mask = Between(Source(weather(), ("elevation",), match="containing"), high=500.0)
    elevation = mask.keep(Places.of(gauges()), NO_TIME)
    samples = made(mask)
    assert 0 < len(samples.places) < 6 and (samples.places.ids == np.array(gauges()["cell_id"])[elevation]).all()


def test_a_value_in_time_hides_targets_and_nothing_else():
    data = gauges()
    data["snow"] = data["discharge"] * 0.0
    data["snow"][20:30, 1] = 5.0
    samples = made(Between(Source(data, ("snow",)), high=1.0))
    targets = samples.targets.series.values[..., 0]
    assert targets[1, 20:30].isnan().all() and int(targets.isnan().sum()) == 10
    assert "10 target values left out" in samples.log[0] and len(samples) == 6 * 91 - 1
    assert not samples.inputs.statics.values.isnan().any()


def test_a_mask_in_time_covers_the_period_of_the_samples():
    data = gauges()
    mask = Between(Source(data.isel(time=slice(0, 50)).rename(discharge="flow"), ("flow",)), low=0.0)
    with pytest.raises(SampleError, match="its times are 2001-01-01"):
        made(mask)


def test_masks_without_sense_are_refused():
    words = (
        "expected -90 <= south <= north <= 90, and west and east from -180 to 180; the whole globe is west=-180, east"
    )
    for edges in [(10, -10, 0, 1), (-91, 0, 0, 1), (0, 1, 0, 360), (0, 1, float("nan"), 1)]:
        with pytest.raises(SampleError, match=words):
            Box(*edges)
    with pytest.raises(SampleError, match="a mask needs a source of one variable and no patch"):
        made(Between(Source(gauges())))
    with pytest.raises(SampleError, match="classes have no mean"):
        made(OneOf(Source(weather(), ("elevation",), match="area mean", radius=1e4), (1,)))
    with pytest.raises(SampleError, match="soil_temperature has further dims; select one layer first"):
        made(Between(Source(weather(), ("soil_temperature",), match="containing")))
    with pytest.raises(SampleError, match="no place is left; .* 6 of 6 places left out"):
        made(Box(-10, 10, 0, 1))
    data = weather(steps=10)
    with pytest.raises(SampleError, match="hides values of targets at points, not of images"):
        image = Source(data, ("rain",), match="containing", patch=(1, 1))
        make_samples([image], [image], Window(2), masks=[Between(Source(data, ("rain",)))])
