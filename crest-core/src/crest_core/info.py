"""What `crest info` tells about a registered name: arguments, docstring and fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from rich.table import Column, Table

from crest_core.component import FIELD_COLUMNS, FIELD_GROUPS, Component, field_row
from crest_core.errors import PluginError
from crest_core.fields import FieldSpec
from crest_core.plugins import Entry

_TITLES = FIELD_GROUPS | {"timestep": "timestep", "gradient_policy": "gradient policy"}


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
    kind = component if component is target else type(component)
    if isinstance(kind, type) and not issubclass(kind, Component):
        raise PluginError(entry.broken(f"{entry.target} gives a {kind.__name__}, expected a Component").error)
    for attribute, title in _TITLES.items() if isinstance(kind, type) else ():  # else a function that needs arguments
        value = getattr(component, attribute)
        if value and isinstance(value, tuple):
            yield _table(title, value)
        elif value != ():
            yield f"\n{title}: {value if isinstance(value, str) else 'depend on the arguments'}"
    yield f"\n{remark}"


def _table(title: str, specs: tuple[FieldSpec, ...]) -> Table:
    columns = [Column(name, overflow="fold") for name in FIELD_COLUMNS]
    table = Table(*columns, title=f"\n{title}", title_justify="left", title_style="bold")
    for spec in specs:
        table.add_row(*field_row(spec))
    return table
