"""Training and calibration of coupled graphs by gradients through all of their components."""

from importlib import import_module
from typing import Any

_NAMES = {
    "climatology": ("day_of_year_climatology",),
    "comparison": ("Comparison", "compare"),
    "evaluation": ("evaluate", "score", "score_members", "score_mixture"),
    "descent": ("Optimiser",),
    "fitting": ("fit",),
    "metrics": ("beta_nse", "bias", "nse", "rmse", "ubrmse"),
    "metrics_anomaly": ("anomaly_correlation",),
    "metrics_ensemble": ("crps", "rank_deviation", "rank_histogram"),
    "metrics_flow_duration": ("fhv", "flv", "fms"),
    "metrics_kge": ("kge", "kge_alpha", "kge_beta", "kge_gamma", "kge_prime", "pearson_r"),
    "metrics_mixture": ("crps_mixture", "mixture_cdf", "pit_reliability"),
    "mixture": ("Mixture",),
    "metrics_peaks": ("peak_timing",),
    "objective": ("Objective",),
    "observation": ("Observation",),
    "spsa": ("spsa_gradient",),
    "record": ("TrainingRecord",),
    "report": ("write_report",),
    "schedule": ("Schedule",),
    "summary": ("Anchor", "summarise"),
    "ports": ("Standardisable",),
    "train_file": ("load_train_file",),
    "training": ("train",),
    "triple_collocation": ("Collocation", "triple_collocation"),
    "tuning": ("Tuned", "tune"),
    "uncertainty": ("Spread", "ensemble", "mc_dropout", "predict", "simulate_dropout"),
    "workflow": ("run_training",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
