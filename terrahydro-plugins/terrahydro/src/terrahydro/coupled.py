"""twin: the five components of TERRAHydro in one graph, each chosen by its name in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch

from crest_core import Component, Connection, CouplingError, Graph, registry

PARTS: Mapping[str, str] = {
    "snow": "snow-lstm-camels",
    "soil": "soil-bucket-schwingbach",
    "surface": "et-penman-monteith-ar1",
    "carbon": "nee-light-response-fluxnet",
    "streamflow": "streamflow-lstm-fulda",
}
"""What stands for each part unless another name is given."""

ROOT_ZONE = "root_zone_soil_moisture"
MELT_WATER = "liquid_water_flux"
EVAPORATION = "water_evapotranspiration_flux"
RUNOFF = ("surface_runoff", "subsurface_runoff")
CONSTANT = "constant_root_zone_soil_moisture"
"""The forcing in the place of the soil's moisture where there is no feedback."""


def twin(
    *,
    snow: str = PARTS["snow"],
    soil: str = PARTS["soil"],
    surface: str = PARTS["surface"],
    carbon: str = PARTS["carbon"],
    streamflow: str = PARTS["streamflow"],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    root_zone_start: float = 0.3,
    feedback: bool = True,
    member: int = 1,
    generator: torch.Generator | None = None,
) -> Graph:
    """Return snow -> melt water -> soil <-> evapotranspiration, carbon; -> streamflow, as one graph.

    Each part is a name of the registry, `settings` its arguments by part. Rain and melt that the snow lets go wet the
    soil. The soil's moisture of the day before (at first `root_zone_start`, m3 m-3) acts on evapotranspiration and
    carbon of the day; evapotranspiration dries the soil. Runoff, melt water or moisture feed the streamflow, whatever
    it takes. Without `feedback` evapotranspiration and carbon see the forcing `constant_root_zone_soil_moisture`. Parts
    that come with several sets of weights take that of `member`, from 1.

    >>> graph = twin(generator=torch.Generator().manual_seed(1))
    >>> list(graph.components)
    ['snow', 'soil', 'surface', 'carbon', 'streamflow']
    """
    chosen = {"snow": snow, "soil": soil, "surface": surface, "carbon": carbon, "streamflow": streamflow}
    given = {} if settings is None else settings
    _check_settings(chosen, given, root_zone_start)
    if unknown := sorted(set(given) - set(chosen)):
        raise CouplingError(f"twin: settings of {unknown}; the parts are {list(chosen)}")
    components = {part: _made(part, name, given.get(part, {}), member, generator) for part, name in chosen.items()}
    _check_melt_water(chosen, components)
    _check_runoff(chosen, components)
    _check_evaporation(chosen, components)
    return Graph(components, _connections(components, root_zone_start, feedback))


def _check_melt_water(chosen: Mapping[str, str], components: Mapping[str, Component]) -> None:
    """Raise CouplingError where the snow hands over no melt water: the rain would pass it by, and nobody would see."""
    given = [spec.name for spec in components["snow"].outputs]
    if MELT_WATER not in given:
        raise CouplingError(
            f"twin: snow {chosen['snow']!r} hands over {given} and no {MELT_WATER!r}, so that rain would reach "
            "the soil past it; choose a snow that does, such as snow-lstm-camels or snow-degree-day"
        )


def _check_settings(chosen: Mapping[str, Any], given: Any, start: Any) -> None:
    """Raise CouplingError where an argument is of another kind than the twin takes, as a file may give it."""
    for part, name in chosen.items():
        if not isinstance(name, str):
            raise CouplingError(f"twin: {part} {name!r}; expected a name of the registry, as {PARTS[part]!r}")
    if not isinstance(given, Mapping):
        raise CouplingError(f"twin: settings {given!r}; expected the arguments of parts, as {{'soil': {{...}}}}")
    for part, arguments in given.items():
        if not isinstance(arguments, Mapping):
            raise CouplingError(f"twin: settings of {part}: {arguments!r}; expected arguments by name, {{}} for none")
    if isinstance(start, bool) or not isinstance(start, (int, float)):
        raise CouplingError(f"twin: root_zone_start {start!r}; expected a number, m3 m-3")


def _check_runoff(chosen: Mapping[str, str], components: Mapping[str, Component]) -> None:
    """Raise CouplingError where the streamflow asks for runoff that the soil does not hand over: no weather has it."""
    given = {spec.name for spec in components["soil"].outputs}
    lacking = [spec.name for spec in components["streamflow"].inputs if spec.name in RUNOFF and spec.name not in given]
    if lacking:
        raise CouplingError(
            f"twin: streamflow {chosen['streamflow']!r} takes {lacking}, which soil {chosen['soil']!r} does not hand "
            "over; choose a soil that does, such as soil-bucket, or a streamflow without, such as streamflow-lstm"
        )


def _check_evaporation(chosen: Mapping[str, str], components: Mapping[str, Component]) -> None:
    """Raise CouplingError where the streamflow evaporates, too: the soil would lose its water to one of the two."""
    own = [spec.name for spec in components["streamflow"].outputs if spec.standard_name == EVAPORATION]
    if own:
        raise CouplingError(
            f"twin: streamflow {chosen['streamflow']!r} has soil and {own} of its own beside those of the twin; "
            "choose one that takes them, such as streamflow-routing or streamflow-lstm, or couple it to a snow alone"
        )


def _made(
    part: str, name: str, settings: Mapping[str, Any], member: int, generator: torch.Generator | None
) -> Component:
    """Return the component of a name; one with several sets of weights gets the member, one that draws a generator."""
    make = registry().load("components", name)
    known, arguments = signature(make).parameters, dict(settings)
    if "member" in known:
        arguments.setdefault("member", member)
    if generator is not None and "generator" in known:
        arguments.setdefault("generator", generator)
    try:
        signature(make).bind(**arguments)
    except TypeError as error:
        raise CouplingError(
            f"twin: settings {sorted(arguments)} of {part} {name!r}: {error}; it takes {list(known)}"
        ) from error
    component: Component = make(**arguments)
    return component


def _connections(components: Mapping[str, Component], start: float, feedback: bool) -> list[Connection]:
    """Return what the names of the fields alone do not tell: melt water has no standard name, and feedback a lag."""
    inputs = {part: {spec.name for spec in component.inputs} for part, component in components.items()}
    made = []
    if "precipitation_flux" in inputs["soil"]:
        made.append(Connection(f"snow.{MELT_WATER}", "soil.precipitation_flux"))
    if MELT_WATER in inputs["streamflow"]:
        made.append(Connection(f"snow.{MELT_WATER}", f"streamflow.{MELT_WATER}"))
    for part in ("surface", "carbon"):
        if ROOT_ZONE not in inputs[part]:
            continue
        target = f"{part}.{ROOT_ZONE}"
        if feedback:
            made.append(Connection(f"soil.{ROOT_ZONE}", target, lagged=True, initial=start))
        else:
            made.append(Connection(f"forcing.{CONSTANT}", target))
    return made
