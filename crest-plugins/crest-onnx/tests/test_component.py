"""onnx_component: laws that hold for every kind of network, which engine computes, errors by words."""

import copy

import numpy as np
import pytest
import torch
from crest_onnx.agreement import check_agreement
from crest_onnx.exact import ExactNetwork
from crest_onnx.mapping import FieldMapping
from onnx import TensorProto, helper, numpy_helper

from crest_core import (
    ComponentError,
    Connection,
    FieldError,
    FieldSpec,
    Graph,
    SafetensorsStore,
    StateError,
    TensorMap,
    registry,
    simulate,
)
from crest_core.testing import TorchBucket, dot_product_error, relative_difference, taylor_orders, weather

DAYS = 12


def flat(group):
    return [value for part in group for value in part.values()]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("tape", [True, False])
def test_single_steps_and_whole_sequence_agree(network, bench, dtype, tolerance, tape):
    component = network.component().to(dtype)
    inputs = bench.forcing(component, DAYS, dtype=dtype)
    with torch.set_grad_enabled(tape):
        whole, last = component(bench.start(component, dtype=dtype), inputs, range(DAYS))
        state, steps = bench.start(component, dtype=dtype), []
        for t in range(DAYS):
            outputs, state = component.step(state, bench.part(component, inputs, t), t)
            steps.append(outputs["runoff"])
    assert relative_difference(torch.stack(steps), whole["runoff"]) <= tolerance
    assert all(relative_difference(state[name], value) <= tolerance for name, value in last.items())


def test_interpreter_and_onnxruntime_give_the_same(network, bench):
    component = network.component()
    inputs = bench.forcing(component, DAYS, dtype=torch.float32)
    taped = component(bench.start(component, dtype=torch.float32), inputs, range(DAYS))
    with torch.no_grad():
        fast = component(bench.start(component, dtype=torch.float32), inputs, range(DAYS))
    assert all(value.requires_grad for value in flat(taped)) and not any(v.requires_grad for v in flat(fast))
    assert all(relative_difference(a, b) < 2e-6 for a, b in zip(flat(taped), flat(fast), strict=True))


def test_members_travel_together_and_do_not_touch(network, bench):
    component = network.component()
    inputs = bench.forcing(component, DAYS, lead=(2,), dtype=torch.float32)
    with torch.no_grad():
        both, after = component(bench.start(component, (2,), torch.float32), inputs, range(DAYS))
        for member in range(2):
            one = {}
            for spec in component.inputs:
                axis = inputs[spec.name].dim() - len(spec.dims) - 1
                one[spec.name] = inputs[spec.name].select(axis, member)
            alone, state = component(bench.start(component, dtype=torch.float32), one, range(DAYS))
            assert relative_difference(both["runoff"][:, member], alone["runoff"]) < 1e-6
            assert all(relative_difference(after[name][member], state[name]) < 1e-6 for name in state)


@pytest.mark.parametrize("kind", ["columns", "gru", "window"])
def test_a_cell_gives_the_same_alone_and_in_any_order(bench, kind):
    component = getattr(bench, kind)().component()
    inputs = bench.forcing(component, DAYS, dtype=torch.float32)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        outputs, _ = component(bench.start(component, dtype=torch.float32), inputs, range(DAYS))
        turned = {name: value[..., order] for name, value in inputs.items()}
        other, _ = component(bench.start(component, dtype=torch.float32), turned, range(DAYS))
        single = {name: value[..., 1:2] for name, value in inputs.items()}
        state = {name: value[..., 1:2] for name, value in bench.start(component, dtype=torch.float32).items()}
        alone, _ = component(state, single, range(DAYS))
    assert relative_difference(other["runoff"], outputs["runoff"][..., order]) < 1e-6
    assert relative_difference(alone["runoff"], outputs["runoff"][..., 1:2]) < 1e-6


def test_two_calls_are_identical_and_change_no_argument(network, bench):
    component = network.component()
    inputs, state = bench.forcing(component, DAYS, dtype=torch.float32), bench.start(component, dtype=torch.float32)
    kept = [{name: value.clone() for name, value in group.items()} for group in (inputs, state)]
    for tape in (True, False):
        with torch.set_grad_enabled(tape):
            first, second = component(state, inputs, range(DAYS)), component(state, inputs, range(DAYS))
        for a, b in [*zip(first, second, strict=True), *zip((inputs, state), kept, strict=True)]:
            assert all(torch.equal(a[name], b[name]) for name in b)


def test_the_adjoint_is_the_transpose_of_the_tangent(network, bench):
    component = network.component().double()
    inputs, state = bench.forcing(component, DAYS), bench.start(component)
    weights = [value.detach().clone() for value in component.parameters()]

    def run(*values):
        fields = dict(zip(inputs, values, strict=False))
        named = dict(zip(dict(component.named_parameters()), values[len(inputs) :], strict=True))
        return flat(torch.func.functional_call(component, named, (state, fields, range(DAYS))))

    generator = torch.Generator().manual_seed(3)
    assert dot_product_error(run, [*inputs.values(), *weights], generator) < 1e-12


def test_the_gradient_passes_the_taylor_test(network, bench):
    component = network.component().double()
    inputs, state = bench.forcing(component, DAYS), bench.start(component)

    def loss(rain):
        return (component(state, inputs | {"rain": rain}, range(DAYS))[0]["runoff"] ** 2).mean()

    direction = torch.randn(inputs["rain"].shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    orders = taylor_orders(loss, inputs["rain"], direction, [1e-1, 3e-2, 1e-2])
    assert all(1.9 < order < 2.1 for order in orders)


def test_the_gradient_of_every_weight_passes_the_taylor_test(network, bench):
    component = network.component().double()
    inputs, state = bench.forcing(component, DAYS), bench.start(component)
    names, shapes = zip(*[(name, value.shape) for name, value in component.named_parameters()], strict=True)
    assert len(names) >= 2

    def loss(packed):
        parts = packed.split([shape.numel() for shape in shapes])
        named = {name: part.reshape(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        outputs, _ = torch.func.functional_call(component, named, (state, inputs, range(DAYS)))
        return (outputs["runoff"] ** 2).mean()

    packed = torch.cat([value.detach().flatten() for value in component.parameters()])
    direction = torch.randn(packed.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    assert all(1.9 < order < 2.1 for order in taylor_orders(loss, packed, direction, [1e-2, 3e-3, 1e-3]))


class Counted:
    """A session that counts its calls."""

    def __init__(self, session):
        self.session, self.calls = session, 0

    def run(self, tensors, outputs):
        self.calls += 1
        return self.session.run(tensors, outputs)


def counted(component):
    component.module.session = Counted(component.module.session)
    return component.module.session


def call(component, bench, dtype=torch.float32):
    with torch.no_grad():
        return component(bench.start(component, dtype=dtype), bench.forcing(component, 3, dtype=dtype), range(3))[0]


def test_changed_weights_are_never_computed_by_the_stale_session(bench):
    component = bench.columns().component()
    session, before = counted(component), call(component, bench)["runoff"]
    assert session.calls == 1
    weight = next(component.parameters())
    with torch.no_grad():
        weight.mul_(1.5)
    changed = call(component, bench)["runoff"]
    assert session.calls == 1 and relative_difference(changed, before) > 1e-3
    with torch.no_grad():
        weight.copy_(torch.from_numpy(numpy_helper.to_array(bench.columns().model().graph.initializer[0]).copy()))
    assert torch.equal(call(component, bench)["runoff"], before) and session.calls == 2


def test_one_optimiser_step_lowers_the_loss_and_shows_in_simulations(bench):
    component = bench.gru().component()
    inputs, state = bench.forcing(component, DAYS, dtype=torch.float32), bench.start(component, dtype=torch.float32)
    optimiser = torch.optim.SGD(component.parameters(), lr=1e-3)
    loss = (component(state, inputs, range(DAYS))[0]["runoff"] ** 2).mean()
    loss.backward()
    optimiser.step()
    with torch.no_grad():
        after = (component(state, inputs, range(DAYS))[0]["runoff"] ** 2).mean()
    assert float(after) < float(loss.detach())


def test_loaded_weights_are_used(bench, tmp_path):
    trained, fresh = bench.columns().component(), bench.columns().component()
    with torch.no_grad():
        for value in trained.parameters():
            value.add_(0.1)
    trained.save_weights(tmp_path / "w.safetensors")
    fresh.load_weights(tmp_path / "w.safetensors")
    assert torch.equal(call(fresh, bench)["runoff"], call(trained, bench)["runoff"])


def test_a_copy_is_a_component_of_its_own_and_still_fast(bench):
    component = bench.columns().component()
    call(component, bench)
    twin = copy.deepcopy(component)
    session, before = counted(twin), call(component, bench)["runoff"]
    assert torch.equal(call(twin, bench)["runoff"], before) and session.calls == 1
    with torch.no_grad():
        next(twin.parameters()).mul_(2.0)
    assert not torch.equal(call(twin, bench)["runoff"], before)
    assert torch.equal(call(component, bench)["runoff"], before)


def test_doubles_are_computed_in_double(bench):
    component = bench.columns().component().double()
    session = counted(component)
    double = call(component, bench, torch.float64)["runoff"]
    assert session.calls == 0 and double.dtype == torch.float64
    single = call(bench.columns().component(), bench)["runoff"]
    assert 0 < relative_difference(single, double) < 1e-5


def test_a_network_in_double_is_run_by_onnxruntime_in_double(bench):
    component = bench.columns(TensorProto.DOUBLE).component()
    session = counted(component)
    assert call(component, bench, torch.float64)["runoff"].dtype == torch.float64 and session.calls == 1


def test_the_session_has_as_many_threads_as_torch(bench):
    component, threads = bench.columns().component(), torch.get_num_threads()
    try:
        for count in (2, 1):
            torch.set_num_threads(count)
            call(component, bench)
            options = component.module.session._session.get_session_options()
            assert options.intra_op_num_threads == count
    finally:
        torch.set_num_threads(threads)


RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux")


def plant(bench, before=0):
    """Return a GRU in a feedback loop with a bucket: evaporation from potential evaporation and soil water."""
    potential = FieldSpec(name="potential", units="mm day-1", standard_name="water_potential_evaporation_flux")
    water = FieldSpec(
        name="water", units="kg m-2", standard_name="mass_content_of_water_in_soil", cell_methods="time: point"
    )
    evaporation = FieldSpec(
        name="evaporation", units="mm day-1", standard_name="water_evapotranspiration_flux", positive="up"
    )
    network = bench.gru(before)
    component = network.component(
        inputs=(potential, water),
        outputs=(evaporation,),
        input_maps=(TensorMap("x", ("potential", "water")),),
        output_maps=(TensorMap("y", ("evaporation",)),),
    )
    loop = [Connection("soil.storage", "plant.water", lagged=True, initial=50.0)]
    return Graph({"plant": component, "soil": TorchBucket()}, loop)


def test_a_coupled_simulation_resumes_bit_for_bit(bench, tmp_path):
    graph, data = plant(bench), weather(40, 2, seed=3)
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    start, middle, end = "2001-01-01", "2001-01-21", "2001-02-10"
    whole = simulate(graph, data, start=start, end=end, window="5D")
    simulate(graph, data, start=start, end=middle, window="5D", store=store)
    rest = simulate(graph, data, end=end, window="5D", resume=store)
    for name in ("evaporation", "storage"):
        assert (rest[name].values == whole[name].sel(time=rest["time"]).values).all()


def test_a_restart_of_another_network_is_refused(bench, tmp_path):
    graph, data = plant(bench), weather(20, 2, seed=3)
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    simulate(graph, data, start="2001-01-01", end="2001-01-11", window="5D", store=store)
    with pytest.raises(StateError, match="graph"):
        simulate(plant(bench, before=1), data, end="2001-01-21", window="5D", resume=store)


def test_the_report_says_exact_and_the_loop_learns(bench):
    graph = plant(bench)
    assert graph.gradient_report().status("plant parameters", "storage") == "exact"


def test_the_backend_is_registered_and_takes_nothing_heavy_to_list():
    (entry,) = [one for one in registry().of_kind("backends") if one.name == "onnx"]
    assert entry.distribution == "crest-onnx" and registry().load("backends", "onnx").__name__ == "onnx_component"


def test_an_unknown_operator_is_named_with_its_node(bench):
    network = bench.columns()
    model = network.model()
    model.graph.node[2].CopyFrom(helper.make_node("Bernoulli", ["b"], ["c"], name="dice"))
    model.opset_import[0].version = 15
    with pytest.raises(ComponentError, match=r"no exact gradient of Bernoulli \(dice\); use gradient=FiniteDifference"):
        network.written(model).component()


def test_maps_must_name_the_tensors_of_the_graph(bench):
    network = bench.columns()
    for changes, words in (
        (
            {"input_maps": (TensorMap("xx", ("rain", "warmth", "height")),)},
            r"has the inputs \['x'\]; .*did you mean 'x'",
        ),
        ({"output_maps": (TensorMap("z", ("runoff",)),)}, r"has the outputs \['y'\]; the maps name \['z'\]"),
    ):
        with pytest.raises(FieldError, match=words):
            network.component(**changes)
    gru = bench.gru()
    with pytest.raises(FieldError, match=r"no input or state map for the inputs \['h0'\]"):
        gru.component(states=(), state_maps=(), state_outputs=())
    with pytest.raises(FieldError, match="state_outputs: expected one output of the graph for each"):
        gru.component(state_outputs=())


def test_a_mapping_is_given_whole_or_read_from_the_file(bench):
    network = bench.columns()
    with pytest.raises(FieldError, match="the file has no field mapping of CREST"):
        registry().load("backends", "onnx")(network.path)
    with pytest.raises(FieldError, match=r"\['outputs', 'output_maps'\] are missing; give the whole mapping"):
        network.component(outputs=None, output_maps=None)


def test_a_gradient_that_is_no_strategy_is_refused(bench):
    with pytest.raises(ComponentError, match="gradient 'autograd' is not 'exact', FiniteDifference"):
        bench.columns().component(gradient="autograd")


def test_fields_are_real_numbers(bench):
    network = bench.columns()
    model = network.model()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    model.graph.node.insert(0, helper.make_node("Cast", ["x"], ["real"], to=TensorProto.FLOAT))
    model.graph.node[1].input[0] = "real"
    with pytest.raises(ComponentError, match="FLOAT or DOUBLE; the graph has x INT64, y FLOAT"):
        network.written(model).component()


def test_a_size_that_the_exporter_fixed_is_told(bench):
    network = bench.columns()
    model = network.model()
    for item in (*model.graph.input, *model.graph.output):
        item.type.tensor_type.shape.dim[1].dim_value = 2
    component = network.written(model).component()
    with pytest.raises(ComponentError, match=r"input x expects the shape \['free', 2, 3\], got \[3, 3, 3\]; .*dynamic"):
        call(component, bench)


def test_more_axes_than_the_graph_has_are_told(bench):
    network = bench.columns()
    bare = "time ... -> time ... field"
    component = network.component(
        input_maps=(TensorMap("x", ("rain", "warmth", "height"), bare),),
        output_maps=(TensorMap("y", ("runoff",), bare),),
    )
    with pytest.raises(ComponentError, match=r"become one axis where the pattern says \(\.\.\.\) in brackets"):
        component({}, bench.forcing(component, 2, (2,), torch.float32), range(2))


def test_a_network_on_which_the_two_engines_differ_is_not_loaded(bench):
    network = bench.columns()
    wrong = network.component().module
    assert isinstance(wrong, ExactNetwork)
    with torch.no_grad():
        next(wrong.interpreter.parameters()).add_(0.01)
    with pytest.raises(ComponentError, match="output y: interpreter and onnxruntime differ by .*, at most .*e-05"):
        check_agreement(wrong, FieldMapping(**network.arguments))


def test_a_network_that_gives_nan_is_not_loaded(bench):
    network = bench.columns()
    model = network.model()
    values = numpy_helper.to_array(model.graph.initializer[1]).copy()
    values[0] = float("nan")
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(values, "b1"))
    with pytest.raises(ComponentError, match="gives nan or infinity for random fields"):
        network.written(model).component()


def test_a_network_that_takes_no_sizes_says_why(bench):
    network = bench.columns()
    model = network.model()
    shape = numpy_helper.from_array(np.array([5, 5, 3]), "shape")
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("Reshape", ["x", "shape"], ["square"]))
    model.graph.node[1].input[0] = "square"
    with pytest.raises(
        ComponentError, match="takes no fields of the sizes that were tried: .*onnxruntime cannot take x"
    ):
        network.written(model).component()
