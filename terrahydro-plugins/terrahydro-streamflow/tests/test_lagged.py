"""Lagged discharge: gaps are filled with a flag, and held out at random while training, as much as was asked."""

import numpy as np
import pytest
import torch
import xarray as xr
from terrahydro_streamflow import StreamflowEALSTM, StreamflowLSTM, gaps

from crest_core import FieldError, Sizes, simulate

BOTH = pytest.mark.parametrize("kind", [StreamflowLSTM, StreamflowEALSTM])
LAGGED = "runoff_flux_lagged"


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def made(kind=StreamflowLSTM, **settings):
    return kind(hidden=6, dropout=0.0, attributes={"aridity": "1"}, lagged=True, **settings, generator=seeded()).eval()


def case(model, steps=30):
    draw = seeded(2)
    moving = [spec.name for spec in model.inputs if not spec.static]
    inputs = {name: torch.randn(steps, 4, generator=draw).abs() for name in moving}
    return model.initial_state(Sizes({"cell": 4})), inputs | {"aridity": torch.ones(4)}


def runoff(model, state, inputs):
    return model(state, inputs, range(len(inputs[LAGGED])))[0]["runoff_flux"]


@pytest.mark.parametrize(("fraction", "length"), [(0.5, None), (0.3, 5.0), (0.5, 10.0), (0.8, 20.0)])
def test_as_much_is_held_out_as_was_asked_in_gaps_of_the_length_that_was_asked(fraction, length):
    held = gaps(2000, 60, fraction=fraction, length=length, generator=seeded())
    begun = (held[1:] & ~held[:-1]).sum() + held[0].sum()
    expected = 1.0 / (1.0 - fraction) if length is None else length
    assert float(held.float().mean()) == pytest.approx(fraction, abs=0.02)
    assert float(held.sum() / begun) == pytest.approx(expected, rel=0.06)
    assert float(held[0].float().mean()) == pytest.approx(fraction, abs=0.25)


def test_nothing_and_all_can_be_held_out():
    assert not gaps(50, 3, fraction=0.0, length=3.0, generator=seeded()).any()
    assert gaps(50, 3, fraction=1.0, length=3.0, generator=seeded()).all()


@BOTH
def test_discharge_is_carried_over_the_day_as_far_as_the_state_says(kind):
    """With a head that answers 0 the answer is share x lagged, in scaled units: no h within (-1, 1) is in its way."""
    model = made(kind)
    model.standardise({"runoff_flux": 3.0}, {"runoff_flux": 2.0})
    with torch.no_grad():
        for layer in (model.head.linear, model.carry):
            layer.weight.zero_()
            layer.bias.zero_()
    state, inputs = case(model)
    flood = torch.full_like(inputs[LAGGED], 83.0)
    torch.testing.assert_close(runoff(model, state, {**inputs, LAGGED: flood}), torch.full_like(flood, 43.0))
    unknown = torch.full_like(flood, float("nan"))
    torch.testing.assert_close(runoff(model, state, {**inputs, LAGGED: unknown}), torch.full_like(flood, 3.0))


@BOTH
def test_a_missing_value_is_the_mean_with_a_flag(kind):
    model = made(kind)
    model.standardise({"runoff_flux": 3.0}, {"runoff_flux": 2.0})
    state, inputs = case(model)
    missing = torch.full_like(inputs[LAGGED], float("nan"))
    mean = torch.full_like(inputs[LAGGED], 3.0)
    packed = [model._packed({**inputs, LAGGED: value})[0] for value in (missing, mean)]
    assert torch.equal(packed[0][..., -2], packed[1][..., -2]) and not packed[0][..., -2].any()
    assert packed[0][..., -1].all() and not packed[1][..., -1].any()
    assert torch.isfinite(runoff(model, state, {**inputs, LAGGED: missing})).all()


@BOTH
def test_simulate_takes_gaps_in_lagged_discharge(kind):
    model = made(kind)
    state, inputs = case(model)
    gap = torch.arange(30) % 7 == 3
    absent = inputs[LAGGED].masked_fill(gap.unsqueeze(-1), float("nan"))
    dims = {1: ("cell",), 2: ("time", "cell")}
    given = {**inputs, LAGGED: absent}
    units = {spec.name: {"units": spec.units} for spec in model.inputs}
    held = {name: (dims[value.dim()], value.numpy(), units[name]) for name, value in given.items()}
    days = np.arange("2001-01-01", "2001-01-31", dtype="datetime64[D]").astype("datetime64[ns]")
    data = xr.Dataset(held, {"time": days})
    found = simulate(model, data, start="2001-01-01", end="2001-01-31")["runoff_flux"]
    expected = runoff(model, state, {**inputs, LAGGED: absent}).detach().numpy()
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


@BOTH
def test_gaps_leave_no_nan_in_gradients(kind):
    model = made(kind).train()
    state, inputs = case(model)
    inputs[LAGGED][::3] = float("nan")
    inputs[LAGGED].requires_grad_()
    runoff(model, state, inputs).square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())
    given = torch.isfinite(inputs[LAGGED])
    assert (inputs[LAGGED].grad[given] != 0.0).any() and not inputs[LAGGED].grad[~given].any()


@BOTH
def test_nothing_is_held_out_in_evaluation(kind):
    state, inputs = case(made(kind))
    assert torch.equal(runoff(made(kind, hold_out=1.0), state, inputs), runoff(made(kind), state, inputs))


@BOTH
def test_holding_out_all_in_training_is_having_nothing(kind):
    model = made(kind, hold_out=1.0).train()
    state, inputs = case(model)
    missing = torch.full_like(inputs[LAGGED], float("nan"))
    assert torch.equal(runoff(model, state, inputs), runoff(made(kind).train(), state, {**inputs, LAGGED: missing}))


def test_what_is_held_out_comes_from_the_generator_that_was_handed_in():
    model = made(hold_out=0.5, hold_out_length=4.0).train()
    state, inputs = case(model)
    found = []
    for seed in (7, 7, 8):
        model.hold_out_with(seeded(seed))
        before = torch.get_rng_state()
        found.append(runoff(model, state, inputs))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_without_a_generator_it_comes_from_torchs_own_stream():
    model = made(hold_out=0.5).train()
    state, inputs = case(model)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        one, two = runoff(model, state, inputs), runoff(model, state, inputs)
        torch.manual_seed(5)
        assert torch.equal(runoff(model, state, inputs), one) and not torch.equal(one, two)


def test_days_one_by_one_are_the_whole_sequence_with_gaps():
    model = made()
    state, inputs = case(model)
    inputs[LAGGED][5:9] = float("nan")
    whole = runoff(model, state, inputs)
    for day in range(30):
        now = {name: value if name == "aridity" else value[day] for name, value in inputs.items()}
        outputs, state = model.step(state, now, day)
        torch.testing.assert_close(outputs["runoff_flux"], whole[day], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("fraction", "length", "words"),
    [(1.5, None, "share 1.5"), (0.5, 0.5, "mean length 0.5"), (0.9, 3.0, "expected a length of 9 or more")],
)
def test_a_share_or_length_that_cannot_be_is_refused(fraction, length, words):
    with pytest.raises(FieldError, match=words):
        made(hold_out=fraction, hold_out_length=length)
