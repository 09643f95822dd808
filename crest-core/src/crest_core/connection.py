"""Connection: one export to one import, with the chain of transforms between them in sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from crest_core import units as udunits
from crest_core.dictionary import Dictionary
from crest_core.errors import CouplingError, UnitError
from crest_core.fields import FieldSpec
from crest_core.units import WATER_DENSITY, Conversion

if TYPE_CHECKING:
    from crest_core.grid import Regridder


class Transform(Protocol):
    """One visible step between an export and an import: linear and differentiable."""

    def __call__(self, values: Tensor) -> Tensor: ...

    def units(self, source: str) -> str:
        """Return the units after this step for the units before it."""

    def describe(self) -> str:
        """Return a few words for the plan."""


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
    sums = {source.statistic, target.statistic} == {"sum", "mean"}
    change = _unit_change(units, target.units, ends, water_density, seconds if sums else None)
    chain = [*given] if change.conversion.is_identity else [*given, change]
    if _flips(source, target, dictionary):
        chain.append(Linear("sign", target.units, Conversion(-1.0, 0.0)))
    return tuple(chain)


def _unit_change(source: str, target: str, ends: str, density: float | None, seconds: float | None) -> Linear:
    """Return the conversion of units; `seconds` is the step where one end is a sum over it."""
    water = udunits.is_water_pair(source, target)
    named = "" if density is None else f", water density {density:g} kg m-3"
    label = f"{source} -> {target}"
    try:
        if seconds is not None and not udunits.is_rate_pair(source, target):
            raise UnitError(f"a sum over the step and a mean differ by a time, but {source!r} and {target!r} do not")
        if seconds is not None:
            change = udunits.rate_conversion(source, target, seconds, density=density)
            return Linear(f"{label} over a step of {seconds:g} s{named}", target, change)
        if water and density is not None:
            return Linear(f"{label}{named}", target, udunits.water_conversion(source, target, density))
        return Linear(label, target, udunits.conversion(source, target))
    except UnitError as error:
        advice = "correct the units of one end, or put a component between them that computes the other"
        if water:
            advice = "neither field is known to be water; add a Connection with water_density=1000.0 [kg m-3]"
        raise CouplingError(f"{ends}: {error}; {advice}") from error


def _flips(source: FieldSpec, target: FieldSpec, dictionary: Dictionary) -> bool:
    """Return whether the sign changes, by name (NEE and its negative) and by the declared directions."""
    entries = [dictionary.get(spec.standard_name) for spec in (source, target)]
    if not all(entry is not None and entry.positive for entry in entries):
        return bool(source.positive and target.positive and source.positive != target.positive)
    signs = [dictionary.resolve(spec.standard_name, spec.positive)[1] for spec in (source, target)]
    return signs[0] != signs[1]
