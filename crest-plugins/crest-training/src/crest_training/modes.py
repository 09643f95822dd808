"""Modes of modules while they are trained: train or eval, with or without gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from crest_core import ComponentError, Graph


@contextmanager
def modes_restored(model: nn.Module) -> Iterator[None]:
    """Leave every module in the mode, train or eval, in which it came."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def frozen_parts(parts: Sequence[nn.Module]) -> Iterator[None]:
    """Hold the parameters of some modules inside; they ask for gradients again afterwards, where they did."""
    asking = [parameter for part in parts for parameter in part.parameters() if parameter.requires_grad]
    for parameter in asking:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


def parts_of(model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """Return components of a graph, or modules inside of a component, by name: "snow", "module.lstm"."""
    components = model.components if isinstance(model, Graph) else {}
    modules = {name: module for name, module in model.named_modules() if name}
    unknown = [name for name in names if name not in components and name not in modules]
    if unknown:
        known = ", ".join(components or modules)
        raise ComponentError(f"train: frozen names {unknown}, which the model does not have; it has {known}")
    return [components[name] if name in components else modules[name] for name in names]
