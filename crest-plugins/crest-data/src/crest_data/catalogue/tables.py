"""What the commands print: entries, one entry, and the variables of a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from crest_data.catalogue.files import is_checked, missing_package
from crest_data.catalogue.load import Entry

COLUMNS = ("name", "summary", "period", "region", "licence", "status")


def row_of(entry: Entry) -> dict[str, str]:
    """Return one row of `crest data list`."""
    section = entry.section
    install = missing_package(entry)
    return {
        "name": entry.full_name,
        "summary": section.summary,
        "reader": section.reader,
        "period": " to ".join(section.period or []),
        "region": section.region.name if section.region else "",
        "licence": section.licence,
        "status": f"install: {install}" if install else "ready",
    }


def facts_of(entry: Entry) -> dict[str, Any]:
    """Return all that the catalogue tells about an entry."""
    told = entry.section.model_dump(mode="json", exclude_defaults=True)
    return {"name": entry.full_name, "catalogue": entry.catalogue.origin, **told, "status": row_of(entry)["status"]}


def description(entry: Entry) -> str:
    """Return what `crest data info` prints."""
    section = entry.section
    facts = {
        "reader": section.reader,
        "status": row_of(entry)["status"],
        "period": " to ".join(section.period or []),
        "region": section.region.name if section.region else "",
        "licence": section.licence,
        "citation": section.citation.strip(),
        "remarks": (section.remarks or "").strip(),
        "catalogue": entry.catalogue.origin,
    }
    lines = [entry.full_name, section.summary, "", *(f"{key:<10} {text}" for key, text in facts.items() if text)]
    lines += _titled("files", (f"{key}: {_file(file)}" for key, file in section.files.items()))
    lines += _titled("parameters", (_parameter(name, one) for name, one in section.parameters.items()))
    lines += _titled("variables", (f"{name} [{units}]" for name, units in section.variables.items()))
    return "\n".join([*lines, "", f"crest data open {entry.name}"])


def summary_rows(dataset: xr.Dataset) -> list[dict[str, str]]:
    """Return units, time covered, missing share, min, mean and max of each variable; reads one at a time."""
    rows = []
    for name in map(str, dataset.data_vars):
        variable = dataset[name]
        if variable.dtype.kind not in "fiu" or name.endswith("_quality"):
            continue
        values = np.asarray(variable.values, dtype=np.float64)
        held = values[np.isfinite(values)]
        numbers = (held.min(), held.mean(), held.max()) if held.size else ()
        rows.append(
            {
                "variable": name,
                "units": str(variable.attrs.get("units", "")),
                "dims": ", ".join(map(str, variable.dims)),
                "period": _period(variable),
                "missing %": f"{100.0 * (1.0 - held.size / values.size):.1f}" if values.size else "",
                **dict(zip(("min", "mean", "max"), (f"{number:.5g}" for number in numbers), strict=False)),
            }
        )
    return rows


def _period(variable: xr.DataArray) -> str:
    """Return the first and the last time with a value."""
    if "time" not in variable.dims:
        return ""
    some = variable.notnull().any([dim for dim in variable.dims if dim != "time"]).values
    times = variable["time"].values[some]
    return f"{str(times[0])[:10]} to {str(times[-1])[:10]}" if times.size else "no value"


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    body = [f"  {line}" for line in lines]
    return ["", title, *body] if body else []


def _file(file: Any) -> str:
    return f"{file.url or file.path} ({'checked by sha256' if is_checked(file) else 'no sum'})"


def _parameter(name: str, one: Any) -> str:
    choices = f", one of {', '.join(map(str, one.choices))}" if one.choices else ""
    return f"{name}={one.default}: {one.summary} ({one.type}{', many' if one.many else ''}{choices})"
