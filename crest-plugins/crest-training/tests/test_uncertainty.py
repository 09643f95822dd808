"""Ensembles and Monte Carlo dropout: known means and spreads, and nothing left switched on."""

import pytest
import torch
from crest_training import ensemble, mc_dropout, predict
from crest_training.example import Network, Reservoir, example_batches

from crest_core import ComponentError


def batch():
    return example_batches(seed=1).at(torch.arange(4))


def test_the_mean_and_spread_of_reservoirs_are_those_of_their_flows():
    models = [Reservoir(rate) for rate in (0.2, 0.3, 0.5)]
    flows = torch.stack([predict(model, batch())["flow"] for model in models])
    found = ensemble(models, batch())
    torch.testing.assert_close(found.mean["flow"], flows.mean(0))
    torch.testing.assert_close(found.std["flow"], flows.std(0))
    assert found.members == 3


def test_dropout_runs_differ_and_their_mean_nears_the_run_without():
    """Dropout scales what is left, so that a linear head has the mean of the run without dropout."""
    model = Network(dropout=0.3, seed=1)
    found = mc_dropout(model, batch(), runs=400, seed=2)
    plain = predict(model, batch())["flow"]
    assert (found.std["flow"] > 0).all()
    error = (found.mean["flow"] - plain).abs() / (found.std["flow"] / 400**0.5)
    assert float(error.quantile(0.95)) < 3.0


def test_one_seed_gives_one_spread_and_leaves_modes_and_torchs_numbers_alone():
    model = Network(dropout=0.3, seed=1).train()
    before = torch.get_rng_state()
    first, second = (mc_dropout(model, batch(), runs=3, seed=2) for _ in range(2))
    assert torch.equal(first.std["flow"], second.std["flow"])
    assert torch.equal(before, torch.get_rng_state()) and model.training and model.dropout.training


def test_a_model_without_dropout_has_no_spread_to_give():
    with pytest.raises(ComponentError, match="the model has no dropout, so that all runs are equal"):
        mc_dropout(Network(seed=1), batch(), runs=3, seed=1)


def test_one_member_is_no_ensemble():
    with pytest.raises(ComponentError, match="1 models, expected 2 or more"):
        ensemble([Reservoir(0.3)], batch())
    with pytest.raises(ComponentError, match="1 runs, expected 2 or more"):
        mc_dropout(Network(dropout=0.1, seed=1), batch(), runs=1, seed=1)
