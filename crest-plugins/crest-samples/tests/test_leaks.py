"""No target of a test is trained on: not by way of coarse cells, nor by images that overlap."""

import numpy as np
import pytest
import torch
import xarray as xr
from crest_samples import Places, SampleError, Source, Window, make_samples, plan_samples, spatial_folds


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
