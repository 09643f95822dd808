"""Losses: known answers, the same as in scipy and torch.distributions, and no trace of nan."""

import math

import numpy as np
import pytest
import torch
from crest_training.losses import LIKELIHOODS, Logarithm, Root, cmal, gaussian_mixture, mae, mse, nse, quantile, rmse
from scipy import stats

from crest_core import ForcingError

NAN = float("nan")
DRAW = torch.Generator().manual_seed(20260101)


def positive(*shape):
    return torch.rand(*shape, generator=DRAW, dtype=torch.float64) + 0.1


def mixture(count=3, steps=5, samples=2):
    """Return location, scale, asymmetry, weight (time, sample, mixture, cell), observed (time, sample, cell)."""
    shape = (steps, samples, count, 1)
    weight = positive(*shape)
    asymmetry = 0.1 + 0.8 * torch.rand(*shape, generator=DRAW, dtype=torch.float64)
    location = torch.randn(*shape, generator=DRAW, dtype=torch.float64)
    observed = torch.randn(steps, samples, 1, generator=DRAW, dtype=torch.float64)
    return location, positive(*shape), asymmetry, weight / weight.sum(2, keepdim=True), observed


@pytest.mark.parametrize(("loss", "answer"), [(mse, 5.0), (rmse, math.sqrt(5.0)), (mae, 2.0)])
def test_losses_of_errors_of_one_and_three(loss, answer):
    assert float(loss(torch.tensor([2.0, 1.0, 7.0]), torch.tensor([1.0, 4.0, NAN]))) == pytest.approx(answer)


def test_a_scale_divides_the_errors():
    simulated, observed = torch.tensor([[2.0, 8.0]]), torch.tensor([[0.0, 0.0]])
    assert float(mse(simulated, observed, torch.tensor([2.0, 4.0]))) == pytest.approx((1 + 4) / 2)


def test_the_efficiency_loss_of_the_observed_mean_is_nearly_one():
    """With a scale without the 0.1 it would be the 1 - NSE of the mean, which is 1."""
    observed = torch.randn(4000, 1, generator=torch.Generator().manual_seed(1)) * 50
    loss = float(nse(observed.mean().expand_as(observed), observed, observed.std()))
    assert loss == pytest.approx(1.0, abs=0.01)


def test_the_efficiency_loss_asks_for_the_standard_deviation():
    with pytest.raises(ForcingError, match="needs the standard deviation of each series in training"):
        nse(torch.zeros(2), torch.zeros(2))


def test_the_quantile_loss_is_smallest_at_the_quantile():
    values = torch.tensor(np.random.default_rng(2).gamma(2.0, size=(2001, 1)))
    levels = torch.linspace(0.0, 8.0, 801, dtype=torch.float64)
    losses = [float(quantile(0.8)(level.expand_as(values), values)) for level in levels]
    assert float(levels[int(np.argmin(losses))]) == pytest.approx(float(values.quantile(0.8)), abs=0.02)


def test_several_quantiles_are_the_mean_of_each():
    simulated, observed = torch.rand(4, 2, 3, 1, generator=DRAW), torch.rand(4, 2, 1, generator=DRAW)
    alone = [float(quantile(level)(simulated[:, :, i], observed)) for i, level in enumerate((0.1, 0.5, 0.9))]
    assert float(quantile(0.1, 0.5, 0.9)(simulated, observed)) == pytest.approx(np.mean(alone), rel=1e-6)


def test_a_level_beyond_zero_and_one_is_an_error():
    with pytest.raises(ForcingError, match=r"the levels are \(0.5, 1.5\)"):
        quantile(0.5, 1.5)


def test_the_gaussian_mixture_is_that_of_torch():
    location, scale, _, weight, observed = mixture()
    parts = (weight, torch.distributions.Normal(location.squeeze(-1), scale.squeeze(-1)))
    theirs = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(parts[0].squeeze(-1)), parts[1])
    expected = -theirs.log_prob(observed.squeeze(-1)).mean()
    assert float(gaussian_mixture(location, scale, weight, observed)) == pytest.approx(float(expected), rel=1e-12)


def test_the_mixture_of_asymmetric_laplacians_is_that_of_scipy():
    """Scipy's kappa is sqrt(t / (1 - t)), its scale b / sqrt(t (1 - t))."""
    location, scale, asymmetry, weight, observed = mixture()
    kappa, wide = (asymmetry / (1 - asymmetry)).sqrt(), scale / (asymmetry * (1 - asymmetry)).sqrt()
    density = stats.laplace_asymmetric.pdf(observed.unsqueeze(2), kappa, location, wide)
    expected = -np.log((weight.numpy() * density).sum(2)).mean()
    assert float(cmal(location, scale, asymmetry, weight, observed)) == pytest.approx(expected, rel=1e-12)


def test_one_symmetric_laplacian_has_a_known_likelihood():
    one = torch.ones(1, 1, 1, 1)
    found = cmal(0 * one, one, 0.5 * one, one, torch.tensor([[[2.0]]]))
    assert float(found) == pytest.approx(-math.log(0.25) + 0.5 * 2.0)


@pytest.mark.parametrize("loss", [mse, rmse, mae, quantile(0.3)])
def test_nan_in_what_is_observed_leaves_no_trace(loss):
    simulated = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    value = loss(simulated, torch.tensor([2.0, NAN, 3.0]))
    value.backward()
    assert value.isfinite() and simulated.grad.isfinite().all() and simulated.grad[1] == 0


def test_nan_in_what_is_observed_leaves_no_trace_in_likelihoods():
    location, scale, asymmetry, weight, observed = mixture()
    leaves = [value.clone().requires_grad_() for value in (location, scale, asymmetry, weight)]
    observed[2] = NAN
    there = [0, 1, 3, 4]
    whole, some = cmal(*leaves, observed), cmal(*(value[there] for value in leaves), observed[there])
    torch.testing.assert_close(whole, some)
    whole.backward()
    assert all(leaf.grad.isfinite().all() and (leaf.grad[2] == 0).all() for leaf in leaves)


def test_a_far_observation_and_a_weight_of_zero_have_finite_gradients():
    weight = torch.tensor([1.0, 0.0]).reshape(1, 1, 2, 1).requires_grad_()
    location = torch.zeros(1, 1, 2, 1, requires_grad=True)
    gaussian_mixture(location, torch.full_like(weight, 0.01), weight, torch.full((1, 1, 1), 50.0)).backward()
    assert weight.grad.isfinite().all() and location.grad.isfinite().all()


def test_without_any_observation_a_loss_is_zero_and_its_gradient_too():
    simulated = torch.ones(3, requires_grad=True)
    value = mse(simulated, torch.full((3,), NAN))
    value.backward()
    assert value.detach() == 0 and (simulated.grad == 0).all()


def test_a_simulated_nan_beside_an_observation_is_not_hidden():
    assert math.isnan(mse(torch.tensor([NAN, 1.0]), torch.tensor([1.0, 1.0])))


def test_shapes_that_would_broadcast_are_an_error():
    with pytest.raises(ForcingError, match=r"shape \(3, 1\), observed \(3,\); expected one shape"):
        mse(torch.zeros(3, 1), torch.zeros(3))


def test_a_likelihood_says_which_outputs_it_takes():
    assert LIKELIHOODS["gaussian-mixture"].outputs("swe") == ("swe_location", "swe_scale", "swe_weight")


def test_the_likelihood_of_scaled_values_differs_by_the_logarithm_of_their_std():
    """So a head that is scaled by `moments` learns the same in both spaces: the density of x is that of z by std."""
    location, scale, asymmetry, weight, observed = mixture()
    moments = LIKELIHOODS["cmal"].moments("q", 7.0, 3.0)
    parts = []
    for name, value in (("q_location", location), ("q_scale", scale)):
        mean, std = moments[name]
        parts.append(value * std + mean)
    ours, scaled = (
        cmal(*parts, asymmetry, weight, observed * 3.0 + 7.0),
        cmal(location, scale, asymmetry, weight, observed),
    )
    assert float(ours) == pytest.approx(float(scaled) + math.log(3.0), rel=1e-12)


@pytest.mark.parametrize("space", [Logarithm(0.1), Root(0.1)])
def test_spaces_are_finite_at_zero_and_below(space):
    values = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    space(values).sum().backward()
    assert values.grad.isfinite().all() and values.grad[2] > 0
