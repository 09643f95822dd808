"""keras_component: laws for models of every kind, under Keras's torch backend; test_library runs them under JAX."""

import copy
import random

import numpy as np
import pytest
import torch
from crest_keras import KerasModule, keras_component, keras_lstm_component
from crest_keras.library import keras_library

from crest_core import (
    ComponentError,
    Connection,
    FieldError,
    FieldSpec,
    Graph,
    SafetensorsStore,
    Sizes,
    Standardize,
    TensorMap,
)
from crest_core.plugins import registry
from crest_core.testing import TorchBucket, dot_product_error, relative_difference, taylor_orders

keras = keras_library()
DAYS, CELLS = 9, 3
SIZES = {"cell": CELLS, "y": 5, "x": 4}
RAIN = FieldSpec(name="rain", units="mm day-1")
HEIGHT = FieldSpec(name="height", units="m", static=True)
RUNOFF = FieldSpec(name="runoff", units="mm day-1")
SCALE = Standardize(
    mean={"rain": 3.0, "height": 500.0, "runoff": 1.0}, std={"rain": 6.0, "height": 300.0, "runoff": 2.0}
)
COLUMNS = "time ... -> (time ...) field"
WEIGHTS = "module.inner.params"


def one_column():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(5, "tanh", kernel_initializer=keras.initializers.GlorotUniform(3), name="hidden"),
            layers.BatchNormalization(moving_mean_initializer="ones", name="norm"),
            layers.Dropout(0.5),
            layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(4), name="head"),
        ]
    )
    return keras_component(
        model,
        inputs=(RAIN, HEIGHT),
        outputs=(RUNOFF,),
        input_maps=(TensorMap("x", ("rain", "height"), COLUMNS, SCALE),),
        output_maps=(TensorMap("y", ("runoff",), COLUMNS, SCALE),),
    )


def window():
    model = keras.Sequential(
        [keras.Input((5, 1)), keras.layers.GRU(3, seed=1, name="gru"), keras.layers.Dense(1, name="head")]
    )
    return keras_component(
        model,
        inputs=(FieldSpec(name="rain", units="mm day-1", window=5),),
        outputs=(RUNOFF,),
        input_maps=(TensorMap("x", ("rain",), "time window ... -> (time ...) window field", SCALE),),
        output_maps=(TensorMap("y", ("runoff",), COLUMNS, SCALE),),
    )


def images():
    rain, runoff = (FieldSpec(name=spec.name, units=spec.units, dims=("y", "x")) for spec in (RAIN, RUNOFF))
    pattern = "time ... y x -> (time ...) y x field"
    inputs = keras.Input((None, None, 1))
    hidden = keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="filter")(inputs)
    return keras_component(
        keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same", name="head")(hidden)),
        inputs=(rain,),
        outputs=(runoff,),
        input_maps=(TensorMap("x", ("rain",), pattern, SCALE),),
        output_maps=(TensorMap("y", ("runoff",), pattern, SCALE),),
    )


def lstm(seed=1):
    return keras_lstm_component(inputs=(RAIN, HEIGHT), outputs=(RUNOFF,), scale=SCALE, hidden=4, seed=seed)


every_model = pytest.mark.parametrize("build", (one_column, window, images, lstm), ids=lambda build: build.__name__)


def forcing(component, lead=(), dtype=torch.float64):
    generator, values = torch.Generator().manual_seed(5), {}
    for spec in component.inputs:
        before = () if spec.static else (DAYS, spec.window) if spec.window > 1 else (DAYS,)
        noise = torch.randn((*before, *lead, *(SIZES[n] for n in spec.dims)), generator=generator, dtype=dtype)
        values[spec.name] = SCALE.mean[spec.name] + SCALE.std[spec.name] * noise
    return values


def start(component, lead=(), dtype=torch.float64):
    return component.initial_state(Sizes(SIZES, lead, dtype))


def part(inputs, times):
    return {name: value if name == "height" else value[times] for name, value in inputs.items()}


@every_model
def test_laws_single_steps_and_whole_sequence_agree_and_members_are_alone(build):
    component = build().double()
    inputs = forcing(component, lead=(2,))
    whole, last = component(start(component, (2,)), inputs, range(DAYS))
    state, pieces = start(component, (2,)), []
    for t in range(DAYS):
        outputs, state = component.step(state, part(inputs, t), t)
        pieces.append(outputs["runoff"])
    assert whole["runoff"].shape == (DAYS, 2, *(SIZES[name] for name in component.outputs[0].dims))
    assert relative_difference(torch.stack(pieces), whole["runoff"]) < 1e-12
    assert all(relative_difference(state[name], value) < 1e-12 for name, value in last.items())
    places = {spec.name: 0 if spec.static else 1 + (spec.window > 1) for spec in component.inputs}
    alone = {name: value.select(places[name], 1) for name, value in inputs.items()}
    single, _ = component(start(component), alone, range(DAYS))
    assert relative_difference(whole["runoff"][:, 1], single["runoff"]) < 1e-12


@pytest.mark.parametrize("build", (one_column, window, lstm), ids=lambda build: build.__name__)
def test_laws_of_gradients_in_inputs_state_and_weights_hold_in_float64(build):
    component = build().double()
    names, keys = [spec.name for spec in component.inputs], [spec.name for spec in component.states]
    weights = {name: value for name, value in component.named_parameters() if value.requires_grad}
    every = [*names, *keys, *weights]

    def run(*values):
        given = dict(zip(every, values, strict=True))
        own, state, inputs = ({name: given[name] for name in group} for group in (weights, keys, names))
        outputs, last = torch.func.functional_call(component, own, (state, inputs, range(DAYS)))
        return [*outputs.values(), *last.values()]

    arguments = [*forcing(component).values(), *start(component).values(), *(w.detach() for w in weights.values())]
    assert dot_product_error(run, arguments, torch.Generator().manual_seed(1)) < 1e-12
    sizes = [value.numel() for value in arguments]
    scale = torch.cat(
        [torch.full((n,), 0.3 if name == "rain" else 0.003) for name, n in zip(every, sizes, strict=True)]
    )
    point = torch.cat([value.flatten() for value in arguments])

    def loss(vector):
        pieces = zip(vector.split(sizes), arguments, strict=True)
        return torch.stack([(r**3).mean() for r in run(*(piece.view_as(value) for piece, value in pieces))]).sum()

    direction = torch.randn(point.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * scale
    orders = taylor_orders(loss, point, direction, [0.1, 0.03, 0.01])
    assert all(1.9 < order < 2.1 for order in orders), orders


def test_laws_a_run_goes_on_from_a_stored_state_bit_for_bit(tmp_path):
    component = lstm().double()
    inputs, store = forcing(component), SafetensorsStore(tmp_path / "restart.safetensors")
    for cut in (3, 6):
        _, middle = component(start(component), part(inputs, slice(0, cut)), range(cut))
        store.save(middle, {})
        rest = part(inputs, slice(cut, DAYS))
        straight, resumed = (
            component(middle, rest, range(cut, DAYS)),
            component(store.load()[0], rest, range(cut, DAYS)),
        )
        for a, b in zip(straight, resumed, strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)


def test_laws_the_component_gives_what_keras_gives_without_dropout():
    component = one_column()
    inputs = {name: value.float() for name, value in forcing(component).items()}
    packed, _ = component.input_maps[0].pack(inputs)
    model = component.module.structure.model
    expected = torch.tensor(keras.ops.convert_to_numpy(model(packed.numpy(), training=False)))
    assert relative_difference(component.module(x=packed), expected) < 1e-6
    component.train()
    assert torch.equal(component.module(x=packed), component.eval().module(x=packed))


def test_laws_weights_pass_through_a_file_and_frozen_ones_are_kept_from_training(tmp_path):
    component, other = one_column(), one_column()
    frozen = [name.removeprefix(WEIGHTS) for name, value in component.named_parameters() if not value.requires_grad]
    assert sorted(frozen) == ["/norm/moving_mean", "/norm/moving_variance"]
    with torch.no_grad():
        for value in component.parameters():
            value.mul_(1.5)
    component.save_weights(tmp_path / "weights.safetensors")
    other.load_weights(tmp_path / "weights.safetensors")
    inputs = {name: value.float() for name, value in forcing(component).items()}
    results = [model({}, inputs, range(DAYS))[0]["runoff"] for model in (component, other, one_column())]
    assert torch.equal(results[0], results[1]) and not torch.allclose(results[0], results[2])


def test_laws_a_loss_behind_a_torch_model_trains_the_keras_weights():
    graph = Graph({"rain": lstm(), "soil": TorchBucket()}, [Connection("rain.runoff", "soil.evapotranspiration")])
    inputs = {name: value.float() for name, value in forcing(lstm()).items()}
    inputs["precipitation"] = torch.ones(DAYS, CELLS)
    optimiser, losses = torch.optim.Adam(graph.components["rain"].parameters(), lr=0.02), []
    for _ in range(5):
        optimiser.zero_grad()
        outputs, _ = graph(start(graph, (), torch.float32), inputs, range(DAYS))
        loss = ((outputs["storage"] - 45.0) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert graph.gradient_report().status("rain parameters", "storage") == "exact"


def test_laws_the_process_is_left_as_it_was():
    before, python = keras.config.dtype_policy().name, random.getstate()
    component = lstm().double()
    component(start(component), forcing(component), range(DAYS))
    assert (keras.config.dtype_policy().name, random.getstate()) == (before, python)
    assert keras.backend.result_type("float64", "float64") == "float32"  # Keras's own way, outside of components


def test_a_convolution_has_the_gradients_of_torch():
    component = images()
    x = torch.randn(2, 5, 4, 1, generator=torch.Generator().manual_seed(1))
    kernel, bias, head, last = list(component.parameters())
    component.module(x=x).square().sum().backward()
    ours = [kernel.grad.clone(), head.grad.clone()]
    component.zero_grad()
    convolve = torch.nn.functional.conv2d
    hidden = torch.tanh(convolve(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), bias, padding=1))
    convolve(hidden, head.permute(3, 2, 0, 1), last, padding=1).square().sum().backward()
    for one, parameter in zip(ours, (kernel, head), strict=True):
        assert relative_difference(one, parameter.grad) < 1e-5


def test_copies_share_what_is_built_and_not_the_weights():
    component = lstm()
    other = copy.deepcopy(component)
    with torch.no_grad():
        next(other.parameters()).zero_()
    assert other.module.structure is component.module.structure
    assert next(component.parameters()).abs().sum() > 0


def test_the_wrapper_is_shown_with_the_hash_of_the_configuration():
    assert "lstm_regressor, 6 variables, configuration " in repr(lstm())
    assert repr(lstm(1)) == repr(lstm(1))


def wrapped(model, **changes):
    arguments = {
        "inputs": (RAIN,),
        "outputs": (RUNOFF,),
        "input_maps": (TensorMap("x", ("rain",), COLUMNS),),
        "output_maps": (TensorMap("y", ("runoff",), COLUMNS),),
    }
    return keras_component(model, **(arguments | changes))


def two_inputs(**outputs):
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    joined = keras.layers.Dense(1, name="head")(keras.layers.Concatenate()([a, b]))
    return keras.Model([a, b], {name: joined for name in outputs} or joined)


def test_inputs_and_results_of_a_dict_are_found_by_name():
    maps = tuple(TensorMap(name, (field,), COLUMNS) for name, field in (("b", "rain"), ("a", "warmth")))
    warmth = FieldSpec(name="warmth", units="degC")
    component = wrapped(two_inputs(y=1), inputs=(RAIN, warmth), input_maps=maps)
    with torch.no_grad():
        component.module.inner.get_parameter("params/head/kernel").copy_(torch.tensor([[1.0], [10.0]]))
    outputs, _ = component({}, {"rain": torch.ones(1, 1), "warmth": torch.full((1, 1), 2.0)}, range(1))
    assert outputs["runoff"].item() == 12.0
    with pytest.raises(FieldError, match=r"has the inputs \['a', 'b'\], the maps are \['b', 'warm'\]; name input_maps"):
        wrapped(two_inputs(), inputs=(RAIN, warmth), input_maps=(maps[0], TensorMap("warm", ("warmth",), COLUMNS)))
    lost = wrapped(two_inputs(z=1), inputs=(RAIN, warmth), input_maps=maps)
    with pytest.raises(ComponentError, match=r"expected an array for each of \('y',\), in order, got \['z'\]"):
        lost({}, {"rain": torch.ones(1, 1), "warmth": torch.ones(1, 1)}, range(1))


class Own(keras.Model):
    """A model with code of its own, which Keras can build again for it has get_config."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = keras.layers.Dense(1, name="head")

    def call(self, x):
        return self.head(x) ** 2


class Closed(Own):
    """One whose constructor asks for what get_config does not give."""

    def __init__(self, power):
        super().__init__()
        self.power = power

    def get_config(self):
        raise NotImplementedError


def built(model):
    model(np.ones((1, 1), "float32"))
    return model


def test_a_model_with_code_of_its_own_runs_in_both_number_types_if_it_can_be_built_again():
    component, inputs = wrapped(built(Own())), {"rain": torch.rand(2, 1)}
    single = component({}, inputs, range(2))[0]["runoff"]
    double = component.double()({}, {"rain": inputs["rain"].double()}, range(2))[0]["runoff"]
    assert double.dtype == torch.float64 and relative_difference(double, single.double()) < 1e-6
    closed = wrapped(built(Closed(2)))
    assert closed({}, inputs, range(2))[0]["runoff"].dtype == torch.float32
    with pytest.raises(
        ComponentError, match=r"of \['float32'\] cannot be built again in float64: it has no get_config; "
    ):
        closed.double()({}, {"rain": inputs["rain"].double()}, range(2))


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (Own, ComponentError, "has no weights yet; call it once, or give it keras.Input"),
        (
            lambda: keras.Sequential(
                [keras.Input((4, 1), batch_size=2), keras.layers.LSTM(2, stateful=True, name="memory")]
            ),
            ComponentError,
            r"the layers \['memory'\] keep their state inside \(stateful=True\); make the state an input and an output",
        ),
    ],
)
def test_models_that_are_not_pure_or_not_ready_are_refused(build, error, words):
    with pytest.raises(error, match=words):
        wrapped(build())


def test_what_does_not_fit_is_told():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ComponentError, match=r"cannot take x \(2, 1\) torch.float32: .*(incompatible|dot_general)"):
        wrapped(model)({}, {"rain": torch.ones(2, 1)}, range(2))
    with pytest.raises(
        ComponentError, match=r"one number type, got \['float32', 'float64'\]; convert the component with"
    ):
        one_column()({}, forcing(one_column()), range(DAYS))
    with pytest.raises(FieldError, match="an input map cannot be called 'state'"):
        wrapped(model, input_maps=(TensorMap("state", ("rain",), COLUMNS),))
    many = KerasModule(model, inputs=("x",), outputs=("y", "z"))
    with pytest.raises(ComponentError, match=r"expected an array for each of \('y', 'z'\), in order, got 1 of them"):
        many(x=torch.ones(1, 3))


def test_the_backends_are_registered():
    assert registry().load("backends", "keras") is keras_component
    assert registry().load("backends", "keras-lstm") is keras_lstm_component
