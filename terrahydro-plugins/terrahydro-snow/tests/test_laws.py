"""Laws that both snow models keep: balance, bounds, thresholds, one answer for steps and sequence."""

from functools import partial

import pytest
import torch
from terrahydro_snow import DegreeDaySnow, SnowLSTM, example
from terrahydro_snow.example import bare_ground

from crest_core import Component, registry
from crest_core.testing import check_component


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def weather(steps: int, cells: int, **given) -> dict[str, torch.Tensor]:
    return example.weather(steps, cells, generator=seeded(2), **given)


MODELS = {
    "degree-day": lambda **given: DegreeDaySnow(generator=seeded(1), **given),
    "lstm": lambda **given: SnowLSTM(generator=seeded(1), **given),
}
each_model = pytest.mark.parametrize("kind", sorted(MODELS))
each_setting = pytest.mark.parametrize("bands", [1, 3, [-400.0, 0.0, 650.0]])
each_draw = pytest.mark.parametrize("seed", [1, 2, 3])


def randomised(model: Component, seed: int, spread: float = 2.0) -> Component:
    """Return the model with other weights and parameters, drawn wide."""
    generator = seeded(seed)
    with torch.no_grad():
        for value in model.parameters():
            value += spread * torch.randn(value.shape, generator=generator, dtype=value.dtype)
    return model.double()


def stored(state):
    return sum(state[name].sum(-2) for name in ("snow_ice", "snow_liquid", "snow_amount") if name in state)


@each_model
@each_setting
@each_draw
def test_the_water_balance_closes_to_1e_9_for_any_parameters(kind, bands, seed):
    model, inputs = randomised(MODELS[kind](bands=bands), seed), weather(200, 3)
    state = bare_ground(model, 3)
    with torch.no_grad():
        for day in range(200):
            outputs, after = model.step(state, {name: value[day] for name, value in inputs.items()}, day)
            gain = inputs["precipitation_flux"][day] + outputs["snowfall_correction"] - outputs["liquid_water_flux"]
            assert float((stored(after) - stored(state) - gain).abs().max()) < 1e-9
            torch.testing.assert_close(outputs["surface_snow_amount"], stored(after), rtol=0, atol=1e-9)
            state = after


@each_model
@each_draw
def test_snow_is_never_negative_and_cover_stays_within_0_and_1_for_any_parameters(kind, seed):
    model, inputs = randomised(MODELS[kind](bands=3), seed, spread=4.0), weather(365, 3)
    inputs["precipitation_flux"] = inputs["precipitation_flux"] * 20.0
    with torch.no_grad():
        outputs, _ = model(bare_ground(model, 3), inputs, range(365))
    for name in ("surface_snow_area_fraction", "band_snow_area_fraction"):
        assert float(outputs[name].min()) >= 0.0 and float(outputs[name].max()) <= 1.0
    for name in ("surface_snow_amount", "surface_snow_melt_flux", "liquid_water_flux", "rainfall_flux"):
        assert float(outputs[name].min()) >= 0.0
    assert float(outputs["surface_snow_amount"].max()) > 10.0
    assert torch.equal(outputs["band_snow_area_fraction"] == 0.0, outputs["band_snow_amount"] == 0.0)


@each_model
def test_nothing_melts_while_every_hour_is_below_the_threshold(kind):
    model, inputs = MODELS[kind]().double(), weather(120, 3)
    frost = (inputs["air_temperature_max"] + 3.0).clamp(min=0.0)
    inputs["air_temperature_max"], inputs["air_temperature_min"] = (
        inputs[name] - frost for name in ("air_temperature_max", "air_temperature_min")
    )
    with torch.no_grad():
        outputs, _ = model(bare_ground(model, 3), inputs, range(120))
    assert float(outputs["surface_snow_melt_flux"].max()) == 0.0
    assert float(outputs["liquid_water_flux"].max()) == 0.0
    assert float(outputs["surface_snow_amount"].diff(dim=0).min()) >= -1e-12
    assert float(outputs["surface_snow_amount"].max()) > 20.0


@each_model
@each_draw
def test_no_snow_falls_where_it_stays_warm_for_any_parameters(kind, seed):
    model, inputs = randomised(MODELS[kind](), seed), weather(100, 3)
    cold = (4.0 - inputs["air_temperature_min"]).clamp(min=0.0)
    inputs["air_temperature_max"], inputs["air_temperature_min"] = (
        inputs[name] + cold for name in ("air_temperature_max", "air_temperature_min")
    )
    with torch.no_grad():
        outputs, _ = model(bare_ground(model, 3), inputs, range(100))
    assert float(outputs["surface_snow_amount"].max()) == 0.0
    assert float(outputs["surface_snow_area_fraction"].max()) == 0.0
    torch.testing.assert_close(outputs["liquid_water_flux"], inputs["precipitation_flux"], rtol=0, atol=1e-12)


@each_model
@each_setting
def test_steps_and_sequence_agree(kind, bands):
    model, inputs = MODELS[kind](bands=bands).double(), weather(150, 3)
    state = bare_ground(model, 3)
    with torch.no_grad():
        whole, last = model(state, inputs, range(150))
        for day in range(150):
            now, state = model.step(state, {name: value[day] for name, value in inputs.items()}, day)
            for name, value in now.items():
                torch.testing.assert_close(value, whole[name][day], rtol=1e-12, atol=1e-12)
    for name, value in last.items():
        torch.testing.assert_close(state[name], value, rtol=1e-12, atol=1e-12)


@each_model
def test_gradients_are_those_of_finite_differences(kind):
    model, inputs = MODELS[kind](bands=2).double(), weather(40, 2)
    state = bare_ground(model, 2)

    def total(parameters):
        outputs = torch.func.functional_call(model, parameters, (state, inputs, range(40)))[0]
        return outputs["surface_snow_amount"].mean() + 10.0 * outputs["surface_snow_area_fraction"].mean()

    held = dict(model.named_parameters())
    gradients = dict(zip(held, torch.autograd.grad(total(held), list(held.values())), strict=True))
    generator = torch.Generator().manual_seed(4)
    for _ in range(3):
        way = {name: torch.randn(value.shape, generator=generator, dtype=value.dtype) for name, value in held.items()}
        width = 1e-5
        with torch.no_grad():
            ends = [total({name: held[name] + sign * width * way[name] for name in held}) for sign in (1.0, -1.0)]
        expected = float(ends[0] - ends[1]) / (2.0 * width)
        slope = sum(float((gradients[name] * way[name]).sum()) for name in held)
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-8)


@each_model
def test_bands_share_the_precipitation_and_hold_more_snow_the_higher_they_lie(kind):
    model, inputs = MODELS[kind](bands=4).double(), weather(180, 2)
    with torch.no_grad():
        for value in model.parameters():  # a network that hears nothing answers all bands alike
            value.mul_(0.0 if kind == "lstm" and value.dim() == 2 else 1.0)
        outputs, _ = model(bare_ground(model, 2), inputs, range(180))
        rain, celsius = model.bands.spread(
            inputs["precipitation_flux"],
            inputs["air_temperature_max"],
            (model.physical if kind == "lstm" else model.places.physical).values(),
        )
    torch.testing.assert_close(rain.mean(-2), inputs["precipitation_flux"])
    torch.testing.assert_close(celsius.mean(-2), inputs["air_temperature_max"])
    assert float(outputs["band_snow_amount"].diff(dim=-2).min()) >= -1e-9
    torch.testing.assert_close(outputs["band_snow_amount"].mean(-2), outputs["surface_snow_amount"])


def test_both_models_have_the_same_ports_whatever_they_are_given():
    for given in (
        {},
        {"temperature": "mean", "drivers": ["day_of_year"], "attributes": {"elev_mean": "m"}, "bands": 5},
    ):
        one, other = (MODELS[kind](**given) for kind in sorted(MODELS))
        assert (one.inputs, one.outputs) == (other.inputs, other.outputs)
        assert one.dim_sizes["elevation_band"] == other.dim_sizes["elevation_band"]


@each_model
def test_every_rule_of_the_conformance_suite_is_kept_with_bands_and_attributes(kind):
    given = {"temperature": "mean", "drivers": ["day_of_year"], "attributes": {"elev_mean": "m", "frac_forest": "1"}}
    component = registry().load("components", f"snow-{kind}")
    report = check_component(partial(component, bands=3, **given), name=f"snow-{kind}")
    report.assert_ok()
    assert [one.outcome for one in report.results if one.check.id == "conservation.water"] == ["pass"]
