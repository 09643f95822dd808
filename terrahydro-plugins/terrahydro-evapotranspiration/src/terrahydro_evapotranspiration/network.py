"""A small network of soil moisture and weather that answers with a share between 0 and 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Mean and spread that bring each driver to order one; round numbers for temperate land, not fitted.
SCALES = {
    "root_zone_soil_moisture": (0.28, 0.06),  # m3 m-3
    "vapour_pressure_deficit": (400.0, 400.0),  # Pa
    "air_temperature": (10.0, 8.0),  # degC
    "shortwave_down": (100.0, 80.0),  # W m-2
}


class ShareNetwork(nn.Module):
    """share = sigmoid(w2 . tanh(W1 x + b1) + b2) of the scaled drivers x, within (0, 1).

    Starts near `start` for all drivers, since the last layer is drawn small. Without a generator,
    weights come from torch's own stream, which the seed of a run file sets.

    >>> net = ShareNetwork(hidden=4, start=0.3, generator=torch.Generator().manual_seed(1))
    >>> drivers = {name: torch.tensor([mean]) for name, (mean, _) in SCALES.items()}
    >>> 0.2 < float(net(drivers).detach()) < 0.4
    True
    """

    def __init__(self, *, hidden: int, start: float, generator: torch.Generator | None) -> None:
        super().__init__()
        self.inner = nn.Linear(len(SCALES), hidden)
        self.outer = nn.Linear(hidden, 1)
        with torch.no_grad():
            self.inner.weight.normal_(0.0, 0.5, generator=generator)
            self.inner.bias.zero_()
            self.outer.weight.normal_(0.0, 0.3 / hidden**0.5, generator=generator)
            self.outer.bias.fill_(float(torch.logit(torch.tensor(start))))

    def extra_repr(self) -> str:
        """Return how drivers are scaled, for print and the graph hash."""
        return "\n".join(f"({name} - {mean:g}) / {spread:g}" for name, (mean, spread) in SCALES.items())

    def forward(self, drivers: dict[str, Tensor]) -> Tensor:
        """Return the share, of the common shape of the drivers."""
        scaled = [(drivers[name] - mean) / spread for name, (mean, spread) in SCALES.items()]
        x = torch.stack(torch.broadcast_tensors(*scaled), dim=-1)
        return torch.sigmoid(self.outer(torch.tanh(self.inner(x)))).squeeze(-1)
