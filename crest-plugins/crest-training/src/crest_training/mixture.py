"""Mixture: the distributions that the head of a model says at each time and place, scored against observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from crest_core import CrestError, ForcingError, conversion
from crest_training.metrics_mixture import crps_mixture, mixture_cdf, pit_reliability
from crest_training.pairs import Floats

PARTS = ("location", "scale", "weight", "asymmetry")
_WATER = 1000.0  # kg m-3, where depths and masses of water are compared


@dataclass(frozen=True)
class Mixture:
    """Parts (time, mixture, *places) in the units of the observations; of asymmetric Laplacians with asymmetry."""

    parts: Mapping[str, Floats]

    def crps(self, observed: Floats) -> Floats:
        """Return the CRPS at each place, over the times that have an observation."""
        return crps_mixture(observed, **self.parts)

    def pit(self, observed: Floats) -> Floats:
        """Return the distribution function at each observation, nan where there is none."""
        return mixture_cdf(observed, **self.parts)

    def reliability(self, observed: Floats) -> Floats:
        """Return how even these are at each place: 1 is reliable, 0 the worst; nan where an observed time lacks one."""
        pit = self.pit(observed)
        unanswered = (np.isnan(pit) & ~np.isnan(observed)).any(axis=0)
        return np.where(unanswered, np.nan, pit_reliability(pit))


def part_names(known: Sequence[str], prefix: str) -> dict[str, str]:
    """Return the outputs that hold the parts of a mixture; ForcingError where the model lacks them."""
    found = {part: f"{prefix}_{part}" for part in PARTS if f"{prefix}_{part}" in known}
    if lacking := [f"{prefix}_{part}" for part in PARTS[:3] if part not in found]:
        raise ForcingError(
            f"evaluation: the model has no output {', '.join(lacking)} of a mixture {prefix!r}; outputs: "
            f"{', '.join(map(str, known))}"
        )
    return found


def mixture_of(simulated: xr.Dataset, prefix: str, places: Sequence[Any], units: str) -> Mixture:
    """Return the mixture of simulated parts, in units; of several members, all their parts with equal shares."""
    names = part_names([str(name) for name in simulated], prefix)
    parts = {}
    for part, name in names.items():
        values = simulated[name]
        inner = [dim for dim in values.dims if dim not in ("time", "member", *places)]
        if len(inner) != 1:
            raise ForcingError(
                f"evaluation: {name} has the dims {values.dims}; expected one more than time and places, of the parts"
            )
        members = [dim for dim in values.dims if dim == "member"]
        array = values.transpose("time", *members, *inner, *places).values.astype(np.float64)
        if members:
            array = array.reshape(array.shape[0], -1, *array.shape[3:])
            array = array / values.sizes["member"] if part == "weight" else array
        parts[part] = _in_units(array, part, str(values.attrs.get("units", "")), units, name)
    return Mixture(parts)


def _in_units(values: Floats, part: str, own: str, units: str, name: str) -> Floats:
    if part not in ("location", "scale"):
        return values
    try:
        change = conversion(own, units, _WATER)
    except CrestError as error:
        raise ForcingError(f"output {name}: {error}") from error
    return values * change.scale + (change.offset if part == "location" else 0.0)
