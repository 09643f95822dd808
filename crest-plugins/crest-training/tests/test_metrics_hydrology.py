"""Known answers of the metrics beyond NSE, and two routes to each: whole arrays here, one series written out there."""

import numpy as np
import pytest
import xarray as xr
from crest_training.metrics import beta_nse, nse
from crest_training.metrics_anomaly import anomaly_correlation
from crest_training.metrics_flow_duration import fhv, flv, fms
from crest_training.metrics_kge import kge, kge_alpha, kge_beta, kge_gamma, kge_prime, pearson_r
from crest_training.metrics_peaks import peak_timing
from crest_training.triple_collocation import triple_collocation

METRICS = (nse, beta_nse, kge, kge_prime, kge_alpha, kge_beta, kge_gamma, pearson_r, fhv, fms, flv, peak_timing)
NO_ERROR = {nse: 1.0, kge: 1.0, kge_prime: 1.0, kge_alpha: 1.0, kge_beta: 1.0, kge_gamma: 1.0, pearson_r: 1.0}


def flows(places: int = 4, days: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Simulated and observed discharge with floods, a tenth of the observations missing."""
    generator = np.random.default_rng(5)
    observed = np.zeros((days, places))
    for day in range(1, days):
        rain = generator.exponential(40.0, places) * (generator.random(places) < 0.02)
        observed[day] = 0.9 * observed[day - 1] + 0.1 + rain
    simulated = np.roll(observed, 1, axis=0) * np.exp(generator.normal(0.0, 0.2, observed.shape))
    observed[generator.random(observed.shape) < 0.1] = np.nan
    return simulated, observed


@pytest.mark.parametrize("metric", METRICS)
def test_a_simulation_without_error_has_the_score_of_none(metric):
    _, observed = flows()
    np.testing.assert_allclose(metric(observed, observed), NO_ERROR.get(metric, 0.0), atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_places_side_by_side_are_scored_one_by_one(metric):
    simulated, observed = flows()
    together = metric(simulated.reshape(-1, 2, 2), observed.reshape(-1, 2, 2))
    alone = [float(metric(simulated[:, n], observed[:, n])) for n in range(4)]
    np.testing.assert_allclose(together.reshape(-1), alone, rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_a_missing_simulation_is_not_forgiven_and_no_observation_gives_nan(metric):
    simulated, observed = flows()
    simulated[np.flatnonzero(~np.isnan(observed[:, 1]))[7], 1] = np.nan
    observed[:, 2] = np.nan
    assert np.isnan(metric(simulated, observed)).tolist() == [False, True, True, False]


@pytest.mark.parametrize("metric", [nse, beta_nse, kge, kge_prime, kge_alpha, pearson_r])
def test_constant_observations_cannot_be_scored(metric):
    assert np.isnan(metric(np.arange(5.0), np.full(5, 0.1)))


def test_kge_prime_does_not_count_a_bias_twice():
    _, observed = flows()
    simulated = 2.0 * observed
    np.testing.assert_allclose(kge(simulated, observed), 1.0 - np.sqrt(2.0))
    np.testing.assert_allclose(kge_prime(simulated, observed), 0.0, atol=1e-12)


def test_the_decomposition_of_nse_closes():
    """NSE = 2 alpha r - alpha^2 - beta_n^2; Gupta et al. (2009), eq. 4."""
    s, o = flows()
    alpha = kge_alpha(s, o)
    np.testing.assert_allclose(nse(s, o), 2.0 * alpha * pearson_r(s, o) - alpha**2 - beta_nse(s, o) ** 2)


def test_the_flow_duration_curve_agrees_with_one_series_written_out():
    simulated, observed = flows()
    for n in range(4):
        there = ~np.isnan(observed[:, n])
        o = sorted(observed[there, n], reverse=True)
        s = sorted(simulated[there, n], reverse=True)
        o, s = ([max(q, 1e-6) for q in curve] for curve in (o, s))
        high, low = round(0.02 * len(o)), round(0.3 * len(o))
        assert fhv(simulated, observed)[n] == pytest.approx(100 * (sum(s[:high]) - sum(o[:high])) / sum(o[:high]))
        slopes = [np.log(q[round(0.2 * len(q))] / q[round(0.7 * len(q))]) for q in (s, o)]
        assert fms(simulated, observed)[n] == pytest.approx(100 * (slopes[0] - slopes[1]) / slopes[1])
        areas = [sum(np.log(v / q[-1]) for v in q[-low:]) for q in (s, o)]
        assert flv(simulated, observed)[n] == pytest.approx(-100 * (areas[0] - areas[1]) / areas[1])


def test_floods_that_are_a_fifth_too_low_have_fhv_minus_20():
    _, observed = flows()
    np.testing.assert_allclose(fhv(0.8 * observed, observed), -20.0)


@pytest.mark.parametrize("late", [-3, -1, 0, 2, 3])
def test_peaks_that_come_late_are_counted_in_steps(late):
    observed = np.zeros(400)
    for day in (60, 200, 340):
        observed[day - 2 : day + 3] = [1.0, 3.0, 9.0, 3.0, 1.0]
    assert float(peak_timing(np.roll(observed, late), observed)) == abs(late)


def test_a_peak_beside_a_gap_does_not_count():
    observed = np.zeros(400)
    observed[[60, 200]] = 9.0
    simulated = np.roll(observed, 2)
    simulated[60], simulated[62] = 9.0, 0.0  # the first is in time
    assert float(peak_timing(simulated, observed)) == 1.0
    observed[62] = np.nan
    assert float(peak_timing(simulated, observed)) == 2.0


def days(years: int) -> xr.DataArray:
    times = xr.date_range("2001-01-01", periods=365 * years, freq="1D")
    return xr.DataArray(np.zeros(len(times)), coords={"time": times}, dims="time")["time"]


def test_a_common_season_is_no_skill_in_anomalies():
    generator = np.random.default_rng(2)
    times = days(8)
    season = 10.0 * np.sin(np.arange(len(times)) / 58.1)[:, np.newaxis]
    s, o = (season + generator.normal(size=(len(times), 3)) for _ in range(2))
    assert (pearson_r(s, o) > 0.95).all()
    assert (np.abs(anomaly_correlation(s, o, times=times)) < 0.1).all()


def test_anomalies_with_a_known_correlation_have_it():
    generator = np.random.default_rng(3)
    times = days(20)
    noise = generator.normal(size=(2, len(times)))
    found = anomaly_correlation(0.6 * noise[0] + 0.8 * noise[1] + 5.0, noise[0] - 2.0, times=times)
    assert float(found) == pytest.approx(0.6, abs=0.02)


def test_anomalies_are_of_the_days_that_have_an_observation():
    generator = np.random.default_rng(3)
    times = days(3)
    s, o = generator.normal(size=(2, len(times)))
    o[100:200] = np.nan
    before = anomaly_correlation(s, o, times=times)
    s[150] = 1e6
    assert float(anomaly_correlation(s, o, times=times)) == float(before)


def test_triple_collocation_finds_the_errors_of_a_known_truth():
    generator = np.random.default_rng(7)
    truth = generator.normal(size=(50_000, 2))
    errors = (0.3, 0.5, 0.8)
    three = [a * truth + b + e * generator.normal(size=truth.shape)
             for a, b, e in zip((1.0, 2.0, 0.5), (0.0, 1.0, -3.0), errors, strict=True)]  # fmt: skip
    three[1][:1000, 0] = np.nan
    found = triple_collocation(*three)
    np.testing.assert_allclose(found.error_std, np.repeat(np.array(errors)[:, np.newaxis], 2, axis=1), rtol=0.1)
    expected = [a / np.hypot(a, e) for a, e in zip((1.0, 2.0, 0.5), errors, strict=True)]
    np.testing.assert_allclose(found.correlation, np.repeat(np.array(expected)[:, np.newaxis], 2, axis=1), rtol=0.02)
    assert found.count.tolist() == [49_000, 50_000]


def test_triple_collocation_of_contradicting_estimates_is_nan():
    x, noise = np.random.default_rng(1).normal(size=(2, 500))
    found = triple_collocation(x, x + 3.0 * noise, x - 3.0 * noise)  # two agree with the first, not with each other
    assert np.isnan(found.correlation).all() and np.isnan(found.error_std).all()


def test_estimates_of_different_length_are_an_error():
    with pytest.raises(ValueError, match=r"shapes \[\(3,\), \(3,\), \(4,\)\].*common times"):
        triple_collocation(np.ones(3), np.ones(3), np.ones(4))
