"""ONNX files as black boxes: gradients by differences of what onnxruntime gives, held against the exact ones."""

import numpy as np
import pytest
import torch
from crest_onnx.layout import Layout
from onnx import TensorProto, helper

from crest_core import (
    SPSA,
    ComponentError,
    FiniteDifference,
    GradientError,
    Graph,
    NoGradient,
    Pullback,
    SafetensorsStore,
    StateError,
    TensorMap,
    simulate,
)
from crest_core.testing import relative_difference, weather

DAYS = 6
STEP = 1e-2


def gradients(component, bench, lead=(), dtype=torch.float32):
    """Return the gradients of a loss on outputs and last state, by every input and first state."""
    inputs, state = bench.forcing(component, DAYS, lead, dtype), bench.start(component, lead, dtype)
    leaves = {name: value.clone().requires_grad_() for name, value in {**inputs, **state}.items()}
    start = {name: leaves[name] for name in state}
    outputs, last = component(start, {name: leaves[name] for name in inputs}, range(DAYS))
    loss = outputs["runoff"].square().sum() + sum(value.square().sum() for value in last.values())
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


@pytest.mark.parametrize("lead", [(), (2,)])
def test_finite_differences_come_near_the_exact_gradient(network, bench, lead):
    """Measured on such networks: below 2e-4 at a step of 1e-2; the bound leaves room."""
    estimated = gradients(network.component(gradient=FiniteDifference(step=STEP)), bench, lead)
    exact = gradients(network.component(), bench, lead)
    assert all(relative_difference(estimated[name], exact[name]) < 2e-3 for name in exact)


def test_a_network_in_double_has_differences_of_double_accuracy(bench):
    network = bench.columns(TensorProto.DOUBLE)
    estimated = gradients(network.component(gradient=FiniteDifference()), bench, dtype=torch.float64)
    exact = gradients(network.component(), bench, dtype=torch.float64)
    assert all(relative_difference(estimated[name], exact[name]) < 1e-8 for name in exact)


def test_doubles_around_a_float_network_get_gradients_too(bench):
    network = bench.gru()
    estimated = gradients(network.component(gradient=FiniteDifference(step=STEP)), bench, dtype=torch.float64)
    exact = gradients(network.component().double(), bench, dtype=torch.float64)
    assert all(value.dtype == torch.float64 for value in estimated.values())
    assert all(relative_difference(estimated[name], exact[name]) < 2e-3 for name in exact)


@pytest.mark.parametrize("kind", ["columns", "gru"])
def test_a_graph_of_fixed_batch_is_moved_copy_by_copy(bench, kind):
    network = getattr(bench, kind)()
    model = network.model()
    for item in (*model.graph.input, *model.graph.output):
        item.type.tensor_type.shape.dim[1].dim_value = 3
    fixed = network.written(model)
    estimated = gradients(fixed.component(gradient=FiniteDifference(step=STEP)), bench)
    free = gradients(network.component(gradient=FiniteDifference(step=STEP)), bench)
    assert all(relative_difference(estimated[name], free[name]) < 2e-3 for name in free)


def test_spsa_is_right_on_average(bench):
    """For N pairs and d scalars the cosine is about sqrt(N / (N + d - 1)): 0.99 for 100 pairs and 3 scalars."""
    network = bench.columns()
    strategy = SPSA(torch.Generator().manual_seed(1), pairs=100, step=STEP)
    estimated, exact = gradients(network.component(gradient=strategy), bench), gradients(network.component(), bench)
    for name in exact:
        a, b = estimated[name].flatten(), exact[name].flatten()
        assert float(torch.dot(a, b) / (a.norm() * b.norm())) > 0.95


class Counted:
    """A session that counts its calls and their batches."""

    def __init__(self, session):
        self.session, self.batches, self.content = session, [], session.content

    def run(self, tensors, outputs):
        self.batches.append(tensors["x"].shape[1])
        return self.session.run(tensors, outputs)


def test_a_step_costs_one_call_forward_and_one_with_all_copies_backward(bench):
    component = bench.gru().component(gradient=FiniteDifference(step=STEP))
    component.module.session = counted = Counted(component.module.session)
    gradients(component, bench)
    moved = 2 * (2 + 4)  # up and down: two inputs, four hidden values
    assert counted.batches == [3] * DAYS + [3 * moved] * DAYS
    counted.batches.clear()
    with torch.no_grad():
        component(
            bench.start(component, dtype=torch.float32),
            bench.forcing(component, DAYS, dtype=torch.float32),
            range(DAYS),
        )
    assert counted.batches == [3]


def test_no_gradient_leaves_the_tape(bench):
    component = bench.gru().component(gradient=NoGradient())
    inputs = {name: value.requires_grad_() for name, value in bench.forcing(component, 3, dtype=torch.float32).items()}
    outputs, state = component(bench.start(component, dtype=torch.float32), inputs, range(3))
    assert not outputs["runoff"].requires_grad and not state["memory"].requires_grad


@pytest.mark.parametrize(
    ("gradient", "policy", "status"),
    [
        ("exact", "autograd", "exact"),
        (FiniteDifference(step=STEP), "finite_difference", "estimated"),
        (SPSA(torch.Generator(), step=STEP), "spsa", "estimated"),
        (NoGradient(), "none", "blocked"),
    ],
)
def test_the_report_is_honest(bench, gradient, policy, status):
    component = bench.gru().component(gradient=gradient)
    report = Graph({"river": component}).gradient_report()
    assert (component.gradient_policy, report.policies["river"]) == (policy, policy)
    assert report.status("forcing.rain", "runoff") == status
    assert bool(list(component.parameters())) == (gradient == "exact")


def test_an_operator_that_only_onnxruntime_knows_is_named_and_can_be_estimated(bench):
    network = bench.columns()
    model = network.model()
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node[2].CopyFrom(helper.make_node("QuickGelu", ["b"], ["c"], name="bend", domain="com.microsoft"))
    strange = network.written(model)
    with pytest.raises(
        ComponentError, match=r"no exact gradient of com.microsoft.QuickGelu \(bend\); use gradient=Fin"
    ):
        strange.component()
    model.graph.node[2].CopyFrom(helper.make_node("Mul", ["b", "s"], ["c"]))
    model.graph.node.insert(2, helper.make_node("Sigmoid", ["b2"], ["s"]))
    model.graph.node.insert(2, helper.make_node("Mul", ["b", "alpha"], ["b2"]))
    model.graph.initializer.append(helper.make_tensor("alpha", TensorProto.FLOAT, [1], [1.702]))
    estimated = gradients(strange.component(gradient=FiniteDifference(step=STEP)), bench)
    exact = gradients(network.written(model).component(), bench)
    assert all(relative_difference(estimated[name], exact[name]) < 2e-3 for name in exact)


def test_second_derivatives_are_refused(bench):
    component = bench.columns().component(gradient=FiniteDifference(step=STEP))
    inputs = bench.forcing(component, 2, dtype=torch.float32)
    inputs["rain"].requires_grad_()
    loss = component({}, inputs, range(2))[0]["runoff"].sum()
    with pytest.raises(GradientError, match="has first derivatives only"):
        torch.autograd.grad(loss, inputs["rain"], create_graph=True)


@pytest.mark.parametrize("gradient", [FiniteDifference(), SPSA(torch.Generator())])
def test_steps_that_float32_cannot_resolve_are_refused(bench, gradient):
    with pytest.raises(GradientError, match="is lost in the rounding of float32; expected 0.001 or more"):
        bench.columns().component(gradient=gradient)


def test_a_file_has_no_pullback(bench):
    with pytest.raises(GradientError, match="an ONNX file has no pullback of its own; use gradient='exact'"):
        bench.columns().component(gradient=Pullback())


def test_nan_names_the_call(bench):
    component = bench.columns().component(gradient=FiniteDifference(step=STEP))
    inputs = bench.forcing(component, 2, dtype=torch.float32)
    inputs["warmth"][0, 0] = float("nan")
    inputs["rain"].requires_grad_()
    with pytest.raises(ComponentError, match=r"field input0 \[1] at a call of the network, .* got nan"):
        component({}, inputs, range(2))


def test_a_simulation_resumes_bit_for_bit_and_another_file_is_refused(bench, tmp_path):
    network = bench.gru()
    data = weather(30, 2, seed=3)
    data["warmth"] = data["potential_evaporation"].assign_attrs(units="degC", standard_name="air_temperature")
    graph = Graph({"river": network.component(gradient=NoGradient())})
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    whole = simulate(graph, data, start="2001-01-01", end="2001-01-31", window="5D")
    simulate(graph, data, start="2001-01-01", end="2001-01-16", window="5D", store=store)
    rest = simulate(graph, data, end="2001-01-31", window="5D", resume=store)
    assert np.array_equal(rest["runoff"].values, whole["runoff"].sel(time=rest["time"]).values)
    other = Graph({"river": bench.gru(before=1).component(gradient=NoGradient())})
    with pytest.raises(StateError, match="graph"):
        simulate(other, data, end="2001-01-31", window="5D", resume=store)


@pytest.mark.parametrize(
    ("pattern", "shape", "batch", "time"),
    [
        ("time ... -> time (...) field", (5, 6, 2), [1], 0),
        ("time ... -> time ... field", (5, 2, 3, 2), [1, 2], 0),
        ("time ... -> time ... field", (5, 2), [], 0),
        ("time window ... -> (time ...) window field", (30, 7, 2), [0], None),
        ("time ... y x -> (time ...) field y x", (10, 2, 4, 4), [0], None),
        ("... layer hidden cell -> (field layer) (... cell) hidden", (1, 6, 4), [1], None),
        ("time ... layer cell -> time (... cell) (field layer)", (5, 6, 4), [1], 0),
    ],
)
def test_layouts_find_time_and_batch_and_come_back(pattern, shape, batch, time):
    layout = Layout.of(TensorMap("x", ("a", "b") if shape[-1] == 2 else ("a",), pattern))
    assert (layout.batch(len(shape)), layout.time) == (batch, time)
    value = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    rows = layout.to_rows(value)
    assert torch.equal(layout.from_rows(rows.unsqueeze(0), shape), value)
    if batch:
        two = layout.from_rows(torch.stack([rows, 2 * rows]), shape)
        assert two.shape[batch[0]] == 2 * shape[batch[0]]
        assert torch.equal(layout.to_copies(two, 2), torch.stack([rows, 2 * rows]))
