"""The figures of the demo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import crest_run
import matplotlib
import numpy as np
import xarray as xr
from crest_training import TrainingRecord
from experiment import Experiment

from crest_core import Graph

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  the backend comes first

COLOURS = {
    "coupled, trained": "#0072b2",
    "uncoupled, trained": "#e69f00",
    "untrained": "#cc79a7",
    "climatology": "#999999",
}


def draw_series(data: xr.Dataset, models: Mapping[str, xr.DataArray], experiment: Experiment, path: Path) -> None:
    """Draw rain, and soil moisture of models and observations at every depth."""
    observed = data[experiment.observed].isel(cell=0)
    depths = data.depth.values
    figure, axes = plt.subplots(
        len(depths) + 1, 1, figsize=(13, 11), sharex=True, layout="constrained", height_ratios=[1, 2, 2, 2]
    )
    rain = data.precipitation_flux.isel(cell=0) * 86400
    axes[0].bar(data.time.values, rain.clip(max=50).values, width=1.0, color="#56b4e9")
    axes[0].set(ylabel="rain [mm/day]", ylim=(50, 0))
    if float(rain.max()) > 50:
        axes[0].annotate(f"{float(rain.max()):.0f}", (data.time.values[int(rain.values.argmax())], 47), ha="center")
    for layer, axis in enumerate(axes[1:]):
        for name, values in models.items():
            width = 1.6 if name == "coupled, trained" else 0.9
            axis.plot(
                values.time.values,
                values.isel(cell=0, soil_layer=layer).values,
                color=COLOURS[name],
                linewidth=width,
                label=name,
                zorder=3 if width > 1 else 2,
            )
        axis.plot(
            observed.time.values,
            observed.isel(soil_layer=layer).values,
            color="black",
            linewidth=1.1,
            label="observed",
            zorder=2.5,
        )
        axis.axvspan(
            np.datetime64(experiment.test.start), np.datetime64(experiment.test.end), color="#f0e442", alpha=0.18
        )
        for period in experiment.leave_out:
            start, end = np.datetime64(period.start), np.datetime64(period.end)
            axis.axvspan(start, end, color="#dddddd", alpha=0.6, zorder=0)
        axis.set(ylabel=f"{100 * depths[layer]:.0f} cm [m3 m-3]")
        axis.grid(alpha=0.3)
    axes[1].legend(ncols=5, loc="upper center", fontsize=9)
    axes[1].set_title(
        "soil moisture; white: training, grey: left out of it, yellow: test period, not seen", fontsize=10
    )
    axes[-1].set_xlim(data.time.values[0], data.time.values[-1])
    _save(figure, path)


def draw_scores(scores: Mapping[str, dict[str, list[float]]], depths: np.ndarray, path: Path) -> None:
    """Draw Nash-Sutcliffe efficiency and unbiased error of the test period as bars."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    places, width = np.arange(len(depths)), 0.8 / len(scores)
    for axis, metric, label in zip(
        axes,
        ("nse", "ubrmse"),
        ("Nash-Sutcliffe efficiency (1 is perfect, cut at -1)", "ubRMSE [m3 m-3] (0 is perfect)"),
        strict=True,
    ):
        for number, (name, values) in enumerate(scores.items()):
            shown = np.clip(values[metric], -1.0, None)
            axis.bar(places + (number - (len(scores) - 1) / 2) * width, shown, width, color=COLOURS[name], label=name)
        axis.axhline(0.0, color="black", linewidth=0.8)
        axis.set_xticks(places, [f"{100 * depth:.0f} cm" for depth in depths])
        axis.set_title(label, fontsize=10)
        axis.grid(alpha=0.3, axis="y")
    axes[0].set_ylim(-1.05, 1.0)
    axes[1].legend(fontsize=8)
    _save(figure, path)


def draw_learning(records: Mapping[str, TrainingRecord], path: Path) -> None:
    """Draw the training loss of each fit."""
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, record in records.items():
        curve = record.to_dataset()
        axis.plot(curve.epoch, curve.training_loss, color=COLOURS[name], label=name)
        axis.plot(record.best_epoch, min(record.training), "o", color=COLOURS[name])
    axis.set(xlabel="epoch", ylabel="mean squared error [observed variances]", yscale="log")
    axis.set_title("learning curve, training years; dot: the parameters that were kept", fontsize=10)
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    _save(figure, path)


def draw_plan(graph: Graph, path: Path) -> None:
    """Draw what runs in which order, and what travels between the components."""
    axis = crest_run.draw_plan(graph.plan())
    _save(axis.figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=110)
    plt.close(figure)
