"""Folds are disjoint and complete, and keep their distance in metres and days."""

import numpy as np
import pytest
import torch
from crest_samples import (
    Places,
    SampleError,
    Source,
    TimeAxis,
    Window,
    between,
    fit,
    make_samples,
    spatial_folds,
    spatio_temporal_folds,
    temporal_folds,
    whole,
)
from crest_samples.example import days
from crest_samples.example import example_gauges as gauges
from crest_samples.example import example_weather as weather
from crest_samples.great_circle import distance
from hypothesis import given, settings
from hypothesis import strategies as st

AXIS = TimeAxis(days(400))


def generator(seed):
    return torch.Generator().manual_seed(seed)


def scattered(count, seed):
    random = np.random.default_rng(seed)
    lat, lon = np.degrees(np.arcsin(random.uniform(-1, 1, count))), random.uniform(-180, 180, count)
    return Places(lat, lon, np.arange(count).astype(str))


def metres(places, a, b):
    a, b = np.flatnonzero(a), np.flatnonzero(b)
    return distance(places.lat[a][:, None], places.lon[a][:, None], places.lat[b], places.lon[b])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 5), st.floats(3e5, 3e6), st.floats(0, 1.5e6))
def test_spatial_folds_are_disjoint_complete_and_keep_the_buffer(seed, count, block, buffer):
    places = scattered(120, seed)
    folds = spatial_folds(places, AXIS, count, block=block, buffer=buffer, generator=generator(seed))
    tested = np.sum([fold.test.has_place for fold in folds], axis=0)
    assert (tested == 1).all() and len(folds) == count
    for fold in folds:
        assert not (fold.train.has_place & fold.test.has_place).any()
        assert metres(places, fold.train.has_place, fold.test.has_place).min() > buffer
        left = ~fold.train.has_place & ~fold.test.has_place
        if left.any():  # nothing more than the buffer is left out
            assert metres(places, left, fold.test.has_place).min(axis=1).max() <= buffer + 1.0


def test_a_block_is_tested_as_a_whole_and_folds_are_of_about_one_size():
    places = Places.of(weather(rows=40, columns=40))
    folds = spatial_folds(places, AXIS, 4, block=1e5, buffer=0.0, generator=generator(1))
    sizes = [int(fold.test.has_place.sum()) for fold in folds]
    assert sum(sizes) == 1600 and max(sizes) - min(sizes) < 100
    tested = np.stack([fold.test.has_place.reshape(40, 40) for fold in folds])
    same = np.mean(tested[:, :, 1:] == tested[:, :, :-1])
    assert same > 0.85  # neighbours nearly always fall into one fold


def test_the_generator_decides_the_spatial_folds():
    places = scattered(60, 1)
    first, again, other = (
        spatial_folds(places, AXIS, 3, block=1e6, buffer=0.0, generator=generator(seed))[0].test.has_place
        for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 400), st.integers(2, 6), st.floats(0, 20), st.sampled_from([6, 24, 48]))
def test_temporal_folds_are_disjoint_complete_and_keep_the_buffer(count, folds, buffer, hours):
    starts = np.datetime64("2001-01-01", "ns") + np.arange(count) * np.timedelta64(hours, "h")
    axis = TimeAxis(starts)
    try:
        made = temporal_folds(scattered(3, 1), axis, folds, buffer=buffer)
    except SampleError as error:
        assert "are in it; take fewer folds, or smaller buffers" in str(error)
        return
    assert (np.sum([fold.test.has_time for fold in made], axis=0) == 1).all()
    start, end = axis.seconds / 86400, (axis.seconds + axis.step) / 86400
    for fold in made:
        a, b = np.flatnonzero(fold.train.has_time), np.flatnonzero(fold.test.has_time)
        gap = np.maximum(start[a][:, None] - end[b], start[b] - end[a][:, None])
        assert gap.min() >= buffer - 1e-9 and gap.min() >= 0
        left = np.flatnonzero(~fold.train.has_time & ~fold.test.has_time)
        if len(left):
            near = np.maximum(start[left][:, None] - end[b], start[b] - end[left][:, None]).min(axis=1)
            assert near.max() < buffer


def test_spatio_temporal_folds_share_neither_places_nor_times():
    places = scattered(80, 3)
    folds = spatio_temporal_folds(places, AXIS, (3, 4), block=1e6, buffer=5e5, buffer_days=10.0, generator=generator(1))
    tested = np.sum([np.outer(fold.test.has_place, fold.test.has_time) for fold in folds], axis=0)
    assert (tested == 1).all() and len(folds) == 12
    for fold in folds:
        assert metres(places, fold.train.has_place, fold.test.has_place).min() > 5e5
        days_apart = np.abs(np.flatnonzero(fold.train.has_time)[:, None] - np.flatnonzero(fold.test.has_time))
        assert days_apart.min() >= 11  # 10 whole days lie between


def made(window):
    data = gauges()
    return make_samples([Source(data, ("slope", "discharge"))], [Source(data.rename(discharge="q"), ("q",))], window)


@pytest.mark.parametrize("window", [Window(10), Window(5, spin_up=5), Window(10, targets="last")])
def test_whole_windows_of_training_and_test_share_no_step(window):
    samples = made(window)
    for fold in temporal_folds(samples.places, samples.axis, 3, buffer=2.0):
        steps = {}
        for part in (fold.train, fold.test):
            start = samples.part(part).index[:, 1]
            steps[part.name] = {int(first) + step for first in start for step in range(window.length)}
        train, test = steps.values()
        assert min(abs(a - b) for a in train for b in test) >= 3


def test_scored_steps_alone_may_be_asked_to_lie_in_a_part():
    samples = made(Window(10, targets="last"))
    part = between(samples.places, samples.axis, "test", "2001-02-01", "2001-02-11", ids=["g1", "g4"])
    assert len(samples.part(part)) == 2
    tested = samples.part(part, scored_only=True)
    assert len(tested) == 20 and sorted(set((tested.index[:, 1] + 9).tolist())) == list(range(31, 41))
    assert set(tested.index[:, 0].tolist()) == {1, 4} and tested.log[-1] == "part test: 20 of 546 samples are kept"


def test_a_part_finds_its_places_among_those_that_are_left():
    samples = made(Window(10))
    part = between(samples.places, samples.axis, "all time", "2001-01-01", "2002-01-01", ids=["g4", "g2"])
    data = gauges().isel(cell=[4, 0, 2])
    fewer = make_samples([Source(data, ("slope",))], [Source(data, ("discharge",))], Window(10))
    assert fewer.places.ids[np.unique(fewer.part(part).index[:, 0])].tolist() == ["g4", "g2"]
    strange = gauges().assign_coords(cell_id=("cell", [f"h{i}" for i in range(6)]))
    others = make_samples([Source(strange, ("slope",))], [Source(strange, ("discharge",))], Window(10))
    with pytest.raises(SampleError, match="6 of 6 are not among those of the split, the first 'h0'"):
        others.part(part)


def test_a_part_selects_what_it_holds_from_cells_and_grids():
    data, grid = gauges(), weather()
    places = Places.of(data)
    part = between(places, TimeAxis(data["time"].values), "a", "2001-01-05", "2001-01-08", ids=["g1", "g3"])
    chosen = part.select(data)
    assert dict(chosen.sizes) == {"time": 3, "cell": 2} and chosen["cell_id"].values.tolist() == ["g1", "g3"]
    cells = Places.of(grid)
    keep = np.isin(np.arange(len(cells)), [0, 25])
    from crest_samples import Part

    part = Part("b", cells, TimeAxis(grid["time"].values), keep, np.arange(100) < 4)
    chosen = part.select(grid)
    assert chosen["elevation"].values.tolist() == [0.0, 105.0] and chosen.sizes["time"] == 4
    part.check(chosen, "data")


def test_parts_and_folds_that_hold_nothing_are_refused():
    places = scattered(10, 1)
    with pytest.raises(SampleError, match="part winter: 10 of 10 places and 0 of 400 times are in it"):
        between(places, AXIS, "winter", "1990-01-01", "1991-01-01")
    with pytest.raises(SampleError, match=r"the places \['x'\] are unknown"):
        between(places, AXIS, "x", "2001-01-01", "2002-01-01", ids=["x"])
    with pytest.raises(SampleError, match="at least one block for each; take smaller blocks"):
        spatial_folds(places, AXIS, 3, block=5e7, buffer=0.0, generator=generator(1))
    lost = Places(np.array([0.0, np.nan]), np.zeros(2), np.array(["a", "b"]))
    with pytest.raises(SampleError, match="folds: 1 of 2 places have no lat, the first 'b' with nan; give coordinates"):
        spatial_folds(lost, AXIS, 2, block=1e5, buffer=0.0, generator=generator(1))
    with pytest.raises(SampleError, match="folds: 2 folds of 0 blocks"):
        spatial_folds(places.take([]), AXIS, 2, block=1e5, buffer=0.0, generator=generator(1))
    with pytest.raises(SampleError, match="fit: the dim time has length 0; look at what was selected before"):
        fit({"discharge": ("minmax",)}, gauges().isel(time=[]), whole(Places.of(gauges()), AXIS))
    with pytest.raises(
        SampleError, match="places: there is none to look others up in; make them of a dataset with one"
    ):
        places.take([]).numbers(places)
    with pytest.raises(SampleError, match="block 0.0 and buffer 0.0 in metres"):
        spatial_folds(places, AXIS, 3, block=0.0, buffer=0.0, generator=generator(1))
    with pytest.raises(SampleError, match="1 folds of 400 times, buffer 0.0 days"):
        temporal_folds(places, AXIS, 1, buffer=0.0)
    with pytest.raises(SampleError, match="places and 0 of 400 times are in it; take fewer folds, or smaller buffers"):
        temporal_folds(places, AXIS, 2, buffer=300.0)
    noleap = TimeAxis(gauges().convert_calendar("noleap")["time"].values)
    with pytest.raises(SampleError, match="its calendar is standard, that of the data noleap"):
        whole(places, AXIS).has_times(noleap)
    local, utc = TimeAxis(days(400), "local days"), TimeAxis(days(400), "UTC")
    with pytest.raises(SampleError, match="part all: its time_zone is 'UTC', that of the data 'local days'; split"):
        whole(places, utc).has_times(local)
    assert whole(places, AXIS).has_times(local).all()
