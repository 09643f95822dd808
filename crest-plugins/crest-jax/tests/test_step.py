"""JaxStepComponent and HBVSnow: water balance, known days, laws of gradients, coupling with torch, errors."""

import jax.numpy as jnp
import pytest
import torch
from crest_jax import HBVSnow, JaxStepComponent

from crest_core import (
    ComponentError,
    Connection,
    FieldError,
    FieldSpec,
    Graph,
    SafetensorsStore,
    Sizes,
)
from crest_core.plugins import registry
from crest_core.testing import TorchBucket, dot_product_error, relative_difference, taylor_orders

DAYS, CELLS = 60, 3


def weather(lead=(), days=DAYS, dtype=torch.float64):
    """Days well below and above the threshold in turn, so that no value sits at a kink of min and max."""
    generator = torch.Generator().manual_seed(7)
    rain = torch.rand((days, *lead, CELLS), generator=generator, dtype=dtype) * 10.0
    season = -4.0 + 9.0 * torch.arange(days, dtype=dtype).view(-1, *[1] * (len(lead) + 1)) / days
    return {
        "precipitation": rain,
        "temperature": season + 2.0 * torch.randn(rain.shape, generator=generator, dtype=dtype),
    }


def start(component, lead=(), dtype=torch.float64):
    return component.initial_state(Sizes({"cell": CELLS}, lead, dtype))


def part(inputs, times):
    return {name: value[times] for name, value in inputs.items()}


def coupled():
    links = [Connection("snow.soil_water_input", "soil.precipitation")]
    return Graph({"snow": HBVSnow(), "soil": TorchBucket()}, links).double()


def test_water_is_neither_made_nor_lost():
    snow, inputs = HBVSnow(snowfall_correction=0.8).double(), weather()
    outputs, state = snow(start(snow), inputs, range(DAYS))
    cold = inputs["temperature"] < 0.0
    entered = (inputs["precipitation"] * torch.where(cold, 0.8, 1.0).double()).sum(0)
    kept = state["frozen"] + state["liquid"]
    lost = entered - outputs["soil_water_input"].sum(0) - kept
    assert lost.abs().max() < 1e-7 * entered.max()  # 0.8 went through float32
    assert torch.equal(outputs["swe"][-1], kept) and outputs["swe"].max() > 20.0 and outputs["swe"].min() >= 0.0


def test_days_computed_by_hand():
    """10 mm of snow; 2 degrees melt 6, of which 0.1 * 4 stay; -10 degrees refreeze all that is left."""
    snow = HBVSnow(snowfall_correction=1.0).double()
    inputs = {
        "precipitation": torch.tensor([10.0, 0.0, 0.0], dtype=torch.float64).expand(CELLS, 3).T,
        "temperature": torch.tensor([-5.0, 2.0, -10.0], dtype=torch.float64).expand(CELLS, 3).T,
    }
    outputs, state = snow(start(snow), inputs, range(3))
    assert outputs["soil_water_input"][:, 0].tolist() == pytest.approx([0.0, 5.6, 0.0], abs=1e-5)
    assert outputs["swe"][:, 0].tolist() == pytest.approx([10.0, 4.4, 4.4], abs=1e-5)
    assert (state["frozen"][0].item(), state["liquid"][0].item()) == pytest.approx((4.4, 0.0), abs=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_scan_of_a_sequence_equals_single_steps_with_members(dtype, tolerance):
    snow, inputs = HBVSnow().to(dtype), weather((2,), dtype=dtype)
    whole, last = snow(start(snow, (2,), dtype), inputs, range(DAYS))
    state, pieces = start(snow, (2,), dtype), []
    for t in range(DAYS):
        outputs, state = snow.step(state, part(inputs, t), t)
        pieces.append(outputs)
    for name, value in whole.items():
        assert value.shape == (DAYS, 2, CELLS) and value.dtype == dtype
        assert relative_difference(torch.stack([outputs[name] for outputs in pieces]), value) <= tolerance
    assert all(relative_difference(state[name], last[name]) <= tolerance for name in last)
    single, _ = snow(start(snow, (), dtype), {name: value[:, 1] for name, value in inputs.items()}, range(DAYS))
    assert relative_difference(whole["swe"][:, 1], single["swe"]) <= tolerance


def test_a_run_goes_on_from_a_stored_state_bit_for_bit(tmp_path):
    graph, store = coupled(), SafetensorsStore(tmp_path / "restart.safetensors")
    inputs = {**weather(), "evapotranspiration": torch.ones(DAYS, CELLS, dtype=torch.float64)}
    for cut in (30,):
        _, middle = graph(start(graph), part(inputs, slice(0, cut)), range(cut))
        store.save(middle, {})
        rest = part(inputs, slice(cut, DAYS))
        straight, resumed = graph(middle, rest, range(cut, DAYS)), graph(store.load()[0], rest, range(cut, DAYS))
        for a, b in zip(straight, resumed, strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)


def test_gradients_of_a_coupled_graph_keep_the_laws_in_inputs_state_and_parameters():
    graph = coupled()
    weights = dict(graph.named_parameters())
    inputs = {**weather(), "evapotranspiration": torch.ones(DAYS, CELLS, dtype=torch.float64)}
    state = {"snow.frozen": torch.full((CELLS,), 9.0).double(), "snow.liquid": torch.full((CELLS,), 0.4).double()}
    state["soil.storage"] = torch.full((CELLS,), 50.0).double()
    names = [*inputs, *state, *weights]

    def run(*values):
        given = dict(zip(names, values, strict=True))
        groups = [{name: given[name] for name in group} for group in (weights, state, inputs)]
        outputs, last = torch.func.functional_call(graph, groups[0], (groups[1], groups[2], range(DAYS)))
        return [*outputs.values(), *last.values()]

    arguments = [*inputs.values(), *state.values(), *(value.detach() for value in weights.values())]
    assert dot_product_error(run, arguments, torch.Generator().manual_seed(1)) < 1e-12
    sizes = [value.numel() for value in arguments]
    point = torch.cat([value.flatten() for value in arguments])

    def loss(vector):
        pieces = zip(vector.split(sizes), arguments, strict=True)
        return torch.stack([(r**2).mean() for r in run(*(piece.view_as(value) for piece, value in pieces))]).sum()

    direction = torch.randn(point.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for part_of in (direction, direction * (torch.arange(len(point)) >= sum(sizes[: -len(weights)]))):
        orders = taylor_orders(loss, point, part_of / part_of.norm(), [1e-3, 3e-4, 1e-4])
        assert all(1.9 < order < 2.1 for order in orders), orders
    assert graph.gradient_report().status("snow parameters", "runoff") == "exact"


def test_training_through_the_graph_finds_the_degree_day_factor_that_made_the_snow():
    inputs = weather(dtype=torch.float32)
    observed = HBVSnow(degree_day_factor=4.5)(start(HBVSnow(), (), torch.float32), inputs, range(DAYS))[0][
        "swe"
    ].detach()
    snow = HBVSnow(degree_day_factor=2.0)
    raw = snow.physical.raw["degree_day_factor"]
    optimiser = torch.optim.LBFGS([raw], max_iter=30, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = (snow(start(snow, (), torch.float32), inputs, range(DAYS))[0]["swe"] - observed).square().mean()
        value.backward()
        return value

    optimiser.step(loss)
    assert snow.physical.values()["degree_day_factor"].item() == pytest.approx(4.5, rel=1e-3)


def test_parameters_are_saved_and_loaded_with_the_component(tmp_path):
    from safetensors.torch import save_file

    snow, other = HBVSnow(degree_day_factor=5.0), HBVSnow()
    save_file(snow.state_dict(), tmp_path / "snow.safetensors")
    other.load_weights(tmp_path / "snow.safetensors")
    assert other.physical.values()["degree_day_factor"].item() == pytest.approx(5.0)


def test_the_sequence_is_traced_once_for_each_length_and_the_step_once():
    traces = []

    def step(parameters, state, inputs):
        traces.append(1)
        return {"out": inputs["in"] + state["s"]}, {"s": inputs["in"]}

    model = small(step)
    state = start(model, (), torch.float32)
    for _ in range(3):
        model(state, {"in": torch.ones(5, CELLS)}, range(5))
    first = len(traces)
    for t in range(3):
        model.step(state, {"in": torch.ones(CELLS)}, t)
    assert first <= 2 and len(traces) == first + 1


IN, OUT = FieldSpec(name="in", units="1"), FieldSpec(name="out", units="1")
S = FieldSpec(name="s", units="1", cell_methods="time: point")


def small(step, **changes):
    return JaxStepComponent(step, **({"inputs": (IN,), "outputs": (OUT,), "states": (S,)} | changes))


def test_windows_and_statics_arrive_as_they_do_in_a_graph():
    past = FieldSpec(name="in", units="1", window=3)
    fixed = FieldSpec(name="height", units="m", static=True)

    def step(parameters, state, inputs):
        return {"out": inputs["in"].sum(0) + inputs["height"] + state["s"]}, state

    graph = Graph({"a": small(step, inputs=(past, fixed), initial={"s": 2.0})})
    state = graph.prime(start(graph, (), torch.float32), {"in": torch.ones(2, CELLS)})
    outputs, _ = graph(
        state, {"in": torch.arange(4.0).view(4, 1).expand(4, CELLS), "height": torch.ones(CELLS)}, range(4)
    )
    assert outputs["out"][:, 0].tolist() == [2 + 3.0, 2 + 3.0, 3 + 3.0, 6 + 3.0]


def test_a_component_inside_a_feedback_loop_steps():
    def step(parameters, state, inputs):
        return {"out": 0.5 * inputs["in"] + 1.0}, state

    graph = Graph({"a": small(step)}, [Connection("a.out", "a.in", lagged=True, initial=0.0)])
    outputs, _ = graph(start(graph, (), torch.float32), {}, range(3))
    assert outputs["out"][:, 0].tolist() == [1.0, 1.5, 1.75]


@pytest.mark.parametrize(
    ("step", "inputs", "words"),
    [
        (lambda p, s, i: ({"out": i["in"]}, {}), torch.ones(2, 3), "scan"),
        (lambda p, s, i: ({"out": i["in"]}, {"s": s["s"] + i["in"]}), torch.ones(2, 3).double(), "float32.*float64"),
        (lambda p, s, i: ({"out": i["in"] @ jnp.ones((9, 9))}, s), torch.ones(2, 3), "dot_general"),
    ],
)
def test_a_step_that_does_not_fit_is_named_with_the_reason(step, inputs, words):
    model = small(step)
    with pytest.raises(ComponentError, match=rf"(?s)function <lambda>: .*{words}"):
        model(start(model, (), torch.float32), {"in": inputs}, range(2))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda p, s, i: ({"out": i["in"].sum()}, s), r"output out: expected the shape \(2, 3\), .* got \(\); spread"),
        (lambda p, s, i: ({"out": 0.0}, s), r"output out: expected the shape \(2, 3\), .* got \(\); spread a constant"),
        (lambda p, s, i: ({"out": i["in"][..., :1]}, s), r"output out: expected the shape \(2, 3\), .* got \(2, 1\)"),
        (lambda p, s, i: ({"out": i["in"][0]}, s), r"output out: expected the shape \(2, 3\), .* got \(3,\)"),
        (lambda p, s, i: ({"out": i["in"]}, {"s": s["s"].sum()}), r"state s: expected the shape \(2, 3\), .* got \(\)"),
        (lambda p, s, i: {"out": i["in"]}, r"expected \(outputs, new state\), two dicts by field name"),
    ],
)
@pytest.mark.parametrize("lagged", [False, True])
def test_a_result_of_another_shape_than_its_field_is_not_spread_over_the_cells(step, words, lagged):
    links = [Connection("a.out", "a.in", lagged=True, initial=0.0)] if lagged else []
    graph = Graph({"a": small(step)}, links)
    with pytest.raises(ComponentError, match=rf"function <lambda>: {words}"):
        graph(start(graph, (2,), torch.float32), {} if lagged else {"in": torch.ones(4, 2, CELLS)}, range(4))


@pytest.mark.parametrize(
    ("step", "changes", "words"),
    [
        (lambda s, i: None, {}, r"<lambda>\(s, i\) cannot be called with 3 positional arguments"),
        (lambda p, s, i: None, {"initial": {"t": 1.0}}, r"initial: \['t'\] are no states; states: \['s'\]"),
        (lambda p, s, i: None, {"parameters": {"k": 1.0}}, r"parameters \['k'\] are declared or given, but not both"),
    ],
)
def test_what_does_not_fit_together_is_refused_when_built(step, changes, words):
    with pytest.raises(FieldError, match=words):
        small(step, **changes)


def test_backend_and_component_are_registered():
    assert registry().load("backends", "jax-step") is JaxStepComponent
    assert registry().load("components", "snow-hbv") is HBVSnow
