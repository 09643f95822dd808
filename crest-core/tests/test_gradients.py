"""Gradient strategies: exact laws, finite differences against autograd, SPSA, reports."""

from copy import deepcopy

import pytest
import torch
from torch.nn.functional import cosine_similarity

from crest_core import (
    SPSA,
    Connection,
    FieldSpec,
    FiniteDifference,
    Graph,
    NoGradient,
    Pullback,
    Sizes,
)
from crest_core.blackbox import check_values
from crest_core.errors import ComponentError, GradientError
from crest_core.testing import (
    LinearReservoir,
    NumpyBucket,
    SmallLSTM,
    Stress,
    TorchBucket,
    affine_error,
    dot_product_error,
    materialised_vjp,
    relative_difference,
    taylor_orders,
)

DAYS, CELLS = 365, 2
LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


def forcing(days=DAYS, cells=CELLS):
    generator = torch.Generator().manual_seed(3)
    wet = torch.rand(days, cells, generator=generator, dtype=torch.float64)
    return {
        "precipitation": 15.0 * wet * (wet > 0.6),
        "potential_evaporation": 3.0 * torch.rand(days, cells, generator=generator, dtype=torch.float64),
    }


def coupled(soil):
    return Graph({"plant": Stress(), "soil": soil, "river": LinearReservoir()}, [LAG]).double()


def run(graph, inputs):
    sizes = Sizes({"cell": inputs["precipitation"].shape[-1]}, dtype=torch.float64)
    return graph(graph.initial_state(sizes), inputs, range(len(inputs["precipitation"])))


def gradients(graph, days=DAYS):
    inputs = {k: v.requires_grad_() for k, v in forcing(days).items()}
    outputs, _ = run(graph, inputs)
    loss = (outputs["storage"] ** 2).mean() + outputs["streamflow"].mean()
    return torch.autograd.grad(loss, [*graph.parameters(), *inputs.values()])


def test_finite_differences_through_365_coupled_steps_agree_with_autograd():
    exact = gradients(coupled(TorchBucket()))
    estimated = gradients(coupled(NumpyBucket()))
    assert len(exact) == len(estimated) == 5
    for a, b in zip(estimated, exact, strict=True):
        assert relative_difference(a, b) < 1e-6


def test_finite_differences_cost_one_call_with_all_copies():
    soil = NumpyBucket()
    inputs = {"precipitation": torch.full((1, 4), 5.0).double().requires_grad_(),
              "evapotranspiration": torch.ones(1, 4).double()}  # fmt: skip
    outputs, _ = soil(soil.initial_state(Sizes({"cell": 4})), inputs, range(1))
    assert soil.calls == 1
    outputs["runoff"].sum().backward()
    assert soil.calls == 2


class RationalBucket(NumpyBucket):
    """A bucket of + - * / alone, which round alike however the numbers lie in memory."""

    def evaluate(self, state, inputs, parameters):
        old, rain = state["storage"], inputs["precipitation"]
        share = old / parameters["capacity"]
        runoff = rain * share / (parameters["shape"] + share) + 2.0 * share * share
        storage = old + rain - inputs["evapotranspiration"] - runoff
        return {"storage": storage, "runoff": runoff}, {"storage": storage}


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize("name", ["storage", "precipitation", "evapotranspiration", "capacity", "shape"])
def test_the_vjp_of_finite_differences_is_that_of_their_materialised_jacobian(name, independent):
    soil = RationalBucket(capacity=120.0, shape=1.5).double()
    soil.independent_columns = independent
    generator = torch.Generator().manual_seed(7)
    rows = {
        "storage": torch.tensor([[30.0, 80.0, 120.0], [55.0, 10.0, 95.0]]).double(),
        "precipitation": torch.tensor([[3.0, 1.0, 9.0], [2.0, 8.0, 4.0]]).double(),
        "evapotranspiration": torch.tensor([[1.0, 2.0, 0.5], [3.0, 0.2, 1.5]]).double(),
    }
    rows = {key: value.requires_grad_() for key, value in rows.items()}
    outputs, new_state = soil.step({"storage": rows["storage"]}, rows, 0)
    results = [*outputs.values(), *new_state.values()]
    cotangents = [torch.randn(2, 3, generator=generator).double() for _ in results]
    physical = soil.physical.values()
    spread = {key: value.detach().expand(2, 3) for key, value in (rows | physical).items()}

    def function(x):
        values = spread | {name: x}
        found, state = soil.evaluate({"storage": values["storage"]}, values, values)
        return torch.stack([*(found[key] for key in outputs), *state.values()])

    (spec,) = [spec for spec in soil.states + soil.inputs + soil.parameter_specs if spec.name == name]
    steps = torch.tensor(FiniteDifference().step * (spec.bounds[1] - spec.bounds[0]), dtype=torch.float64)
    expected = materialised_vjp(function, spread[name].clone(), torch.stack(cotangents), steps)
    leaf = rows.get(name)
    if leaf is None:  # a parameter: one number for all columns, behind a sigmoid
        leaf = soil.physical.raw[name]
        (chain,) = torch.autograd.grad(physical[name], leaf)
        expected = expected.sum() * chain
    (found,) = torch.autograd.grad(results, leaf, cotangents)
    assert found.shape == expected.shape
    assert float(expected.abs().max()) > 0.0
    assert relative_difference(found, expected) < 1e-12


def test_perturbations_stay_within_the_bounds_of_a_field():
    class Watchful(NumpyBucket):
        def evaluate(self, state, inputs, parameters):
            assert float(inputs["precipitation"].min()) >= 0.0
            return super().evaluate(state, inputs, parameters)

    soil = Watchful().double()
    dry = torch.zeros(1, 2).double().requires_grad_()
    outputs, _ = soil(
        soil.initial_state(Sizes({"cell": 2})),
        {"precipitation": dry, "evapotranspiration": torch.zeros(1, 2).double()},
        range(1),
    )
    (slope,) = torch.autograd.grad(outputs["runoff"].sum(), dry)
    share = torch.tensor(0.5).double() ** 2
    assert torch.allclose(slope, torch.tanh(share).expand(1, 2), rtol=1e-5)


def test_exact_graphs_pass_the_adjoint_dot_product_test():
    generator = torch.Generator().manual_seed(5)
    graphs = {
        "loop": coupled(TorchBucket()),
        "chain": Graph({"lstm": SmallLSTM(generator=generator), "river": LinearReservoir()}).double(),
        "nested": Graph({"all": coupled(TorchBucket())}).double(),
    }
    for graph in graphs.values():
        names = [spec.name for spec in graph.inputs]

        def function(*tensors, graph=graph, names=names):
            with torch.backends.mkldnn.flags(enabled=False):
                outputs, _ = run(graph, dict(zip(names, tensors, strict=True)))
            return [outputs[spec.name] for spec in graph.outputs]

        inputs = forcing(40)
        error = dot_product_error(function, [inputs[name] for name in names], generator)
        assert error < 1e-12


def test_every_connection_passes_the_adjoint_dot_product_test():
    generator = torch.Generator().manual_seed(6)
    source = FieldSpec(name="a", units="degC", standard_name="air_temperature")
    target = FieldSpec(name="b", units="K", standard_name="air_temperature")

    from crest_core.component import StepComponent

    class Source(StepComponent):
        inputs = (FieldSpec(name="x", units="degC"),)
        outputs = (source,)

        def step(self, state, inputs, time):
            return {"a": inputs["x"]}, {}

    class Target(StepComponent):
        inputs = (target,)
        outputs = (FieldSpec(name="y", units="K"),)

        def step(self, state, inputs, time):
            return {"y": inputs["b"]}, {}

    for lag in ([], [Connection("s.a", "t.b", lagged=True, initial=1.0)]):
        graph = Graph({"s": Source(), "t": Target()}, lag).double()

        def function(x, graph=graph):
            outputs, _ = graph(graph.initial_state(Sizes({"cell": 2}, dtype=x.dtype)), {"x": x}, range(len(x)))
            return [outputs["y"]]

        x = torch.randn(9, 2, generator=generator).double()
        assert dot_product_error(function, [x], generator) < 1e-12
        assert affine_error(function, [x], generator) < 1e-12


@pytest.mark.parametrize("soil", [TorchBucket, NumpyBucket])
def test_the_taylor_remainder_of_the_whole_graph_is_of_second_order(soil):
    graph = coupled(soil())
    inputs = forcing(60)
    x = inputs["precipitation"] + 1.0

    def function(value):
        outputs, _ = run(graph, {**inputs, "precipitation": value})
        return (outputs["storage"] ** 2).mean() + outputs["streamflow"].mean()

    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    orders = taylor_orders(function, x, direction, [1e-1, 1e-2, 1e-3])
    assert all(1.9 < order < 2.1 for order in orders)


@pytest.mark.parametrize("pairs", [8, 64])
def test_spsa_on_a_single_call_points_along_the_gradient_as_theory_says(pairs):
    d, cosines = 16, []
    generator = torch.Generator().manual_seed(11)
    x = 30.0 * torch.rand(d, generator=generator, dtype=torch.float64)
    weights = torch.randn(d, generator=generator, dtype=torch.float64)

    class Mixed(NumpyBucket):
        independent_columns = False

    def gradient(strategy):
        soil = Mixed(gradient=strategy).double().requires_grad_(False)
        state = {"storage": torch.full((d,), 60.0, dtype=torch.float64)}
        rain = x.clone().requires_grad_()
        dry = {"evapotranspiration": torch.zeros(d).double()}
        outputs, _ = soil.step(state, {"precipitation": rain, **dry}, 0)
        return torch.autograd.grad((weights * outputs["runoff"]).sum(), rain)[0]

    true = gradient(FiniteDifference())
    strategy = SPSA(torch.Generator().manual_seed(12), pairs=pairs)
    cosines = [float(cosine_similarity(gradient(strategy), true, dim=0)) for _ in range(10)]
    assert sum(cosines) / 10 >= 0.9 * (pairs / (pairs + d - 1)) ** 0.5
    assert len(set(cosines)) == 10  # the generator advances


def test_a_pullback_of_the_author_is_used_exactly():
    class WithAdjoint(NumpyBucket):
        def evaluate(self, state, inputs, parameters):
            storage = state["storage"] + inputs["precipitation"] * 2.0
            return {"storage": storage, "runoff": 3.0 * state["storage"]}, {"storage": storage}

        def pullback(self, state, inputs, parameters, outputs, new_state):
            storage = outputs["storage"] + new_state["storage"]
            zero = torch.zeros_like(storage)
            grads = {"precipitation": 2.0 * storage, "evapotranspiration": zero}
            return {"storage": storage + 3.0 * outputs["runoff"]}, grads, {"capacity": zero, "shape": zero}

    soil = WithAdjoint(gradient=Pullback())
    state = {"storage": torch.ones(3).double().requires_grad_()}
    inputs = {"precipitation": torch.ones(3).double().requires_grad_(), "evapotranspiration": torch.ones(3).double()}
    outputs, _ = soil.step(state, inputs, 0)
    (outputs["storage"].sum() + outputs["runoff"].sum()).backward()
    assert inputs["precipitation"].grad.tolist() == [2.0] * 3
    assert state["storage"].grad.tolist() == [4.0] * 3


def test_a_missing_pullback_says_what_to_do():
    soil = NumpyBucket(gradient=Pullback())
    rain = torch.ones(1).double().requires_grad_()
    outputs, _ = soil.step(
        soil.initial_state(Sizes({"cell": 1})),
        {"precipitation": rain, "evapotranspiration": torch.ones(1).double()},
        0,
    )
    with pytest.raises(GradientError, match=r"NumpyBucket has no pullback\(\); write one or use FiniteDifference"):
        outputs["runoff"].sum().backward()


def test_the_report_tells_exact_estimated_and_blocked_paths():
    exact = coupled(TorchBucket()).gradient_report()
    assert {path.status for path in exact.paths} == {"exact"}
    estimated = coupled(NumpyBucket()).gradient_report()
    assert estimated.status("plant parameters", "streamflow") == "estimated"
    assert "soil finite_difference" in str(estimated)
    blocked = coupled(NumpyBucket(gradient=NoGradient())).gradient_report()
    assert blocked.status("plant parameters", "streamflow") == "blocked"
    assert blocked.status("plant parameters", "evapotranspiration") == "partly blocked"
    assert blocked.status("soil parameters", "storage") == "blocked"
    assert "soil none" in blocked._repr_html_()


def test_notebooks_group_the_report_as_the_text_does():
    report = coupled(NumpyBucket()).gradient_report()
    text, page = str(report), report._repr_html_()
    assert page.count("<tr>") - 1 == sum(" -> " in line for line in text.splitlines())
    origins = "plant parameters, soil parameters, forcing.potential_evaporation, forcing.precipitation"
    assert f"estimated: {origins} -> all" in text
    assert f"<td>estimated</td><td>{origins}</td><td>all" in page


def test_the_report_opens_nested_graphs():
    report = Graph({"land": coupled(NumpyBucket())}).gradient_report()
    assert report.policies["land.soil"] == "finite_difference"
    assert report.status("land.soil parameters", "streamflow") == "estimated"


def test_a_blocked_torch_component_leaves_the_tape():
    frozen = Stress()
    frozen.gradient_policy = "none"
    graph = Graph({"plant": frozen, "soil": TorchBucket()}, [LAG]).double()
    outputs, _ = run(graph, forcing(5))
    grads = torch.autograd.grad(outputs["storage"].sum(), list(graph.parameters()), allow_unused=True)
    assert grads[0] is None
    assert all(g is not None for g in grads[1:])


def test_an_opaque_component_can_have_no_gradient():
    class Hidden(NumpyBucket):
        opaque = True

    with pytest.raises(GradientError, match=r"Hidden hides its state \(opaque\)"):
        Hidden()
    assert Hidden(gradient=NoGradient()).gradient_policy == "none"


def test_no_gradient_refuses_to_invent_one():
    x = torch.ones(3, 1)
    with pytest.raises(GradientError, match="the gradient policy none has no gradient; it leaves the tape"):
        NoGradient().vjp(None, x, x)


def test_values_out_of_bounds_are_named_with_field_cell_and_time():
    class Overflows(NumpyBucket):
        def evaluate(self, state, inputs, parameters):
            outputs, new_state = super().evaluate(state, inputs, parameters)
            outputs["runoff"][..., 1] = float("nan")
            return outputs, new_state

    soil = Overflows()
    inputs = {"precipitation": torch.ones(3).double(), "evapotranspiration": torch.ones(3).double()}
    with pytest.raises(ComponentError, match=r"runoff \[mm day-1\] at 2001-05-06, cell 1: expected.*got nan"):
        soil.step(soil.initial_state(Sizes({"cell": 3})), inputs, "2001-05-06")


def test_inputs_outside_their_bounds_are_refused_before_a_wrong_gradient_is_found():
    soil = NumpyBucket()
    inputs = {"precipitation": torch.tensor([-3.0]).double(), "evapotranspiration": torch.ones(1).double()}
    with pytest.raises(
        ComponentError, match=r"field precipitation \[mm day-1\] at 5, cell 0: expected finite and within"
    ):
        soil.step(soil.initial_state(Sizes({"cell": 1})), inputs, 5)


def test_half_open_bounds_are_checked_at_their_closed_end():
    spec = FieldSpec(name="depth", units="m", bounds=(0.0, float("inf")))
    with pytest.raises(ComponentError, match=r"depth.*got -9.0"):
        check_values(spec, torch.tensor([-9.0]), 0)
    check_values(spec, torch.tensor([1e9]), 0)


def test_second_derivatives_through_a_black_box_are_refused():
    soil = NumpyBucket()
    inputs = {"precipitation": torch.ones(1).double(), "evapotranspiration": torch.ones(1).double()}
    outputs, _ = soil.step(soil.initial_state(Sizes({"cell": 1})), inputs, 0)
    with pytest.raises(GradientError, match=r"NumpyBucket is a black box and has first derivatives only"):
        torch.autograd.grad(outputs["runoff"].sum(), list(soil.parameters()), create_graph=True)


def test_a_parameter_per_cell_may_be_given_as_one_number():
    class PerCell(NumpyBucket):
        parameter_specs = (
            FieldSpec(name="capacity", units="mm", dims=("cell",), static=True, bounds=(10.0, 500.0)),
            NumpyBucket.parameter_specs[1],
        )

    inputs = {"precipitation": torch.ones(3).double(), "evapotranspiration": torch.ones(3).double()}
    state = NumpyBucket().initial_state(Sizes({"cell": 3}))
    assert torch.equal(PerCell().step(state, inputs, 0)[0]["runoff"], NumpyBucket().step(state, inputs, 0)[0]["runoff"])


def test_a_black_box_keeps_plans_for_the_last_shapes_only_and_hands_none_to_copies():
    bucket = NumpyBucket()

    def step(component, cells):
        inputs = {spec.name: torch.ones(cells) for spec in component.inputs}
        return component.step(component.initial_state(Sizes({"cell": cells}, dtype=torch.float64)), inputs, 0)[0]

    for cells in range(1, 31):
        step(bucket, cells)
    assert 1 <= len(bucket._calls) <= 8
    assert torch.equal(step(bucket, 1)["runoff"], step(bucket, 30)["runoff"][:1])
    copy = deepcopy(bucket)
    assert not copy._calls and bucket._calls
    assert torch.equal(step(copy, 2)["runoff"], step(bucket, 2)["runoff"])
