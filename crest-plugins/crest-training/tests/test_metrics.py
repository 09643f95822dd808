"""Known answers and laws of the metrics and the climatology."""

import numpy as np
import pytest
import xarray as xr
from crest_training import bias, day_of_year_climatology, kge, nse, rmse, ubrmse

OBSERVED = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
METRICS = (nse, kge, rmse, ubrmse, bias)


@pytest.mark.parametrize(("metric", "answer"), [(nse, 1.0), (kge, 1.0), (rmse, 0.0), (ubrmse, 0.0), (bias, 0.0)])
def test_a_perfect_simulation_has_the_perfect_score(metric, answer):
    assert float(metric(OBSERVED, OBSERVED)) == pytest.approx(answer, abs=1e-12)


def test_the_mean_of_the_observations_has_nse_0():
    assert float(nse(np.full(5, 3.0), OBSERVED)) == 0.0


def test_kge_of_a_doubled_series_is_one_minus_root_two():
    assert float(kge(2 * OBSERVED, OBSERVED)) == pytest.approx(1 - np.sqrt(2))


def test_kge_of_a_reversed_series_counts_the_correlation_only():
    assert float(kge(OBSERVED[::-1], OBSERVED)) == pytest.approx(-1.0)


def test_squared_rmse_is_bias_squared_plus_ubrmse_squared():
    generator = np.random.default_rng(4)
    s, o = generator.normal(size=(2, 50, 3))
    np.testing.assert_allclose(rmse(s, o) ** 2, bias(s, o) ** 2 + ubrmse(s, o) ** 2)


def test_a_constant_error_is_all_bias():
    simulated = OBSERVED - 0.5
    scores = [float(metric(simulated, OBSERVED)) for metric in (bias, rmse, ubrmse)]
    assert scores == pytest.approx([-0.5, 0.5, 0.0])


def test_nse_of_a_worked_example():
    # errors 1, 0, -1 squared sum 2; spread of 1, 2, 6 about 3 squared sum 14
    assert float(nse([2.0, 2.0, 5.0], [1.0, 2.0, 6.0])) == pytest.approx(1 - 2 / 14)


@pytest.mark.parametrize("metric", METRICS)
def test_times_without_observation_do_not_count(metric):
    simulated = np.array([1.5, 2.0, 99.0, 4.5, 5.0])
    gappy = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    rest = np.isfinite(gappy)
    assert float(metric(simulated, gappy)) == pytest.approx(float(metric(simulated[rest], gappy[rest])))


@pytest.mark.parametrize("metric", METRICS)
def test_a_missing_simulation_is_not_forgiven(metric):
    simulated = OBSERVED.copy()
    simulated[2] = np.nan
    assert np.isnan(metric(simulated, OBSERVED))


@pytest.mark.parametrize("metric", METRICS)
def test_no_observation_gives_nan(metric):
    assert np.isnan(metric(OBSERVED, np.full(5, np.nan)))


@pytest.mark.parametrize("metric", METRICS)
def test_series_side_by_side_are_scored_one_by_one(metric):
    generator = np.random.default_rng(1)
    s, o = generator.normal(size=(2, 30, 2, 3))
    table = metric(s, o)
    assert table.shape == (2, 3)
    assert float(table[1, 2]) == pytest.approx(float(metric(s[:, 1, 2], o[:, 1, 2])))


def test_different_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"shape \(5,\) and observed \(4,\).*common times"):
        nse(OBSERVED, OBSERVED[:4])


def series(years: int, start: str = "2014-01-01") -> xr.DataArray:
    times = xr.date_range(start, periods=365 * years, freq="1D")
    season = np.sin(2 * np.pi * (times.day_of_year.values - 1) / 365.25)
    return xr.DataArray(season, coords={"time": times}, dims="time", attrs={"units": "1"})


def test_climatology_of_a_pure_season_is_that_season():
    known = series(2)
    future = xr.date_range("2017-01-01", periods=365, freq="1D")
    answer = day_of_year_climatology(known, xr.DataArray(future, dims="time"), window=1)
    np.testing.assert_allclose(answer.values, known.values[:365], atol=1e-2)
    smooth = day_of_year_climatology(known, xr.DataArray(future, dims="time"), window=31)
    assert float(np.abs(smooth.values - known.values[:365]).max()) < 0.02


def test_climatology_leaves_out_gaps_and_covers_29_february():
    known = series(2)
    known[:200] = np.nan
    leap = xr.date_range("2016-01-01", periods=366, freq="1D")
    answer = day_of_year_climatology(known, xr.DataArray(leap, dims="time"))
    assert bool(np.isfinite(answer).all()) and answer.sizes["time"] == 366


def test_climatology_needs_an_odd_window():
    with pytest.raises(ValueError, match="window 30 is not an odd number of days"):
        day_of_year_climatology(series(1), series(1).time, window=30)
