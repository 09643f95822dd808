"""FieldScaling: means and spreads of fields, kept with the weights of the network that they bring to order one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite

import torch
from torch import Tensor, nn

from crest_core import FieldError, FieldSpec


class FieldScaling(nn.Module):
    """(value - mean) / std of named fields, in their units; mean 0 and std 1 until `standardise`.

    Means and spreads are buffers, so that a file of weights carries them, and are printed, so that the graph hash and
    the structure of a model folder know them. `owner` is whom messages name. Other plugins get it as the part
    "field-scaling" of the registry.

    >>> scaling = FieldScaling(("rain", "warmth"), owner="river")
    >>> scaling.standardise({"rain": 2.0}, {"rain": 5.0})
    >>> scaling({"rain": torch.tensor([2.0, 12.0]), "warmth": torch.tensor(7.0)}).tolist()
    [[0.0, 7.0], [2.0, 7.0]]
    """

    def __init__(self, fields: Sequence[str], *, owner: str) -> None:
        super().__init__()
        self.fields, self.owner = tuple(fields), owner
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(len(self.fields)))
        self.register_buffer("std", torch.ones(len(self.fields)))

    def extra_repr(self) -> str:
        """Return the scaling of each field, for print and the graph hash."""
        rows = zip(self.fields, self.mean.tolist(), self.std.tolist(), strict=True)
        return "\n".join(f"({name} - {mean:g}) / {std:g}" for name, mean, std in rows)

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float], known: Sequence[FieldSpec] = ()) -> None:
        """Set means and spreads of the fields that are named; others of `known`, the component's, are left alone.

        Raises FieldError for a name that is neither, for a mean that is not finite, a std that is not positive, and a
        mean without a std.
        """
        fields = {*self.fields, *(spec.name for spec in known)}
        if unknown := sorted({*mean, *std} - fields):
            raise FieldError(f"{self.owner}: no fields {unknown} to scale, expected some of {sorted(fields)}")
        bad = sorted(n for n in self.fields if not isfinite(mean.get(n, 0.0)) or not 0.0 < std.get(n, 1.0) < inf)
        if bad or set(mean) != set(std):
            raise FieldError(
                f"{self.owner}: scaling needs a mean and a positive std of the same fields; mean of {sorted(mean)}, "
                f"std of {sorted(std)}, not positive or not finite: {bad}"
            )
        with torch.no_grad():
            for index, name in enumerate(self.fields):
                if name in mean:
                    self.mean[index], self.std[index] = float(mean[name]), float(std[name])

    def moments(self, name: str) -> tuple[Tensor, Tensor]:
        """Return mean and std of a field, as tensors without dims."""
        index = self.fields.index(name)
        return self.mean[index], self.std[index]

    def stacked(self, values: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
        """Return the fields of `names` scaled, (..., field); all have one shape (...)."""
        index = [self.fields.index(name) for name in names]
        together = torch.stack([values[name] for name in names], dim=-1)
        return (together - self.mean[index]) / self.std[index]

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return all fields scaled, (..., field); their shapes are broadcast."""
        columns = torch.broadcast_tensors(*(values[name] for name in self.fields))
        return (torch.stack(columns, dim=-1) - self.mean) / self.std
