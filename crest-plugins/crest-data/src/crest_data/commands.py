"""The commands `crest data list`, `info`, `check`, `open` and `add`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from crest_data.catalogue.check import check_entry
from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.load import Catalogue, Entry, load_catalogue
from crest_data.catalogue.opening import open_dataset
from crest_data.catalogue.shelf import find_entry, read_shelf
from crest_data.catalogue.tables import COLUMNS, description, facts_of, row_of, summary_rows
from crest_data.catalogue.write import add_catalogue

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Data sets: what is there, what it is, whether it is whole, and what is in it.",
    epilog="crest data list; crest data info fulda; crest data open fulda --output fulda.nc",
)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="An entry, as `crest data list` shows it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_From = Annotated[
    str | None, typer.Option("--catalogue", metavar="FILE", help="Look in this file or https URL instead.")
]
_Hosts = Annotated[list[str] | None, typer.Option("--host", help="Host that a catalogue read by URL may name.")]
_VARIABLES = ("variable", "units", "dims", "period", "missing %", "min", "mean", "max")
_WHOLE = ("name", "variable", "licence")


@app.command("list")
def list_entries(catalogue: _From = None, as_json: _Json = False) -> None:
    """List data sets, and what to install for those that are not here.

    \b
    crest data list
    crest data list --catalogue my-data.yaml
    """
    shelves = [load_catalogue(catalogue)] if catalogue else _shelves()
    rows = {shelf.name: [row_of(entry) for entry in shelf] for shelf in shelves}
    if as_json:
        print(json.dumps([row for part in rows.values() for row in part], indent=2))
        return
    for shelf in shelves:
        print(f"{shelf.name}: {shelf.section.summary}\n")
        _show([row | {"name": row["name"].partition("/")[2]} for row in rows[shelf.name]], COLUMNS)
        print()


@app.command()
def info(name: _Name, catalogue: _From = None, as_json: _Json = False) -> None:
    """Show what a catalogue tells about a data set: licence, citation, parameters, variables.

    \b
    crest data info fulda
    """
    entry = find_entry(name, catalogue)
    print(json.dumps(facts_of(entry), indent=2) if as_json else description(entry))


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(metavar="[FILE|NAME]", help="By default, all entries.")] = None,
    hosts: _Hosts = None,
    as_json: _Json = False,
) -> None:
    """Check sums, open each data set and hold it against the convention; exit status 1 if any fails.

    \b
    crest data check fulda            one entry
    crest data check my-data.yaml     a catalogue that you write: prints the sums that it lacks
    """
    found = [check_entry(entry) for entry in _entries(name, hosts or [])]
    left_out = name is None and bool(read_shelf()[1])
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        for one in found:
            print("\n  ".join([f"{one.status:<7} {one.name}", *filter(None, one.message.split("\n")), *one.notes]))
    if left_out or any(one.status == "failed" for one in found):
        raise typer.Exit(1)


@app.command("open")
def open_one(
    name: _Name,
    parameters: Annotated[
        list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="A parameter; may be repeated.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="NC", help="Write the data to this NetCDF file.")] = None,
    catalogue: _From = None,
    as_json: _Json = False,
) -> None:
    """Open a data set and show each variable: units, period, missing share, min, mean and max.

    \b
    crest data open schwingbach --param frequency=6h
    crest data open fulda --output fulda.nc
    """
    dataset = open_dataset(find_entry(name, catalogue), dict(_pair(text) for text in parameters or []))
    rows = summary_rows(dataset)
    if not as_json:
        print(f"{dataset}\n")
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _show(rows, _VARIABLES)
    if output:
        if output.exists():
            raise CatalogueError(f"{output} exists; give another path")
        dataset.to_netcdf(output, engine="h5netcdf")
        if not as_json:
            print(f"\nwritten to {output}")


@app.command()
def add(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A catalogue: a path, or an https URL.")],
    hosts: _Hosts = None,
    force: Annotated[bool, typer.Option("--force", help="Replace one that was added before.")] = False,
) -> None:
    """Check a catalogue and add it to yours; data stay where they are, nothing in it is executed.

    \b
    crest data add my-data.yaml && crest data list
    crest data add https://data.example.org/catalogue.yaml --host cdn.example.org
    """
    added = add_catalogue(file, hosts=hosts or [], force=force)
    names = ", ".join(added.section.entries)
    print(f"added {added.name!r} as {added.origin}\nentries: {names}")
    if added.hosts:
        print(f"reads from: {', '.join(sorted(added.hosts))}")


def _entries(name: str | None, hosts: Sequence[str]) -> list[Entry]:
    """Return the entries of a file or URL, the one of that name, or all."""
    if name is None:
        return [entry for shelf in _shelves() for entry in shelf]
    if name.endswith((".yaml", ".yml")) or "://" in name:
        return list(load_catalogue(name, hosts=hosts))
    return [find_entry(name)]


def _shelves() -> list[Catalogue]:
    """Return the catalogues of this machine; tells which are left out."""
    found, faults = read_shelf()
    for fault in faults:
        typer.secho(f"crest: warning: {fault}", fg="yellow", err=True)
    return found


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CatalogueError(f"--param {text}: expected KEY=VALUE, as --param frequency=6h")
    return key, value


def _show(rows: list[dict[str, str]], columns: Sequence[str]) -> None:
    table = Table(*(Column(key, overflow="fold", no_wrap=key in _WHOLE) for key in columns), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(row.get(key, "") for key in columns))
    console = Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False, emoji=False)
    console.print(table)
