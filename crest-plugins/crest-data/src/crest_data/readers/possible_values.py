"""Values that cannot be, found where the file, the line and the column are still known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crest_core import Conversion, UnitError, conversion, parse_timestep
from crest_data.errors import DataError
from crest_data.fills import FILLS
from crest_data.readers.text_table import Table
from crest_data.variable import WATER_DENSITY, Variable


def check_possible(table: Table, variables: Mapping[str, Variable], *, step: str) -> None:
    """Raise at the first value of a column that is beyond the bounds of its variable, which are in handed-out units."""
    for column, variable in variables.items():
        if column not in table.frame or variable.bounds is None:
            continue
        values = table.frame[column].to_numpy(dtype=np.float64)
        known = ~np.isnan(values) & ~np.isin(values, variable.missing)
        handed_out = _conversion(variable, step)(np.where(known, values, 0.0))
        low, high = variable.bounds
        if not (bad := known & ~((handed_out >= low) & (handed_out <= high))).any():
            continue
        at = int(np.flatnonzero(bad)[0])
        hint = "; it looks like a fill value" if values[at] in FILLS else ""
        raise DataError(
            f"{table.path}, line {table.lines[at]}, column {column!r}: {values[at]:g} {variable.units} "
            f"({int(bad.sum())} such values), expected {low:g} to {high:g} {variable.handed_out}{hint}"
        )


def _conversion(variable: Variable, step: str) -> Conversion:
    """Return the conversion to handed-out units; depth and mass of water, a sum and a rate, convert as in `conform`."""
    seconds = parse_timestep(step).total_seconds()
    for density, length in ((None, None), (None, seconds), (WATER_DENSITY, None)):
        try:
            return conversion(variable.units, variable.handed_out, density, length)
        except UnitError:
            continue
    return conversion(variable.units, variable.handed_out, WATER_DENSITY, seconds)
