"""Weather to try the models on: cold winters and warm summers from the first of October on; no real place."""

from __future__ import annotations

from math import pi

import torch

from crest_core import Component, Sizes, Tensors


def weather(steps: int, cells: int, *, generator: torch.Generator, offset: float = 0.0) -> Tensors:
    """Return float64 forcing (time, cell), with rain or snow on a third of the days; `offset` [K] warms all days.

    >>> sorted(weather(3, 2, generator=torch.Generator().manual_seed(1)))
    ['air_temperature_max', 'air_temperature_min', 'precipitation_flux', 'shortwave_down']
    """
    draw = torch.rand(4, steps, cells, generator=generator, dtype=torch.float64)
    day = torch.arange(steps, dtype=torch.float64).unsqueeze(-1) + 274.0
    season = torch.cos(2.0 * pi / 365.25 * (day - 200.0))
    mean = 3.0 + 11.0 * season + 8.0 * (draw[0] - 0.5) + offset
    half = 2.0 + 6.0 * draw[1]
    return {
        "precipitation_flux": (draw[2] < 0.35) * -9.0 * torch.log1p(-draw[3]),
        "air_temperature_max": mean + half,
        "air_temperature_min": mean - half,
        "shortwave_down": 140.0 + 100.0 * season.expand_as(mean),
    }


def bare_ground(model: Component, cells: int, *lead: int, dtype: torch.dtype = torch.float64) -> Tensors:
    """Return the state before the first snow."""
    return model.initial_state(Sizes({"cell": cells}, lead=lead, dtype=dtype))
