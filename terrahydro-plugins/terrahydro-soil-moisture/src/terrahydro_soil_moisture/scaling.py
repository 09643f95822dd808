"""InputScaling: weather and attributes as features of order one, by means and spreads kept with the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import torch
from torch import Tensor, nn

from crest_core import FieldError
from terrahydro_soil_moisture.ports import RAIN, USUAL


class InputScaling(nn.Module):
    """log(1 + rain / std) of precipitation, (value - mean) / std of other fields; in the last axis.

    Until `standardise` mean and std are usual ones of weather (5 kg m-2 day-1 for rain), and 0 and 1 of attributes.
    They are buffers, in the units of the fields: a file of weights carries them.

    >>> scaling = InputScaling(("precipitation_flux", "sand"))
    >>> scaling.standardise({"sand": 40.0}, {"sand": 20.0})
    >>> scaling({"precipitation_flux": torch.tensor([0.0]), "sand": torch.tensor([60.0])}).tolist()
    [[0.0, 1.0]]
    """

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__()
        self.fields = tuple(fields)
        self.mean: Tensor
        self.std: Tensor
        usual = [USUAL.get(name, (0.0, 1.0)) for name in self.fields]
        self.register_buffer("mean", torch.tensor([mean for mean, _ in usual]))
        self.register_buffer("std", torch.tensor([std for _, std in usual]))

    def extra_repr(self) -> str:
        """Return the scaling of each field, for print and the graph hash."""
        rows = zip(self.fields, self.mean.tolist(), self.std.tolist(), strict=True)
        return "\n".join(
            f"log1p(rain / {std:g})" if n == RAIN else f"({n} - {mean:g}) / {std:g}" for n, mean, std in rows
        )

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set means and spreads of the fields that are named; of rain the spread alone, so that no rain is 0."""
        bad = sorted(name for name in self.fields if name in std and not 0.0 < std[name] < float("inf"))
        bad += sorted(name for name in self.fields if not isfinite(mean.get(name, 0.0)))
        if bad or set(mean) != set(std):
            raise FieldError(
                f"soil-lstm: scaling needs a mean and a positive std of the same fields; mean of {sorted(mean)}, std "
                f"of {sorted(std)}, not positive or not finite: {bad}"
            )
        with torch.no_grad():
            for index, name in enumerate(self.fields):
                if name in mean:
                    self.mean[index] = 0.0 if name == RAIN else float(mean[name])
                    self.std[index] = float(std[name])

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return (..., field); statics spread over time."""
        columns = torch.broadcast_tensors(*(values[name] for name in self.fields))
        wet = [(torch.log1p(one.clamp(min=0.0) / self.std[i]) if name == RAIN else (one - self.mean[i]) / self.std[i])
               for i, (name, one) in enumerate(zip(self.fields, columns, strict=True))]  # fmt: skip
        return torch.stack(wet, dim=-1)
