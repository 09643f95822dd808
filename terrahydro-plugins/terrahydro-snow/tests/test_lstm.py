"""SnowLSTM: the LSTM of weather and places, and what the store around it makes of its answer."""

import torch
from terrahydro_snow import SnowLSTM, example
from terrahydro_snow.example import bare_ground

from crest_core import Graph, Sizes, registry
from crest_core.provenance import graph_hash


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def weather(steps: int, cells: int, **given) -> dict[str, torch.Tensor]:
    return example.weather(steps, cells, generator=seeded(2), **given)


def test_it_is_causal():
    model, inputs = SnowLSTM(hidden=6, generator=seeded(1)).double(), weather(60, 2)
    before = model(bare_ground(model, 2), inputs, range(60))[0]["surface_snow_amount"]
    changed = {name: value.clone() for name, value in inputs.items()}
    changed["precipitation_flux"][40:] += 30.0
    after = model(bare_ground(model, 2), changed, range(60))[0]["surface_snow_amount"]
    torch.testing.assert_close(before[:40], after[:40], rtol=0, atol=0)
    assert not torch.equal(before[40:], after[40:])


def test_two_halves_equal_the_whole():
    model, inputs = SnowLSTM(hidden=6, bands=2, generator=seeded(1)).double(), weather(100, 3)
    whole, _ = model(bare_ground(model, 3), inputs, range(100))
    first, middle = model(bare_ground(model, 3), {name: value[:41] for name, value in inputs.items()}, range(41))
    second, _ = model(middle, {name: value[41:] for name, value in inputs.items()}, range(59))
    for name, value in whole.items():
        torch.testing.assert_close(torch.cat([first[name], second[name]]), value, rtol=1e-12, atol=1e-12)


def test_an_untrained_network_that_hears_nothing_is_a_degree_day_model():
    model, inputs = SnowLSTM(hidden=6, generator=seeded(1)).double(), weather(200, 2)
    with torch.no_grad():
        model.head.weight.zero_()
        outputs, _ = model(bare_ground(model, 2), inputs, range(200))
    cold = outputs["surface_snow_amount"] > 5.0
    factor = (inputs["air_temperature_max"] + inputs["air_temperature_min"]) / 2.0
    still = cold & (factor > 8.0)  # well above the threshold: cover nearly whole, 2.5 kg m-2 a degree
    ratio = (outputs["surface_snow_melt_flux"] / factor)[still & (outputs["surface_snow_area_fraction"] > 0.99)]
    assert not len(ratio) or bool(((ratio > 1.5) & (ratio < 3.5)).all())
    assert float(outputs["snowfall_correction"].abs().max()) < 1e-5


def test_leading_dims_pass_through():
    model = SnowLSTM(hidden=6, bands=2, attributes={"elev_mean": "m"}, generator=seeded(1)).double()
    inputs = weather(30, 3) | {"elev_mean": torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)}
    single, _ = model(bare_ground(model, 3), inputs, range(30))
    twice = {name: torch.stack([value, value], -2) for name, value in inputs.items()}
    double, state = model(bare_ground(model, 3, 2), twice, range(30))
    assert double["band_snow_amount"].shape == (30, 2, 2, 3)
    assert state["hidden"].shape == (2, 6, 2, 3)
    torch.testing.assert_close(double["surface_snow_amount"][:, 1], single["surface_snow_amount"])


def test_scaling_of_weather_and_places_changes_the_graph_hash():
    one, other = (SnowLSTM(hidden=4, generator=seeded(2)) for _ in range(2))
    other.standardise({"precipitation_flux": 3.0}, {"precipitation_flux": 7.0})
    assert graph_hash(Graph({"snow": one})) != graph_hash(Graph({"snow": other}))
    assert "(precipitation_flux - 3) / 7" in repr(other)


def test_the_registry_finds_the_model():
    assert registry().load("components", "snow-lstm") is SnowLSTM


def test_in_bfloat16_snow_keeps_the_digits_of_float32():
    """Thresholds and factors that are rounded to bfloat16 err by 0.26 percent of the most snow, others by 0.09."""
    model = SnowLSTM(hidden=4, generator=seeded(4)).eval()
    inputs = {name: value.float() for name, value in weather(200, 2).items()}
    state = model.initial_state(Sizes({"cell": 2}))
    with torch.no_grad():
        exact = model(state, inputs, range(200))[0]["surface_snow_amount"]
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(state, inputs, range(200))[0]["surface_snow_amount"]
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).abs().max()) < 0.0015 * float(exact.max())
