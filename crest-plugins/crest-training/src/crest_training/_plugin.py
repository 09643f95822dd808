"""Registers the metrics of crest-training; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_metrics(register: Register) -> None:
    """Register the metrics of hydrology: metric(simulated, observed); of ensembles: metric(members, observed)."""
    for module, name, summary in (
        ("metrics", "nse", "Nash-Sutcliffe efficiency, 1 is perfect, 0 is the observed mean"),
        ("metrics", "rmse", "Root-mean-square error in the units of the field"),
        ("metrics", "ubrmse", "Root-mean-square error after removal of the bias"),
        ("metrics", "bias", "Mean of simulated minus observed"),
        ("metrics", "beta_nse", "Bias over the standard deviation of the observations, 0 is perfect"),
        ("metrics_kge", "kge", "Kling-Gupta efficiency, 1 is perfect, -0.41 is the observed mean"),
        ("metrics_kge", "kge_prime", "Kling-Gupta efficiency of 2012, by ratios of coefficients of variation"),
        ("metrics_kge", "kge_alpha", "Ratio of standard deviations, 1 is perfect"),
        ("metrics_kge", "kge_beta", "Ratio of means, 1 is perfect"),
        ("metrics_kge", "kge_gamma", "Ratio of coefficients of variation, 1 is perfect"),
        ("metrics_kge", "pearson_r", "Correlation"),
        ("metrics_flow_duration", "fhv", "Bias of the highest 2 percent of flows, in percent"),
        ("metrics_flow_duration", "fms", "Bias of the slope of the flow duration curve, in percent"),
        ("metrics_flow_duration", "flv", "Bias of the lowest 30 percent of flows, in percent"),
        ("metrics_peaks", "peak_timing", "Mean distance in time between observed and simulated peaks, in steps"),
        ("metrics_ensemble", "crps", "Of an ensemble: continuous ranked probability score, in the units of the field"),
        (
            "metrics_ensemble",
            "rank_deviation",
            "Of an ensemble: distance of the rank histogram from even, 0 is reliable",
        ),
        ("metrics_anomaly", "anomaly_correlation", "Correlation after removal of the usual year"),
    ):
        register(name.replace("_", "-"), f"crest_training.{module}:{name}", summary=summary)


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register evaluate, train and tune."""
    register("tune", "crest_training.tune_command:tune", summary="Find keys of a training file that validate best")
    register("train", "crest_training.train_command:train", summary="Train a network, component or graph on samples")
    register(
        "evaluate",
        "crest_training.evaluate_command:evaluate",
        summary="Score a run or a model against observations, beside baselines",
    )
