"""The command `crest`: every command imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crest_core.errors import ComponentError, CrestError, PluginError, RunFileError, StoreError
from crest_core.plugins import KINDS, Entry, PluginWarning, Registry, near, registry

if TYPE_CHECKING:
    from rich.console import Console

_FAILURES = (ComponentError, StoreError)  # exit status 1; all other errors can be mended by the user: 2
_RunPath = Annotated[Path, typer.Argument(metavar="FILE", help="Run file (YAML).")]
_Kind = Annotated[str | None, typer.Option(metavar="KIND", help=f"One of {', '.join(KINDS)}.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `crest` with these arguments (default: those of the process) and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != "--traceback"]
    try:
        _application(_registry())(words, prog_name="crest")
    except CrestError as error:
        if len(words) < len(given) or os.environ.get("CREST_TRACEBACK", "0") not in ("", "0"):
            raise
        _console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(1 if isinstance(error, _FAILURES) else 2)


def _application(found: Registry) -> typer.Typer:
    app = typer.Typer(
        callback=_crest,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    own = {"list": list_, "info": info, "plan": plan, "run": run, "schema": schema}
    for name, command in own.items():
        app.command(name)(command)
    for entry in found.of_kind("cli_commands"):
        if entry.name not in own:
            _add_plugin_command(app, found, entry)
    return app
