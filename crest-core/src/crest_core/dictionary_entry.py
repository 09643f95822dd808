"""Entry: what one standard name means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from crest_core.errors import DictionaryError, UnitError
from crest_core.units import check_units, conversion

CHOICES = {
    "kind": ("flux", "state", "amount", "fraction", "parameter"),
    "positive": ("up", "down"),
    "conserves": ("water", "energy", "carbon"),
    "grid_method": ("conservative", "bilinear", "nearest"),
}
_METHOD = {"state": "bilinear", "parameter": "nearest"}  # of the rest: conservative


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What one standard name means; "" and None are what the dictionary leaves open.

    >>> Entry(standard_name="runoff_flux", canonical_units="kg m-2 s-1", conserves="water").water
    True
    """

    standard_name: str
    canonical_units: str
    """Units of `bounds`; NUOPC files also hold text that is none, such as "tbd"."""
    description: str = ""
    kind: str = ""
    positive: str = ""
    """Direction that the name counts as positive: "up" or "down"."""
    bounds: tuple[float, float] | None = None
    conserves: str = ""
    water: bool = False
    """True if depth and mass may be converted by the density of liquid water."""
    grid_method: str = ""
    negative_of: str = ""
    """The standard name of which this one is the negative."""
    cf: bool = False
    """True for a name of the CF standard name table."""

    def __post_init__(self) -> None:
        for key, allowed in CHOICES.items():
            value = getattr(self, key)
            if value and value not in allowed:
                raise self._error(key, f"{value!r} is not one of {', '.join(allowed)}")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise self._error("bounds", f"{list(self.bounds)} is not [low, high]")
        if self.negative_of == self.standard_name:
            raise self._error("negative_of", "a field cannot be the negative of itself")
        if not self.has_units and (self.kind or self.bounds or self.conserves or self.water):
            raise self._error(
                "canonical_units", f"{self.canonical_units!r} cannot be read as units"
            )
        if self.conserves == "water":
            object.__setattr__(self, "water", True)
        if self.kind and not self.grid_method:
            object.__setattr__(self, "grid_method", _METHOD.get(self.kind, "conservative"))

    def _error(self, key: str, what: str) -> DictionaryError:
        return DictionaryError(f"entry {self.standard_name}, key {key}: {what}")

    @property
    def has_units(self) -> bool:
        """True if canonical_units can be read as units."""
        try:
            check_units(self.canonical_units)
        except UnitError:
            return False
        return True

    def same_units(self, other: Entry) -> bool:
        """Return whether the units mean the same, or one of them is only text."""
        if not (self.has_units and other.has_units):
            return True
        try:
            return conversion(self.canonical_units, other.canonical_units).is_identity
        except UnitError:
            return False

    def joined(self, other: Entry) -> Entry:
        """Return what two entries of one name say together; DictionaryError if they differ."""
        if not self.same_units(other):
            ours, theirs = self.canonical_units, other.canonical_units
            raise self._error("canonical_units", f"{ours!r} and {theirs!r} contradict each other")
        changes: dict[str, Any] = {
            "canonical_units": (self if self.has_units else other).canonical_units,
            "description": self.description or other.description,
            "water": self.water or other.water,
            "cf": self.cf or other.cf,
        }
        for key in (*CHOICES, "bounds", "negative_of"):
            ours, theirs = getattr(self, key), getattr(other, key)
            if ours and theirs and ours != theirs:
                raise self._error(key, f"{ours!r} and {theirs!r} contradict each other")
            changes[key] = ours or theirs
        return replace(self, **changes)
