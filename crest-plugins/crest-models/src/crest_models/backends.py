"""The backends that model folders may name, and how each is built from `model.yaml` and a checked weights file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from crest_core import Component, FiniteDifference, NoGradient, Standardize, TensorMap, registry
from crest_models.errors import ModelError
from crest_models.exported_archive import read_archive
from crest_models.exported_program import STATE, ExportedNetwork
from crest_models.safetensors_header import count_numbers
from crest_models.schema import (
    MapSection,
    ModelSection,
    NoOptions,
    OnnxOptions,
    Section,
    TorchLSTMOptions,
)

Build = Callable[[Callable[..., Component], ModelSection, Path], Component]


@dataclass(frozen=True)
class Backend:
    """A way to read weights without running anything in them."""

    registered: str  # name of the backend in the registry
    suffix: str
    package: str
    options: type[Section]
    maps: bool  # False: the architecture makes its tensor maps and states
    build: Build


def build(model: ModelSection, weights: Path) -> Component:
    """Return the component of a model whose weights file was checked."""
    backend = BACKENDS[model.backend]
    if backend.registered not in {entry.name for entry in registry().of_kind("backends")}:
        raise ModelError(f"the backend {model.backend!r} is not installed; pip install {backend.package}")
    component = backend.build(registry().load("backends", backend.registered), model, weights)
    component.layers = {dim: tuple((top, bottom) for top, bottom in depths) for dim, depths in model.layers.items()}
    return component


def _torch_lstm(make: Callable[..., Component], model: ModelSection, weights: Path) -> Component:
    """Build without memory first: options that ask for more numbers than the file holds are refused."""
    arguments = {
        **_common(model),
        **TorchLSTMOptions.model_validate(model.options).model_dump(),
        "scale": _scale(model),
    }
    stored = count_numbers(weights.read_bytes())
    with torch.device("meta"):
        wanted = sum(parameter.numel() for parameter in make(**arguments).parameters())
    if wanted > stored:
        raise ModelError(f"the options ask for {wanted} numbers, and the weights file holds {stored}")
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and then replaced
        return make(**arguments, weights=weights)


def _onnx(make: Callable[..., Component], model: ModelSection, weights: Path) -> Component:
    options = OnnxOptions.model_validate(model.options)
    estimates = {"finite_difference": FiniteDifference(step=options.step), "none": NoGradient()}
    gradient = estimates.get(options.gradient, options.gradient)
    arguments = {**_common(model), **_maps(model), "sha256": model.weights.sha256, "gradient": gradient}
    return make(weights, **arguments, state_outputs=tuple(options.state_outputs), control_flow=False)


def _keras(make: Callable[..., Component], model: ModelSection, weights: Path) -> Component:
    return make(weights, **_common(model), **_maps(model), sha256=model.weights.sha256)


def _torch_export(make: Callable[..., Component], model: ModelSection, weights: Path) -> Component:
    inputs, states = ([section.name for section in maps] for maps in (model.input_maps, model.state_maps))
    try:
        network = ExportedNetwork(read_archive(weights.read_bytes()), inputs, states, len(model.output_maps))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"the program is damaged or made up: {type(error).__name__}: {error}") from error
    return make(network, **_common(model), **_maps(model), state_argument=STATE)


def _common(model: ModelSection) -> dict[str, Any]:
    return {
        "inputs": tuple(field.spec() for field in model.inputs),
        "outputs": tuple(field.spec() for field in model.outputs),
        "dim_sizes": dict(model.dim_sizes),
        "timestep": model.timestep,
    }


def _maps(model: ModelSection) -> dict[str, Any]:
    scale = _scale(model)
    return {
        "input_maps": tuple(_map(section, scale) for section in model.input_maps),
        "output_maps": tuple(_map(section, scale) for section in model.output_maps),
        "states": tuple(field.spec() for field in model.states),
        "state_maps": tuple(_map(section, None) for section in model.state_maps),
    }


def _map(section: MapSection, scale: Standardize | None) -> TensorMap:
    return TensorMap(section.name, tuple(section.fields), section.pattern, scale)


def _scale(model: ModelSection) -> Standardize:
    return Standardize(
        mean={name: one.mean for name, one in model.scaling.items()},
        std={name: one.std for name, one in model.scaling.items()},
    )


BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {
        "torch-lstm": Backend("torch-lstm", ".safetensors", "crest-torch", TorchLSTMOptions, False, _torch_lstm),
        "onnx": Backend("onnx", ".onnx", "crest-onnx", OnnxOptions, True, _onnx),
        "keras": Backend("keras", ".keras", "crest-keras", NoOptions, True, _keras),
        "torch-export": Backend("torch", ".pt2", "crest-torch", NoOptions, True, _torch_export),
    }
)
