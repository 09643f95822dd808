"""Gaps: inputs that may be nan, where the component says that it answers without."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from crest_core import FieldSpec, Graph, simulate
from crest_core.component import StepComponent
from crest_core.errors import ForcingError
from crest_core.testing import TorchBucket, check_component, weather
from crest_core.testing.records import PASS

RAIN, EVAPORATION = TorchBucket.inputs


class Patient(TorchBucket):
    """A bucket that takes no rain where none is known."""

    inputs = (replace(RAIN, gaps=True), EVAPORATION)

    def step(self, state, inputs, time):
        rain = inputs["precipitation"]
        return super().step(state, inputs | {"precipitation": torch.where(torch.isnan(rain), 0.0, rain)}, time)


class TooLate(TorchBucket):
    """Takes the nan out of what it has reckoned with it: its answer is whole, its gradient is not."""

    inputs = Patient.inputs

    def step(self, state, inputs, time):
        rain = inputs["precipitation"] * torch.exp(inputs["precipitation"] * 0.0)
        return super().step(state, inputs | {"precipitation": torch.where(torch.isnan(rain), 0.0, rain)}, time)


class Impatient(TooLate):
    """Lets nan pass."""

    step = TorchBucket.step


def gappy(value=np.nan):
    data = weather(20, 2, seed=1)
    rain = data["precipitation"].copy(deep=True)
    rain[3:7, 1] = value
    evaporation = data["potential_evaporation"].assign_attrs(standard_name="water_evapotranspiration_flux")
    return xr.Dataset({"precipitation": rain, "evapotranspiration": evaporation})


@pytest.mark.parametrize("mark", [np.nan, -9999.0, 1e20])
def test_a_run_takes_gaps_and_declared_fill_values_where_the_component_does(mark):
    expected = simulate(Patient(), gappy(0.0))
    found = simulate(Patient(), gappy(mark))
    np.testing.assert_array_equal(found["storage"], expected["storage"])


@pytest.mark.parametrize("value", [-3.0, 900.0, np.inf])
def test_values_that_are_not_gaps_are_held_against_the_bounds(value):
    with pytest.raises(ForcingError, match=r"precipitation \[mm day-1\]: expected finite values within \[0, 500\]"):
        simulate(Patient(), gappy(value))


def test_forcing_of_two_components_has_gaps_only_if_both_take_them():
    class Gauge(StepComponent):
        inputs = (RAIN,)
        outputs = (FieldSpec(name="seen", units="mm day-1"),)

        def step(self, state, inputs, time):
            return {"seen": inputs["precipitation"]}, {}

    both = Graph({"one": Patient(), "gauge": Gauge()})
    assert {spec.name: spec.gaps for spec in both.inputs} == {"precipitation": False, "evapotranspiration": False}
    with pytest.raises(ForcingError, match=r"precipitation .* got nan at time 2001-01-04"):
        simulate(both, gappy())
    two = Graph({"one": Patient(), "two": Patient()})
    assert {spec.name: spec.gaps for spec in two.inputs} == {"precipitation": True, "evapotranspiration": False}


@pytest.mark.parametrize(
    ("component", "fault"),
    [
        (Patient, ""),
        (TooLate, "the gradient of precipitation is not finite"),
        (Impatient, "runoff is not finite"),
    ],
)
def test_the_suite_puts_nan_where_gaps_are_declared(component, fault):
    report = check_component(component(), stages=["numerics"])
    (found,) = [one for one in report.results if one.check.id == "numerics.gaps"]
    assert (found.outcome == PASS) == (not fault)
    assert fault in found.text
