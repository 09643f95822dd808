"""FieldScaling: fields stacked as features, brought to order one by means and spreads kept with the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from crest_core import Component, FieldError


def check_fields(component: Component, named: Iterable[str]) -> None:
    """Refuse names that are no inputs or outputs of the component."""
    known = {spec.name for spec in (*component.inputs, *component.outputs)}
    if unknown := sorted(set(named) - known):
        raise FieldError(f"standardise: unknown fields {unknown}, expected some of {sorted(known)}")


class FieldScaling(nn.Module):
    """(value - mean) / std of named fields as features in the last axis; mean 0 and std 1 until `standardise`.

    Means and spreads are buffers, in the units of the fields: a file of weights carries them.

    >>> scaling = FieldScaling(("rain",))
    >>> scaling.standardise({"rain": 2.0}, {"rain": 5.0})
    >>> scaling({"rain": torch.tensor([2.0, 12.0])}).tolist()
    [[0.0], [2.0]]
    """

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__()
        self.fields = tuple(fields)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(len(self.fields)))
        self.register_buffer("std", torch.ones(len(self.fields)))

    def extra_repr(self) -> str:
        """Return the scaling of each field, for print and the graph hash."""
        rows = zip(self.fields, self.mean.tolist(), self.std.tolist(), strict=True)
        return "\n".join(f"({name} - {mean:g}) / {std:g}" for name, mean, std in rows)

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set means and spreads of the fields that are named; others are left alone."""
        bad = sorted(name for name in self.fields if name in std and not 0.0 < std[name] < float("inf"))
        if bad or set(mean) != set(std):
            raise FieldError(
                f"snow: scaling needs a mean and a positive std of the same fields; mean of {sorted(mean)}, std of "
                f"{sorted(std)}, not positive: {bad}"
            )
        with torch.no_grad():
            for index, name in enumerate(self.fields):
                if name in mean:
                    self.mean[index], self.std[index] = float(mean[name]), float(std[name])

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return (..., field)."""
        columns = torch.broadcast_tensors(*(values[name] for name in self.fields))
        return (torch.stack(columns, dim=-1) - self.mean) / self.std
