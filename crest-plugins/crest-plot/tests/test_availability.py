"""Availability of data and coverage by samples."""

import numpy as np
import pytest
import xarray as xr
from crest_plot import PlotError
from crest_plot.availability import availability_page, coverage_page, monthly_share
from crest_plot.plotting import field_page

JANUARY = 31 * 12  # months from 1970 to January 2001


def flags(run, values):
    meanings = {"flag_values": np.arange(4, dtype="uint8"), "flag_meanings": "good missing rejected filled"}
    return run.assign(discharge_quality=(("time", "cell"), values.astype("uint8"), meanings))


def test_a_share_counts_the_values_that_are_there(run):
    run.discharge[:10, 0] = np.nan
    share = monthly_share(run, "discharge")
    assert share[JANUARY] == pytest.approx(1.0 - 10 / 62) and share[JANUARY + 1] == 1.0


def test_shares_weighted_by_their_steps_are_all_valid_values(run):
    run["discharge"] = run.discharge.where(np.random.default_rng(3).random((800, 2)) > 0.3)
    share = monthly_share(run, "discharge")
    steps = np.bincount(run.time.values.astype("datetime64[M]").astype(int) - JANUARY)
    assert np.dot(list(share.values()), steps) * 2 == pytest.approx(int(run.discharge.notnull().sum()))


def test_flags_decide_and_filled_values_count_only_when_asked(run):
    quality = np.zeros((800, 2))
    quality[:31, 0], quality[:31, 1] = 2, 3
    flagged = flags(run, quality)
    assert monthly_share(flagged, "discharge")[JANUARY] == 0.0
    assert monthly_share(flagged, "discharge", count_filled=True)[JANUARY] == 0.5


def test_rows_that_the_file_lacks_are_missing(run):
    shown = run.isel(time=[*range(15), *range(100, 800)])
    share = monthly_share(shown, "discharge")
    assert share[JANUARY] == pytest.approx(15 / 31) and share[JANUARY + 1] == 0.0


def test_streams_share_one_matrix_and_are_empty_outside_their_record(run):
    page = availability_page({"model": run, "gauge": run[["rain"]].isel(time=slice(0, 59))})
    ((matrix,),) = page.rows
    assert matrix.rows == ("model: discharge", "model: rain", "model: soil_moisture", "gauge: rain")
    assert len(matrix.edges) == matrix.values.shape[1] + 1 == 28
    assert matrix.values[3, :2].tolist() == [1.0, 1.0] and np.isnan(matrix.values[3, 2:]).all()


def test_flags_that_do_not_fit_are_refused(run):
    with pytest.raises(PlotError, match="discharge_quality has 4 flag_values and 1 flag_meanings"):
        flagged = flags(run, np.zeros((800, 2)))
        flagged.discharge_quality.attrs["flag_meanings"] = "good"
        monthly_share(flagged, "discharge")
    with pytest.raises(PlotError, match="discharge_quality has the dims .*; they must agree"):
        monthly_share(run.assign(discharge_quality=("time", np.zeros(800, dtype="uint8"))), "discharge")
    with pytest.raises(PlotError, match="statics: no variable with the dimension time"):
        availability_page({"statics": run[["elevation"]]})


def counts(*numbers):
    where = {"lat": ("cell", np.arange(3.0)), "lon": ("cell", np.arange(3.0))}
    return xr.Dataset({"sample_count": ("cell", np.array(numbers), {"units": "1"})}, where)


def test_coverage_is_a_map_of_counts_and_cells_without_samples_are_grey(run):
    page = coverage_page(counts(4, 0, 9))
    ((found,),) = page.rows
    np.testing.assert_array_equal(found.values, [4.0, np.nan, 9.0])
    assert page.notes == ("13 samples in 2 of 3 cells", "grey: none")
    assert field_page(counts(4, 0, 9), "sample_count").title == "Coverage of samples"


def test_counts_of_each_time_stand_below_the_map(times):
    counted = counts(4, 0, 9).assign(sample_count_in_time=("time", np.arange(5), {"units": "1"}), time=times[:5])
    (_,), (panel,) = coverage_page(counted).rows
    assert panel.y_label == "sample count in time [-]"
    np.testing.assert_array_equal(panel.lines[0].y, np.arange(5.0))


def test_what_counts_no_samples_is_refused(run):
    def refused(text, dataset, name=None):
        with pytest.raises(PlotError, match=text):
            coverage_page(dataset, name)

    refused("which variable counts samples. none is called sample_count, .*; give its name: discharge", run)
    refused("discharge has the dims time, cell; samples are counted by cell", run, "discharge")
    refused("sample_count has 1 negative values", counts(4, -1, 9))
    refused("sample_count is 0 in all 3 cells: no samples", counts(0, 0, 0))
