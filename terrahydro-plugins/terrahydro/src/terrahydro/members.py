"""Members: runs of one twin with several sets of weights, and whether their spread tells their error."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crest_core import ForcingError, conversion

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
    for name in sorted({str(name) for run in runs for name in run.data_vars}):
        units = {str(run[name].attrs.get("units", "")) if name in run else "none of it" for run in runs}
        if len(units) > 1:
            raise ForcingError(f"members: {name} in {sorted(units)}; expected runs of one twin, all with one unit")
    if not all(_alike(run, runs[0], dim) for run in runs for dim in ("time", "cell") if dim in runs[0].dims):
        raise ForcingError("members: runs of different times or cells; expected the same in all")
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
    _check(members, observed, groups)
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


def _check(members: xr.DataArray, observed: xr.DataArray, groups: int) -> None:
    """Raise ForcingError where members and observations do not belong together, value by value."""
    number, here = members.sizes.get("member", 0), {dim: n for dim, n in members.sizes.items() if dim != "member"}
    if number < 2 or groups < 1:
        raise ForcingError(f"members: {number} of them along the dim 'member', {groups} groups; a spread needs two "
                           "members or more and a group")  # fmt: skip
    if set(here) != set(observed.dims):
        raise ForcingError(f"members: observations have the dims {list(observed.dims)}; expected {list(here)}")
    for dim in here:
        if not _alike(members, observed, dim):
            raise ForcingError(f"members: observations are at other values of {dim} than the members; expected the "
                               f"same, as observed.sel({dim}=members.{dim})")  # fmt: skip
    units = [str(one.attrs["units"]) for one in (members, observed) if "units" in one.attrs]
    if len(set(units)) > 1:
        if not conversion(units[1], units[0]).is_identity:
            raise ForcingError(f"members: in {units[0]!r}, observations in {units[1]!r}; convert one to the other")


def _alike(one: xr.Dataset | xr.DataArray, other: xr.Dataset | xr.DataArray, dim: Hashable) -> bool:
    """Return True where both have the same values along a dim, or as many where one of them tells none."""
    first, second = one[dim].values, other[dim].values
    if one.sizes[dim] != other.sizes.get(dim) or dim not in one.coords or dim not in other.coords:
        return one.sizes[dim] == other.sizes.get(dim)
    return bool(np.allclose(first, second)) if first.dtype.kind == "f" else bool(np.array_equal(first, second))
