"""Time series: which lines are drawn, where they lie, and what is missing."""

import numpy as np
import pytest
from crest_plot import PlotError
from crest_plot.plotting import field_page


def panels(page):
    return [panel for row in page.rows for panel in row]


def test_layers_of_one_cell_are_lines_named_by_their_depths(run):
    (panel,) = panels(field_page(run, "soil_moisture", cell="upper"))
    assert [line.label for line in panel.lines] == ["0-10 cm", "10-30 cm", "30-90 cm"]
    assert len({line.colour for line in panel.lines}) == 3
    np.testing.assert_array_equal(panel.lines[1].y, run.soil_moisture.values[:, 1, 0])
    assert (panel.y_label, panel.x_label) == ("soil moisture [-]", "time [UTC]")


def test_layers_of_several_cells_are_panels_with_a_line_for_each_cell(run):
    found = panels(field_page(run, "soil_moisture"))
    assert [panel.title for panel in found] == ["0-10 cm", "10-30 cm", "30-90 cm"]
    assert [[line.label for line in panel.lines] for panel in found] == [["upper", "lower"]] * 3


def test_many_cells_are_a_median_and_two_bands_as_numpy_computes_them(many):
    page = field_page(many, "level")
    (panel,) = panels(page)
    (median,) = panel.lines
    assert median.label == "median of 40 cells"
    np.testing.assert_array_equal(median.y, np.nanmedian(many.level.values, axis=1))
    assert [band.label for band in panel.bands] == ["5 to 95 %", "25 to 75 %"]
    np.testing.assert_allclose(panel.bands[0].low, np.nanquantile(many.level.values, 0.05, axis=1))
    np.testing.assert_allclose(panel.bands[1].high, np.nanquantile(many.level.values, 0.75, axis=1))
    assert "0.083 % of the values are missing" in page.notes


def test_blocks_of_times_give_the_same_quantiles(many, monkeypatch):
    whole = panels(field_page(many, "level"))[0].lines[0].y
    monkeypatch.setattr("crest_plot.series._BLOCK", 100)
    np.testing.assert_array_equal(panels(field_page(many, "level"))[0].lines[0].y, whole)


def test_more_layers_than_panels_show_the_median_of_the_cells(many):
    deep = many.expand_dims(soil_layer=9).transpose("time", "soil_layer", "cell")
    page = field_page(deep, "level")
    (panel,) = panels(page)
    assert len(panel.lines) == 9 and "median of 40 cells" in page.notes


def test_means_stand_in_the_middle_of_their_interval_and_point_values_at_its_end(run):
    mean = panels(field_page(run, "discharge", cell="upper", kind="series"))[0].lines[0]
    point = panels(field_page(run, "soil_moisture", cell="upper"))[0].lines[0]
    assert mean.x[0] == np.datetime64("2001-01-01T12:00") and mean.when[0] == np.datetime64("2001-01-01")
    assert point.x[0] == point.when[0] == np.datetime64("2001-01-02")


def test_missing_values_and_missing_rows_are_gaps(run):
    run.discharge[100:110] = np.nan
    shown = run.isel(time=[*range(300), *range(350, 800)])
    (panel,) = panels(field_page(shown, "discharge", kind="series"))
    days = [tuple(str(time.astype("datetime64[D]")) for time in gap) for gap in panel.gaps]
    assert days == [("2001-04-11", "2001-04-21"), ("2001-10-28", "2001-12-17")]
    assert np.isnan(panel.lines[0].y[300])  # the line is broken where rows are missing, too


def test_of_many_gaps_the_long_ones_are_shaded(run):
    run.discharge[::3] = np.nan
    run.discharge[100:200] = np.nan
    (panel,) = panels(field_page(run, "discharge", kind="series"))
    assert len(panel.gaps) == 1 and panel.gaps[0][0] == np.datetime64("2001-04-10")


def test_a_series_of_few_values_is_drawn_as_points(run):
    run.discharge[:, 0] = run.discharge[:, 0].where(np.arange(800) % 3 == 0)
    lines = panels(field_page(run, "discharge", kind="series"))[0].lines
    assert [line.points for line in lines] == [True, False]


def test_zeros_end_bands_and_break_lines_on_a_logarithmic_axis(many):
    page = field_page(many - 20.0, "level", log=True)
    assert (panels(page)[0].bands[0].low > 0).all()
    assert any("0 and less are not drawn" in note for note in page.notes)


def test_a_field_without_values_says_so(run):
    with pytest.raises(PlotError, match="discharge: all 1600 values are missing in 2001-01-01 to 2003-03-12"):
        field_page(run * np.nan, "discharge", kind="series")


def test_a_field_without_time_is_no_series(run):
    with pytest.raises(PlotError, match=r"elevation has no dimension time \(its dims: cell\), so no series; ask for a"):
        field_page(run, "elevation", kind="series")
