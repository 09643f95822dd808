"""The pictures of crest-plot as functions: Dataset in, matplotlib figure or bokeh document out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import xarray as xr

from crest_core import write_atomically
from crest_core.plugins import near
from crest_plot.availability import availability_page, counts_samples, coverage_page
from crest_plot.errors import PlotError
from crest_plot.hydrograph import hydrograph_page, is_flow, rain_at, rain_of
from crest_plot.maps import is_grid, map_page
from crest_plot.observations import matched, overlaid
from crest_plot.pictures import Map, Page
from crest_plot.seasonal import lasts_a_year, seasonal_page, seasonal_panel
from crest_plot.selection import Field, field_of, select
from crest_plot.series import series_page

if TYPE_CHECKING:
    from bokeh.document import Document
    from matplotlib.figure import Figure

    Picture: TypeAlias = Figure | Document

KINDS = {
    "auto": "chosen by the data",
    "map": "a map of one time or of the mean",
    "series": "a time series",
    "hydrograph": "runoff or discharge below precipitation",
    "seasonal": "the usual year",
    "quicklook": "series, usual year and map on one page",
    "availability": "share of valid values of each variable in each month",
    "coverage": "samples in each cell",
}
LIBRARIES = ("matplotlib", "bokeh")


def plot_field(
    dataset: xr.Dataset,
    name: str,
    *,
    kind: str = "auto",
    cell: str | Sequence[str] = (),
    time: str | None = None,
    start: str | None = None,
    end: str | None = None,
    layer: int | None = None,
    units: str | None = None,
    log: bool = False,
    rain: tuple[xr.Dataset, str] | None = None,
    observed: tuple[xr.Dataset, str] | None = None,
    library: str = "matplotlib",
) -> Picture:
    """Return the picture of a field of a run: a map, a series, a hydrograph, the usual year or a quick-look.

    By default the data choose: runoff and discharge give a hydrograph, a grid and any field without time a map, all
    others a series. `cell` is an id, a number or "lat,lon"; [start, end) is the period; `time` asks for its map.
    """
    page = field_page(dataset, name, kind=kind, cell=cell, time=time, start=start, end=end, layer=layer, units=units,
                      log=log, rain=rain, observed=observed)  # fmt: skip
    return drawn(page, library)


def plot_quicklook(dataset: xr.Dataset, name: str, *, library: str = "matplotlib") -> Picture:
    """Return series, usual year and map of a field on one page; what the data do not allow is left out."""
    return drawn(field_page(dataset, name, kind="quicklook"), library)


def plot_availability(
    streams: xr.Dataset | Mapping[str, xr.Dataset], *, count_filled: bool = False, library: str = "matplotlib"
) -> Picture:
    """Return the matrix of variables by months: the share of valid values, by quality flags where there are."""
    named = {"data": streams} if isinstance(streams, xr.Dataset) else streams
    return drawn(availability_page(named, count_filled=count_filled), library)


def plot_coverage(
    dataset: xr.Dataset, name: str | None = None, *, log: bool = False, library: str = "matplotlib"
) -> Picture:
    """Return the map of how many samples lie in each cell, and the series of how many score each time."""
    return drawn(coverage_page(dataset, name, log=log), library)


def save_picture(picture: Picture, path: str | Path) -> None:
    """Write a figure as PNG, or a document as one HTML file that works offline; the file is whole or absent."""
    from matplotlib.figure import Figure

    path = Path(path)
    library = "matplotlib" if isinstance(picture, Figure) else "bokeh"
    if library_of(path) != library:
        right = ".png" if library == "matplotlib" else ".html"
        raise PlotError(f"{path}: a picture of {library} is written as {right}; make it with the other library=")
    if isinstance(picture, Figure):
        from crest_plot.matplotlib_figure import as_png

        write_atomically(path, as_png(picture))
    else:
        from crest_plot.bokeh_document import as_html

        write_atomically(path, as_html(picture).encode())


def library_of(path: Path) -> str:
    """Return the library that draws into a file of this name."""
    libraries = {".png": "matplotlib", ".html": "bokeh"}
    if path.suffix.lower() not in libraries:
        raise PlotError(
            f"{path}: pictures are .png (matplotlib) or .html (bokeh, to zoom and hover); give one of these"
        )
    return libraries[path.suffix.lower()]


def drawn(page: Page, library: str) -> Picture:
    """Return a page as a figure of matplotlib or a document of bokeh."""
    if library == "matplotlib":
        from crest_plot.matplotlib_figure import figure

        return figure(page)
    if library == "bokeh":
        from crest_plot.bokeh_document import document

        return document(page)
    raise PlotError(f"library {library!r} is unknown{near(library, LIBRARIES)}; expected {' or '.join(LIBRARIES)}")


def field_page(
    dataset: xr.Dataset,
    name: str,
    *,
    kind: str = "auto",
    cell: str | Sequence[str] = (),
    time: str | None = None,
    start: str | None = None,
    end: str | None = None,
    layer: int | None = None,
    units: str | None = None,
    log: bool = False,
    rain: tuple[xr.Dataset, str] | None = None,
    observed: tuple[xr.Dataset, str] | None = None,
) -> Page:
    """Return the page of a field, free of any drawing library."""
    if kind == "auto" and counts_samples(dataset, name):
        return coverage_page(dataset, name, log=log)
    whole = field_of(dataset, name)
    told: tuple[str, ...] = ()
    field = select(whole, cell=cell, start=start, end=end, layer=layer, units=units)
    kind = _chosen(kind, field, time, bool(cell))
    if time is not None and kind != "map":
        raise PlotError(f"--time asks for the map of one time, and a {kind} has no use for it; --from and --to cut it")
    if kind == "map":
        page = map_page(field, time=time, log=log)
    elif kind == "seasonal":
        page = seasonal_page(field, log=log)
    elif kind == "quicklook":
        page = _quicklook(field, log=log)
    elif kind == "hydrograph":
        top, told = rain_at(field_of(*rain), field, whole) if rain else (rain_of(dataset), told)
        page = hydrograph_page(field, rain=top, log=log)
    else:
        page = series_page(field, log=log)
    if observed is not None:
        if kind not in ("series", "hydrograph"):
            raise PlotError(
                f"--observed is drawn over a series or a hydrograph, and this is a {kind}; use --kind series"
            )
        over, more = matched(field_of(*observed), field, whole)
        page, told = overlaid(page, over), (*told, *more)
    return replace(page, notes=(*page.notes, *told), told=told)


def _chosen(kind: str, field: Field, time: str | None, few: bool) -> str:
    """Return the kind of picture that the data choose, where none is asked for."""
    kinds = [known for known in KINDS if known not in ("availability", "coverage")]
    if kind not in kinds:
        raise PlotError(
            f"kind {kind!r} is unknown{near(kind, kinds)}; kinds of pictures of a field: {', '.join(kinds)}"
        )
    if kind != "auto":
        return kind
    if time is not None or field.axis is None or len(field.axis) == 1 or (is_grid(field) and not few):
        return "map"
    return "hydrograph" if is_flow(field) else "series"


def _quicklook(field: Field, *, log: bool) -> Page:
    """Return all pictures of a field that its data allow on one page."""
    page = series_page(field, log=log)
    lower: list[Any] = []
    notes = list(page.notes)
    if lasts_a_year(field):
        panel, note = seasonal_panel(field, log=log)
        lower.append(panel)
        notes.append(note)
    else:
        notes.append("less than a year: no usual year")
    try:
        lower += [replace(one, title=f"mean {one.title}".strip()) for one in map_page(field, log=log).rows[0][:1]
                  if isinstance(one, Map)]  # fmt: skip
    except PlotError:  # one cell, or cells without coordinates: a page without a map
        pass
    rows = [*page.rows, tuple(lower)] if lower else list(page.rows)
    return replace(page, rows=tuple(rows), notes=tuple(notes))


def with_caption(page: Page, source: str) -> Page:
    """Return a page whose caption begins with the name of its file."""
    return replace(page, caption=source)
