"""Components whose gradients are wrong on dry days or where a store is empty, and nowhere else."""

from re import findall

import pytest
import torch

from crest_core import FieldSpec
from crest_core.testing import LinearReservoir, TorchBucket, check_component


class Rained(TorchBucket):
    """A bucket whose rain is changed by `changed`."""

    def changed(self, rain):
        return rain

    def step(self, state, inputs, time):
        return super().step(state, inputs | {"precipitation": self.changed(inputs["precipitation"])}, time)


class SharesTies(Rained):
    """Half of the gradient on a day without rain, as jnp.clip gives it."""

    def changed(self, rain):
        return torch.maximum(rain, torch.zeros_like(rain))


class NoGradientOnDryDays(Rained):
    """Takes rain off the tape where there is none."""

    def changed(self, rain):
        return torch.where(rain > 0.0, rain, rain.detach())


class RefusesNegativeRain(NoGradientOnDryDays):
    """The same, and cannot be asked what would be below zero."""

    def changed(self, rain):
        if bool((rain < 0.0).any()):
            raise ValueError("rain below zero")
        return super().changed(rain)


class EmptiesInHalves(LinearReservoir):
    """A store whose gradient is halved where it is empty."""

    outputs = (FieldSpec(name="streamflow", units="mm day-1", standard_name="subsurface_runoff_flux"),)
    states = (FieldSpec(name="stored", units="mm", cell_methods="time: point", bounds=(0.0, 1e5)),)

    def step(self, state, inputs, time):
        stored = torch.maximum(state["stored"], torch.zeros_like(state["stored"]))
        return super().step({"stored": stored}, inputs, time)


class Drains(EmptiesInHalves):
    """Outflow by a power of the store, with whole gradients."""

    def step(self, state, inputs, time):
        outflow = 0.01 * state["stored"].clamp(min=0.0) ** 1.5
        return {"streamflow": outflow}, {"stored": state["stored"] + inputs["runoff"] - outflow}


@pytest.mark.parametrize("component", [NoGradientOnDryDays, RefusesNegativeRain], ids=lambda kind: kind.__name__)
def test_a_gradient_that_neither_side_explains_fails(component, broken_rules):
    assert broken_rules(component) == ({"gradients.dry"}, set())


@pytest.mark.parametrize("component", [SharesTies, EmptiesInHalves], ids=lambda kind: kind.__name__)
def test_a_gradient_between_those_of_two_sides_is_a_warning(component, broken_rules):
    assert broken_rules(component) == (set(), {"gradients.dry"})


def test_half_of_a_gradient_at_zero_is_told_with_the_slopes_of_both_sides():
    (result,) = [one for one in check_component(SharesTies, stages=["gradients"]).results if one.outcome == "warn"]
    backward, up, below = map(float, findall(r"(?:gives|up|,) (-?[\d.e-]+)", result.text)[:3])
    assert "runoff by inputs precipitation" in result.text
    assert (backward, below) == (pytest.approx(0.5 * up, rel=1e-3), 0.0) and up > 0.0


def test_an_empty_store_with_a_smooth_outflow_has_no_edge(broken_rules):
    assert broken_rules(Drains) == (set(), set())
