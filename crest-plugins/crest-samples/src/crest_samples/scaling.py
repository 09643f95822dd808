"""Scaling: the transforms of a model's features, with units and the period that they were fitted on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crest_core import Standardize, UnitError, conversion
from crest_samples.errors import SampleError
from crest_samples.transforms import Transform, transform_from

FORMAT = "crest-samples scaling 1"


@dataclass(frozen=True)
class Feature:
    """A transform, the units of what it takes, and what it was fitted on."""

    transform: Transform
    units: str
    part: str  # name of the training part
    period: tuple[str, str]  # first and last time of it
    places: int
    values: int  # number of values that were there


@dataclass(frozen=True)
class Scaling(Mapping[str, Transform]):
    """Transforms by the name of the feature: what `make_samples(transforms=...)` takes, and what is saved with a model.

    >>> from crest_samples.transforms import Linear
    >>> rain = Feature(Linear("standardise", 2.0, 5.0), "mm day-1", "train", ("2000-01-01", "2009-12-31"), 1, 3653)
    >>> Scaling.from_json(Scaling({"rain": rain}).to_json()).standardize().std
    {'rain': 5.0}
    """

    features: Mapping[str, Feature]

    def __getitem__(self, name: str) -> Transform:
        return self.features[name].transform

    def __iter__(self) -> Iterator[str]:
        return iter(self.features)

    def __len__(self) -> int:
        return len(self.features)

    def check_units(self, name: str, units: str, who: str) -> None:
        """Return if a feature was fitted in these units, however spelt; SampleError names both."""
        fitted = self.features[name].units
        if not _are_equal(fitted, units):
            raise SampleError(
                f"{who} [{name}]: the scaling was fitted in {fitted!r}, the data are in {units or 'no units'!r}; "
                f"convert the data to {fitted!r}, or fit again; nothing is converted here"
            )

    def standardize(self) -> Standardize:
        """Return the scale of a TensorMap; SampleError where a feature is not scaled by a mean and a width alone."""
        pairs = {name: one.transform.linear() for name, one in self.features.items()}
        if bent := [name for name, pair in pairs.items() if pair is None]:
            raise SampleError(
                f"scaling: {bent} are not (value - mean) / std, which is what a TensorMap can do; transform them "
                f"before the model (make_samples(transforms=...)), or take a linear transform"
            )
        linear = {name: pair for name, pair in pairs.items() if pair is not None}
        return Standardize(
            {name: pair[0] for name, pair in linear.items()}, {name: pair[1] for name, pair in linear.items()}
        )

    def to_json(self) -> str:
        """Return everything as JSON text."""
        features = {
            name: {
                "transform": one.transform.as_dict(),
                "units": one.units,
                "part": one.part,
                "period": list(one.period),
                "places": one.places,
                "values": one.values,
            }
            for name, one in self.features.items()
        }
        return json.dumps({"format": FORMAT, "features": features}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Scaling:
        """Return the scaling of a JSON text of `to_json`."""
        try:
            plain = json.loads(text)
            found = plain.get("format") if isinstance(plain, dict) else type(plain).__name__
            if found != FORMAT:
                raise SampleError(f"scaling: format {found!r}, expected {FORMAT!r}; write it by Scaling.to_json")
            return cls({str(name): _feature(one) for name, one in plain["features"].items()})
        except SampleError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise SampleError(f"scaling: the text is not what Scaling.to_json writes: {error!r}") from error


def _are_equal(first: str, second: str) -> bool:
    try:
        return first == second or conversion(first, second).is_identity
    except UnitError:
        return False


def _feature(plain: Mapping[str, Any]) -> Feature:
    first, last = plain["period"]
    period = (str(first), str(last))
    places, values = int(plain["places"]), int(plain["values"])
    return Feature(transform_from(plain["transform"]), str(plain["units"]), str(plain["part"]), period, places, values)
