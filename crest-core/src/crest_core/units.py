"""Units: UDUNITS text in, fixed linear conversions out; nothing is converted silently.

Three conversions, each a `Conversion` (value * scale + offset) made once, when a graph is built:

- `conversion("hPa", "Pa")`: the same quantity in other units (degC and K, % and 1).
- `water_conversion("mm day-1", "kg m-2 s-1")`: depth and mass of water, which differ by a density.
- `rate_conversion("J m-2", "W m-2", seconds)`: an amount summed over a step and its mean rate,
  either way; with `density=` also across depth and mass ("mm" per step to "kg m-2 s-1").

`is_water_pair` and `is_rate_pair` say beforehand whether one of the latter two is what is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from tokenize import TokenError
from typing import Any, TypeVar

from crest_core.errors import UnitError

WATER_DENSITY = 1000.0  # kg m-3, liquid water; the value that mm = kg m-2 stands on

_Value = TypeVar("_Value")
_DENSITY = {"[mass]": 1, "[length]": -3}
_TIME = {"[time]": 1}
_AMBIGUOUS = {"C": "degC", "mb": "hPa"}  # UDUNITS reads coulomb and millibarn
_MEANT = {"kelvin": "K", "none": "1", "-": "1", "unitless": "1", "fraction": "1"}
# What messages suggest; any other UDUNITS text is as good.
_COMMON = tuple(
    "1|%|K|degC|m|mm|mm day-1|mm h-1|m s-1|m3 s-1|m3 m-3|kg m-2|kg m-2 s-1|kg m-3|kg kg-1|g kg-1|"
    "Pa|hPa|kPa|J m-2|MJ m-2|W m-2|W m-1 K-1|J kg-1 K-1|g m-2 day-1|umol m-2 s-1|mol m-2 s-1|"
    "umol mol-1|degree|degrees_north|degrees_east|s|min|h|day|s m-1|m2 m-2".split("|")
)
# What pint and its tokenizer raise on odd text.
_UNREADABLE = (ValueError, TypeError, AttributeError, AssertionError, ArithmeticError, LookupError,
               SyntaxError, RecursionError, TokenError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversion:
    """A fixed linear conversion: value * scale + offset, for floats, arrays and tensors alike.

    >>> conversion("degC", "K")(20.0)
    293.15
    """

    scale: float = 1.0
    offset: float = 0.0

    @property
    def is_identity(self) -> bool:
        """True if values pass unchanged."""
        return self.scale == 1.0 and self.offset == 0.0

    def inverse(self) -> Conversion:
        """Return the conversion back."""
        return Conversion(_snap(1.0 / self.scale), _snap(-self.offset / self.scale))

    def __call__(self, value: _Value) -> _Value:
        """Return value * scale + offset, without the operations that change nothing."""
        result: Any = value
        if self.scale != 1.0:
            result = result * self.scale
        if self.offset != 0.0:
            result = result + self.offset
        return result

    def describe(self) -> str:
        """Return the conversion as a plan shows it: "x 86400", "/ 100", "+ 273.15"."""
        parts = []
        if self.scale != 1.0:
            divisor = 1.0 / self.scale
            whole = abs(self.scale) < 1.0 and divisor == round(divisor)
            parts.append(f"/ {divisor:.10g}" if whole else f"x {self.scale:.10g}")
        if self.offset != 0.0:
            parts.append(f"{'+' if self.offset > 0 else '-'} {abs(self.offset):.10g}")
        return " ".join(parts) or "unchanged"


@cache
def check_units(text: str) -> None:
    """Raise UnitError if `text` is not a unit; "1" is dimensionless."""
    _unit(text)


@cache
def conversion(source: str, target: str) -> Conversion:
    """Return the conversion from `source` to `target` units; UnitError if they differ in kind."""
    ratio = _ratio(source, target)
    if ratio:
        hint = ""
        if is_water_pair(source, target):
            hint = "; depth and mass of water differ by a density: convert with water_conversion"
        elif is_rate_pair(source, target):
            hint = (
                "; an amount and a rate differ by a time: the amount needs "
                "cell_methods 'time: sum' and a known step length"
            )
        raise _impossible(source, target, hint)
    return _linear(_unit(source), _unit(target))


@cache
def water_conversion(source: str, target: str, density: float = WATER_DENSITY) -> Conversion:
    """Return the conversion between a depth and a mass of water, of `density` [kg m-3]."""
    if not is_water_pair(source, target):
        raise _impossible(
            source, target, "; expected a depth and a mass of water, as mm and kg m-2"
        )
    return _scaled(source, target, density=density)


@cache
def rate_conversion(
    source: str, target: str, seconds: float, *, density: float | None = None
) -> Conversion:
    """Return the conversion between a sum over a step of `seconds` and a mean rate, either way.

    The side with one power of time less is the amount. With a density [kg m-3], one side
    may be a depth and the other a mass of water.
    """
    if not seconds > 0:
        raise UnitError(
            f"a step of {seconds!r} s between {source!r} and {target!r}: expected > 0 s"
        )
    water = _mass_power(_ratio(source, target))
    if not is_rate_pair(source, target) or (water and density is None):
        hint = "; expected an amount and a rate, as J m-2 and W m-2"
        if is_rate_pair(source, target):
            hint = "; depth and mass of water differ by a density: give density= in kg m-3"
        raise _impossible(source, target, hint)
    return _scaled(source, target, density=density or WATER_DENSITY, seconds=seconds)


@cache
def is_water_pair(source: str, target: str) -> bool:
    """True if the units differ by just a density: mm and kg m-2, mm day-1 and kg m-2 s-1."""
    return _ratio(source, target) in (_DENSITY, _inverted(_DENSITY))


@cache
def is_rate_pair(source: str, target: str) -> bool:
    """True if the units differ by just a time, or by a time and a density of water."""
    ratio = _ratio(source, target)
    time = {"[time]": ratio.get("[time]", 0)}
    rest = {name: power for name, power in ratio.items() if name != "[time]"}
    return time in (_TIME, _inverted(_TIME)) and rest in ({}, _DENSITY, _inverted(_DENSITY))


@cache
def _unit(text: str) -> Any:
    if not text.strip():
        raise UnitError(f"units {text!r} are empty; write '1' for dimensionless")
    for word in re.findall(r"[A-Za-z_]+", text):
        if word in _AMBIGUOUS:
            raise UnitError(f"units {text!r}: {word!r} is ambiguous; write {_AMBIGUOUS[word]!r}")
    try:
        return _registry().Unit(text)
    except _UNREADABLE as error:
        meant = _MEANT.get(text.strip().casefold())
        near = [meant] if meant else get_close_matches(text, _COMMON, n=3, cutoff=0.5)
        hint = f"; near: {', '.join(repr(name) for name in near)}" if near else ""
        why = str(error) or "it does not parse"
        raise UnitError(
            f"units {text!r} are not understood ({why}); write UDUNITS text with spaces and "
            f"exponents, as 'kg m-2 s-1'{hint}"
        ) from error


@cache
def _registry() -> Any:
    from cf_xarray.units import units  # plain pint fails on "kg m-2 s-1"

    return units


def _ratio(source: str, target: str) -> dict[str, int]:
    """Return the dimensions of source / target, empty if they are of one kind."""
    powers = dict(_unit(source).dimensionality)
    for name, power in _unit(target).dimensionality.items():
        powers[name] = powers.get(name, 0) - power
    return {name: power for name, power in powers.items() if power}


def _inverted(powers: dict[str, int]) -> dict[str, int]:
    return {name: -power for name, power in powers.items()}


def _mass_power(ratio: dict[str, int]) -> int:
    return ratio.get("[mass]", 0)


def _scaled(source: str, target: str, *, density: float, seconds: float = 1.0) -> Conversion:
    """Return the conversion that divides by the density and the seconds that the ratio holds."""
    ratio = _ratio(source, target)
    kilograms, unit = _registry().Unit("kg m-3"), _unit(source)
    unit = unit / kilograms ** _mass_power(ratio)
    unit = unit / _registry().Unit("s") ** ratio.get("[time]", 0)
    factor = density ** -_mass_power(ratio) * seconds ** -ratio.get("[time]", 0)
    return Conversion(_snap(_linear(unit, _unit(target)).scale * factor))


def _linear(source: Any, target: Any) -> Conversion:
    quantity = _registry().Quantity
    zero = float(quantity(0.0, source).to(target).magnitude)
    far = float(quantity(1000.0, source).to(target).magnitude)
    return Conversion(_snap((far - zero) / 1000.0), _snap(zero))


def _snap(scale: float) -> float:
    """Return the simple fraction that a scale means, where rounding has blurred it."""
    if scale == 0.0:
        return 0.0
    for value, inverse in ((scale, False), (1.0 / scale, True)):
        simple = Fraction(value).limit_denominator(1000)
        if simple and abs(simple / Fraction(value) - 1) < 1e-12:
            return float(1 / simple if inverse else simple)
    return scale


def _impossible(source: str, target: str, hint: str) -> UnitError:
    return UnitError(
        f"{source!r} ({_unit(source).dimensionality}) cannot be converted to "
        f"{target!r} ({_unit(target).dimensionality}){hint}"
    )
