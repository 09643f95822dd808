"""Hydrographs: flow below precipitation, and observations over both kinds of series."""

import numpy as np
import pytest
from crest_plot import PlotError
from crest_plot.plotting import field_page


def test_discharge_hangs_below_its_precipitation_in_mm_a_day(run):
    page = field_page(run, "discharge", cell="upper", start="2001-01-01", end="2001-02-01")
    (top,), (flow,) = page.rows
    assert top.inverted and top.y_label == "rain [mm day-1]"
    np.testing.assert_allclose(top.bars[0].y, run.rain.values[:31, 0] * 86400.0)
    assert top.bars[0].right[0] - top.bars[0].left[0] == np.timedelta64(1, "D")
    assert flow.y_label == "discharge [mm day-1]" and len(flow.lines) == 1
    assert "water of 1000 kg m-3: 1 kg m-2 = 1 mm" in page.notes


def test_of_several_catchments_the_median_precipitation_is_drawn(run):
    run["rain"] = run.rain * [1.0, 3.0]
    page = field_page(run, "discharge")
    np.testing.assert_allclose(page.rows[0][0].bars[0].y, run.rain.mean("cell") * 86400.0)
    assert "precipitation: median of 2 cells" in page.notes


def test_precipitation_of_another_file_is_taken_at_the_cells_of_the_flow(run):
    other = run[["rain"]].isel(cell=[1, 0]).rename(rain="prcp") * [5.0, 1.0]
    other.prcp.attrs["units"] = "mm day-1"
    page = field_page(run.drop_vars("rain"), "discharge", cell="lower", rain=(other, "prcp"))
    np.testing.assert_allclose(page.rows[0][0].bars[0].y, other.prcp.values[:, 0])
    with pytest.raises(PlotError, match="precipitation elevation has no dimension time"):
        field_page(run, "discharge", rain=(run, "elevation"))


def test_without_precipitation_a_hydrograph_is_the_flow_alone(run):
    assert len(field_page(run.drop_vars("rain"), "discharge").rows) == 1


def test_only_flows_become_hydrographs_by_themselves(run):
    assert len(field_page(run, "soil_moisture", cell="0", layer=0).rows) == 1
    assert len(field_page(run, "soil_moisture", cell="0", layer=0, kind="hydrograph").rows) == 2


def test_observations_of_one_cell_are_black_and_in_the_units_of_the_field(run):
    gauge = run[["discharge"]].isel(cell=0).rename(discharge="qobs") / 1000.0
    gauge.qobs.attrs["units"] = "m day-1"
    flow = field_page(run, "discharge", cell="upper", observed=(gauge, "qobs")).rows[-1][0]
    assert [(line.label, line.colour) for line in flow.lines][1] == ("observed", "#000000")
    np.testing.assert_allclose(flow.lines[1].y, flow.lines[0].y)


def test_observations_of_several_cells_are_points_in_the_order_of_the_lines(run):
    flow = field_page(run, "discharge", observed=(run.isel(cell=[1, 0]), "discharge")).rows[-1][0]
    assert [line.label for line in flow.lines] == ["upper", "lower", "observed upper", "observed lower"]
    assert flow.lines[2].points and flow.lines[2].colour == flow.lines[0].colour
    np.testing.assert_array_equal(flow.lines[2].y, flow.lines[0].y)


def test_observed_layers_lie_over_the_layers_of_the_field(run):
    page = field_page(run, "soil_moisture", observed=(run + 0.1, "soil_moisture"))
    for row in page.rows:
        np.testing.assert_allclose(row[0].lines[2].y, row[0].lines[0].y + 0.1)


def test_observations_are_cut_to_the_period_of_the_field(run):
    page = field_page(run, "discharge", start="2001-05-01", end="2001-06-01", observed=(run, "discharge"))
    assert [len(line.y) for line in page.rows[-1][0].lines] == [31] * 4


def test_observations_that_do_not_fit_are_refused(run, many):
    def refused(text, name="discharge", dataset=run, **options):
        with pytest.raises(PlotError, match=text):
            field_page(dataset, name, **options)

    refused("observed discharge has no cell lower; it has upper", observed=(run.isel(cell=[0]), "discharge"))
    refused("observed elevation has no dimension time", observed=(run, "elevation"))
    refused("soil_moisture cannot be shown in 'mm day-1'", observed=(run, "soil_moisture"))
    refused("too many for observations; choose some with --cell", "level", many, observed=(many, "level"))
    refused("this is a seasonal; use --kind series", kind="seasonal", observed=(run, "discharge"))
    two = run.isel(soil_layer=[0, 1])
    refused("observed soil_moisture has 2 layers .0-10 cm, 10-30 cm. and soil", "soil_moisture",
            observed=(two, "soil_moisture"))  # fmt: skip
    nothing = run.isel(cell=[0]).where(run.time < run.time[0])
    refused("observed discharge: all values are missing", cell="upper", observed=(nothing, "discharge"))
    late = run.assign_coords(time=run.time + np.timedelta64(5000, "D")).drop_vars(["time_bnds", "time_end"])
    refused("discharge has nothing from 2001-01-01", observed=(late, "discharge"))
