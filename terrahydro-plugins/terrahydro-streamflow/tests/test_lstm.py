"""The LSTM of streamflow: laws of its states, its equality with bare torch, and its sign."""

import pytest
import torch
from terrahydro_streamflow import KRATZERT_ATTRIBUTES, StreamflowEALSTM, StreamflowLSTM
from torch import nn

from crest_core import FieldError, Sizes, registry

ATTRIBUTES = {"aridity": "1", "elev_mean": "m"}
BOTH = pytest.mark.parametrize("kind", [StreamflowLSTM, StreamflowEALSTM])


def made(kind=StreamflowLSTM, **settings):
    settings = {"hidden": 6, "attributes": ATTRIBUTES} | settings
    return kind(**settings, generator=torch.Generator().manual_seed(1)).eval()


def case(model, steps=20, cells=3, lead=(), dtype=torch.float32):
    draw = torch.Generator().manual_seed(2)
    shape = (*lead, cells)
    inputs = {
        spec.name: torch.randn(shape if spec.static else (steps, *shape), generator=draw, dtype=dtype)
        for spec in model.inputs
    }
    return model.initial_state(Sizes({"cell": cells}, lead=lead, dtype=dtype)), inputs


def assert_alike(found, expected):
    """Equal to 1e-6 of the largest value of each field in float32, to 1e-12 in float64."""
    for name, value in expected.items():
        limit = 1e-12 if value.dtype == torch.float64 else 1e-6
        assert float((found[name] - value).detach().abs().max() / value.detach().abs().max()) <= limit, name


def stepped(model, state, inputs, steps):
    rows = []
    static = {spec.name for spec in model.inputs if spec.static}
    for day in range(steps):
        now = {name: value if name in static else value[day] for name, value in inputs.items()}
        outputs, state = model.step(state, now, day)
        rows.append(outputs)
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}, state


@BOTH
@pytest.mark.parametrize("lead", [(), (2, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_days_one_by_one_are_the_whole_sequence(kind, lead, dtype):
    model = made(kind).to(dtype)
    state, inputs = case(model, lead=lead, dtype=dtype)
    whole, last = model(state, inputs, range(20))
    apart, after = stepped(model, state, inputs, 20)
    assert_alike(apart, whole)
    assert_alike(after, last)


@BOTH
def test_days_one_by_one_are_the_whole_sequence_at_full_size(kind):
    """With torch.lstm_cell in the place of a sequence of one day the entity-aware states differ by 6e-6."""
    model = made(kind, hidden=256)
    model.standardise({"runoff_flux": 1.5}, {"runoff_flux": 3.0})  # runoff of about 1.5, not of rounding around 0
    state, inputs = case(model, steps=60)
    with torch.no_grad():
        whole, last = model(state, inputs, range(60))
        apart, after = stepped(model, state, inputs, 60)
    assert_alike(apart, whole)
    assert_alike(after, last)


@BOTH
def test_a_sequence_cut_in_two_is_the_whole_sequence(kind):
    model = made(kind)
    state, inputs = case(model)
    whole, last = model(state, inputs, range(20))
    parts = [{name: v if v.dim() == 1 else v[cut] for name, v in inputs.items()} for cut in (slice(7), slice(7, 20))]
    first, between = model(state, parts[0], range(7))
    rest, after = model(between, parts[1], range(13))
    joined = torch.cat([first["runoff_flux"], rest["runoff_flux"]])
    assert_alike({"runoff_flux": joined}, whole)
    assert_alike(after, last)


@BOTH
def test_no_day_looks_ahead(kind):
    model = made(kind)
    state, inputs = case(model)
    other = {name: v if v.dim() == 1 else torch.cat([v[:9], v[9:] + 1.0]) for name, v in inputs.items()}
    one, two = (model(state, given, range(20))[0]["runoff_flux"] for given in (inputs, other))
    assert torch.equal(one[:9], two[:9]) and not torch.equal(one[9:], two[9:])


@BOTH
def test_a_sequence_of_no_days_leaves_the_state(kind):
    model = made(kind)
    state, inputs = case(model, steps=0, lead=(2,))
    outputs, after = model(state, inputs, [])
    assert outputs["runoff_flux"].shape == (0, 2, 3)
    torch.testing.assert_close(after, state, rtol=0, atol=0)


def test_runoff_is_that_of_a_bare_torch_lstm_with_the_same_weights():
    model = made()
    model.standardise({"precipitation_flux": 0.5, "aridity": 1.0, "runoff_flux": 2.0},
                      {"precipitation_flux": 2.0, "aridity": 3.0, "runoff_flux": 1.5})  # fmt: skip
    state, inputs = case(model)
    bare = nn.LSTM(7, 6)
    bare.load_state_dict(model.lstm.state_dict())
    x = torch.stack([inputs[spec.name].expand(20, 3) for spec in model.inputs], dim=-1)
    x[..., 0] = (x[..., 0] - 0.5) / 2.0
    x[..., 5] = (x[..., 5] - 1.0) / 3.0
    expected = model.head.linear(bare(x)[0]).squeeze(-1) * 1.5 + 2.0
    torch.testing.assert_close(model(state, inputs, range(20))[0]["runoff_flux"], expected.clamp(min=0.0))


def test_the_forget_gate_begins_at_three():
    bias = made().lstm.bias_hh_l0
    assert torch.equal(bias[6:12], torch.full((6,), 3.0)) and bool((bias[:6].abs() <= 6**-0.5).all())


def test_the_entity_aware_forget_gate_begins_at_three():
    bias = made(StreamflowEALSTM).bias
    assert torch.equal(bias, torch.tensor([3.0] * 6 + [0.0] * 12))


@BOTH
def test_an_untrained_network_is_not_chaotic(kind):
    """A small difference of the state is smaller after a year; drawn as usual, both make it larger."""
    model = kind(generator=torch.Generator().manual_seed(1)).eval()
    state, inputs = case(model, steps=365)
    other = {**state, "hidden": state["hidden"] + 1e-3}
    with torch.no_grad():
        ends = [model(given, inputs, range(365))[1]["memory"] for given in (state, other)]
    assert float((ends[0] - ends[1]).abs().max()) < 1e-3


@BOTH
def test_runoff_is_cut_at_zero_in_evaluation_and_free_in_training(kind):
    model = made(kind, dropout=0.0)
    state, inputs = case(model)
    with torch.no_grad():
        given = model(state, inputs, range(20))[0]["runoff_flux"]
        free = model.train()(state, inputs, range(20))[0]["runoff_flux"]
    assert float(given.min()) == 0.0 and float(free.min()) < 0.0
    assert torch.equal(given, free.clamp(min=0.0))


@BOTH
@pytest.mark.parametrize("head", ["point", "gaussian-mixture", "cmal"])
def test_gradients_of_all_weights_are_finite_and_not_zero(kind, head):
    model = made(kind, head=head).train()
    state, inputs = case(model, steps=200)
    outputs, _ = model(state, inputs, range(200))
    sum(value.square().mean() for value in outputs.values()).backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().max() > 0.0, name


@BOTH
def test_bf16_runs_inside_and_answers_in_float32(kind):
    model = made(kind, hidden=32)
    state, inputs = case(model)
    exact, _ = model(state, inputs, range(20))
    with torch.autocast("cpu", torch.bfloat16):
        rough, after = model(state, inputs, range(20))
        one, _ = stepped(model, state, inputs, 2)
    kinds = {value.dtype for value in (*rough.values(), *after.values(), *one.values())}
    assert kinds == {torch.float32}
    torch.testing.assert_close(rough, exact, rtol=0, atol=0.03)


@BOTH
def test_dropout_acts_in_training_only(kind):
    model = made(kind)
    state, inputs = case(model)
    one, two = (model(state, inputs, range(20))[0]["runoff_flux"] for _ in range(2))
    assert torch.equal(one, two)
    model.train()
    one, two = (model(state, inputs, range(20))[0]["runoff_flux"] for _ in range(2))
    assert not torch.equal(one, two)


@BOTH
def test_weights_are_drawn_from_the_generator_alone(kind):
    one, two = (made(kind, head="cmal").state_dict() for _ in range(2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@BOTH
def test_the_default_is_that_of_kratzert(kind):
    model = kind()
    assert model.network.hidden == 256 and model.network.dropout == 0.4
    assert len(KRATZERT_ATTRIBUTES) == 27 and len(model.inputs) == 32


@pytest.mark.parametrize("name", ["streamflow-lstm", "streamflow-ea-lstm"])
def test_the_registry_builds_it_with_settings_of_a_file(name):
    model = registry().load("components", name)(hidden=4, forcing=["liquid_water_flux"], attributes={"aridity": "1"})
    assert [spec.name for spec in model.inputs] == ["liquid_water_flux", "aridity"]


def test_an_lstm_without_attributes_runs():
    model = made(attributes={})
    state, inputs = case(model)
    assert model(state, inputs, range(20))[0]["runoff_flux"].shape == (20, 3)


def test_forcing_that_is_not_known_is_refused_with_the_known():
    with pytest.raises(FieldError, match=r"forcing \['rain'\]; expected .* precipitation_flux|precipitation_flux"):
        made(forcing=["rain"])


def test_an_entity_aware_lstm_without_attributes_is_refused():
    with pytest.raises(FieldError, match="its input gate comes from attributes, and none are named"):
        made(StreamflowEALSTM, attributes={})


def test_a_head_that_is_not_known_is_refused():
    with pytest.raises(FieldError, match="head 'normal'; expected 'point', 'gaussian-mixture' or 'cmal'"):
        made(head="normal")


@BOTH
def test_noise_in_attributes_is_of_training_alone(kind):
    model, plain = made(kind, attribute_noise=0.5), made(kind)
    state, inputs = case(plain)
    told = plain(state, inputs, range(20))[0]["runoff_flux"]
    assert torch.equal(model(state, inputs, range(20))[0]["runoff_flux"], told)
    assert repr(model) == repr(plain)  # and so is the hash of a graph
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first, second = (model.train()(state, inputs, range(20))[0]["runoff_flux"] for _ in range(2))
    assert not torch.equal(first, second)


@BOTH
def test_noise_in_attributes_has_the_spread_that_was_asked_for(kind, monkeypatch):
    model = made(kind, attribute_noise=0.5, dropout=0.0).train()
    state, inputs = case(model, steps=1, cells=20000)
    given = torch.stack([inputs[name] for name in ATTRIBUTES], dim=-1)
    model.standardise({name: 3.0 for name in ATTRIBUTES}, {name: 10.0 for name in ATTRIBUTES})
    taken, layer = [], model.run_layer
    monkeypatch.setattr(
        model, "run_layer", lambda moving, static, *more: taken.append(static) or layer(moving, static, *more)
    )
    model(state, inputs, range(1))
    noise = taken[0] - (given - 3.0) / 10.0
    assert abs(float(noise.std()) - 0.5) < 0.01 and abs(float(noise.mean())) < 0.01


@pytest.mark.parametrize(
    "settings",
    [{"attribute_noise": -0.1}, {"attribute_noise": float("nan")}, {"attribute_noise": True}, {"dropout": 1.0},
     {"hidden": 0}, {"hidden": 2.5}],
    ids=str,
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_by_name(settings):
    with pytest.raises(FieldError, match=rf"{next(iter(settings))} .*: expected "):
        made(**settings)
