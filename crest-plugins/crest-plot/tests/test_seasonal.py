"""The usual year and the quick-look."""

import numpy as np
import pytest
from crest_plot import PlotError
from crest_plot.pictures import Map, Panel
from crest_plot.plotting import field_page


def test_the_usual_year_is_the_median_of_each_ten_days_of_all_years_and_cells(run):
    ((panel,),) = field_page(run, "discharge", kind="seasonal").rows
    assert panel.seasonal and len(panel.lines[0].y) == 36
    time = run.time.dt
    second = run.discharge.values[(time.month == 1) & (time.day > 10) & (time.day <= 20)]
    assert panel.lines[0].y[1] == pytest.approx(np.median(second))
    assert [band.label for band in panel.bands] == ["10 to 90 %", "25 to 75 %"]
    assert panel.bands[0].high[1] == pytest.approx(np.quantile(second, 0.9))


def test_layers_are_lines_of_the_usual_year(run):
    ((panel,),) = field_page(run, "soil_moisture", kind="seasonal").rows
    assert [line.label for line in panel.lines] == [f"median, {depth} cm" for depth in ("0-10", "10-30", "30-90")]


def test_monthly_values_have_months(run):
    monthly = run[["discharge"]].drop_vars("time_end").resample(time="1MS").mean(keep_attrs=True)
    ((panel,),) = field_page(monthly, "discharge", kind="seasonal").rows
    assert len(panel.lines[0].y) == 12


def test_less_than_a_year_has_no_seasons(run):
    with pytest.raises(PlotError, match="discharge has 2001-01-01 to 2001-02-10: seasons need a year at least"):
        field_page(run.isel(time=slice(0, 40)), "discharge", kind="seasonal")
    with pytest.raises(PlotError, match="elevation has no dimension time, so no seasons"):
        field_page(run, "elevation", kind="seasonal")


def test_a_quicklook_shows_series_usual_year_and_mean_map(run, grid):
    page = field_page(run, "discharge", kind="quicklook")
    kinds = [type(one) for row in page.rows for one in row]
    assert kinds == [Panel, Panel, Map] and page.rows[1][0].seasonal and page.rows[1][1].title == "mean"
    assert any(note.startswith("usual year: ten-day bins of 2001-01-01 to 2003-03-12 (2.19 years), 2 cells")
               for note in page.notes)  # fmt: skip
    short = field_page(grid, "warmth", kind="quicklook")
    assert "less than a year: no usual year" in short.notes
    assert [type(one) for row in short.rows for one in row] == [Panel, Map]


def test_a_quicklook_of_one_cell_has_no_map(run):
    page = field_page(run.isel(cell=[0]).drop_vars(["lat", "lon"]), "discharge", kind="quicklook")
    assert not any(isinstance(one, Map) for row in page.rows for one in row)
