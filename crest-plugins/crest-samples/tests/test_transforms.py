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


SCALED = (
    '{"format": "crest-samples scaling 1", "features": {"rain": {"transform": {"kind": "log", "eps": 1}, "units": "1", '
    '"part": "a", "period": ["a", "b"], "places": PLACES, "values": 1}}}'
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "format 'list', expected 'crest-samples scaling 1'"),
        ("{", "is not what Scaling.to_json writes"),
        ('{"format": "crest-samples scaling 1"}', "is not what Scaling.to_json writes: KeyError"),
        (SCALED.replace("PLACES", '"q"'), "is not what Scaling.to_json writes: ValueError"),
        (SCALED.replace("PLACES", "1e999"), "is not what Scaling.to_json writes: OverflowError"),
        ("[" * 100_000, "is not what Scaling.to_json writes: RecursionError"),
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
