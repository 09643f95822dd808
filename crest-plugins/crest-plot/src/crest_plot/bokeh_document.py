"""Pages as documents of bokeh: zoom, hover with values and dates, one HTML file that needs no network."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models.annotations import BoxAnnotation, ColorBar, Title
from bokeh.models.formatters import CustomJSTickFormatter
from bokeh.models.mappers import LinearColorMapper, LogColorMapper
from bokeh.models.sources import ColumnDataSource
from bokeh.models.text import PlainText
from bokeh.models.tickers import FixedTicker
from bokeh.models.tools import HoverTool
from bokeh.models.widgets.markups import Div
from bokeh.plotting import figure
from bokeh.resources import INLINE
from matplotlib import colormaps
from matplotlib.colors import to_hex

from crest_plot.pictures import GAP, NO_DATA, Bars, Line, Map, Matrix, Page, Panel, degrees, graticule, isolated
from crest_plot.seasonal import MONTH_STARTS, MONTHS
from crest_plot.thinning import MOST_POINTS, thinned

_DATE = "%Y-%m-%d %H:%M"
_TOOLS = "pan,wheel_zoom,box_zoom,reset,save"
_GREY = "#555555"
_DOTS = 95  # per inch
_HIGHEST = 620.0  # dots of a map
_PALETTES = {name: [to_hex(colormaps[name](n)) for n in range(256)] for name in ("viridis", "cividis")}


def document(page: Page) -> Document:
    """Return a page as a document; all panels over time share their axis."""
    shared: Any = None
    rows, notes = [], list(page.notes)
    last = _last_timed(page)
    for number, parts in enumerate(page.rows):
        figures = []
        for one in parts:
            if isinstance(one, Panel):
                drawn = _panel(one, shared, told=one.seasonal or number == last)
                shared = shared if one.seasonal else drawn.x_range
                if any(len(line.y) > MOST_POINTS for line in one.lines):
                    notes.append(f"lowest and highest values of every few steps, at most {MOST_POINTS} points a line")
            else:
                drawn = _map(one) if isinstance(one, Map) else _matrix(one)
            figures.append(drawn)
        rows.append(row(*figures, sizing_mode="stretch_width"))
    title = _told(page.title, {"font-size": "17px", "font-weight": "bold", "color": "#222222"})
    caption = _told(
        "; ".join(filter(None, [page.caption, *dict.fromkeys(notes)])), {"font-size": "11px", "color": _GREY}
    )
    result = Document(title=page.title)
    result.add_root(column(title, *rows, caption, sizing_mode="stretch_width"))
    return result


def as_html(made: Document) -> str:
    """Return a document as the text of one HTML file with all scripts in it."""
    return file_html(made, INLINE, title=made.title)


def _panel(panel: Panel, shared: Any, *, told: bool) -> Any:
    """Return the figure of a panel."""
    kind = {} if panel.seasonal else {"x_axis_type": "datetime"}
    same = {"x_range": shared} if shared is not None and not panel.seasonal else {}
    drawn = _figure(panel.height, panel.x_label if told else "", panel.y_label, panel.title,
                    y_axis_type="log" if panel.log else "linear", **kind, **same)  # fmt: skip
    for start, end in panel.gaps:
        left, right = (float(time.astype("datetime64[ms]").astype(np.int64)) for time in (start, end))
        drawn.add_layout(BoxAnnotation(left=left, right=right, fill_color=GAP, fill_alpha=1.0, level="underlay",
                                       line_color=None, propagate_hover=True))  # fmt: skip
    named = len(panel.lines) + len(panel.bands) > 1
    for band in panel.bands:
        source = ColumnDataSource({"x": band.x, "low": band.low, "high": band.high})
        drawn.varea("x", "low", "high", source=source, color=band.colour, alpha=band.opacity,
                    **_legend(band.label, named))  # fmt: skip
    for bars in panel.bars:
        _bars(drawn, bars, panel)
    for line in panel.layered:
        _line(drawn, line, panel, named)
    if named:
        drawn.legend.visible = True
        drawn.add_layout(drawn.legend[0], "above")
        drawn.legend.update(orientation="horizontal", border_line_color=None, click_policy="hide",
                            label_text_font_size="11px", padding=2, spacing=16)  # fmt: skip
    if panel.seasonal:
        drawn.xaxis.ticker = FixedTicker(ticks=[start + 15 for start in MONTH_STARTS[:12]])
        drawn.xaxis.major_label_overrides = {s + 15: m for s, m in zip(MONTH_STARTS[:12], MONTHS, strict=True)}
        drawn.x_range.update(start=1, end=366)
    if panel.inverted:
        most = max(float(np.nanmax(bars.y)) for bars in panel.bars)
        drawn.y_range.update(start=max(most, 1e-9) * 1.05, end=0)
    drawn.xgrid.visible = False
    return drawn


def _line(drawn: Any, line: Line, panel: Panel, named: bool) -> None:
    """Draw a line, points where a value stands alone, and the hover that tells date and value."""
    x, y, when = thinned(line.x, line.y, line.when)
    source = ColumnDataSource({"x": x, "y": y, "when": when})
    if line.points:
        glyphs = [drawn.scatter("x", "y", source=source, size=5, color=line.colour, **_legend(line.label, named))]
    else:
        glyphs = [drawn.line("x", "y", source=source, color=line.colour, line_width=1.6, **_legend(line.label, named))]
        alone = isolated(y)
        if alone.any():
            dots = ColumnDataSource({"x": x[alone], "y": y[alone], "when": when[alone]})
            glyphs.append(drawn.scatter("x", "y", source=dots, size=4, color=line.colour))
    date = ("day of the year", "@when{0}") if panel.seasonal else (_words(panel.x_label), f"@when{{{_DATE}}}")
    tips = [(_words(line.label), f"@y{{%.5g}} {_units(panel.y_label)}"), date]
    formats: dict[str, Any] = {"@y": "printf"} | ({} if panel.seasonal else {"@when": "datetime"})
    drawn.add_tools(HoverTool(renderers=glyphs, tooltips=tips, formatters=formats, mode="mouse", line_policy="nearest",
                              visible=False))  # fmt: skip


def _bars(drawn: Any, bars: Bars, panel: Panel) -> None:
    """Draw bars from zero with their hover."""
    left, y, right = thinned(bars.left, bars.y, bars.right)
    source = ColumnDataSource({"left": left, "right": right, "y": y, "zero": np.zeros(len(y))})
    glyph = drawn.quad("left", "right", "y", "zero", source=source, color=bars.colour, line_color=None)
    tips = [(_words(bars.label), f"@y{{%.5g}} {_units(panel.y_label)}"), (_words(panel.x_label), f"@left{{{_DATE}}}")]
    formats: dict[str, Any] = {"@y": "printf", "@left": "datetime"}
    drawn.add_tools(HoverTool(renderers=[glyph], tooltips=tips, formatters=formats, visible=False))


def _map(one: Map) -> Any:
    """Return a map: rectangles of a grid, or points; the hover tells place and value."""
    labels = ("", "") if one.geographic else (one.x_label, one.y_label)
    drawn = _figure(one.height, *labels, one.title, match_aspect=not one.geographic)
    low, high = one.limits
    high = high if high > low else low + (abs(low) or 1.0) * 1e-3
    kind = LogColorMapper if one.log else LinearColorMapper
    mapper = kind(palette=_PALETTES["viridis"], low=low, high=high, nan_color=NO_DATA)
    values = np.asarray(one.values, dtype=np.float32)
    if one.grid:
        x, y = ((edges[:-1] + edges[1:]) / 2.0 for edges in (one.x, one.y))
        wide, high_ = np.meshgrid(np.diff(one.x), np.diff(one.y))
        xs, ys = np.meshgrid(x, y)
        data = {"x": xs, "y": ys, "w": np.abs(wide), "h": np.abs(high_), "value": values}
        source = ColumnDataSource({key: array.reshape(-1) for key, array in data.items()})
        colour: Any = {"field": "value", "transform": mapper}
        glyph = drawn.rect("x", "y", "w", "h", source=source, fill_color=colour, line_color=colour)
    else:
        names = list(one.labels) or [""] * len(values)
        source = ColumnDataSource({"x": one.x, "y": one.y, "value": values, "name": names})
        colour = {"field": "value", "transform": mapper}
        size = float(np.clip(60.0 / max(len(values), 1) ** 0.35, 5.0, 16.0))
        glyph = drawn.scatter(
            "x", "y", source=source, size=size, fill_color=colour, line_color="#333333", line_width=0.3
        )
    places = [("longitude", "@x{0.[0000]}"), ("latitude", "@y{0.[0000]}")]
    if not one.geographic:
        places = [(_words(one.x_label), "@x"), (_words(one.y_label), "@y")]
    named = [("cell", "@name")] if one.labels else []
    tips = [*named, (_words(one.colour_label), "@value{%.5g}"), *places]
    drawn.add_tools(HoverTool(renderers=[glyph], tooltips=tips, formatters={"@value": "printf"}, visible=False))
    drawn.add_layout(ColorBar(color_mapper=mapper, width=14), "right")
    drawn.add_layout(_small(one.colour_label), "above")
    if one.geographic:
        _graticule(drawn, one)
    return drawn


def _graticule(drawn: Any, one: Map) -> None:
    """Set round degrees, and a width that makes distances look right."""
    (west, east), (south, north) = ((float(np.nanmin(ends)), float(np.nanmax(ends))) for ends in (one.x, one.y))
    pad = (0.0, 0.0) if one.grid else (0.06 * (east - west) + 0.02, 0.06 * (north - south) + 0.02)
    drawn.x_range.update(start=west - pad[0], end=east + pad[0])
    drawn.y_range.update(start=south - pad[1], end=north + pad[1])
    for axis, ends, longitude in ((drawn.xaxis, (west, east), True), (drawn.yaxis, (south, north), False)):
        ticks = graticule(*ends)
        axis.ticker = FixedTicker(ticks=ticks.tolist())
        axis.major_label_overrides = {float(tick): degrees(float(tick), longitude=longitude) for tick in ticks}
    stretch = np.cos(np.radians((south + north) / 2.0))
    ratio = (east - west + 2 * pad[0]) * max(stretch, 0.1) / max(north - south + 2 * pad[1], 1e-9)
    ratio = float(np.clip(ratio * 1.1, 0.6, 3.0))
    drawn.update(sizing_mode="scale_width", aspect_ratio=ratio, max_width=round(min(1100.0, _HIGHEST * ratio)))
    for grid in drawn.grid:
        grid.update(grid_line_color="#777777", grid_line_alpha=0.6, grid_line_width=0.5, level="overlay")


def _matrix(one: Matrix) -> Any:
    """Return the matrix of availability; the hover tells variable, month and share."""
    drawn = _figure(one.height, one.x_label, "", "", x_axis_type="datetime", y_range=list(one.rows)[::-1])
    months = len(one.edges) - 1
    mapper = LinearColorMapper(palette=_PALETTES["cividis"], low=0.0, high=1.0, nan_color=NO_DATA)
    source = ColumnDataSource({
        "left": np.tile(one.edges[:-1], len(one.rows)),
        "right": np.tile(one.edges[1:], len(one.rows)),
        "row": np.repeat(np.array(one.rows, dtype=object), months),
        "share": one.values.reshape(-1),
        "percent": 100.0 * one.values.reshape(-1),
    })  # fmt: skip
    colour = {"field": "share", "transform": mapper}
    glyph = drawn.hbar(
        y="row", left="left", right="right", height=0.92, source=source, fill_color=colour, line_color=colour
    )
    tips = [("variable", "@row"), ("month", "@left{%Y-%m}"), ("valid", "@percent{%.1f} %")]
    formats: dict[str, Any] = {"@left": "datetime", "@percent": "printf"}
    drawn.add_tools(HoverTool(renderers=[glyph], tooltips=tips, formatters=formats, visible=False))
    percent = CustomJSTickFormatter(code="return Math.round(100 * tick) + ' %'")
    drawn.add_layout(ColorBar(color_mapper=mapper, formatter=percent, width=14), "right")
    drawn.add_layout(_small(one.colour_label), "above")
    drawn.grid.visible = False
    return drawn


def _figure(height: float, x_label: str, y_label: str, title: str, **options: Any) -> Any:
    """Return an empty figure with the tools that all have."""
    drawn = figure(height=int(height * _DOTS), sizing_mode="stretch_width", tools=_TOOLS, active_scroll=None,
                   x_axis_label=_text(x_label), y_axis_label=_text(y_label), **options)  # fmt: skip
    if title:
        drawn.add_layout(Title(text=_words(title), text_font_style="normal", text_color="#333333"), "above")
    drawn.toolbar.logo = None
    drawn.min_border_left = 75  # panels below each other begin at one place
    drawn.outline_line_color = None
    drawn.axis.axis_label_text_font_style = "normal"
    drawn.axis.minor_tick_line_color = None
    drawn.ygrid.grid_line_color = "#dddddd"
    return drawn


def _small(text: str) -> Title:
    """Return the title of a colour bar, above its end of the figure."""
    style: dict[str, Any] = {"text_font_style": "normal", "text_font_size": "12px", "text_color": _GREY}
    return Title(text=_words(text), align="right", **style)


def _legend(label: str, named: bool) -> dict[str, str]:
    return {"legend_label": _words(label)} if named and label else {}


def _last_timed(page: Page) -> int:
    timed = [
        n for n, parts in enumerate(page.rows) if any(isinstance(one, Panel) and not one.seasonal for one in parts)
    ]
    return timed[-1] if timed else -1


def _told(text: str, style: dict[str, str | None]) -> Div:
    """Return a paragraph in which nothing is markup or a formula: names come from files."""
    return Div(text=text, render_as_text=True, disable_math=True, styles={"font-family": "sans-serif", **style})


def _units(label: str) -> str:
    """Return the units of an axis label, as a hover shows them: there, @, { and } have a meaning."""
    units = label.rpartition("[")[2].rstrip("]")
    return "" if units == "-" else "".join(c for c in units if c not in "@{}$<>&")


def _text(text: str) -> PlainText:
    """Return a text in which nothing is a formula: names come from files."""
    return PlainText(text=_words(text))


def _words(text: str) -> str:
    return text.replace("$$", "$ $").replace(r"\[", "[").replace(r"\(", "(")
