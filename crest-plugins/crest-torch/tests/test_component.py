"""TorchComponent: laws that hold for every kind of network, known answers, and errors by words."""

import random

import pytest
import torch
from crest_torch import TorchComponent, lstm_component
from torch import nn

from crest_core import ComponentError, FieldError, FieldSpec, SafetensorsStore, Sizes, Standardize, TensorMap
from crest_core.plugins import registry
from crest_core.testing import dot_product_error, relative_difference, taylor_orders

DAYS, CELLS = 40, 3
SIZES = {"cell": CELLS, "y": 5, "x": 4}
RAIN = FieldSpec(name="rain", units="mm day-1")
WARMTH = FieldSpec(name="warmth", units="degC")
HEIGHT = FieldSpec(name="height", units="m", static=True)
RUNOFF = FieldSpec(name="runoff", units="mm day-1")
WETNESS = FieldSpec(name="wetness", units="1", cell_methods="time: point")
SCALE = Standardize(
    mean={"rain": 3.0, "warmth": 10.0, "height": 500.0, "runoff": 1.0, "wetness": 0.4},
    std={"rain": 6.0, "warmth": 8.0, "height": 300.0, "runoff": 2.0, "wetness": 0.1},
)


def over(dims, *specs):
    """Return the fields on other dims."""
    names = ("name", "units", "static", "cell_methods")
    return tuple(FieldSpec(dims=dims, **{name: getattr(spec, name) for name in names}) for spec in specs)


class Recurrent(nn.Module):
    """A GRU and a head, in the way torch's own recurrent networks are called."""

    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(2, 5, num_layers=2), nn.Linear(5, 1)

    def forward(self, x, hx):
        features, hx = self.gru(x, hx)
        return self.head(features), hx


class SequenceToOne(nn.Module):
    """An LSTM over a window, of which the last hidden state counts."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(1, 6, batch_first=True), nn.Linear(6, 1)

    def forward(self, window):
        return self.head(self.lstm(window)[0][:, -1])


class TwoBranches(nn.Module):
    """Weather changed by a static embedding, two results."""

    def __init__(self):
        super().__init__()
        self.weather, self.place = nn.Linear(2, 4), nn.Linear(1, 4)

    def forward(self, weather, place):
        mixed = torch.tanh(self.weather(weather) + self.place(place))
        return mixed.sum(-1, keepdim=True), mixed[..., :1]


def column_network():
    return TorchComponent(
        nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)),
        inputs=(RAIN, WARMTH, HEIGHT),
        outputs=(RUNOFF, WETNESS),
        input_maps=(TensorMap("input", ("rain", "warmth", "height"), "time ... -> time ... field", SCALE),),
        output_maps=(TensorMap("y", ("runoff", "wetness"), "time ... -> time ... field", SCALE),),
    )


def two_branches():
    return TorchComponent(
        TwoBranches(),
        inputs=(RAIN, WARMTH, HEIGHT),
        outputs=(RUNOFF, WETNESS),
        input_maps=(
            TensorMap("weather", ("rain", "warmth"), scale=SCALE),
            TensorMap("place", ("height",), "... -> (...) field", SCALE),
        ),
        output_maps=(TensorMap("runoff", ("runoff",), scale=SCALE), TensorMap("wetness", ("wetness",), scale=SCALE)),
    )


def lstm():
    return lstm_component(inputs=(RAIN, WARMTH, HEIGHT), outputs=(RUNOFF, WETNESS), scale=SCALE, hidden=6, layers=2)


def layered_lstm():
    (layers,) = over(("soil_layer", "cell"), WETNESS)
    return lstm_component(inputs=(RAIN,), outputs=(layers,), scale=SCALE, hidden=6, dim_sizes={"soil_layer": 3})


def gru():
    state = FieldSpec(name="memory", units="1", dims=("layer", "hidden", "cell"), cell_methods="time: point")
    return TorchComponent(
        Recurrent(),
        inputs=(RAIN, WARMTH),
        outputs=(RUNOFF,),
        states=(state,),
        input_maps=(TensorMap("x", ("rain", "warmth"), scale=SCALE),),
        output_maps=(TensorMap("y", ("runoff",), scale=SCALE),),
        state_maps=(TensorMap("h", ("memory",), "... layer hidden cell -> (field layer) (... cell) hidden"),),
        dim_sizes={"layer": 2, "hidden": 5},
    )


def images():
    dims = ("y", "x")
    return TorchComponent(
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1)),
        inputs=over(dims, RAIN, HEIGHT),
        outputs=over(dims, RUNOFF),
        input_maps=(TensorMap("input", ("rain", "height"), "time ... y x -> (time ...) field y x", SCALE),),
        output_maps=(TensorMap("y", ("runoff",), "time ... y x -> (time ...) field y x", SCALE),),
    )


def window():
    return TorchComponent(
        SequenceToOne(),
        inputs=(FieldSpec(name="rain", units="mm day-1", window=7),),
        outputs=(RUNOFF,),
        input_maps=(TensorMap("window", ("rain",), "time window ... -> (time ...) window field", SCALE),),
        output_maps=(TensorMap("y", ("runoff",), "time ... -> (time ...) field", SCALE),),
    )


MODELS = (column_network, two_branches, lstm, layered_lstm, gru, images, window)
every_model = pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)


@pytest.fixture(autouse=True)
def known_weights():
    """Draw the same weights in every test, and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        yield


def forcing(component, days=DAYS, lead=(), dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    values = {}
    for spec in component.inputs:
        before = () if spec.static else (days, spec.window) if spec.window > 1 else (days,)
        shape = (*before, *lead, *(SIZES[name] for name in spec.dims))
        noise = torch.randn(shape, generator=generator, dtype=dtype)
        values[spec.name] = SCALE.mean[spec.name] + SCALE.std[spec.name] * noise
    return values


def start(component, lead=(), dtype=torch.float64):
    return component.initial_state(Sizes(SIZES, lead, dtype))


def part(component, inputs, first, stop):
    static = {spec.name for spec in component.inputs if spec.static}
    return {name: value if name in static else value[first:stop] for name, value in inputs.items()}


def now(component, inputs, t):
    static = {spec.name for spec in component.inputs if spec.static}
    return {name: value if name in static else value[t] for name, value in inputs.items()}


@every_model
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("lead", [(), (2, 3)])
def test_single_steps_and_whole_sequence_agree(build, dtype, tolerance, lead):
    component = build().to(dtype)
    inputs = forcing(component, lead=lead, dtype=dtype)
    whole, last = component(start(component, lead, dtype), inputs, range(DAYS))
    state, pieces = start(component, lead, dtype), []
    for t in range(DAYS):
        outputs, state = component.step(state, now(component, inputs, t), t)
        pieces.append(outputs)
    for spec in component.outputs:
        assert whole[spec.name].shape == (DAYS, *lead, *(({"soil_layer": 3} | SIZES)[dim] for dim in spec.dims))
        stepped = torch.stack([outputs[spec.name] for outputs in pieces])
        assert relative_difference(stepped, whole[spec.name]) <= tolerance
    assert set(last) == {spec.name for spec in component.states}
    for name, value in last.items():
        assert relative_difference(state[name], value) <= tolerance


@every_model
def test_two_calls_are_identical_and_change_no_argument(build):
    component = build().double()
    inputs, state = forcing(component), start(component)
    kept = [{name: value.clone() for name, value in group.items()} for group in (inputs, state)]
    first, second = component(state, inputs, range(DAYS)), component(state, inputs, range(DAYS))
    for a, b in [*zip(first, second, strict=True), *zip((inputs, state), kept, strict=True)]:
        assert all(torch.equal(a[name], b[name]) for name in b)


@every_model
def test_each_member_gives_what_it_gives_alone(build):
    component = build().double()
    inputs = forcing(component, lead=(4, 2))
    together, _ = component(start(component, (4, 2)), inputs, range(DAYS))
    alone = {}
    for spec in component.inputs:
        before = 0 if spec.static else 1 + (spec.window > 1)
        alone[spec.name] = inputs[spec.name].select(before, 3).select(before, 1)
    single, _ = component(start(component), alone, range(DAYS))
    for name, value in single.items():
        assert relative_difference(together[name][:, 3, 1], value) <= 1e-12


@every_model
def test_later_weather_changes_nothing_before(build):
    component = build().double()
    inputs = forcing(component)
    outputs, _ = component(start(component), inputs, range(DAYS))
    short, _ = component(start(component), part(component, inputs, 0, 15), range(15))
    for name, value in short.items():
        assert relative_difference(value, outputs[name][:15]) <= 1e-12


@every_model
def test_a_run_goes_on_from_a_stored_state_bit_for_bit(build, tmp_path):
    component = build().double()
    inputs, store = forcing(component), SafetensorsStore(tmp_path / "restart.safetensors")
    for cut in sorted(random.Random(2).sample(range(1, DAYS), 5)):
        _, middle = component(start(component), part(component, inputs, 0, cut), range(cut))
        store.save(middle, {})
        rest = part(component, inputs, cut, DAYS)
        straight, end = component(middle, rest, range(cut, DAYS))
        resumed, resumed_end = component(store.load()[0], rest, range(cut, DAYS))
        assert all(torch.equal(straight[name], resumed[name]) for name in straight)
        assert all(torch.equal(end[name], resumed_end[name]) for name in end)


@every_model
def test_the_adjoint_is_the_transpose_of_the_tangent(build):
    component = build().double()
    names = [spec.name for spec in component.inputs]
    keys = [spec.name for spec in component.states]

    def run(*values):
        inputs, state = dict(zip(names, values, strict=False)), dict(zip(keys, values[len(names) :], strict=False))
        outputs, last = component(state, inputs, range(8))
        return [*outputs.values(), *last.values()]

    arguments = [*forcing(component, 8).values(), *start(component).values()]
    assert dot_product_error(run, arguments, torch.Generator().manual_seed(1)) < 1e-12


@every_model
def test_the_gradient_in_the_weights_passes_the_taylor_test(build):
    component = build().double()
    inputs, state = forcing(component, 8), start(component)
    weights = dict(component.named_parameters())
    point = torch.cat([value.detach().flatten() for value in weights.values()])

    def loss(vector):
        pieces = vector.split([value.numel() for value in weights.values()])
        taken = {name: piece.view_as(weights[name]) for name, piece in zip(weights, pieces, strict=True)}
        outputs, _ = torch.func.functional_call(component, taken, (state, inputs, range(8)))
        return torch.stack([(value**2).mean() for value in outputs.values()]).sum()

    direction = torch.randn(point.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    orders = taylor_orders(loss, point, direction / direction.norm(), [1e-1, 3e-2, 1e-2, 3e-3])
    assert all(1.9 < order < 2.1 for order in orders[1:])


def test_fields_arrive_scaled_and_leave_in_their_units():
    component = TorchComponent(
        nn.Identity(),
        inputs=(RAIN,),
        outputs=(RUNOFF,),
        input_maps=(TensorMap("input", ("rain",), scale=SCALE),),
        output_maps=(TensorMap("y", ("runoff",), scale=SCALE),),
    )
    outputs, _ = component({}, {"rain": torch.tensor([[3.0, 15.0]])}, range(1))
    assert outputs["runoff"].tolist() == [[1.0, 5.0]]


def test_the_state_of_a_gru_is_the_tensor_that_torch_returns():
    component = gru().double()
    inputs = forcing(component)
    _, state = component(start(component), inputs, range(DAYS))
    x, _ = component.input_maps[0].pack(inputs)
    _, expected = component.module(x, torch.zeros(2, CELLS, 5, dtype=torch.float64))
    assert torch.equal(state["memory"], expected.movedim(1, -1))


def test_a_module_that_works_in_place_changes_no_forcing():
    component = TorchComponent(
        nn.ReLU(inplace=True),
        inputs=(RAIN,),
        outputs=(RUNOFF,),
        input_maps=(TensorMap("input", ("rain",)),),
        output_maps=(TensorMap("y", ("runoff",)),),
    )
    rain = torch.tensor([[-1.0, 2.0]])
    assert component({}, {"rain": rain}, range(1))[0]["runoff"].tolist() == [[0.0, 2.0]]
    assert rain.tolist() == [[-1.0, 2.0]]


def test_dropout_is_off_until_training_begins():
    component = lstm_component(inputs=(RAIN,), outputs=(RUNOFF,), scale=SCALE, hidden=6, dropout=0.5).double()
    inputs, state = forcing(component), start(component)
    values = [component(state, inputs, range(DAYS))[0]["runoff"] for _ in range(2)]
    component.train()
    other = component(state, inputs, range(DAYS))[0]["runoff"]
    assert torch.equal(*values) and not torch.equal(other, values[0])


def test_the_backends_are_registered():
    assert registry().load("backends", "torch") is TorchComponent
    assert registry().load("backends", "torch-lstm") is lstm_component


def test_a_component_shows_its_maps():
    assert "x: rain, warmth, 'time ... -> time (...) field'" in repr(gru())


def wrapped(module=None, **changes):
    arguments = {
        "inputs": (RAIN,),
        "outputs": (RUNOFF,),
        "input_maps": (TensorMap("input", ("rain",)),),
        "output_maps": (TensorMap("y", ("runoff",)),),
    }
    return TorchComponent(module or nn.Linear(1, 1), **(arguments | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": (RAIN, WARMTH)}, r"input_maps: .*in no map: \['warmth'\], not declared: \[\]"),
        ({"outputs": (WETNESS,)}, r"output_maps: .*in no map: \['wetness'\], not declared: \['runoff'\]"),
        (
            {"output_maps": (TensorMap("y", ("runoff",)), TensorMap("z", ("runoff",)))},
            r"in two maps: \['runoff'\]",
        ),
        ({"states": (WETNESS,)}, r"state_maps: .*in no map: \['wetness'\]"),
        (
            {"input_maps": (TensorMap("x", ("rain",)),)},
            r"module Linear takes the arguments \['input'\]; no such argument: \['x'\], not given: \['input'\]",
        ),
        ({"module": nn.Bilinear(1, 1, 1), "input_maps": (TensorMap("input1", ("rain",)),)}, r"not given: \['input2'\]"),
        (
            {"input_maps": (TensorMap("input", ("rain",)), TensorMap("input", ("rain",)))},
            r"expected distinct arguments, got \['input', 'input'\]",
        ),
        (
            {"input_maps": (TensorMap("input", ("rain",), "time cell -> time cell field"),)},
            r"input map input: the left side of 'time cell -> .* expected 'time ...' or 'time ... cell'",
        ),
        (
            {"inputs": (FieldSpec(name="rain", units="mm", window=9),)},
            r"with dims \('cell',\) and window 9; expected 'time window ...'",
        ),
        (
            {"inputs": (RAIN, *over(("y", "x"), WARMTH)), "input_maps": (TensorMap("input", ("rain", "warmth")),)},
            r"expected fields of the same dims and window, got rain \('cell',\) window 1, warmth \('y', 'x'\) window 1",
        ),
        (
            {"outputs": over(("soil_layer", "cell"), RUNOFF)},
            r"output runoff: the size of the dims \['soil_layer'\] is not known from the inputs; add it to dim_sizes",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_when_built(changes, words):
    with pytest.raises(FieldError, match=words):
        wrapped(**changes)


def test_a_module_that_cannot_take_its_tensors_says_shapes_and_types():
    with pytest.raises(ComponentError) as caught:
        wrapped(nn.Linear(2, 1)).double()({}, {"rain": torch.zeros(5, 3)}, range(5))
    words = r"module Linear (weights torch.float64) cannot take input (5, 3, 1) torch.float32: "
    assert words in str(caught.value)


def test_a_recurrent_module_without_declared_state_is_told_apart():
    with pytest.raises(
        ComponentError, match=r"LSTM: expected one tensor as the result, got \(\(5, 3, 4\) torch.float32, \("
    ):
        wrapped(nn.LSTM(1, 4))({}, {"rain": torch.zeros(5, 3)}, range(5))


def test_a_module_that_returns_no_new_state_is_told():
    class Forgetful(Recurrent):
        def forward(self, x, hx):
            return super().forward(x, hx)[0]

    component = gru()
    component.module = Forgetful()
    inputs = forcing(component, dtype=torch.float32)
    with pytest.raises(ComponentError, match=r"Forgetful: expected \(result, new state\), got \(40, 3, 1\) "):
        component(start(component, dtype=torch.float32), inputs, range(DAYS))


def test_a_result_of_another_shape_names_map_and_shapes():
    with pytest.raises(FieldError, match=r"TensorMap y: a tensor \(5, 3, 2\) does not fit"):
        wrapped(nn.Linear(1, 2))({}, {"rain": torch.zeros(5, 3)}, range(5))


def test_an_lstm_needs_outputs_on_the_columns_of_its_inputs_and_known_sizes():
    (layers,) = over(("soil_layer", "cell"), WETNESS)
    with pytest.raises(FieldError, match=r"wetness: no size for the dims \['soil_layer'\]; add it to dim_sizes"):
        lstm_component(inputs=(RAIN,), outputs=(layers,), scale=SCALE, hidden=4)
    with pytest.raises(FieldError, match=r"runoff: expected dims that end with \('cell',\), as the inputs', got"):
        lstm_component(inputs=(RAIN,), outputs=over(("y", "x"), RUNOFF), scale=SCALE, hidden=4)


def test_standardised_later_a_component_is_as_if_built_with_the_scale():
    inputs, outputs = over(("cell",), RAIN), over(("cell",), RUNOFF)
    plain, built = (
        lstm_component(
            inputs=inputs, outputs=outputs, scale=scale, hidden=4, generator=torch.Generator().manual_seed(1)
        )
        for scale in (Standardize({"rain": 0.0, "runoff": 0.0}, {"rain": 1.0, "runoff": 1.0}), SCALE)
    )
    plain.standardise({"rain": 3.0, "runoff": 1.0}, {"rain": 6.0, "runoff": 2.0})
    state = plain.initial_state(Sizes(SIZES))
    rain = {"rain": torch.rand(DAYS, CELLS)}
    assert torch.equal(plain(state, rain, range(DAYS))[0]["runoff"], built(state, rain, range(DAYS))[0]["runoff"])
    with pytest.raises(FieldError, match=r"unknown fields \['snow'\], expected some of \['rain', 'runoff'\]"):
        plain.standardise({"snow": 1.0}, {"snow": 1.0})


def test_in_bfloat16_outputs_err_by_its_digits_of_the_scaled_value_and_not_of_the_physical_one():
    """A field of 10000 that varies by 2: bfloat16 has no number between 9984 and 10048; 2^-8 is its rounding."""
    level = FieldSpec(name="level", units="m")
    scale = Standardize({"rain": 3.0, "level": 10_000.0}, {"rain": 6.0, "level": 2.0})
    draws = torch.Generator().manual_seed(1)
    model = lstm_component(inputs=(RAIN,), outputs=(level,), scale=scale, hidden=8, generator=draws)
    inputs = {"rain": 3.0 + 6.0 * torch.randn(DAYS, CELLS, generator=draws)}
    start = model.initial_state(Sizes({"cell": CELLS}))
    with torch.no_grad():
        exact, _ = model(start, inputs, range(DAYS))
        with torch.autocast("cpu", torch.bfloat16):
            rounded, state = model(start, inputs, range(DAYS))
    assert rounded["level"].dtype == torch.float32 and {value.dtype for value in state.values()} == {torch.float32}
    error = (rounded["level"] - exact["level"]).abs() / 2.0  # of the scaled value, which is of order 1
    assert 1e-5 < float(error.max()) < 4 * 2.0**-8


def test_numbers_of_more_digits_than_those_of_the_inputs_are_kept():
    class Precise(nn.Module):
        def forward(self, x):
            return x.double() + 1e-9

    model = TorchComponent(
        Precise(), inputs=(RAIN,), outputs=(RUNOFF,), input_maps=(TensorMap("x", ("rain",)),),
        output_maps=(TensorMap("y", ("runoff",)),),
    )  # fmt: skip
    assert model({}, {"rain": torch.ones(2, 1)}, range(2))[0]["runoff"].dtype == torch.float64
