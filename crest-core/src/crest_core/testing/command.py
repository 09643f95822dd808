"""The command `crest check`: run the conformance suite on a registered component, or on one of your own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any
from zlib import crc32

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from crest_core.errors import PluginError
from crest_core.plugins import registry, told
from crest_core.testing.apart import results_apart
from crest_core.testing.checks import NEEDS
from crest_core.testing.records import Result
from crest_core.testing.report import Report
from crest_core.testing.suite import check_component, selected
from crest_fields.errors import CrestError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def check(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name that `crest list` shows, or package.module:Class.")
    ] = "",
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGUMENT=VALUE]...", help="Arguments of the component, values as in YAML."),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help=f"Only this stage and those it needs: {', '.join(NEEDS)}. Repeatable."),
    ] = None,
    conserves: Annotated[
        list[str] | None, typer.Option(metavar="BALANCE", help="water, carbon, or an equation as below. Repeatable.")
    ] = None,
    size: Annotated[list[str] | None, typer.Option(metavar="DIM=N", help="Size of a dim, as y=32. Repeatable.")] = None,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML that maps checks that may fail to the reason.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Repeats a run; the report shows the one that was used.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show also what passed, and what was not looked at.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show all checks, with reason and fix, and exit.")] = False,
) -> None:
    """Check that a component does what it declares, and nothing else.

    \b
    crest check soil-bucket
    crest check et-penman-monteith altitude=240
    crest check my-snow --conserves "water: snowfall = melt + d(swe)"
    crest check my_package.model:Snow --stage gradients
    crest check --list

    Checks run in stages; a stage that stands on one that failed is skipped. A component is run on plausible weather
    made from its standard names and units, in float64 where it can. Each failure says what was seen, why the rule is
    there, and how to keep it. What the component prints goes to standard error; if it ends the process, that fails.

    Exit status: 0 all kept, 1 something failed (or passed that was expected to fail), 2 the command was wrong.
    """
    if listed:
        _print(_checks(stage or []))
        raise typer.Exit()
    if not name:
        raise CrestError("crest check needs a name; `crest list --kind components` shows those that are installed")
    checks, number = list(selected(stage or [])), crc32(name.encode()) if seed is None else seed

    def run(watch: Callable[[Result], None]) -> None:
        check_component(
            partial(_target(name), **_pairs(arguments or [])),
            expected=_reasons(expect),
            sizes={dim: _whole(dim, value) for dim, value in _pairs(size or []).items()},
            conserves=conserves or (),
            stages=stage or (),
            seed=number,
            name=name,
            watch=watch,
        )

    with ExitStack() as stack:
        report = results_apart(run, checks, name, number, bar=lambda: stack.enter_context(_progress(len(checks))))
    _show(report, as_json, verbose)
    raise typer.Exit(0 if report.ok else 1)


@contextmanager
def _progress(count: int) -> Iterator[Callable[[Result], None]]:
    """Show a bar on a terminal; yields what each result is to be told to."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("build.factory", total=count)
        yield lambda result: bar.update(task, advance=1, description=result.check.id)


def _show(report: Report, as_json: bool, verbose: bool) -> None:
    if as_json:
        print(report.to_json())
        return
    table = report.table(verbose=verbose)
    _print(table if table.rows else report.summary())
    if not report.ok:
        _print("does not conform; `crest check NAME --verbose` shows every check")


def _checks(stages: list[str]) -> Table:
    table = Table("check", "why", Column("fix", overflow="fold"), box=None, pad_edge=False)
    for item in selected(stages):
        table.add_row(item.id, item.reason, item.fix)
    return table


def _target(name: str) -> Any:
    """Return the class or function behind a registered name, or behind "package.module:Object"."""
    if ":" not in name:
        return registry().load("components", name)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return resolve_name(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # importing is running other people's code
        raise PluginError(f"{name} gives {told(error)}; expected package.module:Class, importable from here") from error


def _pairs(words: list[str]) -> dict[str, Any]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.isidentifier():
            raise CrestError(f"{word!r} is no name=value, such as altitude=240")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise CrestError(f"{word!r}: the value is no YAML: {error}") from error
    return found


def _whole(dim: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise CrestError(f"--size {dim}={value}: expected a whole number from 1 on")
    return value


def _reasons(path: Path | None) -> dict[str, str]:
    """Return expected failures by id."""
    if path is None:
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (UnicodeError, yaml.YAMLError) as error:
        raise CrestError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(word, str) for pair in found.items() for word in pair):
        raise CrestError(f"{path}: expected a mapping of checks to reasons, as state.identity: draws a name")
    return found


def _print(what: Any) -> None:
    width = None if sys.stdout.isatty() else 160
    Console(width=width, markup=False, highlight=False, emoji=False).print(what)
