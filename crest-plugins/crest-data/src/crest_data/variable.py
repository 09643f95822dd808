"""Variable: what a source calls a quantity, and what is handed out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Real

from crest_core import UnitError, conversion, time_statistic
from crest_data.errors import DataError

_NAME = re.compile(r"[a-z][a-z0-9_]*")
STATISTICS = ("mean", "sum", "minimum", "maximum", "point")
# The density at which 1 mm of water is 1 kg m-2.
WATER_DENSITY = 1000.0  # kg m-3
_TEXTS = (
    "name",
    "units",
    "standard_name",
    "to_units",
    "cell_methods",
    "long_name",
    "positive",
    "comment",
    "point_time",
)


@dataclass(frozen=True)
class Variable:
    """One variable as it is handed out, and how the source holds it.

    `bounds` are what is physically possible, in handed-out units; a value outside is an error, or with `reject` it is
    set to nan and its quality is "rejected". `missing` are the source's numbers for "not measured". `point_time` names
    the coordinate that tells when point values hold, where that is not the end of their interval.

    >>> Variable("precipitation", "mm day-1", to_units="kg m-2 s-1", missing=(-9999.0,)).handed_out
    'kg m-2 s-1'
    """

    name: str
    units: str
    standard_name: str = ""
    to_units: str = ""
    cell_methods: str = "time: mean"
    missing: tuple[float, ...] = ()
    bounds: tuple[float, float] | None = None
    long_name: str = ""
    vertical: tuple[float, float] | None = None  # m, top and bottom
    positive: str = ""
    reject: bool = False
    comment: str = ""
    point_time: str = ""

    def __post_init__(self) -> None:
        self._check_types()
        if not _NAME.fullmatch(self.name) or self.name.endswith("_quality"):
            raise DataError(
                f"variable name {self.name!r}: expected lower-case letters, digits and underscores, as "
                f"'air_temperature', and no ending '_quality'"
            )
        if self.statistic not in STATISTICS:
            raise DataError(
                f"{self.name}: cell_methods {self.cell_methods!r}; expected 'time: ' and one of {', '.join(STATISTICS)}"
            )
        if self.bounds and not self.bounds[0] < self.bounds[1]:
            raise DataError(f"{self.name}: bounds {self.bounds}; expected the lower one first")
        if self.reject and not self.bounds:
            raise DataError(f"{self.name}: reject=True needs bounds, outside of which a value is rejected")
        if self.positive not in ("", "up", "down"):
            raise DataError(f"{self.name}: positive {self.positive!r}; expected 'up', 'down' or ''")
        if self.point_time and self.statistic != "point":
            raise DataError(f"{self.name}: point_time is for point values, but cell_methods is {self.cell_methods!r}")
        try:
            for text in {self.units, self.handed_out}:
                conversion(text, text)
        except UnitError as error:
            raise DataError(f"{self.name}: {error}") from error

    def _check_types(self) -> None:
        """Raise where an argument is not of its type, as in what a user has written in YAML."""
        for key in _TEXTS:
            if not isinstance(text := getattr(self, key), str):
                raise DataError(f"variable {self.name!r}: {key} {text!r}; expected text")
        if not isinstance(self.missing, tuple | list) or not all(map(_is_number, self.missing)):
            raise DataError(f"variable {self.name!r}: missing {self.missing!r}; expected a list of numbers, as [-9999]")
        for key, limits in (("bounds", self.bounds), ("vertical", self.vertical)):
            pair = isinstance(limits, tuple | list) and len(limits) == 2 and all(map(_is_number, limits))
            if limits is not None and not pair:
                raise DataError(f"variable {self.name!r}: {key} {limits!r}; expected two numbers, as [0, 500], or none")
        if not isinstance(self.reject, bool):
            raise DataError(f"variable {self.name!r}: reject {self.reject!r}; expected true or false")

    @property
    def statistic(self) -> str:
        """The statistic over time of the source: mean, sum, minimum, maximum or point."""
        return time_statistic(self.cell_methods)

    @property
    def handed_out(self) -> str:
        """The units handed out."""
        return self.to_units or self.units

    @property
    def attributes(self) -> dict[str, str]:
        """CF attributes that say what the variable is, units and cell_methods aside."""
        names = ("standard_name", "long_name", "positive", "comment", "point_time")
        texts = {name: str(getattr(self, name)) for name in names}
        return {key: text for key, text in texts.items() if text}


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
