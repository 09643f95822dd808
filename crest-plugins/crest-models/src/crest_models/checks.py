"""What must hold between the keys of `model.yaml`: fields are mapped and scaled, units agree, the period is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from pydantic import ValidationError

from crest_core import CrestError, UnitError, conversion, parse_time
from crest_core.plugins import near
from crest_models.backends import BACKENDS, Backend
from crest_models.faults import Fault, faults_of
from crest_models.schema import MapSection, ModelSection

_MAPPED = (("inputs", "input_maps"), ("outputs", "output_maps"), ("states", "state_maps"))
_OF_NETWORKS = (
    "backend",
    "options",
    "states",
    "dim_sizes",
    "layers",
    "input_maps",
    "output_maps",
    "state_maps",
    "scaling",
)


def check(model: ModelSection) -> Iterator[Fault]:
    """Yield the place and text of everything that does not fit together."""
    backend = BACKENDS.get(model.backend)
    if model.component is not None:
        yield from _registered(model)
    elif not model.backend:
        yield ("backend",), "missing key; expected backend (a network) or component (of an installed package)"
    elif backend is None:
        hint = f"one of {', '.join(BACKENDS)}{near(model.backend, BACKENDS)}"
        yield ("backend",), f"no backend {model.backend!r} for model folders; {hint}"
    else:
        yield from _backend(model, backend)
    yield from _fields(model)
    yield from _layers(model)
    yield from _scaling(model) if model.component is None else ()
    yield from _period(model)


def _registered(model: ModelSection) -> Iterator[Fault]:
    """Yield files that are no weights of a component, and keys of what it brings itself."""
    suffix = PurePosixPath(model.weights.file).suffix
    if suffix != ".safetensors":
        yield ("weights", "file"), f"a component reads .safetensors files, got {suffix or 'none'!r}"
    for key in _OF_NETWORKS:
        if getattr(model, key):
            yield (key,), f"the component brings its own; take the key {key} out"


def _backend(model: ModelSection, backend: Backend) -> Iterator[Fault]:
    """Yield options, files and maps that the backend does not take."""
    suffix = PurePosixPath(model.weights.file).suffix
    if suffix != backend.suffix:
        yield ("weights", "file"), f"the backend {model.backend} reads {backend.suffix} files, got {suffix or 'none'!r}"
    try:
        backend.options.model_validate(model.options)
    except ValidationError as error:
        yield from faults_of(error, backend.options, ("options",))
    for group, maps in _MAPPED:
        if not backend.maps and (getattr(model, maps) or (group == "states" and model.states)):
            key = maps if getattr(model, maps) else group
            yield (key,), f"the backend {model.backend} makes its own maps and states; take the key {key} out"
        elif backend.maps:
            yield from _maps(model, group, maps)


def _maps(model: ModelSection, group: str, maps: str) -> Iterator[Fault]:
    """Yield fields that are mapped and not declared, or declared and not mapped."""
    declared = [field.name for field in getattr(model, group)]
    sections: list[MapSection] = getattr(model, maps)
    mapped = [name for section in sections for name in section.fields]
    for number, section in enumerate(sections):
        for name in section.fields:
            if name not in declared:
                hint = f"{group}: {', '.join(declared) or 'none'}{near(name, declared)}"
                yield (maps, number, "fields"), f"{name!r} is not among the {hint}"
    for name in declared:
        if name not in mapped:
            yield (maps,), f"the field {name!r} of {group} is in no map; add one that says where it goes"


def _fields(model: ModelSection) -> Iterator[Fault]:
    """Yield names that are declared twice."""
    for group, _ in _MAPPED:
        names = [field.name for field in getattr(model, group)]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield (group, number, "name"), f"the field {name!r} is declared twice; rename or remove one"


def _layers(model: ModelSection) -> Iterator[Fault]:
    """Yield vertical dims whose depths are not as many as their size, or do not go down."""
    for dim, depths in model.layers.items():
        if len(depths) != model.dim_sizes.get(dim):
            size = model.dim_sizes.get(dim, "none")
            yield ("layers", dim), f"expected as many depth ranges as dim_sizes says ({size}), got {len(depths)}"
        elif any(not top < bottom for top, bottom in depths):
            yield ("layers", dim), f"expected depths [top, bottom] in m, positive down, got {depths}"


def _scaling(model: ModelSection) -> Iterator[Fault]:
    """Yield inputs and outputs without statistics, and statistics in other units or of unknown fields."""
    fields = {field.name: (group, field.units) for group in ("outputs", "inputs") for field in getattr(model, group)}
    for name, (group, units) in fields.items():
        if name not in model.scaling:
            yield (
                ("scaling",),
                f"missing key {name!r}: statistics of the field in {group}; {{mean: 0, std: 1, units: {units}}} where "
                f"the network takes it as it is",
            )
    for name, statistics in model.scaling.items():
        if name not in fields:
            yield ("scaling", name), f"no field of that name among inputs and outputs{near(name, fields)}"
        elif fault := _other_units(statistics.units, fields[name][1]):
            yield ("scaling", name, "units"), fault


def _other_units(statistics: str, field: str) -> str:
    """Return what is wrong with statistics in these units for a field in those, or nothing."""
    try:
        change = conversion(statistics, field)
    except UnitError as error:
        return f"statistics in {statistics!r} cannot belong to a field in {field!r}: {error}"
    if change.is_identity:
        return ""
    return (
        f"statistics in {statistics!r} for a field in {field!r}; they can be converted, but not in silence: write them "
        f"in {field!r} (value {change.describe()}), or the field in {statistics!r}"
    )


def _period(model: ModelSection) -> Iterator[Fault]:
    try:
        start, end = (parse_time(text, "standard") for text in model.training.period)
    except CrestError as error:
        yield ("training", "period"), str(error)
        return
    if not start < end:
        yield ("training", "period"), f"expected [start, end), the start before the end, got {model.training.period}"
