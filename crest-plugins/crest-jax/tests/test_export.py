"""as_jax: a CREST graph is a JAX function with the gradients that torch has."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from crest_jax import HBVSnow, as_jax, jax_values

from crest_core import ComponentError, Connection, FieldError, FieldSpec, Graph, PointGrid, Sizes, StepComponent
from crest_core.testing import LinearReservoir, NumpyBucket, TorchBucket

DAYS, CELLS = 12, 3


def coupled(soil=TorchBucket):
    links = [Connection("snow.soil_water_input", "soil.precipitation")]
    return Graph({"snow": HBVSnow(), "soil": soil()}, links)


def arguments(graph, dtype):
    """Return parameters, state and inputs as tensors."""
    generator = torch.Generator().manual_seed(2)
    rain = 10.0 * torch.rand(DAYS, CELLS, generator=generator, dtype=dtype)
    inputs = {
        "precipitation": rain,
        "temperature": 4.0 * torch.randn(rain.shape, generator=generator, dtype=dtype),
        "evapotranspiration": torch.ones_like(rain),
    }
    state = graph.initial_state(Sizes({"cell": CELLS}, dtype=dtype))
    return {name: value.detach() for name, value in graph.named_parameters()}, state, inputs


def loss_of(outputs, state):
    return (
        (outputs["runoff"] ** 2).sum()
        + (outputs["swe"] * outputs["storage"]).mean()
        + (state["soil.storage"] ** 2).sum()
    )


def torch_gradients(graph, groups):
    leaves = [{name: value.clone().requires_grad_() for name, value in group.items()} for group in groups]
    parameters, state, inputs = leaves
    value = loss_of(*torch.func.functional_call(graph, parameters, (state, inputs, range(DAYS))))
    value.backward()
    return value.item(), [{name: leaf.grad for name, leaf in group.items()} for group in leaves]


def test_value_and_gradients_under_jit_are_those_of_torch_to_12_digits():
    with jax.enable_x64(True):
        graph = coupled().double()
        groups = arguments(graph, torch.float64)
        f = as_jax(graph)
        ours = jax.jit(jax.value_and_grad(lambda *given: loss_of(*f(*given)), argnums=(0, 1, 2)))
        value, gradients = ours(*map(jax_values, groups))
    expected, theirs = torch_gradients(graph, groups)
    assert float(value) == pytest.approx(expected, rel=1e-12)
    for group, other in zip(gradients, theirs, strict=True):
        assert set(group) == set(other)
        for name, gradient in group.items():
            scale = float(other[name].abs().max())
            assert scale > 0.0 and np.abs(np.asarray(gradient) - other[name].numpy()).max() <= 1e-12 * scale, name


def test_outputs_and_state_are_those_of_the_graph():
    graph = coupled()
    groups = arguments(graph, torch.float32)
    outputs, state = as_jax(graph)(*map(jax_values, groups))
    expected, last = graph(groups[1], groups[2], range(DAYS))
    for ours, theirs in ((outputs, expected), (state, last)):
        assert {n: np.asarray(v).tolist() for n, v in ours.items()} == {n: v.tolist() for n, v in theirs.items()}


def test_parameters_that_are_left_out_keep_their_values_and_the_graph_is_not_changed():
    graph = coupled()
    parameters, state, inputs = map(jax_values, arguments(graph, torch.float32))
    before = {name: value.clone() for name, value in graph.named_parameters()}
    f, name = as_jax(graph), "component_snow.physical.raw.degree_day_factor"
    changed = f({name: parameters[name] + 1.0}, state, inputs)[0]["swe"]
    assert (
        np.asarray(f({}, state, inputs)[0]["swe"]).tolist()
        == np.asarray(f(parameters, state, inputs)[0]["swe"]).tolist()
    )
    assert np.asarray(changed).tolist() != np.asarray(f({}, state, inputs)[0]["swe"]).tolist()
    assert all(torch.equal(value, before[key]) for key, value in graph.named_parameters())


def test_members_may_be_mapped_and_a_jax_model_may_sit_around_the_graph():
    f, state = as_jax(LinearReservoir()), {"stored": jnp.zeros(2)}

    def total(gain, runoff):
        return f({}, state, {"runoff": gain * runoff})[0]["streamflow"].sum()

    runoff = jnp.arange(12.0).reshape(2, 3, 2)
    both = jax.vmap(jax.grad(total), in_axes=(None, 0))(1.0, runoff)
    assert both.tolist() == [pytest.approx(float(total(1.0, member))) for member in runoff]  # linear in the gain


def test_a_black_box_in_the_graph_gives_its_estimated_gradients():
    with jax.enable_x64(True):
        graph = coupled(NumpyBucket).double()
        groups = arguments(graph, torch.float64)
        f = as_jax(graph)
        gradients = jax.grad(lambda *given: loss_of(*f(*given)), argnums=2)(*map(jax_values, groups))
    theirs = torch_gradients(graph, groups)[1][2]
    assert np.asarray(gradients["precipitation"]) == pytest.approx(theirs["precipitation"].numpy(), rel=1e-12)


def test_a_blocked_gradient_is_zero_and_whole_numbers_have_none():
    class Blocked(StepComponent):
        inputs = (FieldSpec(name="rain", units="mm"), FieldSpec(name="kind", units="1", static=True))
        outputs = (FieldSpec(name="out", units="mm"),)

        def step(self, state, inputs, time):
            return {"out": inputs["rain"].detach() * (1 + inputs["kind"])}, {}

    f = as_jax(Blocked())
    inputs = {"rain": jnp.ones((2, 3)), "kind": jnp.arange(3)}
    gradient = jax.grad(lambda rain: f({}, {}, inputs | {"rain": rain})[0]["out"].sum())(inputs["rain"])
    assert gradient.tolist() == np.zeros((2, 3)).tolist()


def test_an_output_on_a_grid_of_its_own_has_the_sizes_of_that_grid():
    class Sum(StepComponent):
        inputs = (FieldSpec(name="rain", units="mm"),)
        outputs = (FieldSpec(name="total", units="mm", dims=("basin",)),)

        def step(self, state, inputs, time):
            return {"total": inputs["rain"].sum(-1, keepdim=True)}, {}

    f, inputs = as_jax(Sum(), sizes={"basin": 1}), {"rain": jnp.ones((2, 3))}
    assert f({}, {}, inputs)[0]["total"].tolist() == [[3.0], [3.0]]
    with pytest.raises(FieldError, match=r"output total: the sizes of \['basin'\] are not known .*; give sizes="):
        as_jax(Sum())({}, {}, inputs)

    class Here(TorchBucket):
        grid = "points"

    grid = PointGrid(lat=[50.0, 51.0], lon=[8.0, 9.0])
    graph = Graph({"soil": Here()}, grids={"points": grid})
    outputs, _ = as_jax(graph)(
        {}, {"soil.storage": jnp.ones(2)}, {n: jnp.ones((4, 2)) for n in ("precipitation", "evapotranspiration")}
    )
    assert outputs["runoff"].shape == (4, 2)


def test_second_derivatives_are_refused():
    f = as_jax(LinearReservoir())

    def total(runoff):
        return f({}, {"stored": jnp.zeros(1)}, {"runoff": runoff})[0]["streamflow"].sum()

    with pytest.raises(ValueError, match="a function made by as_jax has first derivatives only; take second ones in"):
        jax.grad(lambda runoff: jax.grad(total)(runoff).sum())(jnp.ones((3, 1)))


def test_names_and_shapes_that_do_not_fit_are_told():
    f, state = as_jax(LinearReservoir()), {"stored": jnp.zeros(1)}
    with pytest.raises(FieldError, match=r"inputs of LinearReservoir: missing \['runoff'\], unknown \['rain'\]"):
        f({}, state, {"rain": jnp.ones((3, 1))})
    with pytest.raises(FieldError, match=r"parameters of LinearReservoir: missing \[\], unknown \['k'\]"):
        f({"k": jnp.ones(())}, state, {"runoff": jnp.ones((3, 1))})
    with pytest.raises(
        FieldError, match=r"input runoff: expected \(time, \*lead, cell\), static ones without time, got"
    ):
        f({}, state, {"runoff": jnp.ones(3)})


def test_inputs_of_several_lengths_are_not_cut_to_the_first():
    f, rain = as_jax(TorchBucket()), jnp.ones((5, 2))
    inputs = {"precipitation": rain[:3], "evapotranspiration": rain}
    with pytest.raises(FieldError, match="input evapotranspiration has 5 time steps, input precipitation has 3"):
        f({}, {"storage": jnp.ones(2)}, inputs)
    with pytest.raises(FieldError, match="input runoff has 3 time steps, times has 2; expected the same"):
        as_jax(LinearReservoir(), times=range(2))({}, {"stored": jnp.zeros(1)}, {"runoff": jnp.ones((3, 1))})


GOOD = ({}, {"stored": jnp.zeros(2)}, {"runoff": jnp.ones((3, 2))})


@pytest.mark.parametrize(
    ("place", "wrong", "words"),
    [
        (0, None, "parameters of LinearReservoir: expected a dict of arrays by name, got NoneType"),
        (1, None, "state of LinearReservoir: expected a dict of arrays by name, got NoneType"),
        (2, jnp.ones((3, 2)), "inputs of LinearReservoir: expected a dict of arrays by name, got ArrayImpl"),
        (1, {"stored": None}, r"state of LinearReservoir \[stored\]: expected an array of JAX or NumPy, got NoneType"),
        (
            2,
            {"runoff": torch.ones(3, 2)},
            r"\[runoff\]: expected an array .*, got Tensor; tensors are made arrays by jax",
        ),
        (2, {"runoff": 1.0}, r"input runoff: expected \(time, \*lead, cell\), static ones without time, got \(\)"),
        (2, {"runoff": jnp.ones((3, 2), int)}, r"input runoff: expected real numbers, got int32; use .astype\(float\)"),
        (1, {"stored": 0.0}, r"state stored: expected the shape \(2\), got \(\)"),
        (1, {"stored": jnp.zeros(3)}, r"state stored: expected the shape \(2\), got \(3,\)"),
        (1, {"stored": jnp.zeros((4, 2))}, r"state stored: expected the shape \(2\), got \(4, 2\)"),
        (1, {"stored": jnp.zeros(2, int)}, "state stored: expected float32, as the inputs have, got int32"),
    ],
)
@pytest.mark.parametrize("around", [lambda f: f, jax.jit])
def test_arguments_that_do_not_fit_are_told_before_torch_runs(place, wrong, words, around):
    given = [*GOOD[:place], wrong, *GOOD[place + 1 :]]
    f = as_jax(LinearReservoir())
    with pytest.raises(FieldError, match=words):
        around(lambda: f(*given))()


def test_sizes_parameters_and_leading_dims_that_do_not_fit_are_told():
    bucket = TorchBucket()
    f, rain, state = as_jax(bucket), jnp.ones((5, 2)), {"storage": jnp.ones(2)}
    with pytest.raises(FieldError, match="input evapotranspiration: expected 2 of cell, as before, got 3"):
        f({}, state, {"precipitation": rain, "evapotranspiration": jnp.ones((5, 3))})
    members = {"precipitation": jnp.ones((5, 4, 2)), "evapotranspiration": jnp.ones((5, 3, 2))}
    with pytest.raises(FieldError, match="their leading dims do not fit each other"):
        f({}, state, members)
    good = {"precipitation": rain, "evapotranspiration": rain}
    name = next(name for name, _ in bucket.named_parameters())
    with pytest.raises(FieldError, match=rf"parameter {name}: expected the shape \(\), got \(7,\)"):
        f({name: jnp.ones(7)}, state, good)
    with pytest.raises(FieldError, match=f"parameter {name}: expected real numbers, got int32"):
        f({name: 1}, state, good)


@pytest.mark.parametrize("wrong", [None, TorchBucket, lambda x: x])
def test_only_components_become_functions(wrong):
    with pytest.raises(
        ComponentError, match="as_jax: expected a component or a graph, got (NoneType|ABCMeta|function)"
    ):
        as_jax(wrong)


def test_a_component_without_input_over_time_is_refused():
    class Constant(StepComponent):
        outputs = (FieldSpec(name="out", units="mm", dims=()),)

        def step(self, state, inputs, time):
            return {"out": torch.ones(())}, {}

    with pytest.raises(FieldError, match="Constant has no input with a time axis: its number of steps is not known"):
        as_jax(Constant())({}, {}, {})


def test_float64_is_not_rounded_in_silence():
    with pytest.raises(ComponentError) as caught:
        jax_values({"storage": torch.ones(2, dtype=torch.float64)})
    assert "['storage'] are 64-bit numbers, which JAX would round to 32 bits" in str(caught.value)
    assert 'jax.config.update("jax_enable_x64", True), or set JAX_ENABLE_X64=1' in str(caught.value)


def test_listing_plugins_imports_no_jax():
    code = "import crest_jax, crest_jax._plugin, sys; assert not {'jax', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
