"""Windows of many sources hold what their places and times hold, and nothing is left out unsaid."""

import logging

import numpy as np
import pytest
import shapely
import torch
import xarray as xr
from crest_samples import (
    Places,
    SampleError,
    Samples,
    Shuffled,
    Source,
    TorchOrder,
    Window,
    as_it_is,
    make_samples,
    mse,
    total_loss,
)
from crest_samples.example import example_gauges as gauges
from crest_samples.example import example_weather as weather

from crest_core import FieldSpec, Sizes, Standardize
from crest_core.plugins import registry

TEN_DAYS = Window(10)


def at_gauges(window=TEN_DAYS, **options):
    grid, data = weather(), gauges()
    return make_samples(
        [Source(grid, ("rain", "soil_temperature"), match="nearest", radius=20e3), Source(data, ("slope",))],
        [Source(data, ("discharge",))],
        window,
        **options,
    )


@pytest.mark.parametrize(
    ("window", "scored"),
    [(Window(10), 10), (Window(10, targets="last"), 1), (Window(10, targets=3), 3), (Window(7, spin_up=3), 7)],
)
def test_a_batch_holds_the_values_of_its_places_and_times(window, scored):
    samples, grid, data = at_gauges(window), weather(), gauges()
    assert len(samples) == 6 * 91
    batch = samples[torch.tensor([5, 400, 17])]
    assert batch.inputs["rain"].shape == (10, 3) and batch.inputs["soil_temperature"].shape == (10, 3, 2)
    assert batch.inputs["slope"].shape == (3,) and batch.targets["discharge"].shape == (scored, 3)
    for number, (place, start) in enumerate(zip(batch.place.tolist(), batch.start.tolist(), strict=True)):
        y = int(np.abs(grid["lat"].values - float(data["lat"][place])).argmin())
        x = int(np.abs(grid["lon"].values - float(data["lon"][place])).argmin())
        expected = grid.isel(time=slice(start, start + 10), y=y, x=x)
        np.testing.assert_allclose(batch.inputs["rain"][:, number], expected["rain"], rtol=1e-6)
        np.testing.assert_allclose(batch.inputs["soil_temperature"][:, number], expected["soil_temperature"], rtol=1e-6)
        assert batch.inputs["slope"][number] == pytest.approx(float(data["slope"][place]))
        times = 1000.0 * place + np.arange(start + 10 - scored, start + 10)
        assert batch.targets["discharge"][:, number].tolist() == times.tolist()
        dates = xr.CFTimeIndex(batch.times[:, number]).to_datetimeindex(time_unit="ns")
        assert (dates == data["time"].values[start : start + 10]).all()


def test_grids_that_do_not_fit_are_joined_in_three_ways_at_once():
    """Each source keeps its grid; of elevation 100 row + column the answers are known."""
    fine = weather()
    coarse = fine.isel(y=slice(1, None, 4), x=slice(2, None, 4)).rename(rain="coarse_rain")
    data = gauges().assign_coords(lat=("cell", [46.2] * 6), lon=("cell", [6.2, 6.3, 6.4, 7.2, 7.3, 7.4]))
    outlines = [shapely.box(west, 46.0, west + 1.0, 47.0) for west in (6.0, 6.0, 6.0, 7.0, 7.0, 7.0)]
    mean = fine[["elevation"]].rename(elevation="mean_elevation")
    samples = make_samples(
        [
            Source(fine, ("rain",), match="containing"),
            Source(coarse, ("coarse_rain",), match="nearest", radius=80e3),
            Source(mean, match="area mean"),
        ],
        [Source(data, ("discharge",))],
        Window(3),
        places=Places.of(data, areas=outlines),
    )
    batch = samples[[0, 98, 2 * 98, 5 * 98]]
    assert batch.inputs["rain"][0].tolist() == [404.0, 405.0, 405.0, 409.0]  # row of 46.125, columns of 6.125, ...
    assert batch.inputs["coarse_rain"][0].tolist() == [506.0, 506.0, 506.0, 510.0]  # row of 46.375, 6.625, 7.625
    sines = np.sin(np.radians(46.0 + 0.25 * np.arange(5)))
    row = np.diff(sines) @ np.arange(4, 8) / (sines[-1] - sines[0])
    assert batch.inputs["mean_elevation"].tolist() == pytest.approx([100 * row + c for c in (5.5, 5.5, 5.5, 9.5)])


def test_a_batch_of_one_step_and_a_patch_is_an_image():
    grid = weather(steps=3)
    samples = make_samples(
        [Source(grid, ("rain",), match="containing", patch=(3, 3))],
        [Source(grid, ("soil_temperature",))],
        Window(1),
        unmatched="drop",
    )
    batch = samples[[0, 2]]
    assert batch.inputs["rain"].shape == (1, 2, 3, 3) and batch.targets["soil_temperature"].shape == (1, 2, 2)
    assert batch.inputs["rain"][0, 0].tolist() == grid["rain"][0, :3, :3].values.tolist()


def test_targets_of_two_sources_keep_their_own_gaps():
    data, snow = gauges(), gauges().rename(discharge="swe")
    data["discharge"][:50] = np.nan
    snow["swe"][45:] = np.nan
    targets = [Source(data, ("discharge",)), Source(snow, ("swe",))]
    samples = make_samples([Source(data, ("slope",))], targets, Window(10))
    assert len(samples) == 6 * 91 and samples.log[-1].startswith("targets: 0 of 546 windows hold none")
    batch = samples[[0, 44, 90]]  # snow alone, one day of snow and then discharge, discharge alone
    gaps = {name: values.isnan().sum(0).tolist() for name, values in batch.targets.items()}
    assert gaps == {"discharge": [10, 6, 0], "swe": [0, 9, 10]}
    predictions = {name: torch.zeros(10, 3, requires_grad=True) for name in gaps}
    total_loss(predictions, batch.targets, {"discharge": mse, "swe": mse}).backward()
    for name, values in predictions.items():
        assert torch.equal(values.grad == 0, batch.targets[name].isnan() | (batch.targets[name] == 0))


def test_images_and_series_of_images_are_pieces_of_the_grid():
    grid, data = weather(), gauges()
    sources = [Source(grid, ("rain", "soil_temperature", "elevation"), match="nearest", radius=20e3, patch=(3, 4))]
    samples = make_samples(
        sources,
        [Source(grid, ("rain",), match="containing", patch=(1, 1))],
        Window(5, targets="last"),
        places=Places.of(data),
        unmatched="drop",
    )
    batch = samples[[3, len(samples) - 1]]
    assert batch.inputs["rain"].shape == (5, 2, 3, 4) and batch.inputs["soil_temperature"].shape == (5, 2, 2, 3, 4)
    assert batch.inputs["elevation"].shape == (2, 3, 4) and batch.targets["rain"].shape == (1, 2, 1, 1)
    for number, start in enumerate(batch.start.tolist()):
        middle = batch.targets["rain"][0, number, 0, 0]
        image = batch.inputs["rain"][:, number]
        assert torch.isclose(image[-1, 1, 1], middle)  # the cell of the place lies in the middle, or just before
        steps = image[1:] - image[:-1]
        assert torch.allclose(steps, torch.full_like(steps, 0.001), atol=3e-4)
        assert torch.allclose(image[:, :, 1:] - image[:, :, :-1], torch.ones(5, 3, 3), atol=3e-4)
        assert torch.allclose(image[:, 1:] - image[:, :-1], torch.full((5, 2, 4), 100.0), atol=3e-4)
        assert torch.allclose(batch.inputs["soil_temperature"][:, number, 1], image + 1e4, rtol=1e-5)
        assert image[0, 0, 0] % 1.0 == pytest.approx(start / 1000.0, abs=2e-4)


def test_a_hole_in_an_image_takes_out_the_windows_that_see_it():
    grid = weather(steps=20)
    grid["rain"][10, 8, 8] = np.nan
    places = Places.of(grid)
    inside = places.take([y * 20 + x for y in range(2, 14) for x in range(2, 18)])
    samples = make_samples(
        [Source(grid, ("rain",), match="containing", patch=(3, 3))],
        [Source(grid, ("elevation", "soil_temperature"), match="containing")],
        Window(4),
        places=inside,
    )
    lost = 12 * 16 * 17 - len(samples)
    assert lost == 9 * 4  # 9 places whose patch holds the cell, 4 starts whose window holds the time


def test_places_without_a_match_are_an_error_or_dropped_with_a_count(caplog):
    data = gauges()
    data["lon"][2] = -30.0
    sources = [Source(weather(), ("rain",), match="nearest", radius=20e3)], [Source(data, ("discharge",))]
    with pytest.raises(
        SampleError, match=r"1 of 6 places have no match \(nearest within 20000 m\), as g2; widen the match"
    ):
        make_samples(*sources, Window(10))
    with caplog.at_level(logging.INFO, logger="crest_samples"):
        samples = make_samples(*sources, Window(10), unmatched="drop")
    assert samples.places.ids.tolist() == ["g0", "g1", "g3", "g4", "g5"]
    line = samples.log[0]
    assert "1 of 6 places have no match" in line and "dropped" in line and line in caplog.text
    assert samples[5 * 91 - 1].targets["discharge"][-1, 0] == 5099.0


def test_a_patch_that_does_not_fit_into_the_grid_is_no_match():
    grid = weather()
    sources = (
        [Source(grid, ("rain",), match="containing", patch=(3, 3))],
        [Source(grid, ("elevation", "rain"), match="id")],
    )
    samples = make_samples(*sources, Window(2), unmatched="drop")
    assert len(samples.places) == 14 * 18 and "68 of 320 places have no match" in samples.log[0]


def test_windows_with_too_few_values_are_left_out_with_a_count():
    data = gauges(count=1, steps=30)
    data["rain"] = data["discharge"] * 0 + 1.0
    data["rain"][10:12] = np.nan
    data["discharge"][20:] = np.nan
    source, target = Source(data, ("rain",)), Source(data, ("discharge",))

    def starts(**shares):
        return make_samples([source], [target], Window(5), **shares).index[:, 1].tolist()

    assert starts() == [*range(0, 6), *range(12, 20)]
    assert starts(valid_inputs=0.8) == [*range(0, 7), *range(11, 20)]
    assert starts(valid_targets=1.0) == [*range(0, 6), *range(12, 16)]
    assert starts(valid_inputs=0.0, valid_targets=0.6) == list(range(0, 18))
    assert starts(every=4) == [0, 4, 12, 16]
    samples = make_samples([source], [target], Window(5))
    assert samples.log[-2:] == (
        "inputs: 6 of 26 windows hold less than the share 1 of values",
        "targets: 6 of 26 windows hold none, or less than the share 0",
    )
    data["discharge"][:] = np.nan
    with pytest.raises(SampleError, match="no window of 5 steps is left; .*targets: 26 of 26 windows hold none"):
        make_samples([source], [Source(data, ("discharge",))], Window(5))


def test_an_optional_source_is_handed_out_with_nan_or_with_a_flag():
    data, snow = gauges(), gauges().rename(discharge="swe").isel(cell=[0, 1])
    snow["swe"][5] = np.nan
    for flag in (False, True):
        sources = [Source(data, ("slope",)), Source(snow, ("swe",), optional=True, flag=flag)]
        samples = make_samples(sources, [Source(data, ("discharge",))], Window(10))
        assert len(samples) == 6 * 91
        batch = samples[[0, 91 * 3]]
        missing = torch.tensor([[i == 5, True] for i in range(10)])
        if flag:
            assert torch.equal(batch.inputs["swe_valid"] == 0, missing)
            assert not batch.inputs["swe"].isnan().any() and (batch.inputs["swe"][missing] == 0).all()
        else:
            assert torch.equal(batch.inputs["swe"].isnan(), missing) and "swe_valid" not in batch.inputs


def test_views_of_windows_share_the_memory_of_the_series():
    samples = at_gauges()
    views = samples.views()
    assert views["rain"].shape == (6, 91, 10) and views["soil_temperature"].shape == (6, 91, 10, 2)
    held = samples.inputs.series.values
    assert all(view.untyped_storage().data_ptr() == held.untyped_storage().data_ptr() for view in views.values())
    assert torch.equal(views["rain"][2, 7], samples[91 * 2 + 7].inputs["rain"][:, 0])
    before = float(views["rain"][1, 3, 4])
    held[1, 7] += 1.0
    assert views["rain"][1, 3, 4] == before + 1.0 and views["rain"][1, 7, 0] == before + 1.0


@pytest.mark.parametrize("patch", [None, (3, 3)])
@pytest.mark.parametrize("value, dtype", [(np.inf, torch.float32), (1e300, torch.float32), (-1e6, torch.float16)])
def test_values_that_are_infinite_in_a_batch_are_refused(value, dtype, patch):
    data = weather(steps=10)
    rain = data["rain"].astype(np.float64).copy()
    rain[3, 2, 4] = value
    data = data.assign(rain=rain.assign_attrs(units="mm day-1"))
    source = Source(data, ("rain",), match="nearest", radius=1e3, patch=patch)
    with pytest.raises(SampleError, match=r"\[rain\]: 1 values are infinite, or too large for float.*; put nan where"):
        make_samples([source], [Source(data, ("soil_temperature",))], Window(2), unmatched="drop", dtype=dtype)


def test_a_torch_data_loader_takes_samples():
    samples = at_gauges()
    order = TorchOrder(Shuffled(len(samples)), len(samples), torch.Generator().manual_seed(3))
    batches = list(torch.utils.data.DataLoader(samples, batch_size=64, sampler=order, collate_fn=as_it_is))
    pairs = {(p, s) for batch in batches for p, s in zip(batch.place.tolist(), batch.start.tolist(), strict=True)}
    assert len(pairs) == len(samples) and len(batches[0]) == 64 and len(order) == len(samples)
    assert isinstance(samples, Samples)


def test_a_component_takes_a_batch_and_its_loss_has_gradients():
    samples = at_gauges(Window(6, spin_up=4))
    rain, discharge = FieldSpec(name="rain", units="mm day-1"), FieldSpec(name="discharge", units="mm day-1")
    scale = Standardize({"rain": 500.0, "discharge": 2500.0}, {"rain": 500.0, "discharge": 1000.0})
    component = registry().load("backends", "torch-lstm")(
        inputs=(rain,), outputs=(discharge,), hidden=4, timestep="1D", scale=scale
    )
    batch = samples[[1, 2, 200]].on_cells()
    state = component.initial_state(Sizes({"cell": 1}, lead=(3,)))
    scored = batch.scored(component(state, {"rain": batch.inputs["rain"]}, batch.times)[0])
    assert scored["discharge"].shape == batch.targets["discharge"].shape == (6, 3, 1)
    mse(scored["discharge"], batch.targets["discharge"]).backward()
    assert all(parameter.grad is not None for parameter in component.parameters())


def test_outputs_that_do_not_fit_the_targets_are_refused():
    batch = at_gauges()[0]
    with pytest.raises(SampleError, match=r"the outputs \['q'\] lack the targets \['discharge'\]"):
        batch.scored({"q": torch.zeros(10, 1)})
    with pytest.raises(SampleError, match="has 1 steps, expected the 10 steps of the inputs"):
        batch.scored({"discharge": torch.zeros(1, 1)})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, "every 0"),
        ({"every": 1.5}, "every 1.5, .* expected a whole number of 1 or more"),
        ({"valid_inputs": 2.0}, "valid_inputs 2.0"),
        ({"unmatched": "ignore"}, "unmatched 'ignore', expected 'error' or 'drop'"),
        ({"transforms": {"snow": None}}, r"transforms of \['snow'\], which no source holds"),
    ],
)
def test_options_without_sense_are_refused(options, words):
    with pytest.raises(SampleError, match=words):
        at_gauges(**options)


def test_sources_are_given_and_hold_each_name_once():
    source = Source(gauges(), ("discharge",))
    with pytest.raises(SampleError, match="0 inputs and 1 targets; give one source or more of each"):
        make_samples([], [source], Window(5))
    with pytest.raises(SampleError, match=r"\['discharge'\] stand in two sources of one side"):
        make_samples([source, source], [source], Window(5))
    with pytest.raises(SampleError, match="samples: 0 places are given; give one or more"):
        make_samples([source], [source], Window(5), places=Places.of(gauges()).take([]))
    with pytest.raises(
        SampleError, match="samples: a batch of 0 samples was asked for; give the number of one or more"
    ):
        at_gauges()[[]]
    static = Source(gauges(), ("slope",))
    with pytest.raises(SampleError, match="no source has a time axis"):
        make_samples([static], [static], Window(5))
