"""No target of a test is trained on: by way of coarse cells, of images that overlap, of intervals that reach in."""

import numpy as np
import pytest
import torch
import xarray as xr
from crest_samples import (
    Places,
    SampleError,
    Source,
    Window,
    between,
    fit,
    make_samples,
    plan_samples,
    spatial_folds,
    temporal_folds,
)
from crest_samples.times import axis_of


def grid(cells, degrees, lat=45.0, lon=7.0):
    """Return 5 days on a square grid; no two values are equal."""
    values = np.arange(5.0 * cells * cells, dtype=np.float32).reshape(5, cells, cells)
    return xr.Dataset(
        {"tas": (("time", "y", "x"), values, {"units": "K"}), "sm": (("time", "y", "x"), values, {"units": "1"})},
        {
            "time": np.datetime64("2000-01-01", "ns") + np.arange(5) * np.timedelta64(1, "D"),
            "lat": ("y", np.arange(cells) * degrees + lat),
            "lon": ("x", np.arange(cells) * degrees + lon),
        },
        {"time_zone": "UTC"},
    )


def folds(places, axis, block, buffer=10e3):
    generator = torch.Generator().manual_seed(1)
    return spatial_folds(places, axis, 2, block=block, buffer=buffer, generator=generator)


def targets(samples):
    values = samples[list(range(len(samples)))].targets["sm"].flatten()
    return set(values[~torch.isnan(values)].tolist())


def over_coarse_targets():
    fine, coarse = grid(10, 0.1), grid(5, 0.2, lat=45.05, lon=7.05)
    below = Source(coarse, ("sm",), match="containing")
    return make_samples([Source(fine, ("tas",))], [below], Window(1), places=Places.of(fine))


def test_places_below_one_target_cell_are_of_one_fold():
    samples = over_coarse_targets()
    made = folds(samples.places, samples.axis, 15e3)
    assert (np.sum([fold.test.has_place for fold in made], axis=0) == 1).all()
    for fold in made:
        train, test = samples.part(fold.train), samples.part(fold.test)
        assert targets(train) and not targets(train) & targets(test)
        assert len(targets(test)) * 4 == len(test)  # all four places of each target cell


def test_folds_of_places_without_targets_leave_out_what_shares_them():
    samples = over_coarse_targets()
    fold = folds(Places.of(grid(10, 0.1)), samples.axis, 33e3, buffer=0.0)[0]
    train = samples.part(fold.train)
    assert targets(train) and not targets(train) & targets(samples.part(fold.test))
    assert any("of 100 places share target cells with tested places: left out" in line for line in train.log)
    fine, coarse = grid(10, 0.1), grid(5, 0.2, lat=45.05, lon=7.05)
    below = Source(coarse, ("sm",), match="containing")
    plan = plan_samples([Source(fine, ("tas",))], [below], Window(1), places=Places.of(fine)).part(fold.train)
    assert "share target cells" in plan.log[-2] and len(plan.places) == len(train) / 5


def images(patch):
    data = grid(12, 0.1)
    inputs, outputs = (Source(data, (name,), match="nearest", radius=1e3, patch=patch) for name in ("tas", "sm"))
    return make_samples([inputs], [outputs], Window(1), unmatched="drop")


@pytest.mark.parametrize("patch", [(3, 3), (2, 4), (1, 1)])
def test_images_of_training_and_test_share_no_pixel(patch):
    samples = images(patch)
    for fold in folds(samples.places, samples.axis, 45e3):
        train = samples.part(fold.train)
        assert targets(train) and not targets(train) & targets(samples.part(fold.test))
        left_out = [line for line in train.log if "share target cells with tested places: left out" in line]
        assert len(left_out) == (patch != (1, 1))


def test_images_that_overlap_everywhere_are_no_training_part():
    samples = images((7, 7))
    with pytest.raises(SampleError, match="0 of 36 places .* places share target cells with tested .* larger blocks"):
        folds(samples.places, samples.axis, 25e3)


def test_means_over_areas_that_share_cells_are_apart():
    data = grid(12, 0.1)
    samples = make_samples([Source(data, ("tas",))], [Source(data, ("sm",), match="area mean", radius=12e3)], Window(1))
    for fold in folds(samples.places, samples.axis, 45e3):
        shared = samples.places.footprints[0].weights
        train, test = (shared[np.flatnonzero(part.has_place)].indices for part in (fold.train, fold.test))
        assert len(train) and not set(train) & set(test)
        assert "share target cells" in fold.train.log[0]


def in_time(step, count, hours, *, bounds=False):
    """Return a dataset of one place: `count` times every `step` hours, of intervals that last `hours`."""
    starts = np.datetime64("2000-01-01", "ns") + np.arange(count) * np.timedelta64(step, "h")
    data = xr.Dataset(
        {name: (("time", "cell"), np.arange(1.0 * count)[:, None], {"units": "K"}) for name in ("tas", "sm")},
        {"time": starts, "lat": ("cell", [45.0]), "lon": ("cell", [7.0])},
    )
    if bounds:
        edges = np.stack([starts, starts + np.timedelta64(hours, "h")], axis=1)
        data = data.assign_coords(time_bnds=(("time", "bnds"), edges))
        data["time"].attrs["bounds"] = "time_bnds"
    return data


def middle_fold(data, count):
    return temporal_folds(Places.of(data), axis_of(data, "data"), count, buffer=0.0)[count // 2]


@pytest.mark.parametrize("bounds", [False, True])
def test_means_that_reach_into_the_test_are_not_trained_on(bounds):
    fold = middle_fold(in_time(24, 210, 24), 3)  # tests the days 70 to 139
    monthly = in_time(720, 7, 720, bounds=bounds)
    assert fold.train.select(monthly)["tas"].values.ravel().tolist() == [0.0, 1.0, 5.0, 6.0]
    assert fold.test.select(monthly)["tas"].values.ravel().tolist() == [3.0]
    chosen = fold.train.select(monthly)
    assert fit({"tas": ("minmax",)}, chosen, fold.train).features["tas"].values == 4
    with pytest.raises(SampleError, match="fit: 3 of 7 times are outside of it, as 2000-03-01"):
        fit({"tas": ("minmax",)}, monthly, fold.train)


def test_days_that_reach_into_tested_hours_are_in_no_part():
    fold = middle_fold(in_time(1, 480, 1), 7)  # tests the hours 206 to 273, which begin and end within days
    days = in_time(24, 20, 24)
    samples = make_samples([Source(days, ("tas",))], [Source(days, ("sm",))], Window(1))
    train, test = (samples.part(part).index[:, 1].tolist() for part in (fold.train, fold.test))
    assert train == [*range(8), *range(12, 20)] and test == [9, 10]


def test_hours_of_the_days_of_a_part_are_in_it():
    fold = middle_fold(in_time(24, 9, 24), 3)
    assert np.flatnonzero(fold.test.has_times(axis_of(in_time(1, 216, 1), "hours"))).tolist() == list(range(72, 144))


def test_bounds_tell_how_long_intervals_are():
    fold = middle_fold(in_time(24, 9, 24), 3)
    running = in_time(24, 9, 48, bounds=True)  # means of two days, every day
    assert np.flatnonzero(fold.train.has_times(axis_of(running, "means"))).tolist() == [0, 1, 6, 7]
    folds = temporal_folds(Places.of(running), axis_of(running, "means"), 3, buffer=0.0)
    assert np.flatnonzero(folds[1].train.has_time).tolist() == [0, 1, 7, 8]
    part = between(Places.of(running), axis_of(running, "means"), "first", "2000-01-01", "2000-01-04")
    assert np.flatnonzero(part.has_time).tolist() == [0, 1]


def test_bounds_that_are_no_dates_are_refused():
    data = in_time(24, 9, 24, bounds=True)
    with pytest.raises(SampleError, match="data: the bounds time_bnds are no dates as time has, but float64"):
        axis_of(data.assign_coords(time_bnds=data["time_bnds"].astype(float)), "data")
    with pytest.raises(SampleError, match=r"time have the dims {'time': 9}, expected \(time, 2\): start and end"):
        axis_of(data.assign_coords(time_bnds=data["time_bnds"][:, 0]), "data")
