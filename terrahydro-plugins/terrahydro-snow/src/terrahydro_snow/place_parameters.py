"""PlaceParameters: physical parameters that are one number for all cells, or learned from what a place is like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import FieldSpec, PhysicalParameters, Tensors
from terrahydro_snow.scaling import FieldScaling

REACH = 4.0  # in the logit of a parameter: sigmoid(4) = 0.98, so that no place reaches a bound


class PlaceParameters(nn.Module):
    """theta = low + (high - low) sigmoid(raw + 4 tanh(W2 tanh(W1 a + b1))), a the scaled attributes of a place.

    Without attributes theta has the one value of `raw`, as PhysicalParameters has it. W2 is drawn small, so that all
    places start near the values given. In the spirit of Feng et al. (2022), doi:10.1029/2022WR032404.

    >>> spec = FieldSpec(name="factor", units="1", dims=(), bounds=(0.0, 4.0), static=True)
    >>> learned = PlaceParameters((spec,), {"factor": 1.0}, ("altitude",), hidden=4)
    >>> bool((learned.values({"altitude": torch.tensor([0.1, 0.9])})["factor"] - 1.0).abs().max() < 0.5)
    True
    """

    def __init__(
        self,
        specs: tuple[FieldSpec, ...],
        values: Mapping[str, float],
        attributes: Sequence[str],
        *,
        hidden: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.specs, self.attributes = specs, tuple(attributes)
        self.physical = PhysicalParameters(specs, values)
        self.scaling, self.inner, self.outer = _network(self.attributes, len(specs), hidden, generator)

    def values(self, statics: Tensors) -> dict[str, Tensor]:
        """Return the parameters in their units: of shape () without attributes, else of the shape of a static."""
        if self.scaling is None or self.inner is None or self.outer is None:
            return self.physical.values()
        hidden = torch.tanh(self.inner(self.scaling(statics)))
        change = REACH * torch.tanh(self.outer(hidden))
        found = {}
        for index, spec in enumerate(self.specs):
            low, high = spec.bounds or (0.0, 1.0)
            raw = self.physical.raw[spec.name] + change[..., index]
            found[spec.name] = low + (high - low) * torch.sigmoid(raw)
        return found

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float], known: Sequence[FieldSpec] = ()) -> None:
        """Set the scaling of the attributes; other fields of `known`, the component's, are left alone."""
        if self.scaling is not None:
            self.scaling.standardise(mean, std, known)


def _network(
    attributes: tuple[str, ...], parameters: int, hidden: int, generator: torch.Generator | None
) -> tuple[Any, nn.Linear | None, nn.Linear | None]:
    if not attributes:
        return None, None, None
    inner, outer = nn.Linear(len(attributes), hidden), nn.Linear(hidden, parameters, bias=False)
    with torch.no_grad():
        inner.weight.normal_(0.0, len(attributes) ** -0.5, generator=generator)
        inner.bias.zero_()
        outer.weight.normal_(0.0, 0.02, generator=generator)
    return FieldScaling(attributes, owner="snow"), inner, outer
