"""A model whose state can be set: gradients, members, restart, and models that begin and end."""

import copy
import gc

import numpy as np
import pytest
import torch
import xarray as xr
from crest_bmi import BmiComponent

from crest_core import (
    SPSA,
    ComponentError,
    CrestError,
    FieldError,
    FiniteDifference,
    GradientError,
    Graph,
    NoGradient,
    SafetensorsStore,
    Sizes,
    simulate,
)
from crest_core.testing import taylor_orders

K = {"k": {"bounds": (0.01, 0.9)}}


def settable(models, **options):
    return BmiComponent(options.pop("model", models.Reservoir), **{"states": ("water",)} | options)


def rain(*values):
    return {"rain": torch.tensor(values, dtype=torch.float64)}


def weather(days=6, cells=3):
    values = 5.0 + 4.0 * np.sin(np.arange(days * cells).reshape(days, cells))
    times = np.datetime64("2001-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    return xr.Dataset({"rain": (("time", "cell"), values, {"units": "mm day-1"})}, {"time": times})


def test_gradients_of_input_state_and_parameter_are_those_of_the_equation(models):
    component = settable(models, parameters=("k",), fields=K)
    water = torch.full((2,), 10.0, dtype=torch.float64, requires_grad=True)
    series = torch.full((4, 2), 3.0, dtype=torch.float64, requires_grad=True)
    outputs, _ = component({"water": water}, {"rain": series}, range(4))
    outputs["flow"][-1].sum().backward()
    k = component.physical.values(torch.float64)["k"].detach().requires_grad_()
    start, driver = water.detach().clone().requires_grad_(), series.detach().clone().requires_grad_()
    level = start
    for step in driver[:3]:
        level = level + step - k * level
    (k * level).sum().backward()
    assert torch.allclose(water.grad, start.grad, rtol=1e-6)
    assert torch.allclose(series.grad, driver.grad, rtol=1e-6)
    slope = k.grad.item() * (k.item() - 0.01) * (0.9 - k.item()) / 0.89  # d k / d raw of the sigmoid
    assert component.physical.raw["k"].grad.item() == pytest.approx(slope, rel=1e-6)


def test_the_remainder_of_a_taylor_expansion_shrinks_with_the_square(models):
    component = settable(models, parameters=("k",), fields=K)
    series = rain(3.0, 4.0)["rain"].expand(5, 2)

    def flow(raw):
        values = component.physical.raw["k"]
        gradient = torch.func.functional_call(component, {"physical.raw.k": raw.reshape(values.shape)}, (
            {"water": torch.full((2,), 10.0, dtype=torch.float64)}, {"rain": series}, range(5)))  # fmt: skip
        return gradient[0]["flow"].sum()

    point = component.physical.raw["k"].detach().double()
    assert min(taylor_orders(flow, point, torch.ones_like(point), [0.4, 0.2, 0.1])) > 1.8


def test_columns_of_a_grid_that_feel_each_other_have_right_gradients(models):
    component = settable(models, model=models.Lateral, parameters=("k",), fields=K)
    assert not component.independent_columns
    water = torch.full((3,), 10.0, dtype=torch.float64, requires_grad=True)
    _, after = component.step({"water": water}, rain(1.0, 2.0, 3.0), 0)
    (after["water"] * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert torch.allclose(water.grad, torch.tensor([0.9 + 0.5, 9.0 + 5.0, 90.0]).double(), rtol=1e-6)
    slope = (-10.0 + 10 * (-10.0 + 5.0) + 100 * (-10.0 + 5.0)) * (0.1 - 0.01) * 0.8 / 0.89
    assert float(component.physical.raw["k"].grad) == pytest.approx(slope, rel=1e-5)


def test_independent_columns_are_tried_out_and_make_gradients_cheap(models):
    with pytest.raises(ComponentError, match=r"independent_columns=True is wrong: 'water' of a column changed"):
        settable(models, model=models.Lateral, independent_columns=True)
    alone = models.variant(models.Reservoir, cells=3)
    component = settable(models, model=alone, independent_columns=True, parameters=("k",), fields=K)
    water = torch.full((3,), 10.0, dtype=torch.float64, requires_grad=True)
    outputs, _ = component.step({"water": water}, rain(1.0, 2.0, 3.0), 0)
    (outputs["flow"] * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert torch.allclose(water.grad, torch.tensor([0.1, 1.0, 10.0]).double(), rtol=1e-6)
    assert float(component.physical.raw["k"].grad) == pytest.approx(1110.0 * 0.09 * 0.8 / 0.89, rel=1e-5)
    with pytest.raises(FieldError, match=r"does not go with \['k'\], which all columns share, and SPSA"):
        settable(models, model=alone, independent_columns=True, parameters=("k",), fields=K,
                 gradient=SPSA(torch.Generator().manual_seed(1)))  # fmt: skip


@pytest.mark.parametrize("lead", [(4,), (3, 2)])
def test_members_are_bit_for_bit_what_each_gives_alone(models, lead):
    component = settable(models)
    state = component.initial_state(Sizes({"cell": 2}, lead=lead))
    series = torch.rand(5, *lead, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    outputs, after = component(state, {"rain": series}, range(5))
    assert outputs["flow"].shape == (5, *lead, 2)
    last = (-1,) * len(lead)
    alone, final = component({"water": state["water"][last]}, {"rain": series[(slice(None), *last)]}, range(5))
    assert torch.equal(outputs["flow"][(slice(None), *last)], alone["flow"])
    assert torch.equal(after["water"][last], final["water"])


def test_a_restart_is_bit_for_bit_a_straight_run(models, tmp_path):
    graph = Graph({"store": settable(models)})
    straight = simulate(graph, weather(), window="1D")
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    simulate(graph, weather(), end="2001-01-04", store=store)
    resumed = simulate(Graph({"store": settable(models)}), weather(), resume=store)
    assert np.array_equal(straight["flow"].values[3:], resumed["flow"].values)


def test_a_model_that_reaches_its_end_time_is_begun_anew(models):
    component = settable(models, model=models.variant(models.Reservoir, last=12 * 86400.0))
    _, state = component({"water": torch.zeros(1)}, {"rain": torch.ones(20, 1)}, range(20))
    assert float(state["water"]) == pytest.approx(10 * (1 - 0.9**20))


def test_float32_inside_the_model_is_told_and_takes_larger_steps(models):
    component = settable(models, model=models.Single)
    assert component.gradient == FiniteDifference(step=1e-2)
    assert "float32 in the model: rain, flow, water" in repr(component)
    water = torch.full((1,), 10.0, dtype=torch.float64, requires_grad=True)
    component.step({"water": water}, rain(1.0), 0)[0]["flow"].sum().backward()
    assert float(water.grad) == pytest.approx(0.1, rel=1e-3)
    with pytest.raises(GradientError, match=r"float32, which drowns differences of step 6e-06; use a step of 0.01"):
        settable(models, model=models.Single, gradient=FiniteDifference())


def test_whole_numbers_are_no_inputs_and_have_no_gradient(models):
    whole = models.variant(models.Reservoir, kind="i4")
    with pytest.raises(FieldError, match=r"input 'rain' is of type int32, expected real numbers; leave it out of"):
        settable(models, model=whole)
    assert isinstance(settable(models, model=whole, inputs=()).gradient, NoGradient)
    with pytest.raises(GradientError, match=r"\['flow', 'water'\] are whole numbers"):
        settable(models, model=whole, inputs=(), gradient=FiniteDifference())


def test_every_model_that_was_begun_is_finalized(models):
    component = settable(models)
    tried = models.Reservoir.finalized
    assert tried == 3  # one read, two tried
    component.step(component.initial_state(Sizes({"cell": 1})), rain(1.0), 0)
    component.finalize()
    assert models.Reservoir.finalized == tried + 1
    component.step(component.initial_state(Sizes({"cell": 1})), rain(1.0), 0)
    del component
    gc.collect()
    assert models.Reservoir.finalized == tried + 2


def test_components_and_copies_have_models_of_their_own(models):
    first = settable(models)
    second, state = copy.deepcopy(first), first.initial_state(Sizes({"cell": 1}))
    expected = [first.step(state, rain(value), 0)[1]["water"] for value in (1.0, 7.0)]
    found = [model.step(state, rain(value), 0)[1]["water"] for model, value in ((first, 1.0), (second, 7.0))]
    assert torch.equal(torch.stack(found), torch.stack(expected))
    assert first._running._models[0] is not second._running._models[0]


def test_models_that_are_refused_are_finalized_too(models):
    for options in ({"fields": {"rain": {"units": "-"}}}, {"trial": {"rain": (0.0, 1000.0, 0.0, 0.0)}}, {"states": ()}):
        before = models.Reservoir.finalized
        with pytest.raises(CrestError):
            settable(models, **options)
        assert models.Reservoir.finalized > before + (0 if "fields" in options else 1)
