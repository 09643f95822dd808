"""Cell methods: the statistic over time is the last one, and what is not understood is never a statistic."""

import pytest

from crest_fields import time_statistic


@pytest.mark.parametrize(
    ("text", "statistic"),
    [
        ("time: mean", "mean"),
        ("time:mean", "mean"),
        ("time : maximum", "maximum"),
        ("TIME: maximum", "maximum"),
        ("t: maximum", "maximum"),
        ("area: mean time: sum (interval: 1 hour comment: of the gauge)", "sum"),
        ("lat: lon: mean where land time: point", "point"),
        ("area: time: mean", "mean"),
        ("time: minimum within days", "minimum"),
        ("time: mean time: maximum (interval: 1 hour)", "maximum"),
        ("time: sum (interval: 1 hour) time: mean", "mean"),
        ("", ""),
        ("area: mean where land", ""),
    ],
)
def test_the_statistic_over_time_is_the_last_method_on_time(text, statistic):
    assert time_statistic(text) == statistic


@pytest.mark.parametrize(
    "text", ["maximum", "time: mean within years time: mean over years", "time: maximum over days", "time:", "mean: "]
)
def test_what_is_not_understood_is_no_statistic(text):
    assert time_statistic(text) == "unknown"
