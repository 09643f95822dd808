"""fit: the statistics of a transform, from the training part and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from crest_samples.errors import SampleError
from crest_samples.parts import Part
from crest_samples.quantile import Quantile
from crest_samples.scaling import Feature, Scaling
from crest_samples.transforms import Chain, Linear, Transform

ROUNDING = float(np.finfo(np.float32).eps)  # relative; samples are read as float32

Floats = NDArray[np.float64]
Recipe = Sequence[str | Transform]


def fit(recipes: Mapping[str, Recipe], data: xr.Dataset, part: Part) -> Scaling:
    """Return transforms of the variables of `data`, fitted on it; all of it must lie in the training `part`.

    A recipe lists the steps of one feature, first step first: names of what is fitted ("standardise", "robust",
    "minmax", "quantile", "quantile-uniform"), and transforms that are known, such as Log(0.1). Nan is left out. A
    feature that varies by no more than the rounding of float32 at its magnitude is refused, as one that is constant.
    Raises SampleError where the data hold a place or a time outside of the part: `part.select(dataset)` takes them out.
    """
    if absent := [name for name in recipes if name not in data.data_vars]:
        raise SampleError(f"fit: the data lack {absent}; they hold {', '.join(map(str, data.data_vars))}")
    part.check(data, "fit")
    return Scaling({name: _feature(name, recipe, data[name], part) for name, recipe in recipes.items()})


def _feature(name: str, recipe: Recipe, data: xr.DataArray, part: Part) -> Feature:
    units = data.attrs.get("units")
    if units is None:
        raise SampleError(f"fit {name}: attrs['units'] is missing; statistics have units")
    values = np.asarray(data.values, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    if not len(values) or not np.isfinite(values).all():
        raise SampleError(f"fit {name}: {len(values)} values, expected one or more, all finite; look at the source")
    rest, steps = torch.from_numpy(values), []
    blurred = torch.from_numpy(values * (1.0 - ROUNDING))
    for step in recipe:
        try:
            noise = _noise(rest, blurred)
            steps.append(_fitted(step, rest, noise) if isinstance(step, str) else step)
        except SampleError as error:
            raise SampleError(f"fit {name}: {error}") from error
        rest, blurred = steps[-1](rest), steps[-1](blurred)
    transform = steps[0] if len(steps) == 1 else Chain(tuple(steps))
    return Feature(transform, str(units), part.name, part.period, int(part.has_place.sum()), len(values))


def _noise(values: Tensor, blurred: Tensor) -> float:
    """Return how far a usual value is off by rounding, before the transforms of the steps so far or after them."""
    return max(float((blurred - values).abs().median()), ROUNDING * float(values.abs().median()))


def _fitted(step: str, values: Tensor, noise: float) -> Transform:
    """Return the transform of a step; SampleError where the values vary by no more than the noise of rounding."""
    ways: dict[str, Callable[[Floats], Linear | Quantile]] = {
        "standardise": lambda x: Linear("standardise", float(x.mean()), float(x.std())),
        "robust": _robust,
        "minmax": lambda x: Linear("minmax", float(x.min()), float(x.max() - x.min())),
        "quantile": Quantile.fit,
        "quantile-uniform": lambda x: Quantile.fit(x, scores="uniform"),
    }
    if step not in ways:
        raise SampleError(
            f"step {step!r} is unknown; expected one of {', '.join(ways)}, or a transform such as Log(0.1)"
        )
    fitted = ways[step](values.numpy())
    if fitted.width <= noise:
        raise SampleError(
            f"{step}: the values vary by {fitted.width:.3g} about {float(values.median()):.6g}, no more than the "
            f"rounding of float32 there, {noise:.3g}; a feature that does not vary is left out, or not scaled"
        )
    return fitted


def _robust(values: Floats) -> Linear:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Linear("robust", float(middle), float(high - low))
