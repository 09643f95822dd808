"""DegreeDaySnow: known answers, the loop of cover against snow, parameters that are learned from places."""

import pytest
import torch
from terrahydro_snow import DegreeDaySnow, example
from terrahydro_snow.cover import cover
from terrahydro_snow.example import bare_ground
from terrahydro_snow.weather import positive_degrees, warm_share

from crest_core import ComponentError, FieldError, Graph, registry
from crest_core.provenance import graph_hash


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def weather(steps: int, cells: int, **given) -> dict[str, torch.Tensor]:
    return example.weather(steps, cells, generator=seeded(2), **given)


def days(*rows: tuple[float, float]) -> dict[str, torch.Tensor]:
    """Return forcing of one cell from (precipitation, temperature) of each day, without a daily range or sun."""
    rain, celsius = torch.tensor(rows, dtype=torch.float64).T.unsqueeze(-1)
    return {"precipitation_flux": rain, "air_temperature": celsius}


def simple(**given: float) -> DegreeDaySnow:
    parameters = {"snowfall_factor": 1.0, "roughness": 0.0021, **given}
    return DegreeDaySnow(temperature="mean", half_range=0.5, drivers=(), parameters=parameters).double()


def test_ten_millimetres_at_minus_ten_melt_at_the_degree_day_factor():
    model = simple(degree_day_factor=3.0, melt_threshold=0.0, water_holding=0.1)
    outputs, _ = model(bare_ground(model, 1), days((10.0, -10.0), (0.0, 1.0), (0.0, 1.0), (0.0, 10.0)), range(4))
    amount, melt = (outputs[name].flatten().tolist() for name in ("surface_snow_amount", "surface_snow_melt_flux"))
    assert amount[0] == pytest.approx(10.0, rel=1e-6)
    assert melt[1] == pytest.approx(3.0, rel=1e-2)  # 0.9 cover + 0.1, and the cover is nearly whole
    assert amount[1] == pytest.approx((10.0 - melt[1]) * 1.1, rel=1e-6)  # the ice that is left holds a tenth of itself
    assert amount[3] == 0.0


def test_what_is_held_refreezes_when_it_is_cold():
    model = simple(degree_day_factor=3.0, refreezing=0.4, water_holding=0.2)
    rows = days((20.0, -10.0), (0.0, 1.0), (0.0, -10.0))
    _, before = model(bare_ground(model, 1), {name: value[:2] for name, value in rows.items()}, range(2))
    _, after = model(bare_ground(model, 1), rows, range(3))
    assert before["snow_liquid"].item() > 2.0 and after["snow_liquid"].item() == 0.0
    torch.testing.assert_close(after["snow_ice"], before["snow_ice"] + before["snow_liquid"])


def test_degrees_of_the_day_are_the_mean_over_an_even_spread():
    hours = torch.linspace(-4.0, 6.0, 200001, dtype=torch.float64)  # T - s to T + s about 1 degC
    mean = positive_degrees(torch.tensor(1.0, dtype=torch.float64), torch.tensor(5.0, dtype=torch.float64))
    assert float(mean) == pytest.approx(float(hours.clamp(min=0.0).mean()), rel=1e-5)
    shares = [float(warm_share(torch.tensor(x), torch.tensor(2.0))) for x in (-2.0, 0.0, 2.0)]
    assert shares == [0.0, 0.5, 1.0]


def test_sunlight_and_the_season_melt_more():
    inputs = weather(250, 2) | {"day_of_year": torch.full((250, 2), 172.0, dtype=torch.float64)}
    drivers = [(), ("shortwave_down",), ("day_of_year",)]
    models = [DegreeDaySnow(drivers=one).double() for one in drivers]
    with torch.no_grad():
        plain, sunny, summer = (
            model(bare_ground(model, 2), inputs, range(250))[0]["surface_snow_amount"].sum() for model in models
        )
    assert sunny < plain and summer < plain


def test_cover_grows_with_snow_while_it_accumulates():
    model, inputs = DegreeDaySnow().double(), weather(90, 1, offset=-25.0)
    with torch.no_grad():
        runs = []
        for factor in (0.25, 0.5, 1.0, 2.0):
            more = inputs | {"precipitation_flux": inputs["precipitation_flux"] * factor}
            runs.append(model(bare_ground(model, 1), more, range(90))[0])
    for less, more in zip(runs, runs[1:], strict=False):
        assert (more["surface_snow_amount"] >= less["surface_snow_amount"]).all()
        assert (more["surface_snow_area_fraction"] >= less["surface_snow_area_fraction"] - 1e-12).all()
    amounts = torch.linspace(0.0, 300.0, 50)
    assert (cover(amounts, torch.tensor(200.0), torch.tensor(0.02), torch.tensor(1.0)).diff() >= 0.0).all()


def test_the_same_snow_covers_less_in_spring_than_in_autumn():
    model = DegreeDaySnow(parameters={"roughness": 0.05}).double()
    with torch.no_grad():
        outputs, _ = model(bare_ground(model, 1), weather(300, 1, offset=-4.0), range(300))
    amount, fraction = outputs["surface_snow_amount"].flatten(), outputs["surface_snow_area_fraction"].flatten()
    peak = int(amount.argmax())
    level = 0.3 * float(amount[peak])
    autumn = int((amount >= level).nonzero()[0])
    spring = int((amount[peak:] <= level).nonzero()[0]) + peak
    assert float(fraction[spring]) < 0.8 * float(fraction[autumn])


def test_without_snow_nothing_is_remembered():
    model, inputs = DegreeDaySnow().double(), weather(340, 2, offset=3.0)
    with torch.no_grad():
        _, state = model(bare_ground(model, 2), inputs, range(340))
    bare = bare_ground(model, 2)
    for name in ("snow_ice", "snow_liquid"):
        assert torch.equal(state[name], bare[name])
    torch.testing.assert_close(state["snow_density"], bare["snow_density"])


def test_parameters_are_learned_from_attributes_within_their_bounds():
    model = DegreeDaySnow(attributes={"elev_mean": "m", "frac_forest": "1"}, bands=2, generator=seeded(3))
    model.standardise({"elev_mean": 1500.0, "frac_forest": 0.5}, {"elev_mean": 800.0, "frac_forest": 0.3})
    statics = {"elev_mean": torch.tensor([500.0, 3000.0]), "frac_forest": torch.tensor([0.9, 0.1])}
    inputs = {name: value.float() for name, value in weather(60, 2).items()} | statics
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    outputs, _ = model(bare_ground(model, 2, dtype=torch.float32), inputs, range(60))
    outputs["surface_snow_amount"].square().sum().backward()
    optimiser.step()
    for spec in model.parameter_specs:
        values = model.places.values(statics)[spec.name].detach()
        assert values.shape == (2,)
        assert (values >= spec.bounds[0]).all() and (values <= spec.bounds[1]).all()
    factors = model.places.values(statics)["snowfall_factor"]
    assert float((factors[0] - factors[1]).detach().abs()) > 0.0


def test_the_scaling_travels_with_the_weights():
    one, other = (DegreeDaySnow(attributes={"elev_mean": "m"}, generator=seeded(5)) for _ in range(2))
    one.standardise({"elev_mean": 1500.0}, {"elev_mean": 800.0})
    other.load_state_dict(one.state_dict())
    assert other.places.scaling(dict(elev_mean=torch.tensor([2300.0]))).tolist() == [[1.0]]


def test_what_changes_the_answer_changes_the_graph_hash():
    settings = [{}, {"half_range": 3.0}, {"bands": 2}, {"bands": [0.0, 1.0]}, {"bands": [0.0, 2.0]}, {"drivers": ()}]
    hashes = {graph_hash(Graph({"snow": DegreeDaySnow(generator=seeded(1), **one)})) for one in settings}
    assert len(hashes) == len(settings)


def test_mistakes_are_refused_in_words():
    with pytest.raises(ComponentError, match=r"temperature 'median' and drivers \[\]; expected one of \['extremes'"):
        DegreeDaySnow(temperature="median", drivers=())
    with pytest.raises(ComponentError, match=r"bands \[300.0, -300.0\]; expected a number from 1 on, or heights"):
        DegreeDaySnow(bands=[300.0, -300.0])
    with pytest.raises(FieldError, match=r"parameters \['ddf'\] are not known here; expected some of \['snow_thres"):
        DegreeDaySnow(parameters={"ddf": 3.0})
    with pytest.raises(FieldError, match=r"scaling needs a mean and a positive std .* not finite: \['elev_mean'\]"):
        DegreeDaySnow(attributes={"elev_mean": "m"}).standardise({"elev_mean": 1.0}, {"elev_mean": 0.0})


def test_scaling_of_what_is_no_field_is_refused():
    with pytest.raises(FieldError, match=r"snow: no fields \['prcp'\] to scale, expected some of \['air_temp"):
        DegreeDaySnow().standardise({"prcp": 1.0}, {"prcp": 2.0})


def test_the_registry_finds_the_model():
    assert registry().load("components", "snow-degree-day") is DegreeDaySnow
