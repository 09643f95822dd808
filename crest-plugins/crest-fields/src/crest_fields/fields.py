"""FieldSpec: what a quantity is, apart from its values."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from crest_fields.errors import FieldError, UnitError
from crest_fields.units import check_units

STATISTICS = ("mean", "sum", "point", "minimum", "maximum")
HORIZONTAL = ("cell", "y", "x")  # dims along which columns lie side by side
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")  # dots: states of a graph's children


class Quantity(NamedTuple):
    """What two fields must share to be the same: name, statistic class and vertical range [m]."""

    standard_name: str
    statistic: str  # "" for mean, sum and point, which only say how to reduce in time
    vertical: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldSpec:
    """The declaration of one field of a component: name, units, dims and time meaning.

    >>> FieldSpec(name="tmin", units="degC", standard_name="air_temperature", cell_methods="time: minimum").statistic
    'minimum'
    """

    name: str  # key inside the component, [a-z][a-z0-9_]*; dots only in the states of a graph
    units: str  # UDUNITS text, for example "kg m-2 s-1"
    standard_name: str = ""  # CF's, or the dictionary's own; "" joins by explicit Connection only
    dims: tuple[str, ...] = ("cell",)  # trailing, the horizontal ones last: ("y", "x"), ("soil_layer", "cell")
    cell_methods: str = "time: mean"  # "time: " and one of mean, sum, point, minimum, maximum
    vertical: tuple[float, float] | None = None  # depth or height range [m] of a single-level field
    window: int = 1  # inputs: how many steps are handed over, oldest first, the present one last
    static: bool = False  # no time axis (elevation, soil texture)
    bounds: tuple[float, float] | None = None  # smallest and largest possible value, in units
    gaps: bool = False  # inputs: nan where nothing is known, and the component answers without
    positive: str = ""  # sign of a flux: "up" or "down"; "" where the standard name says it
    doc: str = ""

    def __post_init__(self) -> None:
        who = f"field {self.name}"
        if not _NAME.fullmatch(self.name):
            raise FieldError(f"field name {self.name!r}: expected [a-z][a-z0-9_]*, such as 'soil_moisture'")
        try:
            check_units(self.units)
        except UnitError as error:
            raise FieldError(f"{who}: {error}") from error
        if not isinstance(self.dims, tuple) or len(set(self.dims)) != len(self.dims):
            raise FieldError(f"{who}: dims are a tuple of distinct names, got {self.dims!r}")
        if self.statistic not in STATISTICS:
            raise FieldError(
                f"{who}: cell_methods {self.cell_methods!r} is not 'time: ' and one of {', '.join(STATISTICS)}"
            )
        if self.positive not in ("", "up", "down"):
            raise FieldError(f"{who}: positive {self.positive!r} is not 'up', 'down' or ''")
        if self.window < 1 or (self.static and self.window > 1):
            raise FieldError(f"{who}: window {self.window} must be 1 or more, and 1 for a static field")
        for text, pair in (("bounds", self.bounds), ("vertical", self.vertical)):
            if pair is not None and not (len(pair) == 2 and pair[0] < pair[1]):
                raise FieldError(f"{who}: {text} {pair!r} is not (low, high)")

    @property
    def statistic(self) -> str:
        """The word after "time:" in cell_methods."""
        head, _, word = self.cell_methods.partition(":")
        return word.strip() if head.strip() == "time" else ""

    @property
    def quantity(self) -> Quantity:
        """The key by which fields meet; minimum and maximum are quantities of their own."""
        statistic = self.statistic if self.statistic in ("minimum", "maximum") else ""
        return Quantity(self.standard_name, statistic, self.vertical)

    def describe(self) -> str:
        """Return "standard_name [units, statistic, depth]" for messages and plans."""
        depth = f", {self.vertical[0]:g}-{self.vertical[1]:g} m" if self.vertical else ""
        statistic = "static" if self.static else self.statistic
        return f"{self.standard_name or self.name} [{self.units}, {statistic}{depth}]"
