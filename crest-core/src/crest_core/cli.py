"""The command `crest`: `list`, `info`, and commands of plugins, which are imported when they are called."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version as installed
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from crest_core.errors import ComponentError, CrestError, PluginError, near
from crest_core.plugins import KINDS, PluginWarning, registry

_COLUMNS = ("name", "kind", "summary", "distribution", "version")
_ELSEWHERE = {"plan": "crest-run", "run": "crest-run", "schema": "crest-run"}  # packages of commands that people miss


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `crest` with these arguments (default: those of the process) and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        _application(words[0])(words, prog_name="crest")
    except (CrestError, OSError) as error:
        if os.environ.get("CREST_TRACEBACK", "0") not in ("", "0"):
            raise
        _console(stderr=True).print(f"crest: {error}", style="red", soft_wrap=True)
        sys.exit(1 if isinstance(error, ComponentError | OSError) else 2)


def _application(first: str) -> typer.Typer:
    """Return the commands of core and plugins; tells of broken plugins, and where the first word is no command."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # told below, or by `crest list`
        found = registry()
    app = typer.Typer(callback=_crest, invoke_without_command=True, pretty_exceptions_enable=False)
    app.command("list")(_list)
    app.command("info")(_info)
    names = ["list", "info"]
    passed_on = {"ignore_unknown_options": True, "allow_extra_args": True}
    for entry in found.of_kind("cli_commands"):
        if entry.name not in names:
            command = app.command(entry.name, help=entry.summary, add_help_option=False, context_settings=passed_on)
            command(_plugin_command(entry.name))
            names.append(entry.name)
    for entry in found.entries if first != "list" else ():
        if entry.error:
            _console(stderr=True).print(f"crest: warning: {entry.error}", style="yellow", soft_wrap=True)
    if first not in names and not first.startswith("-"):
        package = _ELSEWHERE.get(first)
        hint = f"; it comes with the package {package}: pip install {package}" if package else near(first, names)
        raise CrestError(f"no command {first!r}{hint}")
    return app


def _plugin_command(name: str) -> Callable[[typer.Context], None]:
    """Return a command that imports its plugin when it is called, and hands all words over."""

    def command(context: typer.Context) -> None:
        target = registry().load("cli_commands", name)
        if not isinstance(target, typer.Typer):
            function, target = target, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            target.command()(function)
        target(context.args, prog_name=f"crest {name}")

    return command


def _crest(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Couple Earth-system components from many packages on one gradient tape.

    \b
    crest list                    what is installed
    crest info soil-bucket        fields and arguments of one component
    CREST_TRACEBACK=1 crest ...   where an error arose
    """
    if version:
        print(f"crest-core {installed('crest-core')}")


def _list(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    load: Annotated[bool, typer.Option("--load", help="Import everything; exit status 1 if anything fails.")] = False,
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
    rows = [{key: getattr(entry, key) for key in _COLUMNS} | {"error": entry.error or None} for entry in entries]
    broken = [entry.error for entry in entries if entry.error]
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        table = Table(*(Column(key, overflow="fold") for key in _COLUMNS), box=None, pad_edge=False)
        for row in rows:
            if not row["error"]:
                table.add_row(*(row[key] for key in _COLUMNS))
        _console().print(table if table.rows else "nothing is installed; pip install a plugin")
        for reason in broken:
            _console().print(reason, style="red")
    if load and broken:
        raise typer.Exit(1)


def _info(name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `crest list` shows.")]) -> None:
    """Show the fields and arguments of a name: crest info soil-bucket."""
    from crest_core.info import describe

    entries = [entry for entry in registry().entries if entry.kind != "plugin"]
    if name not in (names := sorted({entry.name for entry in entries})):
        raise PluginError(f"{name!r} is not installed{near(name, names)}; installed: {', '.join(names) or 'none'}")
    for entry in entries:
        if entry.name == name:
            _console().print(*describe(entry, registry().load(entry.kind, name)), sep="\n")


def _console(stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, and wide enough for a line where there is none."""
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else 160
    return Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)
