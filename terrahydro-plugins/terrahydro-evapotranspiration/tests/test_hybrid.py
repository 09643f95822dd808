"""Laws and known answers of the evapotranspiration models."""

import pytest
import torch
from terrahydro_evapotranspiration import PenmanMonteithET, PriestleyTaylorET
from terrahydro_evapotranspiration import atmosphere as air

from crest_core import Graph, Sizes
from crest_core.provenance import graph_hash
from crest_core.testing.laws import dot_product_error, taylor_orders

MODELS = (PenmanMonteithET, PriestleyTaylorET)


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def weather(steps: int = 40, cells: int = 5, seed: int = 3) -> dict[str, torch.Tensor]:
    generator = seeded(seed)

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(steps, cells, generator=generator, dtype=torch.float64)

    toa = between(60.0, 480.0)
    return {
        "air_temperature": between(-15.0, 38.0),
        "vapour_pressure": between(200.0, 2500.0),
        "vapour_pressure_deficit": between(0.0, 3500.0),
        "wind_speed": between(0.0, 9.0),
        "shortwave_toa": toa,
        "shortwave_down": toa * between(0.05, 0.75),
        "root_zone_soil_moisture": between(0.02, 0.6),
    }


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def model(request):
    return request.param(altitude=240.0, generator=seeded(1), ground_heat_share=0.1).double()


def test_energy_balance_closes_to_1e_6_watts(model):
    fluxes, _ = model({}, weather(400, 20), range(400))
    residual = fluxes["net_radiation"] - fluxes["ground_heat"] - fluxes["latent_heat"] - fluxes["sensible_heat"]
    assert float(residual.detach().abs().max()) < 1e-6


def test_energy_balance_closes_whatever_the_network_answers(model):
    for scale in (-50.0, 50.0):
        with torch.no_grad():
            model.share.outer.bias.fill_(scale)
        fluxes, _ = model({}, weather(), range(40))
        residual = fluxes["net_radiation"] - fluxes["ground_heat"]
        residual = residual - fluxes["latent_heat"] - fluxes["sensible_heat"]
        assert float(residual.detach().abs().max()) < 1e-6
        assert all(bool(torch.isfinite(value).all()) for value in fluxes.values())


def test_water_flux_times_latent_heat_of_vaporization_is_the_latent_heat_flux(model):
    drivers = weather()
    fluxes, _ = model({}, drivers, range(40))
    energy = fluxes["evapotranspiration"] * (2.501e6 - 2361.0 * drivers["air_temperature"])
    torch.testing.assert_close(energy, fluxes["latent_heat"], rtol=1e-12, atol=1e-12)
    assert float(fluxes["evapotranspiration"].detach().min()) >= 0.0


def test_step_equals_sequence(model):
    drivers = weather()
    whole, _ = model.sequence({}, drivers, range(40))
    for i in range(40):
        now, state = model.step({}, {name: value[i] for name, value in drivers.items()}, i)
        assert state == {}
        for name, value in now.items():
            torch.testing.assert_close(value, whole[name][i], rtol=1e-12, atol=1e-12)


def test_leading_dims_pass_through(model):
    drivers = weather()
    stacked = {name: torch.stack([value, value], dim=1) for name, value in drivers.items()}
    single, _ = model({}, drivers, range(40))
    double, _ = model({}, stacked, range(40))
    torch.testing.assert_close(double["latent_heat"][:, 1], single["latent_heat"])


def test_inputs_are_not_changed(model):
    drivers = weather()
    before = {name: value.clone() for name, value in drivers.items()}
    model({}, drivers, range(40))
    assert all(torch.equal(drivers[name], before[name]) for name in drivers)


def test_gradients_are_exact(model):
    drivers = weather(6, 3)
    names = ("air_temperature", "vapour_pressure_deficit", "root_zone_soil_moisture")

    def run(*values: torch.Tensor) -> list[torch.Tensor]:
        replaced = drivers | dict(zip(names, values, strict=True))
        return list(model({}, replaced, range(6))[0].values())

    arguments = [drivers[name] for name in names]
    assert dot_product_error(run, arguments, seeded(5)) < 1e-12

    def latent(moisture: torch.Tensor) -> torch.Tensor:
        return (model({}, drivers | {names[2]: moisture}, range(6))[0]["latent_heat"] ** 2).sum()

    direction = torch.ones_like(drivers[names[2]])
    orders = taylor_orders(latent, drivers[names[2]], direction, (1e-2, 5e-3, 2.5e-3))
    assert all(1.9 < order < 2.1 for order in orders)


def test_physical_parameters_and_network_both_get_gradients(model):
    model({}, weather(), range(40))[0]["evapotranspiration"].sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_reference_evapotranspiration_of_fao_56_example_18_is_met():
    """FAO-56 example 18: Uccle, 6 July, u2 = 2.078 m/s, ET0 = 3.88 mm/day, at r_s = 70 s/m."""
    et = PenmanMonteithET(altitude=100.0, generator=seeded(1), max_conductance=0.02, aerodynamic_factor=208.0).double()
    with torch.no_grad():  # share = (1 / 70) / 0.02 everywhere
        et.share.outer.weight.zero_()
        et.share.outer.bias.fill_(float(torch.logit(torch.tensor(1.0 / 70.0 / 0.02))))

    def number(value: float) -> torch.Tensor:
        return torch.tensor([[value]], dtype=torch.float64)

    drivers = {
        "air_temperature": number(16.9),
        "vapour_pressure": number(1409.0),
        "vapour_pressure_deficit": number(589.0),
        "wind_speed": number(2.078),
        "shortwave_down": number(22.07e6 / 86400.0),
        "shortwave_toa": number(41.09e6 / 86400.0),
        "root_zone_soil_moisture": number(0.3),
    }
    fluxes, _ = et({}, drivers, range(1))
    net = float(fluxes["net_radiation"].detach()) * 86400.0 / 1e6
    assert net == pytest.approx(13.28, abs=0.05)  # MJ m-2 day-1, in the example
    assert float(fluxes["evapotranspiration"].detach()) * 86400.0 == pytest.approx(3.88, abs=0.08)


@pytest.mark.parametrize(
    ("value", "expected", "tolerance"),
    [
        (air.air_pressure(1800.0), 81800.0, 50.0),  # example 2
        (float(air.psychrometric_constant(81800.0, torch.tensor(20.0))), 54.0, 0.3),  # example 2
        (float(air.saturation_slope(torch.tensor(25.0))), 188.6, 0.2),  # annex table 2.4
        (float(air.latent_heat_of_vaporization(torch.tensor(20.0))), 2.45e6, 5e3),
    ],
)
def test_properties_of_air_agree_with_fao_56(value, expected, tolerance):
    assert value == pytest.approx(expected, abs=tolerance)


def test_evaporation_grows_with_the_share_of_open_surface():
    et = PenmanMonteithET(altitude=0.0, generator=seeded(1)).double()
    drivers, totals = weather(), []
    for bias in (-6.0, -2.0, 2.0):
        with torch.no_grad():
            et.share.outer.bias.fill_(bias)
        totals.append(float(et({}, drivers, range(40))[0]["latent_heat"].detach().sum()))
    assert totals == sorted(totals)


def test_it_runs_as_a_graph_of_one(model):
    graph = Graph({"evapotranspiration": model})
    sizes = Sizes({"cell": 5}, dtype=torch.float64)
    outputs, _ = graph(graph.initial_state(sizes), weather(), range(40))
    assert outputs["latent_heat"].shape == (40, 5)


def test_two_generators_of_one_seed_give_one_network():
    first, second = (PenmanMonteithET(altitude=0.0, generator=seeded(7)) for _ in range(2))
    assert torch.equal(first.share.inner.weight, second.share.inner.weight)


@pytest.mark.parametrize("kind", MODELS, ids=lambda model: model.__name__)
def test_what_changes_the_answer_changes_the_graph_hash(kind):
    def identity(**settings):
        return graph_hash(Graph({"surface": kind(generator=seeded(1), **settings)}))

    settings = [{"altitude": 240.0}, {"altitude": 241.0}, {"altitude": 240.0, "ground_heat_share": 0.1}]
    settings.append({"altitude": 240.0, "hidden": 9})
    assert len({identity(**one) for one in settings}) == 4
    assert identity(altitude=240.0) == identity(altitude=240.0)


def test_it_prints_its_settings_with_units_and_scaling():
    text = repr(PenmanMonteithET(altitude=238.6, generator=seeded(1)))
    assert "altitude=238.6 m, ground_heat_share=0.0" in text
    assert "(vapour_pressure_deficit - 400) / 400" in text


def test_priestley_taylor_asks_for_no_wind_and_penman_monteith_does():
    names = [{spec.name for spec in model.inputs} for model in MODELS]
    assert names[0] - names[1] == {"wind_speed"} and names[1] < names[0]


def test_every_input_that_a_model_asks_for_changes_an_answer(model):
    drivers = weather()
    whole, _ = model({}, drivers, range(40))
    for spec in model.inputs:
        changed, _ = model({}, {**drivers, spec.name: 0.9 * drivers[spec.name]}, range(40))
        assert any(not torch.equal(changed[name], whole[name]) for name in whole), spec.name
