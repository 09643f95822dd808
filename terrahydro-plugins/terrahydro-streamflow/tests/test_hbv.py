"""HBV: its balance, its limits, and what it does with rain and snow."""

import pytest
import torch
from terrahydro_streamflow import HBV_RANGES, StreamflowHBV
from terrahydro_streamflow.hbv_day import potential_evaporation
from terrahydro_streamflow.unit_hydrograph import gamma_hydrograph, route

from crest_core import Connection, FieldError, Graph, Sizes, registry

ATTRIBUTES = {"aridity": "1", "elev_mean": "m"}
DAYS, CELLS = 400, 3


def made(**settings):
    settings = {"units": 4, "attributes": ATTRIBUTES} | settings
    return StreamflowHBV(**settings, generator=torch.Generator().manual_seed(1)).double().eval()


def weather(model, days=DAYS):
    """Two winters of synthetic days: storms, and a sine of temperature from -8 to 18 degC."""
    draw = torch.Generator().manual_seed(2)
    season = torch.sin(2.0 * torch.pi * torch.arange(days, dtype=torch.float64) / 365.0).unsqueeze(-1)
    celsius = 5.0 - 13.0 * season + 3.0 * torch.randn(days, CELLS, generator=draw, dtype=torch.float64)
    rain = 30.0 * (torch.rand(days, CELLS, generator=draw, dtype=torch.float64) - 0.7).clamp(min=0.0)
    attributes = torch.randn(2, CELLS, generator=draw, dtype=torch.float64)
    return {
        model.water: rain,
        "shortwave_down": 150.0 - 100.0 * season.expand(days, CELLS),
        "air_temperature_max": celsius + 5.0,
        "air_temperature_min": celsius - 5.0,
        "aridity": attributes[0],
        "elev_mean": attributes[1],
    }


def start(model, cells=CELLS):
    return model.initial_state(Sizes({"cell": cells}, dtype=torch.float64))


def stored(state):
    return sum(value.sum(0) for value in state.values())


@pytest.mark.parametrize("snow", ["internal", "external"])
def test_what_falls_runs_off_evaporates_or_stays(snow):
    model = made(snow=snow)
    inputs, state = weather(model), start(model)
    outputs, after = model(state, inputs, range(DAYS))
    left = outputs["runoff_flux"].sum(0) + outputs["evapotranspiration"].sum(0) + stored(after) - stored(state)
    torch.testing.assert_close(left, inputs[model.water].sum(0), rtol=0, atol=1e-9)


def test_nothing_becomes_negative_and_both_winters_have_snow():
    model = made()
    with torch.no_grad():
        outputs, after = model(start(model), weather(model), range(DAYS))
    assert all(float(value.min()) >= 0.0 for value in (*outputs.values(), *after.values()))
    snow = outputs["surface_snow_amount"]
    assert float(snow[60:120].min()) > 5.0 and float(snow[240:280].max()) < 1.0


def test_days_one_by_one_and_a_cut_are_the_whole_sequence():
    model = made()
    inputs, state = weather(model, 40), start(model)
    whole, last = model(state, inputs, range(40))
    rows = []
    for day in range(40):
        now = {name: value[day] if value.dim() == 2 else value for name, value in inputs.items()}
        outputs, state = model.step(state, now, day)
        rows.append(outputs)
    for name, value in whole.items():
        torch.testing.assert_close(torch.stack([row[name] for row in rows]), value, rtol=0, atol=1e-12)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-12)


def test_all_parameters_stay_within_their_bounds_and_differ_by_basin():
    model = made(units=2)
    given = {"aridity": torch.tensor([-3e3, 0.0, 3e3]).double(), "elev_mean": torch.zeros(3).double()}
    with torch.no_grad():
        units, basins = model.parameters_of(given)
    assert {*units, *basins} == set(HBV_RANGES)
    for name, value in (units | basins).items():
        assert HBV_RANGES[name].low <= float(value.min()) and float(value.max()) <= HBV_RANGES[name].high, name
        assert float(value[..., 0].sub(value[..., 2]).abs().max()) > 0.0, name
    assert units["field_capacity"].shape == (2, 3) and basins["routing_shape"].shape == (3,)


def test_one_unit_begins_at_the_usual_parameters():
    model = made(units=1)
    with torch.no_grad():
        model.network.outer.weight.zero_()
        units, basins = model.parameters_of({name: torch.zeros(1).double() for name in ATTRIBUTES})
    for name, value in (units | basins).items():
        assert float(value) == pytest.approx(HBV_RANGES[name].start, rel=1e-5, abs=1e-5), name


def test_gradients_reach_the_network_and_are_finite():
    model = made()
    outputs, _ = model(start(model), weather(model), range(DAYS))
    (outputs["runoff_flux"] - 1.0).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().max() > 0.0, name


def test_bf16_around_it_changes_nothing():
    model = made().float()
    inputs = {name: value.float() for name, value in weather(model, 30).items()}
    state = {name: value.float() for name, value in start(model).items()}
    with torch.no_grad():
        exact, _ = model(state, inputs, range(30))
        with torch.autocast("cpu", torch.bfloat16):
            found, _ = model(state, inputs, range(30))
    assert all(torch.equal(found[name], value) for name, value in exact.items())


def test_a_missing_value_is_seen_and_stays_in_its_cell():
    model = made()
    for name in (model.water, "shortwave_down", "air_temperature_max"):
        inputs = weather(model, 20)
        inputs[name] = inputs[name].clone()
        inputs[name][10, 1] = float("nan")
        outputs, after = model(start(model), inputs, range(20))
        assert torch.isnan(after["soil_water"][:, 1]).all()
        assert torch.isfinite(outputs["runoff_flux"][:, [0, 2]]).all()


def test_outside_snow_couples_to_a_component_that_gives_liquid_water():
    """A snow component that holds nothing: all that falls is liquid, as without snow."""
    from crest_core import FieldSpec, StepComponent

    class Thaw(StepComponent):
        inputs = (FieldSpec(name="precipitation_flux", units="kg m-2 day-1", standard_name="precipitation_flux"),)
        outputs = (FieldSpec(name="liquid_water_flux", units="kg m-2 day-1"),)

        def step(self, state, inputs, time):
            return {"liquid_water_flux": inputs["precipitation_flux"]}, {}

    model = made(snow="external")
    graph = Graph({"snow": Thaw(), "basin": model}, [Connection("snow.liquid_water_flux", "basin.liquid_water_flux")])
    inputs = weather(model, 50)
    alone, _ = model(start(model), inputs, range(50))
    given = {"precipitation_flux" if name == "liquid_water_flux" else name: value for name, value in inputs.items()}
    outputs, _ = graph(graph.initial_state(Sizes({"cell": CELLS}, dtype=torch.float64)), given, range(50))
    assert torch.equal(outputs["runoff_flux"], alone["runoff_flux"])


def test_potential_evaporation_is_that_of_makkink():
    """20 degC, 200 W m-2: Delta 0.1447, gamma 0.066 kPa K-1, so 0.687 x 7.053 kg m-2 day-1, by hand."""
    found = potential_evaporation(torch.tensor(20.0), torch.tensor(200.0))
    assert float(found) == pytest.approx(0.1447 / (0.1447 + 0.066) * 200.0 * 0.0864 / 2.45, rel=2e-3)


def test_the_unit_hydrograph_sums_to_one_and_is_that_of_a_gamma_distribution():
    shares = gamma_hydrograph(torch.tensor([0.3, 1.0, 2.9]), torch.tensor([0.1, 2.0, 6.5]))
    torch.testing.assert_close(shares.sum(0), torch.ones(3))
    days = torch.arange(15) + 0.5
    exponential = torch.exp(-days / 2.0)
    torch.testing.assert_close(shares[:, 1], exponential / exponential.sum())


def test_routing_is_a_convolution_and_what_waits_comes_out_later():
    shares = torch.tensor([[0.5], [0.3], [0.2]])
    leaves, waits = route(torch.tensor([[10.0], [0.0]]), shares, torch.tensor([[1.0], [2.0]]))
    assert leaves.flatten().tolist() == [6.0, 5.0] and waits.flatten().tolist() == [2.0, 0.0]


def test_it_is_registered_with_a_balance():
    assert registry().load("components", "streamflow-hbv")(units=1).conserves[0].startswith("water: precipitation_flux")


def test_snow_that_is_neither_inside_nor_outside_is_refused():
    with pytest.raises(FieldError, match="snow 'none' and 4 units; expected 'internal' or 'external', and 1 or more"):
        made(snow="none")
