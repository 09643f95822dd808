"""Losses leave out targets that are nan, in value and in gradient, and nothing else."""

import numpy as np
import pytest
import torch
from crest_samples import SampleError, mae, mse, nse_loss, nse_star, rmse, total_loss
from hypothesis import given, settings
from hypothesis import strategies as st

NAN = float("nan")
LOSSES = [mse, mae, rmse, nse_loss, nse_star(2.0)]


def drawn(seed, gaps):
    generator = torch.Generator().manual_seed(seed)
    prediction, target = (torch.randn(12, 4, dtype=torch.float64, generator=generator) for _ in range(2))
    target[torch.rand(12, 4, generator=generator) < gaps] = NAN
    return prediction.requires_grad_(), target


@pytest.mark.parametrize("loss", LOSSES)
@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_gaps_leave_no_nan_and_no_gradient(loss, seed, gaps):
    prediction, target = drawn(seed, gaps)
    with torch.no_grad():
        prediction[torch.isnan(target)] = 1e30  # whatever is predicted there
    value = loss(prediction, target)
    value.backward()
    assert bool(torch.isfinite(value)) and bool(torch.isfinite(prediction.grad).all())
    assert bool((prediction.grad[torch.isnan(target)] == 0).all())


@pytest.mark.parametrize("loss", LOSSES)
def test_without_gaps_gradients_are_those_of_finite_differences(loss):
    prediction, target = drawn(3, 0.3)
    assert torch.autograd.gradcheck(lambda values: loss(values, target), prediction)


def test_losses_are_those_of_the_targets_alone():
    prediction, target = drawn(5, 0.4)
    valid = ~torch.isnan(target)
    p, t = prediction.detach()[valid], target[valid]
    assert mse(prediction, target).item() == pytest.approx(float(((p - t) ** 2).mean()))
    assert mae(prediction, target).item() == pytest.approx(float((p - t).abs().mean()))
    assert nse_star(2.0, eps=0.0)(prediction, target).item() == pytest.approx(float(((p - t) ** 2).mean()) / 4)
    series = []
    for i in range(4):
        one = valid[:, i].numpy()
        s, o = prediction.detach().numpy()[one, i], target.numpy()[one, i]
        series.append(np.sum((s - o) ** 2) / np.sum((o - o.mean()) ** 2))
    assert nse_loss(prediction, target).item() == pytest.approx(np.mean(series))


def test_a_series_without_spread_has_no_nse():
    target = torch.tensor([[1.0, 1.0], [1.0, 3.0]])
    assert nse_loss(torch.zeros(2, 2), target).item() == pytest.approx(10.0 / 2.0)
    assert nse_loss(torch.zeros(2, 1), target[:, :1]).item() == 0.0


@pytest.mark.parametrize("loss", LOSSES)
def test_a_nan_that_is_predicted_is_not_hidden(loss):
    assert torch.isnan(loss(torch.tensor([NAN, 1.0, 2.0]), torch.tensor([1.0, 2.0, 4.0])))


def test_targets_without_a_value_have_no_say_in_the_total():
    predictions = {
        "q": torch.tensor([1.0, 3.0], requires_grad=True),
        "sm": torch.tensor([1.0, 1.0], requires_grad=True),
    }
    targets = {"q": torch.tensor([2.0, NAN]), "sm": torch.tensor([NAN, NAN])}
    loss = total_loss(predictions, targets, {"q": mse, "sm": mae}, {"q": 3.0, "sm": 1.0})
    loss.backward()
    assert loss.item() == pytest.approx(1.0) and predictions["sm"].grad.tolist() == [0.0, 0.0]
    targets["sm"][1] = 5.0
    assert total_loss(predictions, targets, {"q": mse, "sm": mae}, {"q": 3.0, "sm": 1.0}).item() == pytest.approx(7 / 4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(SampleError, match=r"prediction \(3,\) and target \(2,\); expected one shape: batch.scored"):
        mse(torch.zeros(3), torch.zeros(2))
    with pytest.raises(SampleError, match=r"losses of \['q'\], predictions of \['r'\].*expected all to have the same"):
        total_loss({"r": torch.zeros(1)}, {"q": torch.zeros(1)}, {"q": mse})


@pytest.mark.parametrize("weight", [-1.0, NAN, float("inf")])
def test_weights_that_would_turn_a_loss_round_are_refused(weight):
    values = {"q": torch.tensor([1.0, 2.0]), "sm": torch.tensor([0.0, 0.0])}
    words = rf"total_loss: weights \{{'sm': {weight}\}}; expected finite ones of 0 or more"
    with pytest.raises(SampleError, match=words):
        total_loss(values, values, {"q": mse, "sm": mae}, {"q": 1.0, "sm": weight})


def test_a_weight_of_0_leaves_a_target_out():
    predictions, targets = {"q": torch.ones(2), "sm": torch.ones(2)}, {"q": torch.zeros(2), "sm": torch.full((2,), 9.0)}
    assert total_loss(predictions, targets, {"q": mse, "sm": mae}, {"q": 2.0, "sm": 0.0}).item() == pytest.approx(1.0)
