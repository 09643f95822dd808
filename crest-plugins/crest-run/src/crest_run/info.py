"""The command `crest info`: arguments, docstring, fields and parameters of a registered name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from crest_core import Component, FieldSpec, PhysicalParameters, PluginError, registry
from crest_core.plugins import Entry, near

_FIELDS = ("name", "units", "standard name", "dims", "time", "bounds", "meaning")
_PARAMETERS = ("name", "units", "dims", "default", "bounds", "meaning")
_TITLES = {
    "inputs": "inputs",
    "outputs": "outputs",
    "states": "states",
    "parameter_specs": "parameters",
    "timestep": "timestep",
    "gradient_policy": "gradient policy",
}


def info(name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `crest list` shows.")]) -> None:
    """Show the fields, parameters and arguments of a name.

    \b
    crest info soil-bucket

    The standard names that the dictionary knows are a page of the documentation: reference, standard names.
    """
    entries = [entry for entry in registry().entries if entry.kind != "plugin"]
    if name not in (names := sorted({entry.name for entry in entries})):
        raise PluginError(f"{name!r} is not installed{near(name, names)}; installed: {', '.join(names) or 'none'}")
    width = None if sys.stdout.isatty() else 160
    console = Console(width=width, markup=False, highlight=False, emoji=False)
    for entry in entries:
        if entry.name == name:
            console.print(*_describe(entry, registry().load(entry.kind, name)), sep="\n")


def _describe(entry: Entry, target: Any) -> Iterator[str | Table]:
    """Yield texts and tables about an entry and the object behind it."""
    signature = ""
    with suppress(TypeError, ValueError):  # a value, or a function written in C
        signature = str(inspect.signature(target))
    yield f"{entry.name}  ({entry.kind}, {entry.distribution} {entry.version})\n{entry.summary}\n"
    yield f"{entry.target}{signature}\n\n{inspect.getdoc(target) or 'no docstring'}"
    if entry.kind != "components":
        return
    try:
        component, remark = target(), "as built with the default arguments"
    except (Exception, SystemExit) as error:
        component, remark = target, f"cannot be built with the default arguments: {error!r}"
    kind = component if component is target else type(component)
    if isinstance(kind, type) and not issubclass(kind, Component):
        raise PluginError(entry.broken(f"{entry.target} gives a {kind.__name__}, expected a Component").error)
    if isinstance(kind, type):  # else a function that needs arguments
        yield from _declarations(component)
    yield f"\n{remark}"


def _declarations(component: Component | type[Component]) -> Iterator[str | Table]:
    """Yield what a component, or a class that cannot be built, declares; properties of a class are left open."""
    defaults = _defaults(component) if isinstance(component, Component) else {}
    for attribute, title in _TITLES.items():
        value = getattr(component, attribute)
        if value and isinstance(value, tuple):
            if title == "parameters":
                yield _table(title, _PARAMETERS, [_parameter_row(spec, defaults) for spec in value])
            else:
                yield _table(title, _FIELDS, [_field_row(spec) for spec in value])
        elif value != ():
            yield f"\n{title}: {value if isinstance(value, str) else 'depend on the arguments'}"


def _defaults(component: Component) -> dict[str, str]:
    """Return the values of the parameters in their units, in words; of many (a map) the smallest and the largest."""
    texts = {}
    for holder in component.modules():
        if isinstance(holder, PhysicalParameters):
            for name, value in holder.values().items():
                numbers = value.flatten().tolist()
                few = ", ".join(f"{number:.6g}" for number in numbers)
                texts[name] = few if len(numbers) <= 6 else f"{min(numbers):.6g} to {max(numbers):.6g}"
    return texts


def _parameter_row(spec: FieldSpec, defaults: dict[str, str]) -> tuple[str, ...]:
    meaning = spec.doc or spec.standard_name.replace("_", " ")
    return spec.name, spec.units, ", ".join(spec.dims), defaults.get(spec.name, ""), _bounds(spec), meaning


def _field_row(spec: FieldSpec) -> tuple[str, ...]:
    time = ("static" if spec.static else spec.statistic) + (f", {spec.window} steps" if spec.window > 1 else "")
    name = spec.standard_name + (f" ({spec.vertical[0]:g}-{spec.vertical[1]:g} m)" if spec.vertical else "")
    return spec.name, spec.units, name, ", ".join(spec.dims), time, _bounds(spec), spec.doc


def _bounds(spec: FieldSpec) -> str:
    return f"{spec.bounds[0]:g} to {spec.bounds[1]:g}" if spec.bounds else ""


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    heads = [Column(name, overflow="fold") for name in columns]
    table = Table(*heads, title=f"\n{title}", title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*row)
    return table
