"""What `crest info` tells about a registered name: arguments, docstring and fields."""

from __future__ import annotations

import inspect
from typing import Any

from rich.console import Console
from rich.table import Table

from crest_core.fields import FieldSpec
from crest_core.plugins import Entry

ROLES = ("inputs", "outputs", "states", "parameter_specs")


def show(entry: Entry, target: Any, console: Console) -> None:
    """Print what there is to know about an entry and the object behind it."""
    say = console.print
    say(f"{entry.name}  ({entry.kind}, {entry.distribution} {entry.version})")
    say(f"{entry.summary}\n\n{entry.target}{_signature(target)}\n")
    say(inspect.getdoc(target) or "no docstring")
    if entry.kind != "components":
        return
    source, remark = _declaring(target)
    for role in ROLES:
        specs = getattr(source, role, None)
        title = "parameters" if role == "parameter_specs" else role
        if not isinstance(specs, tuple):
            say(f"\n{title}: depend on the arguments")
        elif specs:
            say(_table(title, specs))
    say(f"\ntimestep: {_text(source, 'timestep')}")
    say(f"gradient policy: {_text(source, 'gradient_policy')}")
    if remark:
        say(remark)


def _declaring(target: Any) -> tuple[Any, str]:
    """Return the class if it declares its fields itself, else an instance; and a remark."""
    fields = (getattr(target, role, None) for role in ("inputs", "outputs"))
    if all(isinstance(specs, tuple) and specs for specs in fields):
        if isinstance(target.gradient_policy, str):
            return target, ""
    try:
        return target(), "fields and policy as built with the default arguments"
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        return target, f"cannot be built with the default arguments, so parts are open: {reason}"


def _table(title: str, specs: tuple[FieldSpec, ...]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in ("name", "units", "standard name", "dims", "time", "bounds", "meaning"):
        table.add_column(column, overflow="fold")
    for spec in specs:
        bounds = f"{spec.bounds[0]:g} to {spec.bounds[1]:g}" if spec.bounds else ""
        time = "static" if spec.static else spec.statistic
        time += f", {spec.window} steps" if spec.window > 1 else ""
        depth = f" ({spec.vertical[0]:g}-{spec.vertical[1]:g} m)" if spec.vertical else ""
        name = spec.standard_name + depth
        row = (spec.name, spec.units, name, ", ".join(spec.dims), time, bounds, spec.doc)
        table.add_row(*row)
    return table


def _text(source: Any, attribute: str) -> str:
    value = getattr(source, attribute, None)
    return value if isinstance(value, str) else "depends on the arguments"


def _signature(target: Any) -> str:
    try:
        return str(inspect.signature(target))
    except (TypeError, ValueError):
        return ""
