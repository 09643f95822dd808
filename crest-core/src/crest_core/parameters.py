"""PhysicalParameters: trainable numbers with units that stay within their bounds."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from crest_core.errors import FieldError
from crest_core.fields import FieldSpec


class PhysicalParameters(nn.Module):
    """Physical parameters theta = low + (high - low) sigmoid(raw), raw being the nn.Parameter.

    A parameter without bounds is used as it is. A value has shape () or the sizes of its dims.

    >>> spec = FieldSpec(name="k_sat", units="mm day-1", dims=(), bounds=(1.0, 500.0), static=True)
    >>> round(float(PhysicalParameters((spec,), {"k_sat": 50.0}).values()["k_sat"]), 3)
    50.0
    """

    def __init__(self, specs: tuple[FieldSpec, ...], values: Mapping[str, float | Tensor]) -> None:
        super().__init__()
        self.specs = specs
        unknown = set(values) ^ {spec.name for spec in specs}
        if unknown:
            raise FieldError(
                f"parameters {sorted(unknown)} are declared or given, but not both; "
                f"declared: {[spec.name for spec in specs]}"
            )
        self.raw = nn.ParameterDict()
        for spec in specs:
            self.raw[spec.name] = nn.Parameter(_to_raw(spec, values[spec.name]))

    def values(self) -> dict[str, Tensor]:
        """Return the parameters in their units, on the gradient tape."""
        return {spec.name: _to_physical(spec, self.raw[spec.name]) for spec in self.specs}

    def assign(self, values: Mapping[str, float | Tensor]) -> None:
        """Overwrite some parameters with values in their units."""
        with torch.no_grad():
            for spec in self.specs:
                if spec.name in values:
                    raw = self.raw[spec.name]
                    raw.copy_(_to_raw(spec, values[spec.name]).to(raw).expand_as(raw))


def _to_raw(spec: FieldSpec, value: float | Tensor) -> Tensor:
    physical = torch.as_tensor(value, dtype=torch.float64)
    if spec.bounds is not None:
        low, high = spec.bounds
        share = (physical - low) / (high - low)
        if not bool(((share > 0) & (share < 1)).all()):
            raise FieldError(f"parameter {spec.name} [{spec.units}]: {physical.tolist()} is not inside {spec.bounds}")
        physical = torch.logit(share)
    return physical.to(torch.get_default_dtype())


def _to_physical(spec: FieldSpec, raw: Tensor) -> Tensor:
    if spec.bounds is None:
        return raw
    low, high = spec.bounds
    return low + (high - low) * torch.sigmoid(raw)
