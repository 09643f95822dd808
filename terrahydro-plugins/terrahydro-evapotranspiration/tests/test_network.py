"""What the network of the models can be given: a memory, leaf area, air pressure, parameters that it varies."""

import pytest
import torch
from terrahydro_evapotranspiration import ETNetwork, PenmanMonteithET, PriestleyTaylorET
from terrahydro_evapotranspiration import atmosphere as air
from terrahydro_evapotranspiration.example import weather

from crest_core import FieldError, Sizes

MODELS = (PenmanMonteithET, PriestleyTaylorET, ETNetwork)
STEPS, CELLS = 40, 5


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def drivers() -> dict[str, torch.Tensor]:
    return weather(STEPS, CELLS, generator=seeded(8))


def start(model, cells: int = CELLS):
    return model.initial_state(Sizes({"cell": cells}, dtype=torch.float64))


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def remembering(request):
    kind = request.param
    free = {} if kind is ETNetwork else {"learned": [spec.name for spec in kind.parameter_specs]}
    return kind(altitude=None, memory=6, vegetation=True, generator=seeded(2), **free).double().eval()


def closure(fluxes: dict[str, torch.Tensor]) -> torch.Tensor:
    left = fluxes["net_radiation"] - fluxes["ground_heat"] - fluxes["latent_heat"] - fluxes["sensible_heat"]
    return left.detach()


@pytest.mark.parametrize("kind", MODELS[:2], ids=lambda model: model.__name__)
def test_energy_closes_whatever_memory_and_learned_parameters_answer(kind):
    names = [spec.name for spec in kind.parameter_specs]
    model = kind(altitude=None, memory=4, learned=names, ground_heat_share=0.1, generator=seeded(3)).double()
    for seed in range(5):
        with torch.no_grad():
            for value in model.share.parameters():
                value.normal_(0.0, 5.0, generator=seeded(seed))
        fluxes, _ = model(start(model), drivers(), range(STEPS))
        assert float(closure(fluxes).abs().max()) < 1e-6
        assert all(bool(torch.isfinite(value).all()) for value in fluxes.values())
        assert float(fluxes["latent_heat"].detach().min()) >= 0.0


def test_the_pure_network_closes_nothing_and_says_how_much_it_leaves_over():
    model = ETNetwork(altitude=100.0, generator=seeded(4)).double()
    fluxes, _ = model({}, drivers(), range(STEPS))
    torch.testing.assert_close(fluxes["energy_residual"].detach(), closure(fluxes), rtol=1e-12, atol=1e-10)
    assert model.conserves == () and float(closure(fluxes).abs().mean()) > 1.0


def test_all_models_share_inputs_and_the_fluxes():
    assert PenmanMonteithET.inputs == ETNetwork.inputs
    assert all(model.outputs[:5] == PenmanMonteithET.outputs for model in MODELS)


def test_steps_with_a_memory_are_the_sequence(remembering):
    given = drivers()
    whole, last = remembering(start(remembering), given, range(STEPS))
    state = start(remembering)
    for i in range(STEPS):
        now, state = remembering.step(state, {name: value[i] for name, value in given.items()}, i)
        for name, value in now.items():
            torch.testing.assert_close(value, whole[name][i], rtol=1e-10, atol=1e-10)
    for name, value in state.items():
        torch.testing.assert_close(value, last[name], rtol=1e-10, atol=1e-12)


def test_a_memory_is_of_the_past_alone(remembering):
    given = drivers()
    other = {name: value.clone() for name, value in given.items()}
    other["precipitation_flux"][20] += 30.0
    one, two = (remembering(start(remembering), x, range(STEPS))[0]["latent_heat"].detach() for x in (given, other))
    assert torch.equal(one[:20], two[:20]) and not torch.equal(one[21:], two[21:])


def test_leading_dims_pass_through_a_memory(remembering):
    given = drivers()
    stacked = {name: torch.stack([value, value], dim=1) for name, value in given.items()}
    state = remembering.initial_state(Sizes({"cell": CELLS}, lead=(2,), dtype=torch.float64))
    single, _ = remembering(start(remembering), given, range(STEPS))
    double, after = remembering(state, stacked, range(STEPS))
    torch.testing.assert_close(double["latent_heat"][:, 1], single["latent_heat"])
    assert after["memory"].shape == (2, 6, CELLS)


def test_altitude_and_pressure_of_a_standard_atmosphere_give_one_answer():
    pressure = torch.full((STEPS, CELLS), air.air_pressure(900.0), dtype=torch.float64)
    high, told = (PenmanMonteithET(altitude=one, generator=seeded(1)).double() for one in (900.0, None))
    given = drivers() | {"air_pressure": pressure}
    one, two = (model({}, given, range(STEPS))[0]["latent_heat"] for model in (high, told))
    torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)


def test_learned_parameters_stay_within_their_bounds_and_start_at_their_values():
    model = PenmanMonteithET(altitude=0.0, learned=["albedo"], albedo=0.2, generator=seeded(1)).double()
    calm = torch.zeros(3, 4, 2, dtype=torch.float64)
    assert float(model._varied(calm)["albedo"].detach().mean()) == pytest.approx(0.2, abs=1e-6)
    wild = torch.linspace(-1e3, 1e3, 8, dtype=torch.float64).reshape(4, 2)
    albedo = model._varied(wild)["albedo"].detach()
    assert 0.05 < float(albedo.min()) < 0.06 < 0.4 < float(albedo.max()) < 0.5


def test_dropout_is_of_training_alone():
    model = PenmanMonteithET(altitude=0.0, dropout=0.5, generator=seeded(1)).double()
    given = drivers()
    one, two = (model.train()({}, given, range(STEPS))[0]["latent_heat"] for _ in range(2))
    assert not torch.equal(one, two)
    one, two = (model.eval()({}, given, range(STEPS))[0]["latent_heat"] for _ in range(2))
    assert torch.equal(one, two)


def test_scaling_belongs_to_the_weights(remembering):
    names = [spec.name for spec in remembering.inputs]
    mean = {name: float(drivers()[name].mean()) for name in names}
    std = {name: float(drivers()[name].std()) for name in names}
    before = start(remembering)
    first = remembering(before, drivers(), range(STEPS))[0]["latent_heat"]
    remembering.standardise(mean, std)
    second = remembering(before, drivers(), range(STEPS))[0]["latent_heat"]
    assert not torch.equal(first, second)
    assert any(name.endswith("std") for name in remembering.state_dict())
    assert f"(air_temperature - {mean['air_temperature']:g})" in repr(remembering)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"altitude": 12000.0}, "altitude 12000.0 m, expected -500 to 9000, or None for pressure"),
        ({"altitude": 0.0, "memory": -1}, "memory -1, expected a whole number, 0 or more"),
        ({"altitude": 0.0, "hidden": 0}, "hidden 0, expected a whole number, 1 or more"),
        ({"altitude": 0.0, "dropout": 1.0}, "dropout 1.0, expected a share from 0 to below 1"),
        ({"altitude": float("nan")}, "altitude nan m, expected -500 to 9000"),
        ({"altitude": 0.0, "ground_heat_share": float("nan")}, "ground_heat_share nan, expected a share from 0 to 1"),
        ({"altitude": 0.0, "ground_heat_share": 5}, "ground_heat_share 5, expected a share from 0 to 1"),
        ({"altitude": 0.0, "learned": ["roughness"]}, r"learned \['roughness'\], expected some of \['albedo'"),
        ({"altitude": 0.0, "learned": ["albedo", "albedo"]}, r"learned \['albedo', 'albedo'\], expected .* each once"),
        ({"altitude": 0.0, "learned": "albedo"}, "learned 'albedo', expected some of"),
    ],
)
def test_settings_that_make_no_model_are_refused(settings, words):
    with pytest.raises(FieldError, match=words):
        PenmanMonteithET(generator=seeded(1), **settings)


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ({"rain": 1.0}, {"rain": 1.0}, r"evapotranspiration: no fields \['rain'\] to scale, expected some of"),
        ({"shortwave_down": 2.0}, {"shortwave_down": 0.0}, r"\{'shortwave_down': \(2.0, 0.0\)\}; expected finite"),
        ({"shortwave_down": 2.0}, {}, r"of the same fields; got the mean of \['shortwave_down'\], the std of \[\]"),
    ],
)
def test_what_is_no_scaling_is_refused_and_nothing_is_filled_in(remembering, mean, std, words):
    before = {name: value.clone() for name, value in remembering.state_dict().items()}
    with pytest.raises(FieldError, match=words):
        remembering.standardise(mean, std)
    assert all(torch.equal(value, before[name]) for name, value in remembering.state_dict().items())


def test_an_albedo_that_is_no_share_is_refused():
    with pytest.raises(FieldError, match="et-network: albedo 23, expected 0 to 1"):
        ETNetwork(altitude=0.0, albedo=23)


@pytest.mark.parametrize("kind", MODELS, ids=lambda model: model.__name__)
def test_means_and_spreads_that_are_no_numbers_are_refused(kind):
    model, name = kind(altitude=0.0, generator=seeded(1)), "air_temperature"
    for mean, std in ((float("nan"), 1.0), (1.0, float("inf")), (1.0, -1.0)):
        with pytest.raises(
            FieldError, match=r"\(mean, std\) \{'air_temperature': .*expected finite numbers, std above 0"
        ):
            model.standardise({name: mean}, {name: std})


@pytest.mark.parametrize("kind", MODELS, ids=lambda model: model.__name__)
def test_gradients_are_finite_in_air_without_water_and_where_a_network_shuts_the_surface(kind):
    model = kind(altitude=0.0, generator=seeded(1))
    with torch.no_grad():
        for value in model.parameters():
            value.sub_(300.0)  # the share of the conductance underflows to 0
    dry = {name: value.float() for name, value in drivers().items()}
    inputs = {spec.name: dry[spec.name].requires_grad_() for spec in model.inputs}
    with torch.no_grad():
        inputs["vapour_pressure"].zero_()
    fluxes, _ = model({}, inputs, range(STEPS))
    sum(value.sum() for value in fluxes.values()).backward()
    assert all(bool(torch.isfinite(value).all()) for value in fluxes.values())
    for value in (*inputs.values(), *model.parameters()):
        assert value.grad is None or bool(torch.isfinite(value.grad).all())
