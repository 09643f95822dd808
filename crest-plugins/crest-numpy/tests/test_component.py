"""NumPy and SciPy functions as components: the same answers as by hand, gradients, restart, members, errors."""

import math

import numpy as np
import pytest
import torch
from crest_numpy import NumpyComponent, numpy_component
from scipy.optimize import brentq

from crest_core import (
    ComponentError,
    Connection,
    FieldError,
    FieldSpec,
    GradientError,
    Graph,
    NoGradient,
    Sizes,
    registry,
)
from crest_core.testing import materialised_vjp, relative_difference, taylor_orders

RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux")
RUNOFF = FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux")
STORAGE = FieldSpec(name="storage", units="mm", cell_methods="time: point")
K = FieldSpec(name="k", units="day-1", dims=(), static=True, bounds=(0.01, 1.0))
TIMES = range(20)


@numpy_component(inputs=(RAIN,), outputs=(RUNOFF,), states={STORAGE: 10.0}, parameters={K: 0.1})
def reservoir(rain, storage, k):
    """A linear reservoir, q = k S."""
    return k * storage, storage + rain - k * storage


@numpy_component(
    inputs=(RAIN,), outputs=(RUNOFF, STORAGE), states={STORAGE: 10.0}, parameters={K: 0.1}, columnwise=True
)
def implicit(rain, storage, k):
    """A reservoir q = k S^1.5 / 10, solved implicitly for the storage at the end."""
    end = brentq(lambda s: s + k * s**1.5 / 10.0 - storage - rain, 0.0, storage + rain, xtol=1e-14)
    return k * end**1.5 / 10.0, end


def rain(*lead, cells=3):
    generator = torch.Generator().manual_seed(3)
    return {"rain": 5.0 * torch.rand(len(TIMES), *lead, cells, generator=generator, dtype=torch.float64)}


def run(model, inputs, state=None, times=TIMES):
    lead = tuple(inputs["rain"].shape[1:-1])
    state = model.initial_state(Sizes({"cell": inputs["rain"].shape[-1]}, lead)) if state is None else state
    return model(state, inputs, times)


@pytest.mark.parametrize("kind", [reservoir, implicit])
def test_no_water_is_lost(kind):
    inputs = rain()
    outputs, state = run(kind(), inputs)
    change = state["storage"] - 10.0
    assert torch.allclose(inputs["rain"].sum(0) - outputs["runoff"].sum(0), change, atol=1e-9, rtol=0)


def test_a_linear_reservoir_decays_as_the_formula_says():
    outputs, state = run(reservoir(parameters={"k": 0.25}), {"rain": torch.zeros(20, 1, dtype=torch.float64)})
    left = float(state["storage"].detach())
    assert math.isclose(left, 10.0 * 0.75**20, rel_tol=1e-5)  # the parameter is a float32 number


def test_the_decorated_function_is_a_class_that_keeps_name_and_docstring():
    assert issubclass(reservoir, NumpyComponent) and reservoir.__name__ == "reservoir"
    assert reservoir.__doc__.startswith("A linear reservoir") and reservoir.__module__ == __name__
    assert reservoir.inputs == (RAIN,) and reservoir.results == ("runoff", "storage")
    assert implicit.results == ("runoff", "storage")


@pytest.mark.parametrize("kind", [reservoir, implicit])
def test_the_gradient_with_respect_to_parameter_and_inputs_passes_the_taylor_test(kind):
    model, weather = kind().double(), rain()["rain"]
    start = model.initial_state(Sizes({"cell": 3}))

    def loss(x):
        inputs = {"rain": x[1:].reshape(weather.shape)}
        outputs, _ = torch.func.functional_call(model, {"physical.raw.k": x[0]}, (start, inputs, TIMES))
        return outputs["runoff"].square().sum()

    x = torch.cat([model.physical.raw["k"].detach().reshape(1), weather.flatten()])
    direction = torch.rand(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    orders = taylor_orders(loss, x, direction, [1e-1, 3e-2, 1e-2])
    assert all(1.9 <= order <= 2.1 for order in orders), orders


def test_finite_differences_agree_with_autograd_of_the_same_equation():
    inputs = rain()["rain"].requires_grad_()
    model = reservoir()
    (estimate,) = torch.autograd.grad(run(model, {"rain": inputs})[0]["runoff"].square().sum(), inputs)
    storage, loss = torch.full((3,), 10.0, dtype=torch.float64), 0.0
    for now in inputs:
        loss = loss + (0.1 * storage).square().sum()
        storage = storage + now - 0.1 * storage
    (exact,) = torch.autograd.grad(loss, inputs)
    assert relative_difference(estimate, exact) < 1e-7  # the default of k, 0.1, is a float32 parameter


@pytest.mark.parametrize("kind", [reservoir, implicit])
def test_a_restart_goes_on_bit_for_bit(kind):
    model, inputs = kind(), rain(2)
    whole, end = run(model, inputs)
    first, middle = run(model, {"rain": inputs["rain"][:7]}, times=TIMES[:7])
    second, again = run(model, {"rain": inputs["rain"][7:]}, middle, TIMES[7:])
    assert torch.equal(torch.cat([first["runoff"], second["runoff"]]), whole["runoff"])
    assert torch.equal(end["storage"], again["storage"])


@pytest.mark.parametrize("kind", [reservoir, implicit])
def test_members_do_not_see_each_other(kind):
    inputs = rain(4)
    together, _ = run(kind(), inputs)
    alone, _ = run(kind(), {"rain": inputs["rain"][:, 2]})
    assert relative_difference(together["runoff"][:, 2], alone["runoff"]) < 1e-12


def test_layers_and_constants_have_the_shape_of_their_field():
    moisture = FieldSpec(name="moisture", units="1", dims=("layer", "cell"), cell_methods="time: point")
    level = FieldSpec(name="level", units="m")

    @numpy_component(inputs=(RAIN,), outputs=(level,), states={moisture: 0.3}, dim_sizes={"layer": 2})
    def two_layers(rain, moisture):
        return 7.0, moisture + rain[..., None, :] / 1000.0

    outputs, state = run(two_layers(), rain(2))
    assert outputs["level"].shape == (20, 2, 3) and bool((outputs["level"] == 7.0).all())
    assert state["moisture"].shape == (2, 2, 3)


def test_it_trains_inside_a_graph_with_a_feedback_loop():
    stress = FieldSpec(name="stress", units="1")

    @numpy_component(inputs=(STORAGE,), outputs=(stress,))
    def wetness(storage):
        return np.tanh(storage / 20.0)

    @numpy_component(inputs=(RAIN, stress), outputs=(RUNOFF, STORAGE), states={STORAGE: 10.0}, parameters={K: 0.1})
    def bucket(rain, stress, storage, k):
        end = storage + rain - k * stress * storage
        return k * stress * storage, end

    graph = Graph(
        {"bucket": bucket(), "wetness": wetness()},
        [
            Connection("bucket.storage", "wetness.storage", lagged=True, initial=10.0),
            Connection("wetness.stress", "bucket.stress"),
        ],
    )
    inputs = rain()
    outputs, _ = graph(graph.initial_state(Sizes({"cell": 3}, (), torch.float64)), inputs, TIMES)
    outputs["runoff"].sum().backward()
    gradient = graph.components["bucket"].physical.raw["k"].grad
    assert float(gradient) > 0.0
    assert graph.gradient_report().status("bucket parameters", "runoff") == "estimated"


def test_the_decorator_is_a_backend():
    assert registry().load("backends", "numpy") is numpy_component


def test_arguments_must_be_the_declared_fields():
    with pytest.raises(FieldError, match=r"takes \['rain', 'storag'\].*not declared: \['storag'\], not taken: \['st"):

        @numpy_component(inputs=(RAIN,), outputs=(RUNOFF,), states={STORAGE: 1.0})
        def wrong(rain, storag):
            return rain, storag


def test_a_name_has_one_meaning():
    with pytest.raises(FieldError, match=r"declared twice: \['rain'\]"):

        @numpy_component(inputs=(RAIN, RAIN), outputs=(RUNOFF,))
        def wrong(rain):
            return rain


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"states": (STORAGE,)}, "states: expected a dict of fields and their numbers, .* got .FieldSpec"),
        ({"states": {STORAGE: "x"}}, "states: expected a FieldSpec and a number, got FieldSpec.*: 'x'"),
        ({"states": {"storage": 1.0}}, "states: expected a FieldSpec and a number, got 'storage': 1.0"),
        ({"parameters": {K: None}}, "parameters: expected a FieldSpec and a number, got FieldSpec.*: None"),
    ],
)
def test_states_and_parameters_are_fields_with_numbers(given, words):
    with pytest.raises(FieldError, match=words):
        numpy_component(inputs=(RAIN,), outputs=(RUNOFF,), **given)


@pytest.mark.parametrize("wrong", [7, "reservoir", None])
def test_only_functions_are_decorated(wrong):
    with pytest.raises(FieldError, match=f"numpy_component decorates functions, got {wrong!r}"):
        numpy_component(inputs=(RAIN,), outputs=(RUNOFF,))(wrong)


def test_a_gradient_is_a_strategy_and_no_word():
    with pytest.raises(GradientError, match=r"component reservoir: gradient 'fd' is no strategy; expected FiniteDiff"):
        reservoir(gradient="fd")


def test_columnwise_functions_take_numbers_only():
    deep = FieldSpec(name="deep", units="1", dims=("layer", "cell"))
    with pytest.raises(FieldError, match=r"columnwise hands over one number.*\['deep'\] have dims of their own"):

        @numpy_component(inputs=(deep,), outputs=(RUNOFF,), columnwise=True)
        def wrong(deep):
            return deep

    with pytest.raises(FieldError, match="columns depend on each other"):

        @numpy_component(inputs=(RAIN,), outputs=(RUNOFF,), columnwise=True, independent_columns=False)
        def also_wrong(rain):
            return rain


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: (x, x), r"expected the 1 results \['runoff'\], got 2; return them as a tuple"),
        (lambda x: x[..., :2], r"expected runoff as real numbers of shape \(3,\), got shape \(2,\)"),
        (lambda x: x * 1j, "expected runoff as real numbers of shape .* it holds complex128"),
        (lambda x: np.ma.masked_less(x, 1.0), "got a masked array, whose mask would be lost; fill it"),
        (lambda x: np.round(x).astype(int), "expected runoff as real numbers of shape .* it holds int64"),
        (lambda x: x > 1.0, "expected runoff as real numbers of shape .* it holds bool"),
        (
            lambda x: x.sum(),
            r"of shape \(3,\), got one float64 for all; return an array, or a plain number if constant",
        ),
        (lambda x: np.array(2.0), "got one float64 for all; return an array"),
        (lambda x: True, "it holds bool"),
        (lambda x: x * np.nan, "expected a finite number, got nan"),
    ],
)
def test_wrong_results_are_told(answer, words):
    @numpy_component(inputs=(RAIN,), outputs=(RUNOFF,))
    def wrong(rain):
        return answer(rain)

    with pytest.raises(ComponentError, match=words):
        run(wrong(gradient=NoGradient()), rain())


@pytest.mark.parametrize("change", [np.ndarray.__iadd__, lambda storage, rain: np.add(storage, rain, out=storage)])
def test_a_function_that_changes_its_arguments_is_told_so(change):
    @numpy_component(inputs=(RAIN,), outputs=(RUNOFF,), states={STORAGE: 10.0})
    def wrong(rain, storage):
        change(storage, rain)
        return 0.1 * storage, storage

    with pytest.raises(ComponentError, match="function wrong changes an argument in place .*read-only"):
        run(wrong(), rain())


@pytest.mark.parametrize("kind", [reservoir, implicit])
def test_the_gradient_is_the_transpose_of_the_materialised_jacobian(kind):
    component, generator = kind(parameters={"k": 0.25}), torch.Generator().manual_seed(5)
    component.double()
    storage = (5.0 + 10.0 * torch.rand(4, generator=generator)).double().requires_grad_()
    now = {"rain": torch.rand(4, generator=generator).double()}
    outputs, state = component.step({"storage": storage}, now, None)
    cotangents = torch.randn(2, 4, generator=generator).double()
    found = torch.autograd.grad([outputs["runoff"], state["storage"]], storage, list(cotangents))[0]
    physical = {"k": component.physical.values()["k"].detach().expand(4)}

    def function(x):
        outputs, state = component.evaluate({"storage": x}, now, physical)
        return torch.stack([outputs["runoff"], state["storage"]])

    point = storage.detach()
    expected = materialised_vjp(function, point, cotangents, 6e-6 * point.abs().clamp(min=1.0))
    assert relative_difference(found, expected) < 1e-12


def test_parameters_must_be_known_and_within_bounds():
    with pytest.raises(FieldError, match="declared or given, but not both"):
        reservoir(parameters={"q": 1.0})
    with pytest.raises(FieldError, match=r"parameter k .*2\.0 is not inside"):
        reservoir(parameters={"k": 2.0})
