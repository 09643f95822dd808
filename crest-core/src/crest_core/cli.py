"""The command `crest`: `list`, and commands of plugins, which are imported when they are called."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version as installed
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from crest_core.errors import ComponentError, PluginError
from crest_core.plugins import KINDS, PluginWarning, registry, switched_on
from crest_fields.errors import CrestError, near

_COLUMNS = ("name", "kind", "summary", "distribution", "version")
_ELSEWHERE = {  # where commands come from that people miss
    **dict.fromkeys(("info", "plan", "rerun", "run", "schema", "verify"), "the package crest-run"),
    "new": "the package crest-templates",
    **dict.fromkeys(("add", "remove"), "the package crest-models"),
    **{name: f"the package crest-{name}" for name in ("data", "plot", "store")},
    "check": "crest-core itself: install it anew, or add it to CREST_PLUGINS",
}
_AUTOLOAD_OFF = "CREST_DISABLE_PLUGIN_AUTOLOAD is set: no plugins are read but those that CREST_PLUGINS names"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `crest` with these arguments (default: those of the process) and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        _application(words[0])(words, prog_name="crest")
    except (CrestError, OSError) as error:
        if switched_on("CREST_TRACEBACK"):
            raise
        typer.secho(f"crest: {error}", fg="red", err=True)
        sys.exit(1 if isinstance(error, ComponentError | OSError) else 2)


def _application(first: str) -> typer.Typer:
    """Return the commands of core and plugins; tells of broken plugins, and where the first word is no command."""
    with warnings.catch_warnings(action="ignore", category=PluginWarning):  # told below, or by `crest list`
        found = registry()
    app = typer.Typer(callback=_crest, invoke_without_command=True, pretty_exceptions_enable=False)
    app.command("list")(_list)
    summaries = {entry.name: entry.summary for entry in found.of_kind("cli_commands") if entry.name != "list"}
    passed_on = {"ignore_unknown_options": True, "allow_extra_args": True}
    for name, summary in summaries.items():
        app.command(name, help=summary, add_help_option=False, context_settings=passed_on)(_plugin_command)
    for entry in found.entries if first != "list" else ():
        if entry.error:
            typer.secho(f"crest: warning: {entry.error}", fg="yellow", err=True)
    if first not in ("list", *summaries) and not first.startswith("-"):
        hint = f"; it comes with {_ELSEWHERE[first]}" if first in _ELSEWHERE else near(first, ["list", *summaries])
        off = f"; {_AUTOLOAD_OFF}" if switched_on("CREST_DISABLE_PLUGIN_AUTOLOAD") else ""
        raise CrestError(f"no command {first!r}{hint}{off}")
    return app


def _plugin_command(context: typer.Context) -> None:
    """Import the plugin of the command that is called, and hand all words over."""
    target = registry().load("cli_commands", str(context.info_name))
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        target.command()(function)
    target(context.args, prog_name=context.command_path)


def _crest(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Couple Earth-system components from many packages on one gradient tape.

    \b
    crest list                    what is installed
    crest info soil-bucket        fields and arguments of one component (crest-run)
    CREST_TRACEBACK=1 crest ...   where an error arose
    """
    if version:
        print(f"crest-core {installed('crest-core')}")


def _list(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    load: Annotated[bool, typer.Option("--load", help="Import everything; exit status 1 if anything fails.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Add file and sha256 of the plugin's module.")] = False,
    kind: Annotated[str, typer.Option(metavar="KIND", help=f"Only one kind: {', '.join(KINDS)}.")] = "",
) -> None:
    """List what plugins bring, and which are broken: crest list --kind components."""
    found = registry()
    chosen = found.of_kind(kind) if kind else found.entries
    entries = [entry for entry in found.entries if entry.kind == "plugin" or entry in chosen]
    for place, entry in enumerate(entries if load else ()):
        try:
            found.load(entry.kind, entry.name)
        except PluginError as error:
            entries[place] = replace(entry, error=entry.error or str(error))
    columns = (*_COLUMNS, "source", "sha256") if verbose else _COLUMNS
    rows = [{key: getattr(entry, key) for key in columns} | {"error": entry.error or None} for entry in entries]
    broken = [entry.error for entry in entries if entry.error]
    if switched_on("CREST_DISABLE_PLUGIN_AUTOLOAD"):
        print(_AUTOLOAD_OFF, file=sys.stderr)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        table = Table(*(Column(key, overflow="fold") for key in columns), box=None, pad_edge=False)
        for row in rows:
            if not row["error"]:
                table.add_row(*(row[key] for key in columns))
        width = None if sys.stdout.isatty() and not verbose else 1000 if verbose else 160
        console = Console(width=width, markup=False, highlight=False, emoji=False)
        console.print(table if table.rows else "nothing is installed; pip install a plugin")
        for reason in broken:
            console.print(reason, style="red")
    if load and broken:
        raise typer.Exit(1)
