"""The command `crest evaluate`: trained models, a run or a component against observations, beside baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import xarray as xr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crest_core import Component, CrestError, ForcingError, from_xarray_time, parse_timestep, registry
from crest_training.comparison import Comparison, compare
from crest_training.evaluation import METRICS, score
from crest_training.evaluation_data import load_evaluation_data
from crest_training.observation import Observation
from crest_training.report import uncertainty_lines, write_report
from crest_training.summary import Anchor, Row, summarise
from crest_training.train_file import load_train_file
from crest_training.trained_models import scored_output, trained_models
from crest_training.workflow import data_of

_MODEL_FILE = "model.yaml"  # of a model folder


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RUN|MODEL",
            help="Training file whose models are there, results (NetCDF, Zarr), a model folder or a component.",
        ),
    ],
    observed: Annotated[
        str, typer.Option(metavar="FILE:VAR", help="Observations: a file and its variable; VAR alone of --data.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML with forcing and observations of MODEL, as in run files.")
    ] = None,
    output: Annotated[
        str, typer.Option(metavar="NAME", help="Output to compare. Default: VAR, or what FILE scores.")
    ] = "",
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="First time. Default: that of RUN.")] = "",
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="End of the period, excluded.")] = "",
    seed: Annotated[list[int] | None, typer.Option(metavar="N", help="Of FILE: this one; may be repeated.")] = None,
    forcing: Annotated[Path | None, typer.Option(metavar="FILE", help="Forcing of MODEL.")] = None,
    spin_up: Annotated[str, typer.Option(metavar="STEP", help="Time that MODEL runs before: 365D.")] = "0D",
    training: Annotated[
        str, typer.Option(metavar="DATE/DATE", help="Period of training: the climatology knows it and nothing else.")
    ] = "",
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"May be repeated. Default: {', '.join(METRICS)}.")
    ] = None,
    units: Annotated[
        str, typer.Option(metavar="UNITS", help='Compare in these: "mm day-1". Default: the model\'s.')
    ] = "",
    anchor: Annotated[
        list[str] | None, typer.Option(metavar="METRIC=VALUE=NAME", help="A published median; may be repeated.")
    ] = None,
    place: Annotated[list[str] | None, typer.Option(metavar="ID", help="A hydrograph more; may be repeated.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write table, pictures and page here.")] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the report.")] = "",
) -> None:
    """Score simulated values against observed ones at each place, beside climatology and persistence.

    Of a training file all seeds are scored together, as the mean of an ensemble; the period lies outside of training.

    \b
    crest evaluate train.yaml --from 1988-01-01 --to 1989-01-01 --report report
    crest evaluate results.nc --observed gauges.nc:runoff_flux --report report
    crest evaluate trained/seed-1/streamflow --data basins.yaml --output runoff_flux --from 1989-10-01 --to 1999-10-01
    crest evaluate my-model --forcing weather.nc --observed gauges.nc:q --output runoff_flux --from 1989-10-01
      --to 1999-10-01 --spin-up 365D --training 1999-10-01/2008-10-01 --anchor "nse=0.73=LSTM, Kratzert et al. (2019)"
    """
    anchors = [_anchor(text) for text in anchor or ()]
    if Path(what).suffix in (".yaml", ".yml"):
        if observed or forcing or data or training or spin_up != "0D":
            raise CrestError(
                f"{what} has its own data and periods; leave out --observed, --forcing, --data, --training, --spin-up"
            )
        compared = _of_training(what, output, start, end, seed or (), units)
    elif data is not None:
        if forcing:
            raise CrestError(f"{what}: --data {data} names the forcing, too; leave out --forcing")
        compared = _of_data(what, data, observed, output, start, end, spin_up, training, units)
    else:
        compared = _of_run(what, observed, output, start, end, forcing, spin_up, training, units)
    scores = score(compared, [name.replace("_", "-") for name in metric] if metric else METRICS)
    Console().print(_table(summarise(scores), anchors))
    for line in uncertainty_lines(compared):
        print(line)
    if report is not None:
        page = write_report(report, compared, scores, title=title, anchors=anchors, places=place or (), note=what)
        print(f"wrote {page}")


def _of_training(what: str, output: str, start: str, end: str, seeds: Sequence[int], units: str) -> Comparison:
    """Return the comparison of what a training file has left."""
    file = load_train_file(what)
    if not start or not end:
        raise CrestError(f"{what}: a model needs a period outside of training: give --from DATE and --to DATE")
    models = trained_models(file, seeds)
    spec, variable = scored_output(file, models[0], output)
    inputs, known = data_of(file, models[0], spec, variable)
    if file.validation is not None and start < file.validation.end and file.validation.start < end:
        typer.secho(
            "crest: warning: the period overlaps validation, by which the models were chosen", fg="yellow", err=True
        )
    return compare(
        models if len(models) > 1 else models[0], inputs, Observation(spec.name, known), start=start, end=end,
        spin_up=file.samples.spin_up * parse_timestep(models[0].timestep), training=file.training.dates, units=units,
        mixture=file.distribution_of(spec.name, variable),
    )  # fmt: skip


def _of_data(
    what: str,
    data: Path,
    variable: str,
    output: str,
    start: str,
    end: str,
    spin_up: str,
    training: str,
    units: str,
) -> Comparison:
    """Return the comparison of a component on the data of a file."""
    model = _component(what).eval()
    begin, finish = _period(model, start, end)
    _warn_of_training(what, begin, finish)
    specs = {spec.name: spec for spec in model.outputs}
    spec = specs.get(output or variable) or (next(iter(specs.values())) if len(specs) == 1 else None)
    if spec is None or (output and output not in specs):
        raise CrestError(f"{what}: no output {output or variable!r}; give --output, one of {', '.join(specs)}")
    inputs, known = load_evaluation_data(data).fields_of(model, spec, variable)
    return compare(
        model, inputs, Observation(spec.name, known), start=begin, end=finish, spin_up=spin_up, units=units,
        training=_training(training),
    )  # fmt: skip


def _of_run(
    what: str,
    observed: str,
    output: str,
    start: str,
    end: str,
    forcing: Path | None,
    spin_up: str,
    training: str,
    units: str,
) -> Comparison:
    """Return the comparison of results, or of a component."""
    file, _, variable = observed.rpartition(":")
    if not file:
        raise CrestError(f"--observed {observed!r}: expected FILE:VARIABLE")
    known = _opened(Path(file), "--observed")
    if variable not in known:
        raise CrestError(f"--observed {observed}: no variable {variable!r}; it holds {', '.join(map(str, known))}")
    model, weather = _model(what, forcing)
    begin, finish = _period(model, start, end)
    if isinstance(model, Component):
        _warn_of_training(what, begin, finish)
    return compare(
        model, weather, Observation(output or variable, known[variable]), start=begin, end=finish, spin_up=spin_up,
        units=units, training=_training(training),
    )  # fmt: skip


def _model(what: str, forcing: Path | None) -> tuple[Component | xr.Dataset, xr.Dataset | None]:
    """Return a run without forcing, or a component with its forcing."""
    path = Path(what)
    if path.exists() and not (path / _MODEL_FILE).exists():
        return _opened(path, "RUN"), None
    if forcing is None:
        told = "a model folder needs" if path.exists() else "is no file, and as a component it needs"
        raise CrestError(f"{what!r} {told} --forcing FILE, or --data FILE")
    return _component(what).eval(), _opened(forcing, "--forcing")


def _component(what: str) -> Component:
    """Return a model folder or a registered component, built without arguments."""
    if (Path(what) / _MODEL_FILE).exists():
        saved: Component = registry().load("parts", "model-folder-reader")(what)
        return saved
    try:
        model: Component = registry().load("components", what)()
    except TypeError as error:
        raise CrestError(
            f"component {what!r} needs arguments ({error}); run it by a run file, and evaluate that"
        ) from error
    return model


def _warn_of_training(what: str, start: str, end: str) -> None:
    """Say it where a model folder is scored in the period that its card says it was trained on."""
    kind = registry().load("parts", "saved-model")
    is_folder = (Path(what) / _MODEL_FILE).exists()
    found = kind(what) if is_folder else registry().load("components", what)
    period = found.trained_on() if isinstance(found, kind) else None
    if period and start < period[1] and period[0] < end:
        typer.secho(
            f"crest: warning: {what} was trained on {period[0]} to {period[1]}, and the period overlaps that: this is "
            f"no test of its skill",
            fg="yellow",
            err=True,
        )


def _training(period: str) -> tuple[str, str] | None:
    """Return the two dates of --training."""
    start, slash, end = period.partition("/")
    if period and (not slash or "/" in end):
        raise CrestError(f"--training {period!r}: expected two dates with a slash: 1999-10-01/2008-10-01")
    return (start, end) if period else None


def _opened(path: Path, who: str) -> xr.Dataset:
    if not path.exists():
        raise CrestError(f"{who} {path}: there is no such file")
    try:
        return xr.open_zarr(path) if path.is_dir() else xr.open_dataset(path)
    except (ValueError, KeyError, OSError) as error:
        raise CrestError(f"{who} {path}: expected NetCDF or Zarr that xarray opens; {error}") from error


def _period(model: Component | xr.Dataset, start: str, end: str) -> tuple[str, str]:
    """Return the period; by default that of a run, to the end of its last step."""
    if start and end:
        return start, end
    if isinstance(model, Component):
        raise CrestError("a model needs a period: give --from DATE and --to DATE")
    calendar = str(model["time"].dt.calendar).replace("proleptic_gregorian", "standard")
    dates = from_xarray_time(model["time"].values, calendar)
    if len(dates) < 2:
        raise ForcingError("evaluation: the run has fewer than 2 times; give --from and --to")
    return start or dates[0].isoformat(), end or (dates[-1] + (dates[-1] - dates[-2])).isoformat()


def _anchor(text: str) -> Anchor:
    parts = text.split("=", 2)
    try:
        return Anchor(parts[2], parts[0].replace("-", "_"), float(parts[1]))
    except (IndexError, ValueError) as error:
        raise CrestError(f"--anchor {text!r}: expected METRIC=VALUE=NAME, as nse=0.73=LSTM") from error


def _table(rows: tuple[Row, ...], anchors: list[Anchor]) -> Table:
    table = Table("metric", "source", "median", "mean", "quartiles", "below 0", "places")
    for row in rows:
        name = row.metric if row.units == "1" else f"{row.metric} [{row.units}]"
        below = "" if row.below_zero is None else f"{100 * row.below_zero:.0f} %"
        numbers = f"{row.median:.3f}", f"{row.mean:.3f}", f"{row.low:.3f} {row.high:.3f}"
        table.add_row(escape(name), escape(row.source), *numbers, below, str(row.places))
    for anchor in anchors:
        table.add_row(escape(anchor.metric), escape(f"{anchor.name} (published)"), f"{anchor.median:.3f}")
    return table
