"""What the libraries draw of a page: labels, lines, images, and HTML that needs no network."""

import re

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure as bokeh_figure
from crest_plot import PlotError, plot_availability, plot_coverage, plot_field, plot_quicklook, save_picture
from matplotlib.dates import num2date
from matplotlib.image import imread

HOSTILE = "<script>alert(1)</script> $\\frac{$ $$x$$ <b>bold</b>"


def html_of(document, tmp_path):
    save_picture(document, tmp_path / "picture.html")
    return (tmp_path / "picture.html").read_text(encoding="utf-8")


def figures_of(document):
    return list(document.select({"type": type(bokeh_figure())}))


def pictures(run, grid, library):
    run["sample_count"] = ("cell", [3, 0])
    yield plot_field(run, "soil_moisture", library=library)
    yield plot_field(run, "discharge", observed=(run, "discharge"), library=library)
    yield plot_field(run, "discharge", kind="seasonal", log=True, library=library)
    yield plot_field(run, "elevation", library=library)
    yield plot_field(grid, "warmth", log=True, library=library)
    yield plot_field(run, "soil_moisture", kind="map", library=library)
    yield plot_quicklook(run, "discharge", library=library)
    yield plot_availability({"model": run, "gauge": run}, library=library)
    yield plot_coverage(run, library=library)


def test_every_picture_is_a_png_with_something_on_it(run, grid, tmp_path):
    for picture in pictures(run, grid, "matplotlib"):
        save_picture(picture, tmp_path / "picture.png")
        image = imread(tmp_path / "picture.png")
        assert image.shape[1] == 1500 and image.shape[0] >= 400
        colours = (255 * image[:, :, :3]).astype(int) @ [65536, 256, 1]
        assert np.bincount(colours.reshape(-1)).astype(bool).sum() > 20


def test_every_picture_is_html_that_loads_nothing(run, grid, tmp_path):
    for picture in pictures(run, grid, "bokeh"):
        text = html_of(picture, tmp_path)
        bare = re.sub(r"(<(script|style)\b[^>]*>).*?</\2>", r"\1", text, flags=re.DOTALL)
        tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", bare)
        assert tags and not re.search(r"\b(src|href)=|http", bare)
        assert "lang=" in text[:200]


def test_axes_of_a_hydrograph_have_units_and_bars_hang_from_the_top(run):
    rain, flow = plot_field(run, "discharge", cell="upper").axes
    assert (rain.get_ylabel(), flow.get_ylabel()) == ("rain [mm day-1]", "discharge [mm day-1]")
    assert rain.get_ylim()[1] == 0.0 < rain.get_ylim()[0]
    assert flow.get_xlabel() == "time [UTC]" and rain.get_xlabel() == ""
    assert flow.get_shared_x_axes().joined(rain, flow) and len(flow.lines) == 1
    np.testing.assert_allclose(flow.lines[0].get_ydata(), run.discharge.values[:, 0])
    assert num2date(flow.get_xlim()[0]).year in (2000, 2001)


def test_title_caption_and_legend_tell_what_is_shown(run):
    run.discharge[:40] = np.nan
    drawn = plot_field(run, "discharge", kind="series")
    assert drawn.get_suptitle() == "discharge at the outlet"
    assert "5 % of the values are missing" in drawn.get_supxlabel()
    (axes,) = drawn.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["upper", "lower"]
    assert [text.get_text() for text in axes.texts] == ["grey: no data"]


def test_a_value_between_missing_ones_is_a_point(run):
    run.discharge[100] = np.nan
    run.discharge[102] = np.nan
    (axes,) = plot_field(run, "discharge", cell="upper", kind="series").axes
    assert [len(line.get_xdata()) for line in axes.lines] == [800, 1]


def test_observations_lie_behind_the_simulation(run):
    gauge = run[["discharge"]].isel(cell=[0]) + 0.5
    (axes,) = plot_field(run, "discharge", cell="upper", kind="series", observed=(gauge, "discharge")).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["observed", "discharge"]
    assert axes.lines[0].get_color() == "#000000"


def test_maps_have_meridians_and_a_named_colour_bar(grid):
    axes = plot_field(grid, "warmth").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "5°E",
        "5.5°E",
        "6°E",
        "6.5°E",
        "7°E",
        "7.5°E",
        "8°E",
    ]
    assert axes.get_aspect() == pytest.approx(1.0 / np.cos(np.radians(51.0)), rel=1e-3)
    (bar,) = axes.child_axes
    assert bar.get_ylabel() == "warmth [degC]"


def test_availability_has_a_row_for_each_variable(run):
    axes = plot_availability(run).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["discharge", "rain", "soil_moisture"]
    assert axes.collections[0].get_clim() == (0.0, 1.0)


def test_hovers_tell_values_units_and_dates(run, grid):
    tips = [tool.tooltips for tool in plot_field(run, "discharge", library="bokeh").select({"type": HoverTool})]
    assert ("upper", "@y{%.5g} mm day-1") in [row for rows in tips for row in rows]
    assert ("time [UTC]", "@when{%Y-%m-%d %H:%M}") in [row for rows in tips for row in rows]
    (hover,) = plot_field(grid, "warmth", library="bokeh").select({"type": HoverTool})
    assert [name for name, _ in hover.tooltips] == ["warmth [degC]", "longitude", "latitude"]


def test_a_document_holds_the_values_and_shares_its_time_axis(run):
    document = plot_field(run, "discharge", cell="upper", library="bokeh")
    rain, flow = figures_of(document)
    assert rain.x_range is flow.x_range
    values = [source.data["y"] for source in document.select({"type": ColumnDataSource}) if "when" in source.data]
    np.testing.assert_array_equal(values[0], run.discharge.values[:, 0])


def test_long_series_are_thinned_for_the_browser_and_it_is_told(run):
    time = np.datetime64("2001-01-01", "ns") + np.arange(70_000) * np.timedelta64(1, "h")
    hourly = (
        run[["discharge"]].isel(time=np.arange(70_000) % 800, cell=0).drop_vars("time_end").assign_coords(time=time)
    )
    document = plot_field(hourly, "discharge", library="bokeh")
    assert "at most 30000 points a line" in "".join(
        str(div.text) for div in document.roots[0].children if "Div" in str(div)
    )


def test_names_from_files_are_text_and_nothing_else(run, tmp_path):
    for name in ("discharge", "rain", "elevation"):
        run[name].attrs["long_name"] = run[name].attrs["units"] = HOSTILE
    run = run.assign_coords(cell_id=("cell", [HOSTILE, "lower"]))
    for name in ("discharge", "elevation"):
        text = html_of(plot_field(run, name, library="bokeh"), tmp_path)
        assert "<script>alert(1)" not in text and "bokeh-mathjax" not in text
        save_picture(plot_field(run, name), tmp_path / "picture.png")  # matplotlib would refuse a bad formula


def test_libraries_and_endings_must_fit(run, tmp_path):
    with pytest.raises(PlotError, match="library 'bokhe' is unknown; did you mean 'bokeh'"):
        plot_field(run, "discharge", library="bokhe")
    with pytest.raises(PlotError, match="p.html: a picture of matplotlib is written as .png"):
        save_picture(plot_field(run, "discharge"), tmp_path / "p.html")
    with pytest.raises(PlotError, match=r"p.pdf: pictures are .png \(matplotlib\) or .html \(bokeh"):
        save_picture(plot_field(run, "discharge"), tmp_path / "p.pdf")
