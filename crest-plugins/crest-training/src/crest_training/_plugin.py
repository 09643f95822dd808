"""Registers the metrics of crest-training; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_metrics(register: Register) -> None:
    """Register the deterministic metrics of hydrology."""
    for name, summary in (
        ("nse", "Nash-Sutcliffe efficiency, 1 is perfect, 0 is the observed mean"),
        ("kge", "Kling-Gupta efficiency, 1 is perfect, -0.41 is the observed mean"),
        ("rmse", "Root-mean-square error in the units of the field"),
        ("ubrmse", "Root-mean-square error after removal of the bias"),
        ("bias", "Mean of simulated minus observed"),
    ):
        register(name, f"crest_training.metrics:{name}", summary=summary)
