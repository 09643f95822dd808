"""What a picture shows, free of any drawing library: pages of panels, maps and matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Okabe and Ito (2008): eight colours that colour-blind readers tell apart; black is kept for observations.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6000", "#999999")
OBSERVED, RAIN, GAP, NO_DATA = "#000000", "#56b4e9", "#ececec", "#e6e6e6"


@dataclass(frozen=True)
class Line:
    """A series: x is where it is drawn, `when` the dates that a reader is told (the same array for a season)."""

    label: str
    x: np.ndarray  # (n,) datetime64[us], or days of the year
    y: np.ndarray  # (n,) float64, nan where missing
    when: np.ndarray
    colour: str = COLOURS[0]
    points: bool = False  # draw points and no line


@dataclass(frozen=True)
class Band:
    """The area between two series."""

    label: str
    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str = COLOURS[0]
    opacity: float = 0.25


@dataclass(frozen=True)
class Bars:
    """Sums or means of intervals, as bars from zero."""

    label: str
    left: np.ndarray  # datetime64[us]
    right: np.ndarray
    y: np.ndarray
    colour: str = RAIN


@dataclass(frozen=True)
class Panel:
    """Axes with lines, bands and bars over time or over the year."""

    y_label: str
    x_label: str
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    bars: tuple[Bars, ...] = ()
    gaps: tuple[tuple[np.datetime64, np.datetime64], ...] = ()  # periods without any value
    title: str = ""
    log: bool = False
    inverted: bool = False  # zero at the top, for rain
    seasonal: bool = False  # x is the day of the year
    height: float = 3.6  # inches

    @property
    def layered(self) -> tuple[Line, ...]:
        """The lines from back to front: observations lie behind what is compared with them."""
        return tuple(sorted(self.lines, key=lambda line: line.colour != OBSERVED))


@dataclass(frozen=True)
class Map:
    """Values on a rectilinear grid (edges, values (y, x)) or at points (x, y, values (n,))."""

    colour_label: str
    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    grid: bool
    x_label: str = ""
    y_label: str = ""
    title: str = ""
    geographic: bool = True  # x and y are longitude and latitude
    log: bool = False
    limits: tuple[float, float] = (0.0, 1.0)
    labels: tuple[str, ...] = ()  # of the points
    height: float = 5.0


@dataclass(frozen=True)
class Matrix:
    """Shares (row, month) from 0 to 1; nan outside the record of a row."""

    rows: tuple[str, ...]
    edges: np.ndarray  # (months + 1,) datetime64[us]
    values: np.ndarray
    colour_label: str
    x_label: str

    @property
    def height(self) -> float:
        """Inches: a legible row for each name."""
        return 1.2 + 0.32 * len(self.rows)


@dataclass(frozen=True)
class Page:
    """A titled picture: rows of panels, and a caption that says what was done to the data."""

    title: str
    rows: tuple[tuple[Panel | Map | Matrix, ...], ...]
    caption: str = ""
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()  # those of the notes that the command prints, too


def isolated(values: np.ndarray) -> np.ndarray:
    """Return where a value stands between missing ones: a line would not show it.

    >>> isolated(np.array([1.0, np.nan, 2.0, 3.0])).tolist()
    [True, False, False, False]
    """
    valid = np.isfinite(values)
    padded = np.concatenate([[False], valid, [False]])
    return valid & ~padded[:-2] & ~padded[2:]


def graticule(low: float, high: float) -> np.ndarray:
    """Return 3 to 8 round degrees within [low, high].

    >>> graticule(-10.2, 31.0).tolist()
    [-10.0, 0.0, 10.0, 20.0, 30.0]
    """
    steps = [s * 10.0**power for power in range(-6, 2) for s in (1.0, 2.0, 5.0)] + [30.0, 45.0, 90.0]
    span = max(high - low, 1e-5)
    step = next((step for step in steps if span / step <= 6.0), 90.0)
    first = np.ceil(low / step - 1e-9)
    return np.round(np.arange(first, np.floor(high / step + 1e-9) + 1) * step, 8)


def degrees(value: float, *, longitude: bool) -> str:
    """Return a degree with its side.

    >>> degrees(-10.5, longitude=True), degrees(0.0, longitude=False)
    ('10.5°W', '0°')
    """
    east, west = ("E", "W") if longitude else ("N", "S")
    side = east if value > 0 else west if value < 0 else ""
    return f"{abs(value):g}°{side}"
