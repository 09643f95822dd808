"""Observation: one stream of observations, and its share in the loss."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from crest_core import Clock, CrestError, FieldSpec, ForcingError, conversion, from_xarray_time

FILL_VALUES = (-999.0, -9999.0, -99999.0)
"""Numbers that files have for "not observed"; 1e19 and more in size is taken for one, too."""


@dataclass(frozen=True)
class Observation:
    """Observed values of one output of a graph: nan where nothing was observed.

    `data` has the dims of the output and time, the units in attrs["units"] (converted to those of the output). With
    `normalise` errors are divided by the standard deviation of the observations of the training period, for each
    layer and cell, so that streams of different size weigh the same. Fill values and infinities are errors.

    >>> Observation("runoff", xr.DataArray([1.0], dims="time"), weight=2.0).output
    'runoff'
    """

    output: str
    data: xr.DataArray
    weight: float = 1.0
    normalise: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.weight < inf:
            raise ForcingError(
                f"observation {self.output}: weight {self.weight}, expected a finite number above 0; leave out a "
                f"stream that does not count"
            )

    def tensor(self, spec: FieldSpec, clock: Clock, dtype: torch.dtype) -> Tensor:
        """Return the observations at the times of a clock, (time, *dims) in the units of `spec`."""
        expected = {"time", *spec.dims}
        if set(map(str, self.data.dims)) != expected:
            raise ForcingError(
                f"observation {self.output}: expected the dims {sorted(expected)}, got "
                f"{self.data.dims}; select or expand dims"
            )
        units = self.data.attrs.get("units")
        if units is None:
            raise ForcingError(
                f"observation {self.output}: attrs['units'] is missing; expected units that convert to {spec.units!r}"
            )
        try:
            change = conversion(str(units), spec.units)
        except CrestError as error:
            raise ForcingError(f"observation {self.output}: {error}") from error
        chosen = self._select(clock).transpose("time", *spec.dims)
        self._refuse_fill_values(chosen, clock)
        return change(torch.tensor(np.asarray(chosen.values, dtype=np.float64))).to(dtype)

    def _select(self, clock: Clock) -> xr.DataArray:
        known: dict[Any, int] = {}
        for i, time in enumerate(from_xarray_time(self.data["time"].values, clock.calendar)):
            if known.setdefault(time, i) != i:
                raise ForcingError(
                    f"observation {self.output}: {time} is there more than once, expected each time once; drop or "
                    f"average what is double"
                )
        missing = [time for time in clock.times if time not in known]
        if missing:
            raise ForcingError(
                f"observation {self.output}: {len(missing)} of {len(clock)} times are missing, the first "
                f"{missing[0]}; give every time of the period, nan where nothing was observed"
            )
        return self.data.isel(time=[known[time] for time in clock.times])

    def _refuse_fill_values(self, chosen: xr.DataArray, clock: Clock) -> None:
        values = np.asarray(chosen.values, dtype=np.float64)
        found = np.argwhere(np.isin(values, FILL_VALUES) | (np.abs(values) >= 1e19))
        if len(found):
            step, *rest = map(int, found[0])
            place = ", ".join(f"{dim} {i}" for dim, i in zip(chosen.dims[1:], rest, strict=True))
            raise ForcingError(
                f"observation {self.output}: {values[tuple(found[0])]:g} at {clock.times[step]}{place and ', '}{place} "
                f"({len(found)} such values) is a fill value or infinite, expected a measurement; put nan where "
                f"nothing was observed"
            )


def stream_scale(values: Tensor, normalise: bool) -> Tensor:
    """Return the standard deviation over time of each series, 1 where it is not normalised."""
    if not normalise:
        return torch.ones_like(values[0])
    valid = ~torch.isnan(values)
    count = valid.sum(0).clamp(min=1)
    zero = torch.zeros((), dtype=values.dtype)
    mean = torch.where(valid, values, zero).sum(0) / count
    spread = (torch.where(valid, values - mean, zero) ** 2).sum(0) / count
    return torch.where(spread > 0, spread.sqrt(), torch.ones_like(spread))


def masked_loss(simulated: Tensor, observed: Tensor, scale: Tensor) -> Tensor:
    """Return the mean squared error over what was observed, each error divided by `scale`.

    `simulated` may have leading dims after time, which `observed` then lacks: (time, *lead, *dims).
    """
    lead = simulated.dim() - observed.dim()
    shape = (observed.shape[0], *[1] * lead, *observed.shape[1:])
    target = observed.reshape(shape)
    valid = ~torch.isnan(target)
    # nan must not enter the arithmetic: 0 * nan in the backward pass is nan
    error = torch.where(valid, simulated - torch.where(valid, target, 0.0), 0.0) / scale
    count = valid.expand_as(error).sum().clamp(min=1)
    return (error**2).sum() / count
