"""Evaluation: metrics of a model and of baselines at each place, as a CF Dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from inspect import signature
from typing import Any

import numpy as np
import xarray as xr

from crest_core import Component, ForcingError, registry
from crest_training.comparison import MODEL, Comparison, compare
from crest_training.observation import Observation

METRICS = ("nse", "kge", "pearson-r", "kge-alpha", "kge-beta", "fhv", "fms", "flv", "peak-timing", "rmse", "bias")
ENSEMBLE_METRICS = ("crps", "rank-deviation")
_IN_UNITS = ("rmse", "ubrmse", "bias", "crps")
_UNITS = {"fhv": "percent", "fms": "percent", "flv": "percent", "peak-timing": "1"}


def evaluate(
    model: Component | Sequence[Component] | xr.Dataset,
    forcing: xr.Dataset | None,
    observation: Observation,
    *,
    start: Any,
    end: Any,
    spin_up: str = "0D",
    training: tuple[Any, Any] | None = None,
    metrics: Sequence[str] | Mapping[str, Callable[..., Any]] = METRICS,
    units: str = "",
) -> xr.Dataset:
    """Return metrics by source (the model, climatology, persistence) and place; arguments as those of `compare`.

    Metrics are names of the registry, or functions metric(simulated, observed) by a name; one that has an argument
    `times` is given them.
    """
    return score(
        compare(model, forcing, observation, start=start, end=end, spin_up=spin_up, training=training, units=units),
        metrics,
    )


def score(comparison: Comparison, metrics: Sequence[str] | Mapping[str, Callable[..., Any]] = METRICS) -> xr.Dataset:
    """Return the metrics of a comparison (source, *places), with the coordinates of the places; names with _ for -.

    `observations` counts the times that have one. Metrics of ensembles are those of the model only.
    """
    functions = (
        metrics if isinstance(metrics, Mapping) else {name: registry().load("metrics", name) for name in metrics}
    )
    observed = comparison.observed
    places = [dim for dim in observed.dims if dim != "time"]
    data: dict[str, Any] = {}
    for name, metric in functions.items():
        values = [_value(metric, name, series, observed) for series in comparison.simulated.values()]
        data[name.replace("-", "_")] = (("source", *places), np.stack(values), _attributes(name, metric, comparison))
    counted = {"long_name": f"number of observed {comparison.output}", "units": "1"}
    data["observations"] = (places, observed.notnull().sum("time").values.astype(np.int32), counted)
    kept = {name: coord for name, coord in observed.coords.items() if "time" not in coord.dims}
    sources = xr.Variable("source", list(comparison.simulated), {"long_name": "what was compared with observations"})
    dates = [f"{observed['time'].values[which]!s}"[:19] for which in (0, -1)]
    return xr.Dataset(data, {"source": sources} | kept).assign_attrs(
        Conventions="CF-1.11",
        title=f"Evaluation of {comparison.output}",
        output=comparison.output,
        period=f"{dates[0]} to {dates[1]}, {observed.sizes['time']} steps",
        history=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} evaluated by CREST",
    )


def score_members(comparison: Comparison, metrics: Sequence[str] = ENSEMBLE_METRICS) -> xr.Dataset:
    """Return the metrics of the ensemble of a comparison at each place."""
    if comparison.members is None:
        raise ForcingError(f"evaluation of {comparison.output}: there is no ensemble; give several models")
    places = [dim for dim in comparison.observed.dims if dim != "time"]
    members = comparison.members.transpose("time", "member", *places).values
    data = {}
    for name in metrics:
        metric = registry().load("metrics", name)
        values = metric(members, comparison.observed.values)
        data[name.replace("-", "_")] = (places, values, _attributes(name, metric, comparison))
    kept = {name: coord for name, coord in comparison.observed.coords.items() if "time" not in coord.dims}
    return xr.Dataset(data, kept).assign_attrs(Conventions="CF-1.11", source=MODEL)


def score_mixture(comparison: Comparison) -> xr.Dataset:
    """Return CRPS, and reliability (1 is perfect), of the distributions of a comparison at each place."""
    if comparison.mixture is None:
        raise ForcingError(
            f"evaluation of {comparison.output}: there is no mixture; give `compare` the prefix of a head as mixture="
        )
    observed = comparison.observed
    places = [dim for dim in observed.dims if dim != "time"]
    told = {"long_name": "mean over time of the CRPS of mixtures", "units": comparison.units}
    even = {"long_name": "1 - 2 mean |p_(i) - i / (n + 1)| of sorted PIT values", "units": "1"}
    data = {
        "crps": (places, comparison.mixture.crps(observed.values), told),
        "pit_reliability": (places, comparison.mixture.reliability(observed.values), even),
    }
    kept = {name: coord for name, coord in observed.coords.items() if "time" not in coord.dims}
    return xr.Dataset(data, kept).assign_attrs(Conventions="CF-1.11", source=MODEL)


def _value(metric: Callable[..., Any], name: str, series: xr.DataArray, observed: xr.DataArray) -> Any:
    times = {"times": observed["time"]} if "times" in signature(metric).parameters else {}
    found = np.asarray(metric(series.values, observed.values, **times), dtype=np.float64)
    if found.shape != observed.shape[1:]:
        raise ForcingError(
            f"metric {name}: it returned shape {found.shape} for places {observed.shape[1:]}; expected one value "
            f"for each place"
        )
    return found


def _attributes(name: str, metric: Callable[..., Any], comparison: Comparison) -> dict[str, str]:
    """Return units, and as the long name what the first line of the metric's docstring says."""
    told = (metric.__doc__ or name).strip().splitlines()[0].rstrip(".").removeprefix("Return the ")
    units = comparison.units if name in _IN_UNITS else _UNITS.get(name, "1")
    return {"long_name": told, "units": units}
