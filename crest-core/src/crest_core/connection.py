"""Connection: one export to one import, with the chain of transforms between them in sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from crest_core.errors import CouplingError
from crest_fields import units as udunits
from crest_fields.dictionary import Dictionary
from crest_fields.errors import UnitError
from crest_fields.fields import FieldSpec
from crest_fields.grid import Grid
from crest_fields.units import WATER_DENSITY, Conversion


class Transform(Protocol):
    """One visible step between an export and an import: linear and differentiable."""

    def __call__(self, values: Tensor) -> Tensor: ...

    def units(self, source: str) -> str:
        """Return the units after this step for the units before it."""

    def describe(self) -> str:
        """Return a few words for the plan."""


class Regridder(Protocol):
    """A linear, differentiable map of fields from one grid to another."""

    source: Grid
    target: Grid

    def __call__(self, values: Tensor) -> Tensor:
        """Return (..., *target dims) of values (..., *source dims)."""

    def describe(self) -> str:
        """Return a few words for the plan: "conservative, era5 to basins"."""


@dataclass(frozen=True)
class Linear:
    """values * scale + offset: unit conversion, density, sign and amount <-> rate."""

    label: str
    target_units: str
    conversion: Conversion

    def __call__(self, values: Tensor) -> Tensor:
        return self.conversion(values)

    def units(self, source: str) -> str:
        return self.target_units

    def describe(self) -> str:
        return f"{self.label} ({self.conversion.describe()})"


@dataclass(frozen=True)
class Connection:
    """Join `source` ("component.field", "forcing" or "forcing.name") to `target` ("component.field").

    `lagged` hands over the value of the previous step; `initial` is the source's value before the first step, in
    the units of the source, and is never assumed. An import with a window also fills it with `initial`.

    >>> Connection("soil.soil_moisture", "et.soil_moisture", lagged=True, initial=0.3).source_component
    'soil'
    """

    source: str
    target: str
    lagged: bool = False
    initial: float | Tensor | None = None
    transforms: tuple[Transform, ...] = ()
    regrid: Regridder | None = None
    water_density: float | None = None
    """Density [kg m-3] that turns water depth into mass or back; 1000 for fields known to be water."""

    def __post_init__(self) -> None:
        if self.target.count(".") != 1 or (self.source.count(".") != 1 and self.source != "forcing"):
            raise CouplingError(f"{self!r}: expected 'component.field' at both ends, or 'forcing' as the source")
        if self.water_density is not None and not 0.0 < self.water_density < float("inf"):
            raise CouplingError(f"{self!r}: expected a water_density > 0 in kg m-3, got {self.water_density}")
        if self.lagged and self.initial is None:
            raise CouplingError(f"{self!r} needs initial=, the source's value before the first step")

    @property
    def source_component(self) -> str:
        """The part before the dot; "forcing" for external data."""
        return self.source.partition(".")[0]

    def __repr__(self) -> str:
        lag = f", lagged=True, initial={self.initial}" if self.lagged else ""
        return f'Connection("{self.source}", "{self.target}"{lag})'


def compile_transforms(
    source: FieldSpec,
    target: FieldSpec,
    *,
    ends: str,
    seconds: float,
    dictionary: Dictionary,
    given: tuple[Transform, ...] = (),
    water_density: float | None = None,
) -> tuple[Transform, ...]:
    """Return the chain that turns `source` values into the units, sign and time meaning of `target`.

    `ends` names both ends for messages; `seconds` is the timestep. CouplingError if there is no fixed linear way.
    """
    units = source.units
    for transform in given:
        units = transform.units(units)
    entries = [dictionary.get(spec.standard_name) for spec in (source, target)]
    if water_density is None and any(entry is not None and entry.water for entry in entries):
        water_density = WATER_DENSITY
    step = seconds if {source.statistic, target.statistic} == {"sum", "mean"} else None
    try:
        change = _unit_change(units, target.units, water_density, step)
    except UnitError as error:
        advice = "correct the units of one end, or put a component between them that computes the other"
        if udunits.is_water_pair(units, target.units):
            advice = "neither field is known to be water; add a Connection with water_density=1000.0 [kg m-3]"
        raise CouplingError(f"{ends}: {error}; {advice}") from error
    if all(entry is not None and entry.positive for entry in entries):  # such as NEE and its negative
        flips = len({dictionary.resolve(spec.standard_name, spec.positive)[1] for spec in (source, target)}) == 2
    else:
        flips = {source.positive, target.positive} == {"up", "down"}
    sign = [Linear("sign", target.units, Conversion(-1.0, 0.0))] * flips
    return (*given, *[change] * (not change.conversion.is_identity), *sign)


def _unit_change(source: str, target: str, density: float | None, step: float | None) -> Linear:
    """Return the conversion of units; `step` [s] where one end is a sum over it and the other a mean."""
    label, named = f"{source} -> {target}", "" if density is None else f", water density {density:g} kg m-3"
    if step is not None:
        if not udunits.is_rate_pair(source, target):
            raise UnitError(f"a sum over the step and a mean differ by a time, but {source!r} and {target!r} do not")
        change = udunits.rate_conversion(source, target, step, density=density)
        return Linear(f"{label} over a step of {step:g} s{named}", target, change)
    if density is not None and udunits.is_water_pair(source, target):
        return Linear(f"{label}{named}", target, udunits.water_conversion(source, target, density))
    return Linear(label, target, udunits.conversion(source, target))
