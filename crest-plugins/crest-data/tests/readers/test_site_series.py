"""Series of sites on one axis of time, which sites are chosen, and the values that cannot be."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crest_data.errors import DataError
from crest_data.readers.choice import chosen, only
from crest_data.readers.possible_values import check_possible
from crest_data.readers.site_series import regular, stacked, with_history
from crest_data.readers.text_table import Table
from crest_data.variable import Variable


def table(values=(1.0, 2.0, 3.0)):
    return Table(Path("a.csv"), pd.DataFrame({"x": values}), np.arange(2, 2 + len(values)))


def frame(start, count, step="1D"):
    return pd.DataFrame({"x": np.arange(count, dtype=float)}, index=pd.date_range(start, periods=count, freq=step))


def test_times_off_the_step_are_an_error():
    times = pd.DatetimeIndex(["2000-01-01 00:00", "2000-01-01 01:00", "2000-01-01 01:30"])
    with pytest.raises(DataError, match="a.csv, line 4: 2000-01-01 01:30:00 is no whole number of 1h after the first"):
        regular(table(), times, ["x"], step="1h", fill_gaps=True)


def test_an_absent_hour_is_named_with_its_hour():
    times = pd.DatetimeIndex(["2000-01-01 00:00", "2000-01-01 01:00", "2000-01-01 03:00"])
    with pytest.raises(DataError, match="1 times are absent, the first 2000-01-01 02:00; repair"):
        regular(table(), times, ["x"], step="1h", fill_gaps=False)


def test_series_of_other_hours_cannot_be_stacked():
    with pytest.raises(DataError, match="b: its times, from 2000-01-01 00:15:00, are not those of the others, from"):
        stacked({"a": frame("2000-01-01", 3, "30min"), "b": frame("2000-01-01 00:15", 3, "30min")}, step="30min")


def test_stacking_keeps_every_value_where_it_was():
    raw, changes = stacked({"a": frame("2000-01-02", 2), "b": frame("2000-01-01", 2)}, step="1D")
    np.testing.assert_array_equal(raw["x"].values, [[np.nan, 0.0], [0.0, 1.0], [1.0, np.nan]])
    assert changes[0] == "a: covers 2000-01-02 to 2000-01-03, nan before and after"


def test_what_the_reader_changed_is_told_first():
    raw, _ = stacked({"a": frame("2000-01-01", 1)}, step="1D")
    assert with_history(raw.assign_attrs(changes="second"), ["first"]).attrs["changes"] == "first\nsecond"


def test_a_choice_is_a_list_of_different_ids():
    with pytest.raises(DataError, match=r"ids \['a', 'a'\]: expected one or more sites, each once"):
        chosen(["a", "a"], ["a", "b"], kind="site", path=Path("f"))
    with pytest.raises(DataError, match="f: no site 'z' among 6 "):
        chosen(["z"], list("abcdef"), kind="site", path=Path("f"))
    with pytest.raises(DataError, match="series of a: expected one file, found none; name the folder or file"):
        only([], "series of a")


@pytest.mark.parametrize("units, value", [("mm", 200.0), ("mm day-1", 200.0), ("mm h-1", 10.0)])
def test_bounds_hold_in_handed_out_units_for_sums_rates_and_depths(units, value):
    methods = "time: sum" if units == "mm" else "time: mean"
    rain = Variable("rain", units, to_units="kg m-2 s-1", cell_methods=methods, bounds=(0.0, 1e-3), missing=(-9999.0,))
    check_possible(table((0.0, 10.0 if units != "mm h-1" else 3.0, -9999.0)), {"x": rain}, step="1D")
    with pytest.raises(DataError, match=f"line 3, column 'x': {value:g} {units} .*expected 0 to 0.001 kg m-2 s-1$"):
        check_possible(table((0.0, value, np.nan)), {"x": rain}, step="1D")
    with pytest.raises(DataError, match=r"-999 .* \(2 such values\), .*; it looks like a fill value"):
        check_possible(table((-999.0, -999.0, 0.0)), {"x": rain}, step="1D")
