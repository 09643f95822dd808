"""The command `crest plot`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

from crest_core.plugins import near
from crest_plot.availability import availability_page, coverage_page
from crest_plot.errors import PlotError
from crest_plot.opening import open_run
from crest_plot.pictures import Page
from crest_plot.plotting import KINDS, drawn, field_page, library_of, save_picture, with_caption
from crest_plot.selection import field_of, plottable

_KINDS = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())


def plot(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="NetCDF file, Zarr folder or store of a run (or its s3:// or gs:// URL)."),
    ],
    field: Annotated[
        str, typer.Argument(metavar="[FIELD]", help="What to draw; without it, the fields are told.")
    ] = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help=f"{_KINDS}.")] = "auto",
    cell: Annotated[
        list[str] | None,
        typer.Option(metavar="CELL", help="Id, number, or latitude,longitude near it; may be repeated."),
    ] = None,
    time: Annotated[str | None, typer.Option(metavar="DATE", help="Map of the interval with this time.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First time.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="End of the period, excluded.")] = None,
    layer: Annotated[int | None, typer.Option(metavar="N", help="One layer, counted from 0.")] = None,
    units: Annotated[str | None, typer.Option(metavar="UNITS", help='Show in these units: "mm day-1".')] = None,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic values.")] = False,
    rain: Annotated[str | None, typer.Option(metavar="FILE:VAR", help="Precipitation of a hydrograph.")] = None,
    observed: Annotated[str | None, typer.Option(metavar="FILE:VAR", help="Observations over the series.")] = None,
    stream: Annotated[str | None, typer.Option(metavar="NAME", help="History stream of the store of a run.")] = None,
    branch: Annotated[str | None, typer.Option(metavar="NAME", help="Branch of the store of a run.")] = None,
    more: Annotated[
        list[Path] | None, typer.Option("--with", metavar="FILE", help="Availability: more data; may be repeated.")
    ] = None,
    filled: Annotated[bool, typer.Option("--filled", help="Availability: count filled values as valid.")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help=".png or .html; may be repeated. Default: both, named after RUN and FIELD."),
    ] = None,
) -> None:
    """Draw a field of a run: map, time series, hydrograph or usual year, as PNG and as HTML to zoom and hover.

    Without --kind the data choose: runoff and discharge give a hydrograph, grids and fields without time a map, all
    others a series. HTML files need no network.

    \b
    crest plot results.nc                                 which fields there are
    crest plot results.nc soil_moisture
    crest plot results.nc discharge --cell 01013500 --from 2001-10-01 --to 2002-10-01 --log
    crest plot results.nc surface_runoff --rain forcing.nc:prcp --observed gauges.nc:qobs
    crest plot results.nc snow_water_equivalent --time 2002-03-01 --output snow.png
    crest plot results.nc soil_moisture --kind quicklook
    crest plot forcing.nc --kind availability --with gauges.nc
    crest plot samples.nc --kind coverage
    """
    if kind not in KINDS:
        raise PlotError(f"--kind {kind}: unknown{near(kind, KINDS)}; kinds: {', '.join(KINDS)}")
    for path in output or ():
        library_of(path)
    if (more or filled) and kind != "availability":
        raise PlotError("--with and --filled belong to a picture of availability; use them with --kind availability")
    with open_run(run, stream=stream, branch=branch) as dataset:
        if kind == "availability":
            others = {path.stem: open_run(path) for path in more or ()}
            page = availability_page({run.stem: dataset, **others}, count_filled=filled)
        elif kind == "coverage":
            page = coverage_page(dataset, field or None, log=log)
        elif not field:
            print(_fields(dataset, run))
            return
        else:
            page = field_page(dataset, field, kind=kind, cell=cell or (), time=time, start=start, end=end, layer=layer,
                              units=units, log=log, rain=_source(rain, "--rain"),
                              observed=_source(observed, "--observed"))  # fmt: skip
        _write(with_caption(page, run.name), output or _names(run, field, kind))


def _write(page: Page, paths: list[Path]) -> None:
    for note in page.told:
        print(f"note: {note}")
    for path in paths:
        save_picture(drawn(page, library_of(path)), path)
        print(path)


def _names(run: Path, field: str, kind: str) -> list[Path]:
    """Return NAME.png and NAME.html in this folder, after run, field and kind."""
    parts = [run.resolve().name.removesuffix(run.suffix), field, "" if kind == "auto" else kind]
    name = re.sub(r"[^\w.-]+", "_", "-".join(part for part in parts if part))
    return [Path(f"{name}.png"), Path(f"{name}.html")]


def _source(text: str | None, option: str) -> tuple[xr.Dataset, str] | None:
    """Return the Dataset and the name of the variable of FILE:VAR."""
    if text is None:
        return None
    file, colon, name = text.rpartition(":")
    if not (colon and file and name):
        raise PlotError(f"{option} {text}: expected FILE:VAR, a file and its variable, such as gauges.nc:qobs")
    return open_run(file), name


def _fields(dataset: xr.Dataset, run: Path) -> str:
    """Return the fields of a run, and how to draw one."""
    names = plottable(dataset)
    if not names:
        raise PlotError(
            f"{run} has no field of numbers; it holds {', '.join(map(str, dataset.data_vars)) or 'nothing'}"
        )
    rows = [field_of(dataset, name) for name in names if dataset[name].size]
    width = max(map(len, names))
    lines = [f"fields of {run}:"]
    for row in rows:
        shape = ", ".join(f"{dim} {size}" for dim, size in row.array.sizes.items())
        lines.append(f"  {row.name:{width}}  [{row.units or '-'}]  {shape}")
    return "\n".join([*lines, f"next: crest plot {run} {names[0]}"])
