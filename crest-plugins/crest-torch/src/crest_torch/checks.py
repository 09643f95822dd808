"""Checks of a TorchComponent while it is built: fields, maps and the module must tell the same story."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import nn

from crest_core import Component, FieldError, FieldSpec, TensorMap


def check_maps(role: str, specs: Sequence[FieldSpec], maps: Sequence[TensorMap]) -> None:
    """Raise FieldError unless every field has a map and every map's pattern fits its fields."""
    known = {spec.name: spec for spec in specs}
    used = [name for item in maps for name in item.fields]
    lost, unknown = sorted(set(known) - set(used)), sorted(set(used) - set(known))
    twice = sorted({name for name in used if used.count(name) > 1}) if role != "input" else []
    if lost or unknown or twice:
        raise FieldError(
            f"{role}_maps: expected the fields {sorted(known)}; in no map: {lost}, not declared: {unknown}"
            + (f", in two maps: {twice}" if twice else "")
        )
    for item in maps:
        _check_pattern(role, item, [known[name] for name in item.fields])


def check_dims(component: Component) -> None:
    """Raise FieldError for an output dim whose size nothing tells."""
    told = set(component.dim_sizes).union(*(spec.dims for spec in component.inputs))
    for spec in component.outputs:
        lost = sorted(set(spec.dims) - told)
        if lost:
            raise FieldError(
                f"output {spec.name}: the size of the dims {lost} is not known from the inputs; add it to dim_sizes"
            )


def check_argument_names(module: nn.Module, maps: Sequence[TensorMap], state_argument: str | None) -> None:
    """Raise FieldError for maps that are not named as arguments of the module's forward."""
    parameters = inspect.signature(module.forward).parameters
    names = [item.name for item in maps] + ([state_argument] if state_argument else [])
    if len(set(names)) != len(names):
        raise FieldError(f"input_maps and state_argument: expected distinct arguments, got {names}")
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = [name for name in names if name not in parameters]
    needed = [name for name, one in parameters.items() if one.default is one.empty and name not in names]
    needed = [name for name in needed if parameters[name].kind is not inspect.Parameter.VAR_POSITIONAL]
    if unknown or needed:
        raise FieldError(
            f"module {type(module).__name__} takes the arguments {list(parameters)}; no such argument: {unknown}, "
            f"not given: {needed}; name each input map, and state_argument, as an argument"
        )


def _check_pattern(role: str, item: TensorMap, specs: Sequence[FieldSpec]) -> None:
    moving = [spec for spec in specs if not spec.static] or specs
    shapes = {(spec.dims, spec.window) for spec in moving} | {(spec.dims, moving[0].window) for spec in specs}
    if len(shapes) > 1:
        listed = ", ".join(f"{spec.name} {spec.dims} window {spec.window}" for spec in specs)
        raise FieldError(
            f"{role} map {item.name}: expected fields of the same dims and window, got {listed}; give each kind its "
            f"own map"
        )
    ((dims, window),) = shapes
    before: tuple[str, ...] = ()
    if role != "state" and not moving[0].static:
        before = ("time", "window") if window > 1 else ("time",)
    allowed = [(*before, "...", *dims[i:]) for i in range(len(dims), -1, -1)]
    if item.axes not in allowed:
        expected = " or ".join(repr(" ".join(axes)) for axes in allowed)
        raise FieldError(
            f"{role} map {item.name}: the left side of {item.pattern!r} does not fit {specs[0].name} with dims {dims}"
            f"{f' and window {window}' if window > 1 else ''}; expected {expected}"
        )
