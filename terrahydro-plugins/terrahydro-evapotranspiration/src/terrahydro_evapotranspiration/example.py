"""Weather to try the models on: any day of any place, one after the other without a season; no real place."""

from __future__ import annotations

import torch

from crest_core import Tensors


def weather(steps: int, cells: int, *, generator: torch.Generator) -> Tensors:
    """Return float64 drivers (time, cell), with all that a model may ask for.

    >>> sorted(weather(3, 2, generator=torch.Generator().manual_seed(1)))[:3]
    ['air_pressure', 'air_temperature', 'leaf_area_index']
    """

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(steps, cells, generator=generator, dtype=torch.float64)

    toa = between(60.0, 480.0)
    return {
        "air_temperature": between(-15.0, 38.0),
        "vapour_pressure": between(200.0, 2500.0),
        "vapour_pressure_deficit": between(0.0, 3500.0),
        "wind_speed": between(0.0, 9.0),
        "shortwave_toa": toa,
        "shortwave_down": toa * between(0.05, 0.75),
        "root_zone_soil_moisture": between(0.02, 0.6),
        "precipitation_flux": between(-30.0, 20.0).clamp(min=0.0),
        "air_pressure": between(82000.0, 101000.0),
        "leaf_area_index": between(0.0, 6.0),
    }
