"""Ensembles: known answers, limits, and the definition as an integral; NSE and KGE beside those of scores."""

import numpy as np
import pytest
import xarray as xr
from crest_training import kge, kge_alpha, kge_beta, nse, pearson_r
from crest_training.metrics_ensemble import crps, rank_deviation, rank_histogram
from scores import continuous


def test_crps_of_one_member_is_the_absolute_error():
    assert float(crps([[1.0], [5.0]], [2.0, 2.0])) == pytest.approx(2.0)


def test_crps_agrees_with_the_integral_of_its_definition():
    members = np.random.default_rng(1).normal(size=(1, 7))
    x = np.linspace(-8.0, 8.0, 160_001)
    steps = (members[0] <= x[:, np.newaxis]).mean(axis=1) - (x >= 0.3)
    assert float(crps(members, [0.3])) == pytest.approx(float((steps**2).sum() * (x[1] - x[0])), abs=1e-3)


def test_places_are_scored_one_by_one_and_gaps_left_out():
    generator = np.random.default_rng(2)
    members, observed = generator.normal(size=(50, 5, 2, 3)), generator.normal(size=(50, 2, 3))
    observed[:10, 1, 2] = np.nan
    members[3, 0, 1, 2] = np.nan  # nothing observed there
    for metric in (crps, rank_deviation):
        together = metric(members, observed)
        assert together.shape == (2, 3)
        assert float(together[1, 2]) == pytest.approx(float(metric(members[10:, :, 1, 2], observed[10:, 1, 2])))


def test_a_missing_member_is_not_forgiven_and_no_observation_gives_nan():
    members, observed = np.zeros((4, 2, 3)), np.zeros((4, 3))
    members[1, 0, 1] = np.nan
    observed[:, 2] = np.nan
    for metric in (crps, rank_deviation):
        assert np.isnan(metric(members, observed)).tolist() == [False, True, True]


def test_ranks_of_a_reliable_ensemble_are_even_and_of_a_narrow_one_not():
    generator = np.random.default_rng(3)
    members, observed = generator.normal(size=(5000, 4)), generator.normal(size=5000)
    np.testing.assert_allclose(rank_histogram(members, observed), 0.2, atol=0.02)
    assert float(rank_deviation(members, observed)) < 0.05
    narrow = rank_histogram(0.3 * members, observed)
    assert narrow[0] > 0.3 and narrow[-1] > 0.3 and float(rank_deviation(0.3 * members, observed)) > 0.4


def test_members_of_another_shape_are_an_error():
    with pytest.raises(ValueError, match=r"shape \(3, 4\) and observed \(4,\).*transpose the members"):
        crps(np.zeros((3, 4)), np.zeros(4))


def test_nse_and_kge_agree_with_the_library_scores():
    generator = np.random.default_rng(5)
    observed = generator.exponential(size=(300, 4))
    simulated = observed + generator.normal(0.2, 0.5, observed.shape)
    observed[generator.random(observed.shape) < 0.1] = np.nan
    s, o = (xr.DataArray(values, dims=["time", "cell"]) for values in (simulated, observed))
    np.testing.assert_allclose(nse(simulated, observed), continuous.nse(s, o, reduce_dims="time"))
    theirs = continuous.kge(s, o, reduce_dims="time", include_components=True)
    np.testing.assert_allclose(kge(simulated, observed), theirs["kge"])
    np.testing.assert_allclose(pearson_r(simulated, observed), theirs["rho"])
    np.testing.assert_allclose(kge_alpha(simulated, observed), theirs["alpha"])
    np.testing.assert_allclose(kge_beta(simulated, observed), theirs["beta"])
