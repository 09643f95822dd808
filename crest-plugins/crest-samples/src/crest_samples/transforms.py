"""Transforms of one feature, each with its inverse; plain numbers describe them, so that JSON keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor

from crest_samples.errors import SampleError
from crest_samples.quantile import Quantile

LINEAR = ("standardise", "robust", "minmax")


class Transform(Protocol):
    """An invertible function of tensors, through which gradients pass; nan stays nan."""

    def __call__(self, values: Tensor) -> Tensor:
        """Return transformed values."""

    def inverse(self, values: Tensor) -> Tensor:
        """Return what was transformed."""

    def linear(self) -> tuple[float, float] | None:
        """Return (centre, width) where the transform is (values - centre) / width, else None."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, from which `transform_from` makes the transform again."""


@dataclass(frozen=True)
class Linear:
    """(values - centre) / width: by mean and standard deviation, by median and quartiles, or by least and largest.

    >>> Linear("standardise", centre=2.0, width=5.0)(torch.tensor([12.0])).tolist()
    [2.0]
    """

    kind: str  # "standardise" | "robust" | "minmax"
    centre: float  # mean | median | least value
    width: float  # standard deviation | third - first quartile | largest - least value

    def __post_init__(self) -> None:
        if self.kind not in LINEAR or not isfinite(self.centre) or not (isfinite(self.width) and self.width > 0.0):
            raise SampleError(
                f"{self.kind}: centre {self.centre} and width {self.width}, expected one of {', '.join(LINEAR)}, a "
                f"finite centre and a width above 0; a feature that does not vary is left out, or not scaled"
            )

    def __call__(self, values: Tensor) -> Tensor:
        return (values - self.centre) / self.width

    def inverse(self, values: Tensor) -> Tensor:
        """Return values * width + centre."""
        return values * self.width + self.centre

    def linear(self) -> tuple[float, float]:
        """Return (centre, width)."""
        return self.centre, self.width

    def as_dict(self) -> dict[str, Any]:
        """Return kind and numbers."""
        return asdict(self)


@dataclass(frozen=True)
class Log:
    """log(values + eps), for values above -eps such as rain and discharge; eps in the units of the feature.

    >>> round(float(Log(eps=0.01).inverse(Log(eps=0.01)(torch.tensor(3.0)))), 5)
    3.0
    """

    eps: float

    def __post_init__(self) -> None:
        if not (isfinite(self.eps) and self.eps > 0.0):
            raise SampleError(f"log: eps {self.eps}, expected a number above 0, small beside the values that matter")

    def __call__(self, values: Tensor) -> Tensor:
        if bool((values <= -self.eps).any()):
            worst = float(values[values <= -self.eps].min())
            raise SampleError(
                f"log: log(value + {self.eps:g}) does not exist for the value {worst:g}; mask what is impossible, or "
                f"take a larger eps"
            )
        return torch.log(values + self.eps)

    def inverse(self, values: Tensor) -> Tensor:
        """Return exp(values) - eps."""
        return torch.exp(values) - self.eps

    def linear(self) -> None:
        """Return None."""
        return None

    def as_dict(self) -> dict[str, Any]:
        """Return kind and number."""
        return {"kind": "log", "eps": self.eps}


@dataclass(frozen=True)
class Chain:
    """One transform after the other.

    >>> Chain((Log(1.0), Linear("minmax", 0.0, 2.0)))(torch.tensor([0.0])).tolist()
    [0.0]
    """

    steps: tuple[Transform, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise SampleError("chain: no transform is in it; give one or more")

    def __call__(self, values: Tensor) -> Tensor:
        for step in self.steps:
            values = step(values)
        return values

    def inverse(self, values: Tensor) -> Tensor:
        """Return what was transformed, last transform first."""
        for step in reversed(self.steps):
            values = step.inverse(values)
        return values

    def linear(self) -> tuple[float, float] | None:
        """Return centre and width of the whole chain, None unless every step has them."""
        centre, width = 0.0, 1.0
        for step in self.steps:
            own = step.linear()
            if own is None:
                return None
            centre, width = centre + own[0] * width, width * own[1]
        return centre, width

    def as_dict(self) -> dict[str, Any]:
        """Return the steps."""
        return {"kind": "chain", "steps": [step.as_dict() for step in self.steps]}


def transform_from(plain: Mapping[str, Any]) -> Transform:
    """Return the transform of plain values, as `as_dict` gives them."""
    kind = plain.get("kind")
    try:
        if kind == "chain":
            return Chain(tuple(transform_from(step) for step in plain["steps"]))
        if kind == "quantile":
            return Quantile(tuple(map(float, plain["knots"])), tuple(map(float, plain["scores"])))
        if kind == "log":
            return Log(float(plain["eps"]))
        if kind in LINEAR:
            return Linear(kind, float(plain["centre"]), float(plain["width"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SampleError(f"transform {kind!r}: {error!r} in {dict(plain)}; write it by as_dict()") from error
    raise SampleError(f"transform {kind!r} is unknown; expected {', '.join((*LINEAR, 'log', 'quantile', 'chain'))}")
