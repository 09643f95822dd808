"""Training samples: windows of many sources, masks, splits, transforms, losses, block reads."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "batch": ("Batch",),
    "block_loader": ("BlockLoader",),
    "blocks": ("Block", "plan_blocks"),
    "covering": ("coverage",),
    "errors": ("NoSuchSampleError", "SampleError"),
    "example": ("example_gauges", "example_weather"),
    "fitting": ("fit",),
    "grid_cells": ("cell_boxes",),
    "loader": ("Loader",),
    "losses": ("mae", "mse", "nse_loss", "nse_star", "rmse", "total_loss"),
    "making": ("make_samples",),
    "masks": ("Between", "Box", "Inside", "Mask", "OneOf"),
    "orders": ("InOrder", "Order", "Shuffled", "Stratified", "TorchOrder", "range_strata"),
    "parts": ("Fold", "Part", "between", "whole"),
    "places": ("Places",),
    "planning": ("Plan", "plan_samples"),
    "quantile": ("Quantile",),
    "samples": ("Samples", "as_it_is"),
    "scaling": ("Feature", "Scaling"),
    "source": ("Source",),
    "folds_in_space": ("spatial_folds",),
    "folds_in_time": ("spatio_temporal_folds", "temporal_folds"),
    "times": ("TimeAxis",),
    "training": ("TrainingSamples",),
    "transforms": ("Chain", "Linear", "Log", "Transform", "transform_from"),
    "window": ("Window",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
