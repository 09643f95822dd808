"""The soil-water bucket: laws, and agreement with a differentiable copy of its equations in torch."""

import pytest
import torch
from crest_fortran import FortranComponent, shipped_library

from crest_core import FiniteDifference, Pullback, Sizes, parse_timestep

DEPTH = torch.tensor([175.0, 150.0, 275.0], dtype=torch.float64)  # kg m-2


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)  # parameters, too, in double precision
    yield
    torch.set_default_dtype(torch.float32)


def bucket(**arguments):
    return FortranComponent(shipped_library("soil_bucket"), isolation="none", **arguments)


def weather(days, cells, seed=3):
    """Rain on one day of three, demand with a season and some dew, each (day, cell)."""
    random = torch.Generator().manual_seed(seed)
    wet = torch.rand(days, cells, generator=random) < 0.35
    rain = wet * -8.0 * torch.log(1 - torch.rand(days, cells, generator=random))
    season = 2.2 - 2.2 * torch.cos(2 * torch.pi * torch.arange(days) / 365)
    noise = torch.randn(days, cells, generator=random)
    return {
        "precipitation_flux": rain,
        "water_evapotranspiration_flux": season[:, None] + 0.4 * noise,
    }


def storage(state):
    return (DEPTH[:, None] * state["soil_moisture"]).sum(-2) + state["groundwater"]


def positive(x, width):
    return width * torch.nn.functional.softplus(x / width, threshold=40.0)


def at_most(x, space):
    return x * space / (x**4 + space**4 + 1e-60) ** 0.25


def torch_bucket(state, inputs, p, days=1.0):
    """Return what one step of the Fortran bucket returns, every operation on the torch tape."""
    full, dry = p["porosity"] * DEPTH[:, None], p["wilting_point"] * DEPTH[:, None]
    cap, k, c = full - dry, 1000.0 * 10.0 ** p["log10_conductivity"], p["drainage_exponent"]
    bypass = [p["bypass_middle"], p["bypass_bottom"]]
    share = [1.0 - bypass[0] - bypass[1], *bypass]
    top = torch.cumsum(DEPTH, 0)[:, None] / 1000.0
    below = torch.exp(-top / p["root_depth"])
    above = torch.cat([torch.ones_like(below[:1]), below[:-1]])
    roots = (above - below) / (1.0 - below[-1])
    w = list((state["soil_moisture"] * DEPTH[:, None]).unbind(0))
    spilled = [torch.relu(water - limit) for water, limit in zip(w, full, strict=True)]
    w = [water - flow for water, flow in zip(w, spilled, strict=True)]
    g, gmax = state["groundwater"], p["groundwater_capacity"]

    def available(i):
        return positive(w[i] - dry[i], 0.001 * DEPTH[i])

    def wetness(i):
        return available(i) / cap[i]

    def drained(i, slow):
        a, e = available(i), c[i] - 1.0
        return a - a * (1.0 + e * (k[i] * slow * h / cap[i]) * wetness(i) ** e) ** (-1.0 / e)

    subs = max(1, -int(-days * 6 // 1))
    h = days / subs
    demand = positive(inputs["water_evapotranspiration_flux"], 0.005)
    dew = (demand - inputs["water_evapotranspiration_flux"]) * h
    rain = inputs["precipitation_flux"] * h + dew
    used, deficit, deep = (torch.zeros_like(g) for _ in range(3))
    surface = spilled[0] + spilled[1] + spilled[2]
    for _ in range(subs):
        flow = drained(2, positive(1.0 - (g / gmax) ** 4, 0.02))
        w[2], g = w[2] - flow, g + flow
        for i in (1, 0):
            flow = drained(i, positive(1.0 - wetness(i + 1) ** 8, 0.02))
            flow = at_most(flow, full[i + 1] - w[i + 1])
            w[i], w[i + 1] = w[i] - flow, w[i + 1] + flow
        flow = g - g / (1.0 + h / p["groundwater_time"] * (1.0 + (g / gmax) ** 8))
        g, deep = g - flow, deep + flow
        for i, rise in enumerate((p["capillary_upper"], p["capillary_lower"])):
            wet = wetness(i + 1)
            flow = rise * h * positive(wet - wetness(i), 0.01) * wet / (wet + 0.02)
            flow = at_most(flow, full[i] - w[i])
            w[i], w[i + 1] = w[i] + flow, w[i + 1] - flow
        flow = p["groundwater_capillary"] * h * (g / gmax) * (1.0 - wetness(2))
        flow = at_most(flow, full[2] - w[2])
        g, w[2] = g - flow, w[2] + flow
        left = rain
        for i in range(3):
            flow = rain * share[i] * (1.0 - wetness(i) ** p["runoff_exponent"])
            flow = at_most(flow, full[i] - w[i])
            w[i], left = w[i] + flow, left - flow
        surface = surface + left
        missing = torch.zeros_like(g)
        for i in range(3):
            missing = missing + demand * h * roots[i]
            a, half = available(i), 0.02 * cap[i]
            b = half + missing - a
            x = 0.5 * (torch.sqrt(b * b + 4.0 * a * half) - b)
            uptake = missing * x / (x + half)
            w[i], missing, used = w[i] - uptake, missing - uptake, used + uptake
        used, deficit = used - dew, deficit + missing
    water = torch.stack(w)
    moisture = water / DEPTH[:, None]
    outputs = {
        "soil_moisture": moisture,
        "root_zone_soil_moisture": water.sum(0) / DEPTH.sum(),
        "evapotranspiration": used / days,
        "evapotranspiration_deficit": deficit / days,
        "surface_runoff": surface / days,
        "subsurface_runoff": deep / days,
        "groundwater": g,
    }
    return outputs, {"soil_moisture": moisture, "groundwater": g}


def spread(component, cells):
    """Return the parameters, each (..., cell)."""
    values = component.physical.values()
    return {name: v[..., None].expand(*v.shape, cells) for name, v in values.items()}


def extremes():
    """Parameter sets that make soils very leaky, tight, shallow, full, and the default."""
    return [
        {},
        {"log10_conductivity": 0.99, "drainage_exponent": 4.01, "groundwater_time": 2.1},
        {"log10_conductivity": -2.99, "drainage_exponent": 24.9, "runoff_exponent": 9.9},
        {"groundwater_capacity": 51.0, "groundwater_time": 399.0, "groundwater_capillary": 19.9},
        {"porosity": 0.251, "wilting_point": 0.199, "capillary_upper": 19.9, "root_depth": 0.031},
    ]


@pytest.mark.parametrize(("timestep", "parameters"), [("1D", p) for p in extremes()] + [("1h", {}), ("10D", {})])
def test_the_water_balance_closes_to_1e_9_mm_in_every_step(timestep, parameters):
    component = bucket(parameters=parameters, timestep=timestep)
    days = parse_timestep(timestep).total_seconds() / 86400
    state = component.initial_state(Sizes({"cell": 4}))
    forcing = weather(200, 4)
    forcing["precipitation_flux"] = forcing["precipitation_flux"] * torch.tensor([1.0, 0.0, 5.0, 20.0])
    with torch.no_grad():
        for day in range(200):
            inputs = {name: values[day] for name, values in forcing.items()}
            outputs, after = component.step(state, inputs, day)
            gain = inputs["precipitation_flux"] - outputs["evapotranspiration"]
            gain = gain - outputs["surface_runoff"] - outputs["subsurface_runoff"]
            error = storage(after) - storage(state) - gain * days
            assert float(error.abs().max()) < 1e-9
            state = after


def test_demand_is_either_taken_up_or_reported_as_deficit():
    component = bucket(initial={"soil_moisture": 0.13})
    inputs = {"precipitation_flux": torch.zeros(1), "water_evapotranspiration_flux": torch.full((1,), 6.0)}
    state = component.initial_state(Sizes({"cell": 1}))
    for day in range(60):
        with torch.no_grad():
            outputs, state = component.step(state, inputs, day)
        total = outputs["evapotranspiration"] + outputs["evapotranspiration_deficit"]
        assert float(total) == pytest.approx(6.0, abs=1e-12)
    assert float(outputs["evapotranspiration_deficit"]) > 4.0
    assert (state["soil_moisture"][:, 0] > torch.tensor([0.075, 0.095, 0.115])).all()


def test_soil_never_holds_more_than_its_pores_under_endless_rain():
    component = bucket()
    state = component.initial_state(Sizes({"cell": 1}))
    inputs = {"precipitation_flux": torch.full((1,), 300.0), "water_evapotranspiration_flux": torch.zeros(1)}
    with torch.no_grad():
        for day in range(100):
            outputs, state = component.step(state, inputs, day)
    porosity = component.physical.values()["porosity"]
    assert (state["soil_moisture"][:, 0] <= porosity + 1e-12).all()
    assert float(outputs["surface_runoff"] + outputs["subsurface_runoff"]) == pytest.approx(300.0)


def test_columns_do_not_see_each_other():
    component, forcing = bucket(), weather(1, 5)
    inputs = {name: values[0] for name, values in forcing.items()}
    state = component.initial_state(Sizes({"cell": 5}))
    together, _ = component.step(state, inputs, 0)
    for cell in range(5):
        one = {name: values[cell : cell + 1] for name, values in inputs.items()}
        alone, _ = component.step({k: v[..., :1] for k, v in state.items()}, one, 0)
        for name, value in alone.items():
            assert torch.equal(value[..., 0], together[name][..., cell])


@pytest.mark.parametrize(("days", "parameters"), [(365, {})] + [(60, p) for p in extremes()[1:]])
def test_fortran_equals_its_torch_copy_to_1e_12(days, parameters):
    component = bucket(parameters=parameters)
    state = copy = component.initial_state(Sizes({"cell": 3}))
    forcing = weather(days, 3)
    with torch.no_grad():
        values = spread(component, 3)
        for day in range(days):
            inputs = {name: series[day] for name, series in forcing.items()}
            outputs, state = component.step(state, inputs, day)
            expected, copy = torch_bucket(copy, inputs, values)
            for name, value in expected.items():
                torch.testing.assert_close(outputs[name], value, rtol=1e-12, atol=1e-12)


def year_loss(step, state, forcing, days):
    total = torch.zeros(())
    for day in range(days):
        outputs, state = step(state, {name: series[day] for name, series in forcing.items()}, day)
        total = total + (outputs["soil_moisture"] ** 2).sum() + 0.01 * outputs["surface_runoff"].sum()
        total = total + 0.01 * outputs["evapotranspiration_deficit"].sum()
    return total + 1e-3 * state["groundwater"].sum()


@pytest.mark.parametrize(
    ("timestep", "parameters", "days"),
    [
        *(("1D", p, 8) for p in extremes()),
        ("1h", {}, 8),
        ("10D", {}, 2),  # 60 parts a step: autograd of the torch copy takes most of the time
        pytest.param("10D", {}, 8, marks=pytest.mark.slow),
    ],
)
def test_the_hand_written_adjoint_equals_autograd_of_the_torch_copy_to_1e_12(timestep, parameters, days):
    component = bucket(timestep=timestep, parameters=parameters, gradient=Pullback())
    length = parse_timestep(timestep).total_seconds() / 86400
    random, cells = torch.Generator().manual_seed(4), 6
    forcing = weather(days, cells)
    state = component.initial_state(Sizes({"cell": cells}))
    state["soil_moisture"] = 0.12 + 0.4 * torch.rand(3, cells, generator=random)  # some layers are over-full
    for day in range(days):
        x = {name: series[day].clone().requires_grad_() for name, series in forcing.items()}
        start = {name: value.detach().requires_grad_() for name, value in state.items()}
        wanted = [*component.physical.parameters(), *x.values(), *start.values()]
        outputs, state = component.step(start, x, day)
        expected, copy = torch_bucket(start, x, spread(component, cells), length)
        loss = copied = torch.zeros(())
        for ours, theirs in ((outputs, expected), (state, copy)):
            for name in ours:
                weight = torch.randn(ours[name].shape, generator=random)
                loss, copied = loss + (weight * ours[name]).sum(), copied + (weight * theirs[name]).sum()
        exact = torch.autograd.grad(copied, wanted)
        for near, true in zip(torch.autograd.grad(loss, wanted), exact, strict=True):
            assert float((near - true).abs().max()) <= 1e-12 * float(true.abs().max()) + 1e-13


@pytest.mark.parametrize("timestep", ["4h", pytest.param("1D", marks=pytest.mark.slow)])
def test_both_gradients_equal_autograd_to_1e_6_over_365_steps(timestep):
    """One test for both: autograd of the torch copy takes most of the time."""
    days, model = 365, bucket(timestep=timestep)
    length = parse_timestep(timestep).total_seconds() / 86400
    forcing = {name: series.requires_grad_() for name, series in weather(days, 1).items()}
    start = model.initial_state(Sizes({"cell": 1}))

    def copy(state, inputs, day):
        return torch_bucket(state, inputs, spread(model, 1), length)

    def gradients(step, component):
        wanted = [*component.physical.parameters(), *forcing.values()]
        return torch.autograd.grad(year_loss(step, start, forcing, days), wanted)

    exact = gradients(copy, model)
    for gradient, tolerance in ((FiniteDifference(), 1e-6), (Pullback(), 1e-9)):
        component = bucket(timestep=timestep, gradient=gradient)
        for near, true in zip(gradients(component.step, component), exact, strict=True):
            assert float((near - true).abs().max() / true.abs().max()) < tolerance, gradient.policy


def test_each_scalar_parameter_and_state_has_an_effect():
    component = bucket()
    state = component.initial_state(Sizes({"cell": 1}))
    forcing = weather(30, 1)
    loss = year_loss(component.step, state, forcing, 30)
    for gradient in torch.autograd.grad(loss, list(component.physical.parameters())):
        assert (gradient != 0).all()


def test_every_field_of_the_bucket_says_what_it_means():
    model = bucket()
    fields = (*model.inputs, *model.outputs, *model.states, *model.parameter_specs)
    assert [field.name for field in fields if not field.doc] == []
