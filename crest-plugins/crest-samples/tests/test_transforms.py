"""Transforms invert, let gradients pass, and know nothing of what they were not fitted on."""

import json

import numpy as np
import pytest
import torch
from crest_samples import (
    Chain,
    Linear,
    Log,
    Places,
    Quantile,
    SampleError,
    Scaling,
    Source,
    TimeAxis,
    Window,
    between,
    fit,
    make_samples,
    transform_from,
)
from crest_samples.example import example_gauges as gauges
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from crest_core import TensorMap

values = numbers.arrays(np.float64, st.integers(1, 30), elements=st.floats(0.0, 1e4))
linear = st.builds(
    Linear, st.sampled_from(["standardise", "robust", "minmax"]), st.floats(-100, 100), st.floats(0.1, 100)
)
rising = st.lists(st.floats(0.01, 10), min_size=2, max_size=8).map(lambda steps: tuple(np.cumsum(steps).tolist()))
quantile = st.tuples(rising, rising).map(
    lambda pair: Quantile(pair[0][: min(map(len, pair))], pair[1][: min(map(len, pair))])
)
log = st.builds(Log, st.floats(1e-3, 10))
chain = st.tuples(log, linear, quantile).map(Chain)
transforms = st.one_of(linear, quantile, log, chain)


@settings(deadline=None)
@given(transforms, values)
def test_the_inverse_of_the_transform_is_what_was_there(transform, array):
    tensor = torch.from_numpy(array)
    assert torch.allclose(transform.inverse(transform(tensor)), tensor, rtol=1e-9, atol=1e-6)


@settings(deadline=None)
@given(transforms, values)
def test_a_transform_keeps_order_and_nan(transform, array):
    tensor = torch.sort(torch.from_numpy(array)).values
    there = transform(tensor)
    assert bool((there[1:] >= there[:-1]).all())
    tensor[0] = torch.nan
    assert transform(tensor).isnan().tolist() == [True] + [False] * (len(tensor) - 1)


@settings(deadline=None)
@given(transforms)
def test_json_keeps_a_transform_bit_for_bit(transform):
    assert transform_from(json.loads(json.dumps(transform.as_dict()))) == transform


@settings(deadline=None)
@given(st.lists(linear, min_size=1, max_size=3).map(lambda steps: Chain(tuple(steps))), values)
def test_centre_and_width_of_a_chain_are_those_of_all_its_steps(transform, array):
    centre, width = transform.linear()
    tensor = torch.from_numpy(array)
    assert torch.allclose((tensor - centre) / width, transform(tensor), rtol=1e-9, atol=1e-6 * (1 + 1e4 / width))


@pytest.mark.parametrize(
    "transform",
    [
        Linear("robust", 2.0, 3.0),
        Log(0.1),
        Quantile((0.0, 1.0, 4.0), (-1.0, 0.2, 1.0)),
        Chain((Log(1.0), Linear("minmax", 0, 2))),
    ],
)
def test_gradients_pass_both_ways_as_by_finite_differences(transform):
    tensor = torch.tensor([0.3, 0.7, 2.0, 9.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(transform, tensor)
    assert torch.autograd.gradcheck(transform.inverse, transform(tensor).detach().requires_grad_())


def training(ids=("g0", "g1", "g2"), end="2001-02-01"):
    data = gauges()
    return data, between(Places.of(data), TimeAxis(data["time"].values), "training", "2001-01-01", end, ids)


def test_statistics_are_those_of_the_training_part():
    data, part = training()
    held = part.select(data)["discharge"].values
    recipes = {"discharge": ("standardise",), "slope": ("robust",)}
    scaling = fit(recipes, part.select(data)[["discharge", "slope"]], part)
    assert scaling["discharge"].linear() == pytest.approx((held.mean(), held.std()))
    slope = data["slope"].values[:3]
    assert scaling["slope"].linear() == pytest.approx(
        (np.median(slope), np.subtract(*np.quantile(slope, [0.75, 0.25])))
    )
    feature = scaling.features["discharge"]
    assert (feature.units, feature.part, feature.places, feature.values) == ("mm day-1", "training", 3, 93)
    assert feature.period == ("2001-01-01T00:00:00", "2001-01-31T00:00:00")


def test_data_outside_of_the_training_part_are_refused():
    data, part = training()
    with pytest.raises(SampleError, match="fit: 3 of 6 places are outside of it, as 'g3'; select them first"):
        fit({"discharge": ("standardise",)}, data, part)
    with pytest.raises(SampleError, match="fit: 69 of 100 times are outside of it, as 2001-02-01"):
        fit({"discharge": ("standardise",)}, data.isel(cell=[0, 1, 2]), part)


def test_what_lies_outside_of_training_cannot_change_a_transform():
    """A leak would show: the test part is replaced by something else altogether."""
    data, part = training()
    other = data.copy(deep=True)
    inside = part.has_time[:, None] & part.has_place[None, :]
    other["discharge"] = other["discharge"].where(inside, 1e9)
    recipes = {"discharge": (Log(1.0), "standardise")}
    assert fit(recipes, part.select(data), part) == fit(recipes, part.select(other), part)
    inside[3, 1] = False
    changed = data.assign(discharge=data["discharge"].where(inside | ~part.has_time[:, None], 7.0))
    assert fit(recipes, part.select(changed), part) != fit(recipes, part.select(data), part)


def test_quantiles_of_training_become_even_or_normal_and_dry_days_share_a_score():
    data, part = training(ids=None, end="2001-04-11")
    rain = np.maximum(np.random.default_rng(1).gamma(0.5, 4.0, (100, 6)) - 1.0, 0.0)
    data["discharge"][:] = rain
    for step, mean, spread in (("quantile", 0.0, 1.0), ("quantile-uniform", 0.5, 12**-0.5)):
        transform = fit({"discharge": (step,)}, data, part)["discharge"]
        there = transform(torch.from_numpy(rain))
        assert float(there.mean()) == pytest.approx(mean, abs=0.1)
        assert float(there.std()) == pytest.approx(spread, rel=0.2)
        assert len(there[torch.from_numpy(rain) == 0].unique()) == 1
        assert float(transform(torch.tensor(1e3))) > float(there.max())


def test_a_scaling_is_saved_as_json_and_scales_a_tensor_map():
    data, part = training()
    scaling = fit({"discharge": ("minmax", "standardise"), "slope": ("minmax",)}, part.select(data), part)
    again = Scaling.from_json(scaling.to_json())
    assert again == scaling and json.loads(scaling.to_json())["features"]["slope"]["units"] == "%"
    packed, _ = TensorMap("x", ("slope",), "... -> ... field", scaling.standardize()).pack(
        {"slope": torch.tensor([4.0])}
    )
    assert packed[0, 0] == pytest.approx(float(scaling["slope"](torch.tensor(4.0))))


def test_a_scaling_with_a_log_has_no_tensor_map():
    data, part = training()
    scaling = fit({"discharge": (Log(0.5), "standardise")}, part.select(data), part)
    with pytest.raises(SampleError, match=r"\['discharge'\] are not \(value - mean\) / std"):
        scaling.standardize()


def test_samples_are_transformed_when_they_are_made():
    data, part = training()
    scaling = fit({"discharge": ("standardise",), "slope": ("minmax",)}, part.select(data), part)
    sources = [Source(data, ("slope",))], [Source(data, ("discharge",))]
    plain, scaled = make_samples(*sources, Window(5))[7], make_samples(*sources, Window(5), transforms=scaling)[7]
    assert torch.allclose(
        scaling["discharge"].inverse(scaled.targets["discharge"]), plain.targets["discharge"], rtol=1e-4
    )
    assert torch.allclose(scaling["slope"](plain.inputs["slope"]), scaled.inputs["slope"])


def test_what_is_transformed_has_no_units():
    data, part = training()
    scaling = fit({"discharge": ("standardise",)}, part.select(data), part)
    samples = make_samples([Source(data, ("slope",))], [Source(data, ("discharge",))], Window(5), transforms=scaling)
    assert samples.inputs.units == {"slope": "%"} and samples.targets.units == {"discharge": "1"}


@pytest.mark.parametrize(
    ("units", "told"), [("m day-1", "'m day-1'"), ("mm h-1", "'mm h-1'"), ("kg m-2 day-1", "'kg m-2 day-1'"),
                        ("K", "'K'"), ("water", "'water'"), ("", "'no units'")]
)  # fmt: skip
def test_a_scaling_is_for_the_units_that_it_was_fitted_in(units, told):
    """Units that could be converted are refused too: nothing is converted unsaid."""
    data, part = training()
    scaling = fit({"discharge": ("standardise",)}, part.select(data), part)
    other = data.assign(discharge=data["discharge"].assign_attrs(units=units))
    words = (
        rf"source 'discharge' \[discharge\]: the scaling was fitted in 'mm day-1', the data are in {told}; convert the "
        "data to 'mm day-1', or fit again; nothing is converted here"
    )
    for inputs, targets in (("slope", "discharge"), ("discharge", "slope")):
        with pytest.raises(SampleError, match=words):
            make_samples(
                [Source(other, (inputs,))], [Source(other, (targets,))], Window(5), transforms=scaling
            )  # on either side


@pytest.mark.parametrize("units", ["mm day-1", "mm/day", "mm d-1"])
def test_units_may_be_spelt_in_another_way(units):
    data, part = training()
    scaling = fit({"discharge": ("standardise",)}, part.select(data), part)
    other = data.assign(discharge=data["discharge"].assign_attrs(units=units))
    sources = [Source(other, ("slope",))], [Source(other, ("discharge",))]
    assert len(make_samples(*sources, Window(5), transforms=scaling)) == 6 * 96


def test_a_log_names_the_value_that_has_none():
    with pytest.raises(SampleError, match=r"log\(value \+ 0.5\) does not exist for the value -3; mask what is"):
        Log(0.5)(torch.tensor([1.0, -3.0]))
    with pytest.raises(SampleError, match="eps 0.0, expected a number above 0"):
        Log(0.0)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (("whiten",), "fit discharge: step 'whiten' is unknown; expected one of standardise, robust"),
        ((), "chain: no transform is in it"),
    ],
)
def test_a_recipe_without_sense_is_refused(recipe, words):
    data, part = training()
    with pytest.raises(SampleError, match=words):
        fit({"discharge": recipe}, part.select(data), part)


def test_features_that_cannot_be_scaled_are_refused():
    data, part = training()
    with pytest.raises(SampleError, match=r"the data lack \['snow'\]; they hold discharge, slope"):
        fit({"snow": ("minmax",)}, part.select(data), part)
    flat = part.select(data.assign(discharge=data["discharge"] * 0 + 1))
    flat["discharge"].attrs["units"] = "mm day-1"
    with pytest.raises(SampleError, match="standardise: centre 1.0 and width 0.0.*does not vary is left out"):
        fit({"discharge": ("standardise",)}, flat, part)
    with pytest.raises(SampleError, match="a feature that does not vary has no quantiles"):
        fit({"discharge": ("quantile",)}, flat, part)
    del flat["discharge"].attrs["units"]
    with pytest.raises(SampleError, match=r"fit discharge: attrs\['units'\] is missing"):
        fit({"discharge": ("standardise",)}, flat, part)
    with pytest.raises(SampleError, match="fit slope: 0 values, expected one or more, all finite"):
        fit(
            {"slope": ("minmax",)},
            part.select(data.assign(slope=data["slope"].where(False).assign_attrs(units="%"))),
            part,
        )
    with pytest.raises(SampleError, match="scores 'even', expected 'normal' or 'uniform'"):
        Quantile.fit(np.arange(3.0), scores="even")


def flow(values):
    """A data set whose discharge cycles through some values, and the part that holds all of it."""
    data = gauges()
    cycled = np.resize(np.asarray(values), data["discharge"].shape)
    whole = between(Places.of(data), TimeAxis(data["time"].values), "all", "2001-01-01", "2001-04-11")
    return data.assign(discharge=(("time", "cell"), cycled, {"units": "mm day-1"})), whole


@pytest.mark.parametrize(
    "recipe", [("standardise",), ("robust",), ("minmax",), ("quantile",), (Log(0.9), "standardise")]
)
@pytest.mark.parametrize(
    "values",
    [
        np.array([0.1], dtype=np.float32),  # whose mean in float64 is not 0.1, so that its spread is not 0
        [0.3, 0.1 + 0.2, np.nextafter(0.3, 0.0)],
        np.float32(101325.0) + np.float32(0.0078125) * np.arange(2, dtype=np.float32),  # neighbours in float32
        [-1e-30, -1e-30 * (1 + 1e-9), -1e-30 * (1 - 1e-9)],
    ],
)
def test_a_feature_that_is_constant_up_to_rounding_is_refused(recipe, values):
    words = "fit discharge: .*(no more than the rounding of float32 there, .*|width 0.0, .*|knots.*)does not vary"
    with pytest.raises(SampleError, match=words):
        fit({"discharge": recipe}, *flow(values))


def test_the_message_of_a_constant_tells_how_much_it_varies():
    words = (
        r"fit discharge: minmax: the values vary by 4e-10 about 0.2, no more than the rounding of float32 there, "
        r"2.38e-08; a feature that does not vary is left out, or not scaled"
    )
    with pytest.raises(SampleError, match=words):
        fit({"discharge": ("minmax",)}, *flow([0.2 - 2e-10, 0.2, 0.2 + 2e-10, 0.2]))


@pytest.mark.parametrize("step", ["standardise", "robust", "minmax"])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_feature_that_varies_is_fitted_at_any_magnitude(step, scale):
    """Also beside an outlier that is large, and where most values are 0."""
    for values in ([1.0, 1.001, 1.002, 1.003], [1.0, 2.0, 3.0, 4.0, 5.0, 1e9], [0.0, 0.0, 1e-3, 1.0]):
        fitted = fit({"discharge": (step,)}, *flow(np.array(values) * scale))
        assert fitted["discharge"].linear()[1] > 0.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "format 'list', expected 'crest-samples scaling 1'"),
        ("{", "is not what Scaling.to_json writes"),
        ('{"format": "crest-samples scaling 1"}', "is not what Scaling.to_json writes: KeyError"),
    ],
)
def test_other_texts_are_no_scaling(text, words):
    with pytest.raises(SampleError, match=words):
        Scaling.from_json(text)


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"kind": "os.system"}, "transform 'os.system' is unknown; expected standardise, robust, minmax, log"),
        ({"kind": "log"}, r"transform 'log': KeyError\('eps'\)"),
    ],
)
def test_other_values_are_no_transform(plain, words):
    with pytest.raises(SampleError, match=words):
        transform_from(plain)
