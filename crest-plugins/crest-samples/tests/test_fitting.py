"""Statistics are those of the training part, and of what varies."""

import numpy as np
import pytest
import torch
from crest_samples import (
    Log,
    Places,
    Quantile,
    SampleError,
    TimeAxis,
    between,
    fit,
)
from crest_samples.example import example_gauges as gauges


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
