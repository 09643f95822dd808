"""jax_component: laws for networks of every kind, libraries of models, and errors by words."""

import sys

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from crest_jax import equinox_model, jax_component, linen_model, nnx_model
from flax import linen, nnx

from crest_core import (
    ComponentError,
    FieldError,
    FieldSpec,
    PluginError,
    SafetensorsStore,
    Sizes,
    Standardize,
    TensorMap,
)
from crest_core.plugins import registry
from crest_core.testing import dot_product_error, relative_difference, taylor_orders

DAYS, CELLS, HIDDEN = 12, 3, 4
RAIN = FieldSpec(name="rain", units="mm day-1")
HEIGHT = FieldSpec(name="height", units="m", static=True)
RUNOFF = FieldSpec(name="runoff", units="mm day-1")
SCALE = Standardize(
    mean={"rain": 3.0, "height": 500.0, "runoff": 1.0}, std={"rain": 6.0, "height": 300.0, "runoff": 2.0}
)
COLUMNS = (TensorMap("x", ("rain", "height"), "time ... -> (time ...) field", SCALE),)
RESULT = (TensorMap("y", ("runoff",), "time ... -> (time ...) field", SCALE),)


def columns(function, parameters):
    fields = {"inputs": (RAIN, HEIGHT), "outputs": (RUNOFF,)}
    return jax_component(function, parameters=parameters, **fields, input_maps=COLUMNS, output_maps=RESULT)


def equinox_columns():
    model = equinox.nn.Sequential(
        [equinox.nn.MLP(2, 1, HIDDEN, 1, jnp.tanh, key=jax.random.key(1)), equinox.nn.Dropout(0.5)]
    )
    return columns(*equinox_model(model, lambda model, x: jax.vmap(model)(x)))


def linen_columns():
    model = linen.Sequential([linen.Dense(HIDDEN), jnp.tanh, linen.Dense(1)])
    return columns(*linen_model(model, model.init(jax.random.key(2), jnp.ones((1, 2))), lambda apply, x: apply(x)))


def nnx_columns():
    rngs = nnx.Rngs(3)
    model = nnx.Sequential(
        nnx.Linear(2, HIDDEN, rngs=rngs), jnp.tanh, nnx.Dropout(0.5, rngs=rngs), nnx.Linear(HIDDEN, 1, rngs=rngs)
    )
    return columns(*nnx_model(model, lambda model, x: model(x)))


def recurrent(parameters, x, hx):
    """Return a GRU over time (time, batch, field), without biases, and its last state (1, batch, hidden)."""

    def advance(h, now):
        joined = jnp.concatenate([now, h], -1)
        gate = jax.nn.sigmoid(joined @ parameters["gate"])
        h = gate * h + (1 - gate) * jnp.tanh(joined @ parameters["candidate"])
        return h, h @ parameters["head"]

    last, y = jax.lax.scan(advance, hx[0], x)
    return y, last[None]


def gru():
    random = np.random.default_rng(5)
    shapes = {"gate": (2 + HIDDEN, HIDDEN), "candidate": (2 + HIDDEN, HIDDEN), "head": (HIDDEN, 1)}
    memory = FieldSpec(name="memory", units="1", dims=("hidden", "cell"), cell_methods="time: point")
    return jax_component(
        recurrent,
        parameters={name: random.normal(size=shape) for name, shape in shapes.items()},
        inputs=(RAIN, HEIGHT),
        outputs=(RUNOFF,),
        states=(memory,),
        input_maps=(TensorMap("x", ("rain", "height"), scale=SCALE),),
        output_maps=(TensorMap("y", ("runoff",), scale=SCALE),),
        state_maps=(TensorMap("h", ("memory",), "... hidden cell -> field (... cell) hidden"),),
        dim_sizes={"hidden": HIDDEN},
    )


def window():
    return jax_component(
        lambda p, x: jnp.tanh(jnp.einsum("bwf,w->bf", x, p["kernel"])),
        parameters={"kernel": np.linspace(-1, 1, 5)},
        inputs=(FieldSpec(name="rain", units="mm day-1", window=5),),
        outputs=(RUNOFF,),
        input_maps=(TensorMap("x", ("rain",), "time window ... -> (time ...) window field", SCALE),),
        output_maps=RESULT,
    )


every_model = pytest.mark.parametrize(
    "build", (equinox_columns, linen_columns, nnx_columns, gru, window), ids=lambda build: build.__name__
)


def forcing(component, lead=(), days=DAYS):
    generator, values = torch.Generator().manual_seed(5), {}
    for spec in component.inputs:
        before = () if spec.static else (days, spec.window) if spec.window > 1 else (days,)
        noise = torch.randn((*before, *lead, CELLS), generator=generator, dtype=torch.float64)
        values[spec.name] = SCALE.mean[spec.name] + SCALE.std[spec.name] * noise
    return values


def start(component, lead=()):
    return component.initial_state(Sizes({"cell": CELLS}, lead, torch.float64))


def part(inputs, times):
    return {name: value if name == "height" else value[times] for name, value in inputs.items()}


def split(vector, arguments):
    return vector.split([value.numel() for value in arguments])


@every_model
def test_single_steps_and_whole_sequence_agree_and_members_are_alone(build):
    component = build().double()
    inputs = forcing(component, lead=(2,))
    whole, last = component(start(component, (2,)), inputs, range(DAYS))
    state, pieces = start(component, (2,)), []
    for t in range(DAYS):
        outputs, state = component.step(state, part(inputs, t), t)
        pieces.append(outputs["runoff"])
    assert whole["runoff"].shape == (DAYS, 2, CELLS)
    assert relative_difference(torch.stack(pieces), whole["runoff"]) < 1e-12
    assert all(relative_difference(state[name], value) < 1e-12 for name, value in last.items())
    places = {spec.name: 0 if spec.static else 1 + (spec.window > 1) for spec in component.inputs}
    alone = {name: value.select(places[name], 1) for name, value in inputs.items()}
    single, _ = component(start(component), alone, range(DAYS))
    assert relative_difference(whole["runoff"][:, 1], single["runoff"]) < 1e-12


@every_model
def test_gradients_keep_the_laws_in_inputs_state_and_weights(build):
    component = build().double()
    names, keys = [spec.name for spec in component.inputs], [spec.name for spec in component.states]
    weights = dict(component.named_parameters())
    every = [*names, *keys, *weights]

    def run(*values):
        given = dict(zip(every, values, strict=True))
        own, state, inputs = ({name: given[name] for name in group} for group in (weights, keys, names))
        outputs, last = torch.func.functional_call(component, own, (state, inputs, range(6)))
        return [*outputs.values(), *last.values()]

    arguments = [*forcing(component, days=6).values(), *start(component).values(), *weights.values()]
    assert dot_product_error(run, arguments, torch.Generator().manual_seed(1)) < 1e-12
    sizes = [{"rain": 0.3, "height": 10.0}.get(name, 0.003) for name in every]
    point = torch.cat([value.detach().flatten() for value in arguments])
    noise = torch.randn(point.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    direction = torch.cat([size * part for size, part in zip(sizes, split(noise, arguments), strict=True)])

    def loss(vector):
        pieces = split(vector, arguments)
        results = run(*(piece.view_as(value) for piece, value in zip(pieces, arguments, strict=True)))
        return torch.stack([(result**3).mean() for result in results]).sum()

    orders = taylor_orders(loss, point, direction, [0.1, 0.03, 0.01])
    assert all(1.9 < order < 2.1 for order in orders), orders


def test_a_run_goes_on_from_a_stored_state_bit_for_bit(tmp_path):
    component = gru().double()
    inputs, store = forcing(component), SafetensorsStore(tmp_path / "restart.safetensors")
    for cut in (4, 8):
        _, middle = component(start(component), part(inputs, slice(0, cut)), range(cut))
        store.save(middle, {})
        rest = part(inputs, slice(cut, DAYS))
        straight, resumed = (
            component(middle, rest, range(cut, DAYS)),
            component(store.load()[0], rest, range(cut, DAYS)),
        )
        for a, b in zip(straight, resumed, strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("build", (equinox_columns, linen_columns, nnx_columns), ids=lambda build: build.__name__)
def test_weights_of_each_library_are_saved_and_loaded_by_name(build, tmp_path):
    component, other = build(), build()
    with torch.no_grad():
        for value in component.parameters():
            value.add_(0.3)
    component.save_weights(tmp_path / "weights.safetensors")
    other.load_weights(tmp_path / "weights.safetensors")
    inputs = {name: value.float() for name, value in forcing(component).items()}
    results = [model({}, inputs, range(DAYS))[0]["runoff"] for model in (component, other, build())]
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


def test_parameters_of_the_libraries_are_named_as_the_libraries_name_them():
    names = [[name.removeprefix("module.params/") for name, _ in build().named_parameters()]
             for build in (equinox_columns, linen_columns, nnx_columns)]  # fmt: skip
    assert names[0][0] == "layers/0/layers/0/weight"
    assert names[1] == ["layers_0/bias", "layers_0/kernel", "layers_2/bias", "layers_2/kernel"]
    assert names[2] == ["layers/0/bias", "layers/0/kernel", "layers/3/bias", "layers/3/kernel"]


def test_a_flax_model_gives_what_flax_gives_and_is_left_in_training_mode():
    model = nnx.Sequential(nnx.Linear(2, 1, rngs=nnx.Rngs(3)), nnx.Dropout(0.5, rngs=nnx.Rngs(4)))
    component = columns(*nnx_model(model, lambda model, x: model(x)))
    inputs = {name: value.float() for name, value in forcing(component).items()}
    ours = component.input_maps[0].pack(inputs)[0]
    assert not model.layers[1].deterministic
    model.eval()
    expected = torch.from_dlpack(model(jnp.array(ours.numpy())))
    assert relative_difference(component.module(x=ours), expected) < 1e-6


@pytest.mark.parametrize(
    ("split", "module", "extra"),
    [
        (lambda: equinox_model(None), "equinox", "equinox"),
        (lambda: linen_model(None, {}), "flax.linen", "flax"),
        (lambda: nnx_model(None), "flax.nnx", "flax"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(split, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        PluginError, match=rf"{module} cannot be imported .*; install it: pip install 'crest-jax\[{extra}\]'"
    ):
        split()


def test_a_function_that_does_not_take_its_maps_is_refused_when_built():
    with pytest.raises(
        FieldError, match=r"<lambda>\(p, y\) cannot be called with 1 positional arguments and \['x'\]: "
    ):
        columns(lambda p, y: y, {})


def test_shapes_that_do_not_fit_name_function_shapes_and_reason():
    component = columns(lambda p, x: x @ p["w"], {"w": np.ones((3, 1))}).double()
    with pytest.raises(ComponentError) as caught:
        component({}, forcing(component), range(DAYS))
    text = str(caught.value)
    assert "cannot take x (36, 2) torch.float64: function " in text and "dot_general requires contracting" in text


def test_a_result_of_another_shape_names_map_and_shapes():
    component = columns(lambda p, x: x * p["k"], {"k": 1.0}).double()
    with pytest.raises(FieldError, match=r"TensorMap y: a tensor \(36, 2\) does not fit"):
        component({}, forcing(component), range(DAYS))


def test_the_backend_is_registered():
    assert registry().load("backends", "jax") is jax_component
