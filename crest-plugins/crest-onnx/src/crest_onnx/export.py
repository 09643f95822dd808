"""export_onnx: a trained torch component as an ONNX file with free batch and time, checked at three lengths."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from crest_core import Component, ComponentError, TensorMap, registry, write_atomically
from crest_onnx.estimated import EstimatedNetwork
from crest_onnx.exact import ExactNetwork
from crest_onnx.layout import Layout
from crest_onnx.mapping import FieldMapping, names, write_mapping
from crest_onnx.session import Session
from crest_onnx.signature import signature_of
from crest_onnx.trials import random_tensors, trial_sizes

OPSET = 17
TOLERANCE = 1e-5  # of the largest value, at least of 1
TRIALS = ((5, 2), (1, 1), (12, 3))  # steps and columns; the first is what the exporter sees
_SEED = 20261122  # of the numbers that are compared


def export_onnx(component: Component, path: str | Path, *, opset: int = OPSET, length: int = 16) -> None:
    """Write a component of the backend "torch" as an ONNX file that `onnx_component(path)` reads without more.

    Batch and time are free in the file, and so is every other dim whose size the component does not bring; `length` is
    what such dims get while it is traced. The file is compared with the component at three lengths and batch sizes
    and not written where they differ. Fields, patterns and scaling are in its metadata; scaling is no part of the
    graph, which takes and gives scaled tensors.
    """
    kind = registry().load("backends", "torch")
    if not isinstance(component, kind):
        raise ComponentError(
            f"export of {type(component).__name__}: expected a component of the backend 'torch' "
            f"({kind.__name__}); wrap the network in one"
        )
    training = component.training
    component.eval()
    try:
        mapping, model = _exported(component, opset, length)
        _check(component, mapping, model, length)
    finally:
        component.train(training)
    write_atomically(Path(path), model.SerializeToString())


def _exported(component: Any, opset: int, length: int) -> tuple[FieldMapping, ModelProto]:
    network = component.module
    if isinstance(network, ExactNetwork):
        mapping, model = _mapping(component, network.signature.state_outputs), network.trained_model()
    elif isinstance(network, EstimatedNetwork):
        mapping = _mapping(component, network.signature.state_outputs)
        model = onnx.load_from_string(network.session.content)
    else:
        mapping = _mapping(component, tuple(f"{item.name}_new" for item in component.state_maps))
        model = _traced(component, mapping, opset, length)
    write_mapping(model, mapping)
    return mapping, model


def _mapping(component: Any, state_outputs: tuple[str, ...]) -> FieldMapping:
    return FieldMapping(
        inputs=component.inputs,
        outputs=component.outputs,
        input_maps=_bracketed(component.input_maps),
        output_maps=_bracketed(component.output_maps),
        states=component.states,
        state_maps=_bracketed(component.state_maps),
        state_outputs=state_outputs,
        dim_sizes=component.dim_sizes,
        timestep=component.timestep,
    )


def _bracketed(maps: Sequence[TensorMap]) -> tuple[TensorMap, ...]:
    """Return the maps with "..." as one axis: a graph has tensors of one rank, however many members there are."""
    found = []
    for item in maps:
        left, _, right = item.pattern.partition("->")
        words = ["(...)" if word == "..." else word for word in re.findall(r"\([^)]*\)|\S+", right)]
        found.append(replace(item, pattern=f"{left.strip()} -> {' '.join(words)}"))
    return tuple(found)


class _Positional(nn.Module):
    """The module of a component with one tensor per argument and per result, as the exporter wants it."""

    def __init__(self, component: Any) -> None:
        super().__init__()
        self.module, self.argument = component.module, component.state_argument
        self.inputs, self.states = names(component.input_maps), len(component.state_maps)
        self.eval()  # the exporter goes back to the mode that this module has

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        arguments: dict[str, Any] = dict(zip(self.inputs, tensors, strict=False))
        if not self.states:
            return _flat(self.module(**arguments))
        memory = tensors[len(self.inputs) :]
        result, after = self.module(**arguments, **{self.argument: memory if self.states > 1 else memory[0]})
        return (*_flat(result), *_flat(after))


def _flat(value: Any) -> tuple[Tensor, ...]:
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _traced(component: Any, mapping: FieldMapping, opset: int, length: int) -> ModelProto:
    """Return the graph that torch's tracing exporter writes; its newer one fixes the number of steps (torch 2.13)."""
    given = (*mapping.input_maps, *mapping.state_maps)
    results = [*names(mapping.output_maps), *mapping.state_outputs]
    taken = list(names(given))
    double = len(set(taken) & set(results))
    if double or len(set(results)) != len(results):
        raise ComponentError(f"export: inputs {taken} and outputs {results} need different names; rename an output map")
    tensors = random_tensors(mapping, trial_sizes(mapping, *TRIALS[0], length), _generator(), _dtype(component))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, and of what the check below finds out
        try:
            torch.onnx.export(
                _Positional(component),
                tuple(tensors[name] for name in taken),
                file,  # type: ignore[arg-type]  # the tracing exporter writes to files in memory too
                dynamo=False,
                opset_version=opset,
                input_names=taken,
                output_names=results,
                dynamic_axes=_free_axes(mapping),
            )
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            raise ComponentError(f"export of {type(component.module).__name__}: {_words(error)}") from error
    return onnx.load_from_string(file.getvalue())


def _free_axes(mapping: FieldMapping) -> dict[str, dict[int, str]]:
    """Return the axes of each tensor whose size differs from call to call, with a name."""
    named = [(item.name, item) for item in (*mapping.input_maps, *mapping.output_maps, *mapping.state_maps)]
    named += zip(mapping.state_outputs, mapping.state_maps, strict=True)
    fixed = {"field", "window", *mapping.dim_sizes}
    found: dict[str, dict[int, str]] = {}
    for name, item in named:
        axes = Layout.of(item).axes
        found[name] = {place: _label(axis) for place, axis in enumerate(axes) if not set(axis) <= fixed}
    return found


def _label(axis: Sequence[str]) -> str:
    if axis == ("time",):
        return "time"
    batch = "batch" if "..." in axis else "_".join(axis)
    return f"time_{batch}" if "time" in axis and batch == "batch" else batch


def _check(component: Any, mapping: FieldMapping, model: ModelProto, length: int) -> None:
    """Run the exported graph and the module at each length and compare."""
    who = f"export of {type(component.module).__name__}"
    onnx.checker.check_model(model)
    signature = signature_of(model, mapping, who)
    session, module = Session.of(model, who), _Positional(component)
    generator = _generator()
    for steps, columns in TRIALS:
        sizes = trial_sizes(mapping, steps, columns, length)
        tensors = random_tensors(mapping, sizes, generator, _dtype(component))
        with torch.no_grad():
            expected = _expected(component, module, tensors)
        found = session.run(tensors, signature.results)
        for name, ours, theirs in zip(signature.results, found, expected, strict=True):
            _compare(f"{who}, output {name} at {steps} steps and {columns} columns", ours, theirs)


def _expected(component: Any, module: _Positional, tensors: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    network = component.module
    if isinstance(network, ExactNetwork):
        return network.interpreter(tensors)
    return module(*tensors.values())


def _compare(who: str, found: Tensor, expected: Tensor) -> None:
    if found.shape != expected.shape:
        raise ComponentError(
            f"{who}: the file gives the shape {list(found.shape)}, the module {list(expected.shape)}; a size was fixed "
            f"while the module was traced: compute it from x.shape inside forward"
        )
    difference = float((found.double() - expected.double()).abs().max()) if found.numel() else 0.0
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max()) if found.numel() else 1.0):
        raise ComponentError(
            f"{who}: file and module differ by {difference:.2g}; the module does something that tracing does not see, "
            f"such as a branch on the values or lengths of its input"
        )


def _dtype(component: nn.Module) -> torch.dtype:
    return next((value.dtype for value in component.parameters()), torch.get_default_dtype())


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(_SEED)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
