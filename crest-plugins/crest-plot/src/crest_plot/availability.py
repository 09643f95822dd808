"""Which data there are: the share of valid values of each variable in each month, and samples in each cell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from crest_plot.cells import is_spread
from crest_plot.errors import PlotError
from crest_plot.maps import located
from crest_plot.pictures import Matrix, Page
from crest_plot.selection import Field, field_of, plottable
from crest_plot.series import series_panels
from crest_plot.time_axis import TimeAxis

_GOOD = {"good", "valid"}
_MEANINGS = {0: "good", 1: "missing", 2: "rejected", 3: "filled"}  # of flags that bring no meanings
_COUNTS = ("sample_count", "samples", "count", "n_samples", "coverage")


def availability_page(streams: Mapping[str, xr.Dataset], *, count_filled: bool = False) -> Page:
    """Return the matrix of variables by months of some streams, in the share of valid values.

    A value is valid where it is there and its flag `<name>_quality` says good, or filled if `count_filled`. Missing
    rows count as missing where steps have one length; months outside the record of a stream stay empty.
    """
    rows = [(stream, dataset, name) for stream, dataset in streams.items() for name in plottable(dataset)]
    rows = [row for row in rows if "time" in row[1][row[2]].dims]
    if not rows:
        names = ", ".join(streams) or "nothing"
        raise PlotError(f"{names}: no variable with the dimension time, so no availability over time")
    shares, flagged = [], 0
    for _, dataset, name in rows:
        shares.append(monthly_share(dataset, name, count_filled=count_filled))
        flagged += f"{name}_quality" in dataset
    first = min(month for share in shares for month in share)
    last = max(month for share in shares for month in share)
    months = np.arange(first, last + 2)
    values = np.full((len(rows), len(months) - 1), np.nan)
    for row, share in enumerate(shares):
        for month, value in share.items():
            values[row, month - first] = value
    labels = [f"{stream}: {name}" if len(streams) > 1 else name for stream, _, name in rows]
    axes = [field_of(dataset, name).axis for _, dataset, name in rows]
    label = next(axis.label for axis in axes if axis is not None)
    notes = (
        f"valid: a number, with a flag good{' or filled' if count_filled else ''} where there are flags "
        f"({flagged} of {len(rows)} variables)",
        "grey: outside the record",
    )
    edges = months.astype("datetime64[M]").astype("datetime64[us]")
    matrix = Matrix(tuple(labels), edges, values, "share of valid values in a month", label)
    title = "Data availability" if len(streams) > 1 else f"Data availability of {next(iter(streams))}"
    return Page(title, ((matrix,),), notes=notes)


def monthly_share(dataset: xr.Dataset, name: str, *, count_filled: bool = False) -> dict[int, float]:
    """Return the share of valid values of each month (months since 1970) of the record of a variable."""
    field = field_of(dataset, name)
    axis, places = field.axis, max(1, field.array.size // field.array.sizes["time"])
    assert axis is not None
    counted = _counted_flags(dataset, name, count_filled)
    months = axis.starts.astype("datetime64[M]").astype(int)
    share = {month: 0.0 for month in range(months[0], months[-1] + 1)}
    rows = _expected_rows(axis, months)
    for month in np.unique(months):
        here = np.flatnonzero(months == month)
        part = slice(int(here[0]), int(here[-1]) + 1)
        valid = np.isfinite(np.asarray(field.array.isel(time=part).values, dtype=np.float64))
        if counted:
            flags = dataset[f"{name}_quality"].isel(time=part).transpose(*field.array.dims).values
            valid &= np.isin(flags, counted)
        share[int(month)] = float(valid.sum() / (max(rows.get(int(month), 0), len(here)) * places))
    return share


def coverage_page(dataset: xr.Dataset, name: str | None = None, *, log: bool = False) -> Page:
    """Return how many samples lie in each cell, grey where none, above how many score each time if counted."""
    name = name or _count_of(dataset)
    field = field_of(dataset, name)
    dims = [dim for dim in field.places if not is_spread(field.array, dim)]
    if "time" in field.array.dims or field.layer or not 1 <= len(dims) <= 2 or len(dims) < len(field.places):
        shape = ", ".join(map(str, field.array.dims))
        raise PlotError(f"{name} has the dims {shape}; samples are counted by cell, or by y and x")
    counts = np.asarray(field.array.transpose(*dims).values, dtype=np.float64)
    if (counts < 0).any():
        raise PlotError(f"{name} has {int((counts < 0).sum())} negative values, so it does not count samples")
    if not (counts > 0).any():
        raise PlotError(f"{name} is 0 in all {counts.size} cells: no samples, so no coverage")
    shown = np.where(counts > 0, counts, np.nan)
    field = Field(field.name, field.array, None, None, (), field.units or "1")
    picture = located(field, dims, shown, (float(np.nanmin(shown)), float(np.nanmax(shown))), log)
    none = int((~(counts > 0)).sum())
    notes = (f"{int(np.nansum(counts))} samples in {counts.size - none} of {counts.size} cells",) + (
        ("grey: none",) if none else ()
    )
    times = f"{name}_in_time"
    below = series_panels(field_of(dataset, times))[0] if times in dataset else ()
    return Page("Coverage of samples", ((picture,), *((panel,) for panel in below)), notes=notes)


def counts_samples(dataset: xr.Dataset, name: str) -> bool:
    """Return whether a variable counts the samples of each cell, by its name and its whole numbers."""
    return name in _COUNTS and name in dataset and dataset[name].dtype.kind in "iu" and "time" not in dataset[name].dims


def _count_of(dataset: xr.Dataset) -> str:
    """Return the variable that counts samples, by its name or because it is the only one of integers."""
    named = [name for name in _COUNTS if name in dataset.data_vars]
    whole = [name for name in plottable(dataset) if dataset[name].dtype.kind in "iu"]
    if named or len(whole) == 1:
        return named[0] if named else whole[0]
    known = ", ".join(plottable(dataset)) or "none"
    raise PlotError(f"which variable counts samples? none is called {', '.join(_COUNTS)}; give its name: {known}")


def _counted_flags(dataset: xr.Dataset, name: str, count_filled: bool) -> list[int]:
    """Return the flags of `<name>_quality` that count as valid; none where there are no flags."""
    if f"{name}_quality" not in dataset:
        return []
    quality = dataset[f"{name}_quality"]
    if quality.dims != dataset[name].dims and set(quality.dims) != set(dataset[name].dims):
        raise PlotError(f"{name}_quality has the dims {quality.dims}, and {name} {dataset[name].dims}; they must agree")
    values = np.atleast_1d(quality.attrs.get("flag_values", list(_MEANINGS)))
    meanings = str(quality.attrs.get("flag_meanings", " ".join(_MEANINGS.values()))).split()
    if len(values) != len(meanings):
        raise PlotError(f"{name}_quality has {len(values)} flag_values and {len(meanings)} flag_meanings")
    good = _GOOD | ({"filled"} if count_filled else set())
    return [int(value) for value, meaning in zip(values, meanings, strict=True) if meaning in good]


def _expected_rows(axis: TimeAxis, months: np.ndarray) -> dict[int, int]:
    """Return how many steps each month has between the first and the last time; {} where steps vary in length."""
    steps = np.diff(axis.starts)
    if not len(steps) or not axis.regular or (steps % steps.min() != np.timedelta64(0)).any():
        return {}
    every = np.arange(axis.starts[0], axis.starts[-1] + steps.min(), steps.min())
    found, counts = np.unique(every.astype("datetime64[M]").astype(int), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
