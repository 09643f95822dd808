"""Carbon: signs, the laws that the light response keeps whatever its weights are, and what both models share."""

import pytest
import torch
from terrahydro_carbon import CLIMATE, LSTMNEE, LightResponseNEE
from terrahydro_carbon.ports import DRIVERS, ROOT_ZONE

from crest_core import FieldError, Graph, Sizes
from crest_core.provenance import graph_hash

NEE, GPP, RECO = "net_ecosystem_exchange", "gross_primary_productivity", "ecosystem_respiration"
MODELS = (LightResponseNEE, LSTMNEE)


def made(kind, **settings):
    """Return a small model with wild weights: laws have to hold for any."""
    model = kind(hidden=6, generator=torch.Generator().manual_seed(1), **settings).double().eval()
    with torch.no_grad():
        model.head.weight.mul_(20.0)
    return model


def weather(days: int = 60, cells: int = 4) -> dict[str, torch.Tensor]:
    """Return made-up weather in the ranges of the land."""
    draw = torch.Generator().manual_seed(2)

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(days, cells, generator=draw, dtype=torch.float64)

    toa = between(60.0, 480.0)
    return {
        "air_temperature": between(-20.0, 38.0),
        "shortwave_toa": toa,
        "shortwave_down": toa * between(0.05, 0.75),
        "vapour_pressure_deficit": between(0.0, 3500.0),
    }


def run(model, inputs):
    cells = inputs["air_temperature"].shape[-1]
    state = model.initial_state(Sizes({"cell": cells}, dtype=torch.float64))
    with torch.no_grad():
        return model(state, inputs, range(len(inputs["air_temperature"])))[0]


@pytest.mark.parametrize("kind", MODELS)
def test_the_land_gives_what_it_breathes_and_takes_what_it_grows(kind):
    outputs = run(made(kind), weather())
    torch.testing.assert_close(outputs[NEE], outputs[RECO] - outputs[GPP])
    assert float(outputs[GPP].min()) >= 0.0 and float(outputs[RECO].min()) >= 0.0
    signs = {spec.name: spec.positive for spec in made(kind).outputs}
    assert signs == {NEE: "up", GPP: "down", RECO: "up"}


def test_in_the_dark_there_is_respiration_only():
    inputs = weather()
    outputs = run(made(LightResponseNEE), inputs | {"shortwave_down": torch.zeros_like(inputs["shortwave_down"])})
    assert float(outputs[GPP].abs().max()) == 0.0
    assert float(outputs[NEE].min()) > 0.0


def test_more_light_grows_more_and_less_for_each_watt():
    """The response itself, with the network's answers held: concave and rising in light."""
    model, inputs = made(LightResponseNEE), weather(1)
    answers = torch.zeros(1, 4, 3, dtype=torch.float64)
    light = [model.fluxes(answers, inputs | {"shortwave_down": torch.full((1, 4), watts, dtype=torch.float64)})[0]
             for watts in (0.0, 100.0, 200.0, 300.0)]  # fmt: skip
    gains = [float((more - less).mean().detach()) for less, more in zip(light, light[1:], strict=False)]
    assert gains[0] > gains[1] > gains[2] > 0.0


def test_respiration_follows_lloyd_and_taylor():
    model, inputs = made(LightResponseNEE), weather(1)
    answers = torch.zeros(1, 4, 3, dtype=torch.float64)

    def breathed(celsius: float) -> float:
        warm = inputs | {"air_temperature": torch.full((1, 4), celsius, dtype=torch.float64)}
        return float(model.fluxes(answers, warm)[1].mean().detach())

    expected = torch.exp(torch.tensor(308.56 * (1.0 / (15.0 + 46.02) - 1.0 / (25.0 + 46.02)), dtype=torch.float64))
    assert breathed(25.0) / breathed(15.0) == pytest.approx(float(expected), rel=1e-5)
    rates = [breathed(celsius) for celsius in (-30.0, -10.0, 0.0, 10.0, 30.0)]
    assert rates == sorted(rates)
    assert breathed(-60.0) == breathed(-46.02) == breathed(-41.1) < rates[0]  # the response has a pole at T0


def test_dry_soil_ends_photosynthesis_and_soil_that_nobody_knows_does_not():
    model, inputs = made(LightResponseNEE, drivers=(*DRIVERS, ROOT_ZONE)), weather()
    wet, dry, unknown = (
        run(model, inputs | {ROOT_ZONE: torch.full_like(inputs["air_temperature"], theta)})
        for theta in (0.4, 0.05, float("nan"))
    )
    assert float(dry[GPP].abs().max()) == 0.0
    torch.testing.assert_close(wet[GPP], unknown[GPP])
    torch.testing.assert_close(dry[RECO], wet[RECO])
    plain = run(made(LightResponseNEE), inputs)
    torch.testing.assert_close(plain[GPP], wet[GPP])


def test_the_pure_network_sees_soil_moisture_and_its_gaps():
    model, inputs = made(LSTMNEE, drivers=(*DRIVERS, ROOT_ZONE)), weather()
    answers = [
        run(model, inputs | {ROOT_ZONE: torch.full_like(inputs["air_temperature"], theta)})[NEE]
        for theta in (0.1, 0.4, float("nan"))
    ]
    assert all(bool(torch.isfinite(one).all()) for one in answers)
    assert float((answers[0] - answers[1]).abs().max()) > 1e-6
    assert float((answers[0] - answers[2]).abs().max()) > 1e-6


@pytest.mark.parametrize("kind", MODELS)
def test_noise_in_the_climate_is_for_training_only(kind):
    attributes = {name: CLIMATE[name] for name in ("temperature_mean", "latitude")}
    model = made(kind, attributes=attributes, attribute_noise=0.5, dropout=0.0)
    inputs = weather() | {"temperature_mean": torch.ones(4).double(), "latitude": torch.ones(4).double()}
    torch.testing.assert_close(run(model, inputs), run(model, inputs), rtol=0, atol=0)
    model.train()
    assert float((run(model, inputs)[NEE] - run(model, inputs)[NEE]).abs().max()) > 0.0


@pytest.mark.parametrize("kind", MODELS)
def test_the_scaling_travels_with_the_weights(kind):
    one, other = made(kind), made(kind)
    one.standardise({"air_temperature": 9.0}, {"air_temperature": 8.0})
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(run(one, weather()), run(other, weather()))
    assert graph_hash(Graph({"carbon": one})) == graph_hash(Graph({"carbon": other}))
    assert graph_hash(Graph({"carbon": one})) != graph_hash(Graph({"carbon": made(kind)}))


@pytest.mark.parametrize("kind", MODELS)
def test_what_a_day_asks_for_need_not_go_through_the_memory(kind):
    model, inputs = made(kind, direct=5), weather()
    with torch.no_grad():
        model.lstm.get_parameter("weight_ih_l0").zero_()  # the memory sees nothing
        other = inputs | {"vapour_pressure_deficit": inputs["vapour_pressure_deficit"] + 500.0}
        changed = run(model, inputs)[GPP] != run(model, other)[GPP]
    assert bool(changed.any())
    assert sum(one.numel() for one in made(kind).parameters()) < sum(one.numel() for one in model.parameters())
    with torch.no_grad():
        blind = made(kind)
        blind.lstm.get_parameter("weight_ih_l0").zero_()
        torch.testing.assert_close(run(blind, inputs)[GPP], run(blind, other)[GPP])


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("direct", [0, 5])
def test_a_sequence_of_no_days_leaves_the_state(kind, direct):
    model = made(kind, direct=direct)
    state = {name: one + 0.5 for name, one in model.initial_state(Sizes({"cell": 4}, dtype=torch.float64)).items()}
    outputs, after = model(state, weather(0), [])
    assert {name: tuple(one.shape) for name, one in outputs.items()} == dict.fromkeys((NEE, GPP, RECO), (0, 4))
    torch.testing.assert_close(after, state, rtol=0, atol=0)


def test_mistakes_are_refused_in_words():
    with pytest.raises(
        FieldError, match=r"carbon: drivers \['air_temperature'\]; expected \['air_temperature', 'short"
    ):
        LSTMNEE(drivers=["air_temperature"])
    with pytest.raises(FieldError, match=r"carbon: hidden 0: expected a whole number of units"):
        LSTMNEE(hidden=0)
    with pytest.raises(FieldError, match=r"carbon: direct -1: expected a whole number of units, 0 or more"):
        LSTMNEE(direct=-1)
    with pytest.raises(FieldError, match=r"carbon: dropout 1.0: expected a share"):
        LightResponseNEE(dropout=1.0)
    with pytest.raises(FieldError, match=r"carbon: attribute_noise -1: expected 0 or more"):
        LightResponseNEE(attribute_noise=-1)
    with pytest.raises(FieldError, match=r"carbon: attributes \['air_temperature'\] have names of drivers"):
        LSTMNEE(attributes={"air_temperature": "degC"})
    with pytest.raises(FieldError, match=r"not positive or not finite: \['air_temperature'\]"):
        LSTMNEE().standardise({"air_temperature": float("nan")}, {"air_temperature": 1.0})
    with pytest.raises(FieldError, match=r"carbon: no fields \['rain'\] to scale"):
        LSTMNEE().standardise({"rain": 1.0}, {"rain": 1.0})
