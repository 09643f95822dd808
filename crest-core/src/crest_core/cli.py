"""The command `crest`: every command imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from crest_core.errors import ComponentError, CrestError, PluginError, RunFileError
from crest_core.plugins import KINDS, Entry, PluginWarning, Registry, near, registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

_FAILURES = (ComponentError, OSError)  # exit status 1; what the user can mend: 2
_COLUMNS = ("name", "kind", "summary", "distribution", "version")
_File = Annotated[Path, typer.Argument(metavar="FILE", help="Run file (YAML).")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `crest` with these arguments (default: those of the process) and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != "--traceback"]
    try:
        _application(_registry())(words, prog_name="crest")
    except (CrestError, OSError) as error:
        if len(words) < len(given) or os.environ.get("CREST_TRACEBACK", "0") not in ("", "0"):
            raise
        _complain(f"error: {error}", "red")
        sys.exit(1 if isinstance(error, _FAILURES) else 2)


def _crest(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error arose (or CREST_TRACEBACK=1).")
    ] = False,
) -> None:
    """Couple Earth-system components from many packages on one gradient tape.

    \b
    crest list                    what is installed
    crest info soil-bucket        fields and arguments of one component
    crest plan run.yaml           how the components of a run are joined
    crest run run.yaml            run it

    A run file names components, forcing and period; `crest schema` describes it to editors.
    """
    if version:
        from importlib.metadata import version as installed

        print(f"crest-core {installed('crest-core')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit
    if context.invoked_subcommand != "list":
        for entry in _registry().entries:
            if entry.error:
                _complain(f"warning: {entry.complaint()}", "yellow")


def _list(
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    load: Annotated[bool, typer.Option("--load", help="Import everything; exit status 1 if anything fails.")] = False,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help=f"Only one kind: {', '.join(KINDS)}.")] = None,
) -> None:
    """List what the installed plugins bring, and which plugins are broken, without importing them.

    \b
    crest list --kind components
    crest list --load             import each target, report what fails
    crest list --json             for other programs
    """
    found = _registry()
    chosen = found.of_kind(kind) if kind else [e for e in found.entries if e.kind != "plugin"]
    entries = [_loaded(found, entry) if load else entry for entry in chosen]
    entries += [entry for entry in found.entries if entry.kind == "plugin"]
    if json:
        _print_json(entries)
    else:
        _print_table(entries)
    if load and any(entry.error for entry in entries):
        raise typer.Exit(1)


def _info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `crest list` shows.")],
) -> None:
    """Show fields with units, arguments, gradient policy and documentation of one name.

    \b
    crest info soil-bucket
    """
    found = _registry()
    entries = [e for e in found.entries if e.name == name and e.kind != "plugin"]
    if not entries:
        names = sorted({entry.name for entry in found.entries if entry.kind != "plugin"})
        raise PluginError(f"{name!r} is not installed{near(name, names)}; installed: {', '.join(names) or 'none'}")
    from crest_core.info import show

    for entry in entries:
        show(entry, found.load(entry.kind, name), _console())


def _plan(
    file: _File,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print Mermaid text.")] = False,
    draw: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw into this file (needs matplotlib).")] = None,
) -> None:
    """Show the order of a run's components, their connections and how gradients pass.

    \b
    crest plan run.yaml
    crest plan run.yaml --draw plan.png
    crest plan run.yaml --mermaid
    """
    from crest_core.build import build_graph
    from crest_core.runfile import load_run

    graph = build_graph(load_run(file))
    print(graph.plan().mermaid() if mermaid else f"{graph.plan()}\n\n{graph.gradient_report()}")
    if draw:
        try:
            axes = graph.plan().draw()
        except ImportError as error:
            raise CrestError("--draw needs matplotlib; pip install 'crest-core[plot]'") from error
        cast("Figure", axes.figure).savefig(draw, dpi=150)


def _run(
    file: _File,
    output: Annotated[Path | None, typer.Option(metavar="NC", help="Results; overrules output.path.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Run a run file and write results, restart and record.

    \b
    crest run run.yaml
    crest run run.yaml --output results.nc --quiet
    """
    from crest_core.build import execute
    from crest_core.runfile import load_run

    run = load_run(file)
    path = output or run.output.path
    if path is None:
        raise RunFileError(f"{run.where('output')}: results have no file; add the key path, or --output FILE")
    run = run.model_copy(update={"output": run.output.model_copy(update={"path": path})})
    results = execute(run, progress=False if quiet else None)
    if not quiet:
        print(f"{path}: {', '.join(map(str, results.data_vars))}; {results.sizes['time']} steps")
        for also in filter(None, (run.output.restart, run.output.record)):
            print(also)


def _schema() -> None:
    """Print the JSON Schema of run files, for completion and checks in editors.

    \b
    crest schema > run.schema.json
    then, as the first line of run.yaml:
    # yaml-language-server: $schema=run.schema.json
    """
    import json

    from crest_core.runfile import RunFile

    print(json.dumps(RunFile.model_json_schema(), indent=2))


def _application(found: Registry) -> typer.Typer:
    app = typer.Typer(
        callback=_crest,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    own: dict[str, Callable[..., None]] = {"list": _list, "info": _info, "plan": _plan, "run": _run, "schema": _schema}
    for name, command in own.items():
        app.command(name)(command)
    passed_on = {"ignore_unknown_options": True, "allow_extra_args": True}
    for entry in found.of_kind("cli_commands"):
        if entry.name not in own:
            app.command(
                entry.name,
                help=entry.summary,
                add_help_option=False,
                context_settings=passed_on,
            )(_plugin_command(found, entry))
    return app


def _plugin_command(found: Registry, entry: Entry) -> Callable[[typer.Context], None]:
    """Return a command that imports its plugin when it is called, and hands all words over."""

    def command(context: typer.Context) -> None:
        target = found.load(entry.kind, entry.name)
        if not isinstance(target, typer.Typer):
            function, target = target, typer.Typer(add_completion=False)
            target.command()(function)
        target(context.args, prog_name=f"crest {entry.name}")

    return command


def _registry() -> Registry:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # said by `crest list`, or by _crest
        return registry()


def _loaded(found: Registry, entry: Entry) -> Entry:
    try:
        found.load(entry.kind, entry.name)
    except PluginError as error:
        return replace(entry, error=entry.error or str(error))
    return entry


def _print_json(entries: Sequence[Entry]) -> None:
    import json

    rows = [{key: getattr(entry, key) for key in _COLUMNS} | {"error": entry.error or None} for entry in entries]
    print(json.dumps(rows, indent=2))


def _print_table(entries: Sequence[Entry]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for entry in entries:
        if not entry.error:
            table.add_row(*(getattr(entry, key) for key in _COLUMNS))
    console = _console()
    console.print(table if table.rows else "nothing is installed; pip install a plugin")
    for entry in entries:
        if entry.error:
            console.print(entry.complaint(), style="red")


def _complain(text: str, style: str) -> None:
    _console(stderr=True).print(text, style=style, soft_wrap=True)


def _console(stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, and wide enough for a line where there is none."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)
