"""What `crest info` tells about a registered name: arguments, docstring and fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from rich.table import Column, Table

from crest_core.fields import FieldSpec
from crest_core.plugins import Entry

_TITLES = {"inputs": "inputs", "outputs": "outputs", "states": "states", "parameter_specs": "parameters"}
_TITLES |= {"timestep": "timestep", "gradient_policy": "gradient policy"}
_COLUMNS = ("name", "units", "standard name", "dims", "time", "bounds", "meaning")


def describe(entry: Entry, target: Any) -> Iterator[str | Table]:
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
    for attribute, title in _TITLES.items():
        value = getattr(component, attribute)
        if value and isinstance(value, tuple):
            yield _table(title, value)
        elif value != ():
            yield f"\n{title}: {value if isinstance(value, str) else 'depend on the arguments'}"
    yield f"\n{remark}"


def _table(title: str, specs: tuple[FieldSpec, ...]) -> Table:
    columns = [Column(name, overflow="fold") for name in _COLUMNS]
    table = Table(*columns, title=f"\n{title}", title_justify="left", title_style="bold")
    for spec in specs:
        bounds = f"{spec.bounds[0]:g} to {spec.bounds[1]:g}" if spec.bounds else ""
        time = ("static" if spec.static else spec.statistic) + (f", {spec.window} steps" if spec.window > 1 else "")
        name = spec.standard_name + (f" ({spec.vertical[0]:g}-{spec.vertical[1]:g} m)" if spec.vertical else "")
        table.add_row(spec.name, spec.units, name, ", ".join(spec.dims), time, bounds, spec.doc)
    return table
