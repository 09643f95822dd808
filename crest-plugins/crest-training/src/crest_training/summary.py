"""Summary: what metrics are over all places, beside figures that others published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from crest_core import ForcingError

EFFICIENCIES = ("nse", "kge", "kge_prime")  # 1 is perfect, and below 0 worse than next to nothing
_ONE = (*EFFICIENCIES, "pearson_r", "anomaly_correlation", "kge_alpha", "kge_beta", "kge_gamma")


@dataclass(frozen=True)
class Anchor:
    """A published median to stand beside ours, never printed as ours.

    >>> Anchor("LSTM, Kratzert et al. (2019)", "nse", 0.73).metric
    'nse'
    """

    name: str
    metric: str
    median: float
    note: str = ""
    """Data, split, what differs."""

    def __post_init__(self) -> None:
        if not np.isfinite(self.median) or not self.name:
            raise ForcingError(f"anchor {self.name!r}: median {self.median}; expected a name and a finite number")


@dataclass(frozen=True)
class Row:
    """One metric of one source over all places."""

    metric: str
    units: str
    source: str
    median: float
    mean: float
    low: float
    """Lower quartile."""
    high: float
    below_zero: float | None
    """Share of places below 0, of efficiencies only."""
    places: int
    missing: int
    """Places without a value, which do not count in the others."""


def summarise(scores: xr.Dataset) -> tuple[Row, ...]:
    """Return one row for each metric and source of the Dataset that `score` made."""
    rows = []
    for name in metrics_of(scores):
        for source in scores["source"].values:
            values = np.asarray(scores[name].sel(source=source).values, dtype=np.float64).reshape(-1)
            there = values[np.isfinite(values)]
            low, median, high = np.quantile(there, [0.25, 0.5, 0.75]) if len(there) else (np.nan,) * 3
            rows.append(
                Row(
                    metric=name,
                    units=str(scores[name].attrs.get("units", "1")),
                    source=str(source),
                    median=float(median),
                    mean=float(there.mean()) if len(there) else float("nan"),
                    low=float(low),
                    high=float(high),
                    below_zero=float((there < 0).mean()) if name in EFFICIENCIES and len(there) else None,
                    places=len(there),
                    missing=len(values) - len(there),
                )
            )
    return tuple(rows)


def metrics_of(scores: xr.Dataset) -> list[str]:
    """Return the names of the variables that have a value for each source."""
    return [str(name) for name, values in scores.data_vars.items() if "source" in values.dims]


def perfect(metric: str) -> float:
    """Return the value of a metric without error: 1 for efficiencies, correlations and ratios, else 0."""
    return 1.0 if metric in _ONE else 0.0
