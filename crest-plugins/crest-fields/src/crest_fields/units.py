"""Units: UDUNITS text in, fixed linear conversions out, compiled when a graph is built; none is silent."""

import re
from dataclasses import dataclass
from functools import cache
from tokenize import TokenError
from typing import Any

from cf_xarray.units import units as registry  # plain pint fails on "kg m-2 s-1"

from crest_fields.errors import UnitError, near

WATER_DENSITY = 1000.0  # kg m-3, liquid water; the value that mm = kg m-2 stands on

# Words that pint refuses, or reads as coulomb and millibarn, and what they mean.
_MEANT = {"C": "degC", "mb": "hPa", "Kelvin": "K", "none": "1", "unitless": "1", "fraction": "1"}
# What messages suggest; any other UDUNITS text is as good.
_COMMON = (
    "1|%|K|degC|m|mm|mm day-1|mm h-1|m s-1|m3 s-1|m3 m-3|kg m-2|kg m-2 s-1|kg m-3|kg kg-1|Pa|hPa|kPa|J m-2|MJ m-2|"
    "W m-2|W m-1 K-1|g m-2 day-1|umol m-2 s-1|degree|degrees_north|degrees_east|s|min|h|day|m2 m-2"
).split("|")
# A text from a file must not keep the parser busy with 9**9**9: powers are small numbers, of symbols or of one bracket.
_POWER = re.compile(r"(\*\*|\^)\(?[+-]?\d{1,2}([./]\d{1,3})?\)?(?!\*\*|[\d.^])")
_LONGEST = 200  # characters
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

    def __call__(self, value: Any) -> Any:
        value = value if self.scale == 1.0 else value * self.scale
        return value if self.offset == 0.0 else value + self.offset

    def describe(self) -> str:
        """Return the conversion as a plan shows it: "x 86400", "/ 100", "+ 273.15"."""
        inverse = f"{1.0 / self.scale:.10g}"
        scale = f"/ {inverse}" if abs(self.scale) < 1.0 and inverse.isdigit() else f"x {self.scale:.10g}"
        offset = f"{'+' if self.offset > 0.0 else '-'} {abs(self.offset):.10g}"
        parts = [scale] * (self.scale != 1.0) + [offset] * (self.offset != 0.0)
        return " ".join(parts) or "unchanged"


@cache
def check_units(text: str) -> Any:
    """Return pint's unit of a UDUNITS text ("1" is dimensionless); UnitError if it is none."""
    for word in re.findall(r"[A-Za-z_]+", text):
        if word in _MEANT:
            raise UnitError(f"units {text!r}: {word!r} is ambiguous or no unit; write {_MEANT[word]!r}")
    try:
        if text.strip() and _is_harmless("".join(text.split())):
            return registry.Unit(text)
        why = "its powers are too large" if text.strip() else "the text is empty"
    except _UNREADABLE as error:
        why = str(error) or "it does not parse"
    raise UnitError(
        f"units {text[:_LONGEST]!r} are not understood ({why}); write UDUNITS text with spaces and exponents, as "
        f"'kg m-2 s-1', or '1' for dimensionless{near(text, _COMMON)}"
    )


@cache
def conversion(source: str, target: str, density: float | None = None, seconds: float | None = None) -> Conversion:
    """Return the conversion from `source` to `target` units; UnitError if they differ in kind.

    With a density [kg m-3], one side may be a depth and the other a mass of water; with the seconds of a step, one
    side may be a sum over the step and the other a mean rate.
    """
    powers, hint = _powers(source, target), ""
    if powers and powers[0] and density is None:
        hint = "; depth and mass of water differ by a density: give it, in kg m-3"
    elif powers and powers[1] and seconds is None:
        hint = "; an amount and a rate differ by a time: the amount needs cell_methods 'time: sum'"
    if powers is None or hint:
        ends = [f"{text!r} ({check_units(text).dimensionality})" for text in (source, target)]
        raise UnitError(f"{ends[0]} cannot be converted to {ends[1]}{hint}")
    mass, time = powers
    unit = check_units(source) / registry.Unit("kg m-3") ** mass / registry.Unit("s") ** time
    zero, far = (float(registry.Quantity(value, unit).to(target).magnitude) for value in (0.0, 1000.0))
    scale = (far - zero) / 1000.0
    if zero:
        return Conversion(round(scale, 14), zero)  # the difference has blurred the last digit
    return Conversion(scale * (density or 1.0) ** -mass * (seconds or 1.0) ** -time)


def water_conversion(source: str, target: str, density: float = WATER_DENSITY) -> Conversion:
    """Return the conversion between a depth and a mass of water, of `density` [kg m-3]."""
    return conversion(source, target, density)


def rate_conversion(source: str, target: str, seconds: float, *, density: float | None = None) -> Conversion:
    """Return the conversion between a sum over a step of `seconds` and a mean rate, either way."""
    return conversion(source, target, density, seconds)


def is_convertible(source: str, target: str) -> bool:
    """Return whether the units are of one kind."""
    return _powers(source, target) == (0, 0)


def is_water_pair(source: str, target: str) -> bool:
    """Return whether the units differ by just a density: mm and kg m-2, mm day-1 and kg m-2 s-1."""
    return _powers(source, target) in ((1, 0), (-1, 0))


def is_rate_pair(source: str, target: str) -> bool:
    """Return whether the units differ by just a time, or by a time and a density of water."""
    return (_powers(source, target) or (0, 0))[1] != 0


@cache
def _powers(source: str, target: str) -> tuple[int, int] | None:
    """Return the powers (-1, 0, 1) of a density and a time in source / target; None if that is not all."""
    ratio = check_units(source).dimensionality / check_units(target).dimensionality
    density, time = ratio.get("[mass]", 0), ratio.get("[time]", 0)
    rest = ratio / registry.Unit(f"(kg m-3)**{density} s**{time}").dimensionality
    return None if rest or abs(density) > 1 or abs(time) > 1 else (density, time)


def _is_harmless(text: str) -> bool:
    """Return whether parsing a text without blanks costs little."""
    powers = len(re.findall(r"\*\*|\^", text))
    of_numbers = re.search(r"(?<![A-Za-z\d.])[\d.]+(\*\*|\^)", text)
    brackets = len(re.findall(r"\)(\*\*|\^)", text))
    return len(text) <= _LONGEST and len(_POWER.findall(text)) == powers and not of_numbers and brackets <= 1
