"""Fewer points for a browser."""

import numpy as np
from crest_plot.thinning import thinned


def test_short_series_stay_as_they_are():
    x = np.arange(5)
    assert thinned(x, x * 1.0, x)[1].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_extremes_order_and_gaps_stay():
    y = np.random.default_rng(1).normal(size=100_003)
    y[50_000:50_100] = np.nan
    y[77_777] = 99.0
    x = np.arange(len(y))
    kept, values, when = thinned(x, y, x, most=1000)
    assert len(kept) < 1300 and (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(values, y[kept])
    np.testing.assert_array_equal(when, kept)
    assert np.nanmax(values) == 99.0 and np.nanmin(values) == np.nanmin(y)
    assert np.isnan(values[(kept >= 50_000) & (kept < 50_100)]).any()
