"""Elevation bands: the weather of equal shares of a cell that lie above each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from crest_core import ComponentError, FieldSpec


class ElevationBands(nn.Module):
    """Bands of equal area, the lowest first, at heights z [m] over the altitude that the weather stands for.

    A number n gives z = relief x the normal quantiles (k - 1/2) / n, relief being the parameter of that name; given
    heights are taken as they are. T + lapse_rate z / 1000, and P exp(g z / 1000) over its mean, so that the mean of
    the bands is P; g is precipitation_gradient. One band is the cell itself.

    >>> [round(z, 2) for z in ElevationBands(3).heights.tolist()]
    [-0.97, 0.0, 0.97]
    """

    def __init__(self, bands: int | Sequence[float]) -> None:
        super().__init__()
        self.given = not isinstance(bands, int)
        heights = _quantiles(bands) if isinstance(bands, int) else [float(z) for z in bands]
        if not heights or heights != sorted(heights):
            raise ComponentError(
                f"snow: bands {bands!r}; expected a number from 1 on, or heights [m], the lowest first"
            )
        self.number = len(heights)
        self.heights: Tensor
        self.register_buffer("heights", torch.tensor(heights), persistent=False)

    def extra_repr(self) -> str:
        """Return the bands, for print and the graph hash."""
        unit = "m" if self.given else "x relief"
        return f"bands at {[round(z, 6) for z in self.heights.tolist()]} {unit}"

    def parameters_needed(self) -> dict[str, tuple[FieldSpec, float]]:
        """Return the parameters, by name, with a value to start from."""
        specs = {
            "lapse_rate": (_parameter("lapse_rate", "K km-1", (-9.8, -2.0), "change of temperature with height"), -6.5),
            "precipitation_gradient": (
                _parameter("precipitation_gradient", "km-1", (-0.2, 1.2), "relative change with height"),
                0.2,
            ),
            "relief": (_parameter("relief", "m", (5.0, 1200.0), "standard deviation of altitude in the cell"), 300.0),
        }
        if self.number == 1:
            return {}
        return {name: pair for name, pair in specs.items() if name != "relief" or not self.given}

    def height(self, physical: Mapping[str, Tensor]) -> Tensor:
        """Return z [m] (elevation_band, cell), cell being 1 where all cells have the same."""
        heights = self.heights.unsqueeze(-1)
        return heights * physical["relief"] if "relief" in physical else heights

    def spread(self, rain: Tensor, celsius: Tensor, physical: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return precipitation and temperature of the bands (..., elevation_band, cell) from those (..., cell).

        `physical` holds parameters of shape () or (..., 1, cell), as `banded` gives.
        """
        rain, celsius = rain.unsqueeze(-2), celsius.unsqueeze(-2)
        if self.number == 1:
            return rain, celsius
        kilometres = self.height(physical) / 1000.0
        weight = torch.softmax(physical["precipitation_gradient"] * kilometres, dim=-2) * self.number
        return rain * weight, celsius + physical["lapse_rate"] * kilometres


def banded(value: Tensor) -> Tensor:
    """Return (..., cell) as (..., 1, cell), a scalar as it is."""
    return value.unsqueeze(-2) if value.dim() else value


def _quantiles(number: int) -> list[float]:
    if number < 1:
        return []
    shares = (torch.arange(number, dtype=torch.float64) + 0.5) / number
    return torch.special.ndtri(shares).tolist()


def _parameter(name: str, units: str, bounds: tuple[float, float], doc: str) -> FieldSpec:
    return FieldSpec(name=name, units=units, dims=(), static=True, bounds=bounds, doc=doc)
