"""HBVSnow where rain is zero and stores are empty: gradients are slopes from the inside of the domain."""

import pytest
import torch
from crest_jax import HBVSnow

WIDTH = 1e-6
STORES = {
    "no snow": (0.0, 0.0),
    "dry snow": (50.0, 0.0),
    "wet snow": (50.0, 2.0),
    "water without ice": (0.0, 2.0),
}


def one_day(snow, rain, warmth, frozen, liquid):
    """Return soil water input, swe, ice and liquid water after a day, as one vector."""
    state = {"frozen": frozen.view(1), "liquid": liquid.view(1)}
    outputs, after = snow.step(state, {"precipitation": rain.view(1), "temperature": warmth.view(1)}, 0)
    return torch.cat([outputs["soil_water_input"], outputs["swe"], after["frozen"], after["liquid"]])


@pytest.mark.parametrize("warmth", [-5.0, 10.0])
@pytest.mark.parametrize("stores", STORES.values(), ids=STORES)
def test_gradients_on_a_dry_day_are_slopes_towards_more_water(warmth, stores):
    snow = HBVSnow().double()
    place = [torch.tensor(value, dtype=torch.float64) for value in (0.0, warmth, *stores)]
    jacobian = torch.autograd.functional.jacobian(lambda *values: one_day(snow, *values), tuple(place))
    here = one_day(snow, *place)
    for number, gradient in enumerate(jacobian):
        moved = [value + WIDTH * (index == number) for index, value in enumerate(place)]
        slope = (one_day(snow, *moved) - here) / WIDTH
        torch.testing.assert_close(gradient, slope.detach(), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(("warmth", "to_soil", "to_snow"), [(10.0, 1.0, 0.0), (-5.0, 0.0, 0.9)])
def test_the_first_drop_of_rain_runs_through_and_the_first_flake_lies(warmth, to_soil, to_snow):
    snow = HBVSnow(snowfall_correction=0.9).double()
    place = [torch.tensor(value, dtype=torch.float64) for value in (0.0, warmth, 0.0, 0.0)]
    to_rain = torch.autograd.functional.jacobian(lambda *values: one_day(snow, *values), tuple(place))[0].flatten()
    assert to_rain[:2].tolist() == pytest.approx([to_soil, to_snow], abs=1e-6)
