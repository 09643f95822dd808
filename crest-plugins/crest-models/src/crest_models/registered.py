"""build_registered: a component of an installed package, made with the settings and weights of a model folder.

Only the package's own code runs. Settings are plain values, and a text that could name a file or code is refused
before (schema); weights are compared by name, shape and dtype before they are opened.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load

from crest_core import Component, FieldSpec, registry
from crest_core.plugins import Entry, near
from crest_models.bounded import Bounded
from crest_models.errors import ModelError, ModelWarning
from crest_models.reading import ModelFolder
from crest_models.safetensors_header import count_numbers, tensor_kinds
from crest_models.schema import ComponentSection, ModelSection
from crest_models.structure import structure_hash

_SHOWN = 3  # names in a message
_DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
           torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.int32: "I32",
           torch.int64: "I64"}  # fmt: skip


def build_registered(found: ModelFolder, section: ComponentSection, content: bytes) -> Component:
    """Return the component with its weights; ModelError where it is missing, or is not the one that was saved.

    Another version of the package is a ModelWarning as long as the component is built the same.
    """
    with found.at("weights"):
        stored = count_numbers(content)
    with found.at("component", "name"):
        entry, target = registered_class(section.name, f"{section.package} {section.version}", section.package)
        _same_package(section, entry)
    with found.at("component", "settings"):
        component = _made(target, section, stored)
    with found.at():
        _same_fields(section.name, component, found.keys)
    with found.at("weights"):
        _fits(section.name, component, content)
        component.load_state_dict(load(content))
    with found.at("component", "structure"):
        _same_structure(section, component, entry)
    if entry.version != section.version:
        warnings.warn(
            f"{found.where('component', 'version')}: {section.name} was saved with {section.package} "
            f"{section.version}, and {entry.version} is installed; it is built the same, compare its numbers",
            ModelWarning,
            stacklevel=4,
        )
    return component


def registered_class(name: str, owner: str = "", package: str = "") -> tuple[Entry, type[Component]]:
    """Return entry and class of a registered component; `owner` is who should have it, `package` what pip calls it."""
    entries = {entry.name: entry for entry in registry().of_kind("components")}
    if name not in entries:
        told = f"; its package is {owner}: pip install {package}, if you trust it" if package else ""
        raise ModelError(f"the component {name!r} is not installed{told}{near(name, entries)}")
    target = registry().load("components", name)
    if not (isinstance(target, type) and issubclass(target, Component)):
        kind = type(target).__name__
        raise ModelError(f"{name!r} is a {kind}, expected the class of a component; a model folder is none")
    return entries[name], target


def _same_package(section: ComponentSection, entry: Entry) -> None:
    if _normal(entry.distribution) != _normal(section.package):
        raise ModelError(
            f"the component {section.name!r} here is of {entry.distribution} {entry.version}, and the weights are of "
            f"that of {section.package} {section.version}; keep the package that is meant"
        )


def _made(target: type[Component], section: ComponentSection, stored: int) -> Component:
    """Return the component with first weights, drawn from a generator of its own: they are replaced."""
    known = inspect.signature(target).parameters
    arguments = dict(section.settings)
    if "generator" in known:
        arguments["generator"] = torch.Generator()
    try:
        inspect.signature(target).bind(**arguments)
    except TypeError as error:
        hints = "".join(near(key, known) for key in arguments if key not in known)
        names = ", ".join(name for name in known if name != "generator") or "none"
        raise ModelError(f"{section.name}: {error}{hints}; settings: {names}") from error
    with torch.random.fork_rng(devices=[]), Bounded(stored):
        component = target(**arguments)
        return component if section.dtype is None else component.to(getattr(torch, section.dtype))


def _same_fields(name: str, component: Component, keys: ModelSection) -> None:
    """Refuse fields of the component that are not those of the file; texts that only explain may differ."""
    if keys.timestep != component.timestep:
        raise ModelError(f"timestep: {name} has {component.timestep}, and was saved with {keys.timestep}")
    for group in ("inputs", "outputs"):
        own: Sequence[FieldSpec] = getattr(component, group)
        saved = {field.name: field.spec() for field in getattr(keys, group)}
        if [spec.name for spec in own] != list(saved):
            raise ModelError(
                f"{group}: {name} with these settings has {_some(spec.name for spec in own)}, and was saved with "
                f"{_some(saved)}"
            )
        for spec in own:
            if replace(spec, doc="") != replace(saved[spec.name], doc=""):
                raise ModelError(f"{group}: {spec.name} of {name} is {spec}, and was saved as {saved[spec.name]}")


def _fits(name: str, component: Component, content: bytes) -> None:
    """Refuse weights whose names, shapes or dtypes are not all and only those of the component."""
    own = {key: (_DTYPES.get(v.dtype, str(v.dtype)), tuple(v.shape)) for key, v in component.state_dict().items()}
    given = tensor_kinds(content)
    faults = [f"lack {_some(missing)}" for missing in [sorted(own.keys() - given.keys())] if missing]
    faults += [f"hold the unknown {_some(more)}" for more in [sorted(given.keys() - own.keys())] if more]
    if faults:
        raise ModelError(f"the weights {' and '.join(faults)}; they are not of {name} with these settings")
    for key, (dtype, shape) in own.items():
        if given[key] != (dtype, shape):
            raise ModelError(
                f"tensor {key!r}: {name} with these settings has {dtype} of shape {list(shape)}, the file "
                f"{given[key][0]} of shape {list(given[key][1])}"
            )


def _same_structure(section: ComponentSection, component: Component, entry: Entry) -> None:
    if structure_hash(component) == section.structure:
        return
    since = (
        f"although both are {entry.version}: its code was changed since"
        if entry.version == section.version
        else f"{entry.version} is installed, {section.version} was saved"
    )
    raise ModelError(
        f"{section.name} of {section.package} is built otherwise than the one that was saved ({since}), so that its "
        f"numbers would differ; take {section.package}=={section.version} as it was, or train it again"
    )


def _some(names: Iterable[str] | Mapping[str, Any]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return (", ".join(every[:_SHOWN]) or "nothing") + more


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
