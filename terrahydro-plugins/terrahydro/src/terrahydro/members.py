"""Members: runs of one twin with several sets of weights, and whether their spread tells their error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crest_core import ForcingError

GROUPS = 8


@dataclass(frozen=True)
class SpreadAndError:
    """Of groups of values in the order of their spread: root-mean-square spread and error; and the shares of ranks."""

    spread: NDArray[np.float64]
    error: NDArray[np.float64]
    ranks: NDArray[np.float64]
    """Share of the observations that lie above so many members, 0 to all."""

    @property
    def ratio(self) -> float:
        """Return spread / error over all groups: 1 for a reliable ensemble, less where it is too sure of itself."""
        return float(np.sqrt(np.mean(self.spread**2) / np.mean(self.error**2)))


def together(runs: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return runs as one dataset with the leading dim `member`, numbered from 1; all have one time and place."""
    if len(runs) < 2:
        raise ForcingError(f"members: {len(runs)} run; a spread needs two or more")
    numbers = xr.DataArray(np.arange(1, len(runs) + 1), dims="member", name="member")
    numbers.attrs = {"standard_name": "realization", "units": "1"}
    return xr.concat(list(runs), numbers, join="exact", combine_attrs="drop_conflicts", data_vars="all")


def spread_and_error(members: xr.DataArray, observed: xr.DataArray, *, groups: int = GROUPS) -> SpreadAndError:
    """Return how the spread of members (member, ...) and the error of their mean go together where it was observed.

    Of N members the spread is the standard deviation (N - 1 in its divisor) times sqrt((N + 1) / N); for a reliable
    ensemble its root mean square equals that of the error of the mean. Fortin et al. (2014),
    doi:10.1175/JHM-D-14-0008.1, eq. 15. Values are grouped in the order of their spread; Leutbecher and Palmer (2008),
    doi:10.1016/j.jcp.2007.02.014.
    """
    both = observed.transpose(*(dim for dim in members.dims if dim != "member")).values.ravel()
    values = members.transpose("member", ...).values.reshape(members.sizes["member"], -1)
    seen = np.isfinite(both) & np.isfinite(values).all(axis=0)
    if seen.sum() < groups:
        raise ForcingError(f"members: {int(seen.sum())} observations for {groups} groups; expected as many or more")
    values, both = values[:, seen].astype(np.float64), both[seen]
    number = len(values)
    variance = values.var(axis=0, ddof=1) * (number + 1) / number
    squared = (values.mean(axis=0) - both) ** 2
    parts = np.array_split(np.argsort(variance, kind="stable"), groups)
    above = (values < both).sum(axis=0)
    return SpreadAndError(
        np.sqrt([variance[part].mean() for part in parts]),
        np.sqrt([squared[part].mean() for part in parts]),
        np.bincount(above, minlength=number + 1) / len(both),
    )
