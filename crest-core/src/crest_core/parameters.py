"""PhysicalParameters: trainable numbers with units that stay within their bounds."""

from collections.abc import Mapping
from math import isfinite

import torch
from torch import Tensor, nn

from crest_fields.errors import FieldError
from crest_fields.fields import FieldSpec


class PhysicalParameters(nn.Module):
    """Physical parameters theta = low + (high - low) sigmoid(raw), raw being the nn.Parameter.

    Bounds are two finite values; a parameter without is used as it is. A value has shape () or the sizes of its dims.

    >>> spec = FieldSpec(name="k_sat", units="mm day-1", dims=(), bounds=(1.0, 500.0), static=True)
    >>> round(float(PhysicalParameters((spec,), {"k_sat": 50.0}).values()["k_sat"]), 3)
    50.0
    """

    def __init__(self, specs: tuple[FieldSpec, ...], values: Mapping[str, float | Tensor]) -> None:
        super().__init__()
        self.specs = specs
        names = [spec.name for spec in specs]
        if set(names) != set(values):
            odd = sorted(set(names) ^ set(values))
            raise FieldError(f"parameters {odd} are declared or given, but not both; give a value for each of {names}")
        self.raw = nn.ParameterDict({spec.name: nn.Parameter(_to_raw(spec, values[spec.name])) for spec in specs})

    def values(self, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        """Return the parameters in their units, on the gradient tape; computed in float64."""
        found: dict[str, Tensor] = dict(self.raw.items())
        by_shape: dict[torch.Size, list[FieldSpec]] = {}
        for spec in self.specs:
            if spec.bounds is not None:
                by_shape.setdefault(found[spec.name].shape, []).append(spec)
        for shape, bounded in by_shape.items():  # all of a shape at once: a model step needs them every time
            raw = torch.stack([found[spec.name] for spec in bounded])
            ranges = torch.tensor([spec.bounds for spec in bounded], dtype=torch.float64, device=raw.device)
            low, high = ranges.reshape(-1, 2, *(1 for _ in shape)).unbind(1)
            physical = (low + (high - low) * torch.sigmoid(raw.double())).to(dtype or raw.dtype)
            found.update(zip((spec.name for spec in bounded), physical.unbind(), strict=True))
        return found if dtype is None else {name: value.to(dtype) for name, value in found.items()}

    def assign(self, values: Mapping[str, float | Tensor]) -> None:
        """Overwrite some parameters with values in their units."""
        with torch.no_grad():
            for spec in self.specs:
                if spec.name in values:
                    raw = self.raw[spec.name]
                    raw.copy_(_to_raw(spec, values[spec.name]).to(raw).expand_as(raw))


def _to_raw(spec: FieldSpec, value: float | Tensor) -> Tensor:
    physical = torch.as_tensor(value, dtype=torch.float64)
    low, high = spec.bounds or (float("-inf"), float("inf"))
    if isfinite(low) != isfinite(high):
        raise FieldError(f"parameter {spec.name}: bounds {spec.bounds} are half open; give two finite ones, or none")
    if not bool(((physical > low) & (physical < high)).all()):
        raise FieldError(f"parameter {spec.name} [{spec.units}]: {physical.tolist()} is not inside {(low, high)}")
    raw = torch.logit((physical - low) / (high - low)) if isfinite(high - low) else physical
    return raw.to(torch.get_default_dtype())
