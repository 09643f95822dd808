"""Scores of skill_nee.py: over all days, over sites no setting was chosen on, in parts, and drawn again by site."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _skill_nee import FOLDS, dealt

DRAWS = 2000


def scores(simulated: np.ndarray, observed: np.ndarray) -> dict[str, float]:
    """Return R2 = 1 - SSE / SST over all good days of all sites, its median over sites, RMSE, and what they are of."""
    seen = np.isfinite(simulated) & np.isfinite(observed)
    error, truth = (simulated - observed)[seen], observed[seen]
    by_site = [explained(simulated[seen[:, cell], cell], observed[seen[:, cell], cell])
               for cell in range(observed.shape[1]) if seen[:, cell].sum() >= 100]  # fmt: skip
    return {
        "r2": explained(simulated[seen], truth),
        "r2_median_of_sites": float(np.median(by_site)),
        "rmse": float(np.sqrt((error**2).mean())),
        "days": int(seen.sum()),
        "sites": len(by_site),
    }


def explained(simulated: np.ndarray, observed: np.ndarray) -> float:
    """Return 1 - SSE / SST of values that are all known."""
    return float(1.0 - ((simulated - observed) ** 2).sum() / ((observed - observed.mean()) ** 2).sum())


def parts(simulated: np.ndarray, observed: np.ndarray, month: np.ndarray) -> dict[str, float]:
    """Return R2 of the means of sites, of their months about the mean, and of days about the mean of their month.

    Values are (time, site), months 1 to 12; the three parts add up to the value. Days that one of them lacks count
    for neither.
    """
    seen = np.isfinite(simulated) & np.isfinite(observed)
    pairs = [_apart(np.where(seen, values, np.nan), month) for values in (simulated, observed)]
    names = ("r2_of_site_means", "r2_of_months", "r2_of_days")
    found = {}
    for name, model, truth in zip(names, *pairs, strict=True):
        known = np.isfinite(truth)
        found[name] = explained(model[known], truth[known])
    return found


def unchosen(ids: np.ndarray) -> np.ndarray:
    """Return which sites are for validation in no fold, so that no setting was chosen on them."""
    validation = np.concatenate([dealt(ids, fold)[1] for fold in range(FOLDS)])
    return ~np.isin(np.arange(len(ids)), validation)


def drawn(simulated: np.ndarray, beside: np.ndarray, observed: np.ndarray, seed: int) -> dict[str, list[float]]:
    """Return 95 percent intervals of R2 and of its lead over another's, the sites drawn again with replacement."""
    seen = np.isfinite(simulated) & np.isfinite(beside) & np.isfinite(observed)
    truth = np.where(seen, observed, 0.0)
    sums = np.stack([np.where(seen, (one - observed) ** 2, 0.0).sum(0) for one in (simulated, beside)]
                    + [truth.sum(0), (truth**2).sum(0), seen.sum(0)])  # fmt: skip
    sites = observed.shape[1]
    totals = sums[:, np.random.default_rng(seed).integers(sites, size=(DRAWS, sites))].sum(-1)
    spread = totals[3] - totals[2] ** 2 / totals[4]
    model, other = 1.0 - totals[0] / spread, 1.0 - totals[1] / spread
    return {
        name: [float(one) for one in np.percentile(values, (2.5, 97.5))]
        for name, values in (("r2", model), ("r2_over_baseline", model - other))
    }


def _apart(values: np.ndarray, month: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of each site, its months about it (month, site), and days about their month (time, site)."""
    frame = pd.DataFrame(values)
    months = frame.groupby(month).mean().reindex(range(1, 13)).to_numpy()
    mean = frame.mean().to_numpy()
    return mean, months - mean, values - months[month - 1]
