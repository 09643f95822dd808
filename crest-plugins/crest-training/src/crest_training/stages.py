"""Stages: components of a graph that are trained alone before it, on observed values of what others will hand them.

Teacher forcing: Williams and Zipser (1989), doi:10.1162/neco.1989.1.2.270. A window with a gap in an observed input is
left out, unless the stage says that its component takes nan there; so nothing of another component is in a stage.
"""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from crest_core import Component, ForcingError, Graph
from crest_training.datasets import Datasets
from crest_training.ports import as_fields
from crest_training.task import Moments, Task, make_task, moments_of
from crest_training.train_file import TrainFile
from crest_training.train_sections import StageSection


@dataclass(frozen=True, eq=False)
class Stage:
    """A component, and what it is trained on alone."""

    name: str
    """Of its folder: stage-1-streamflow."""
    section: StageSection
    component: Component
    task: Task
    moments: Moments
    """Mean and std of observed inputs and scored outputs, by `component.field`."""


def stages_of(file: TrainFile, model: Component, data: Datasets) -> list[Stage]:
    """Return the stages of a file in their order; errors name the key of the stage."""
    return [_stage(file, i, section, model, data) for i, section in enumerate(file.stages)]


def _stage(file: TrainFile, index: int, section: StageSection, model: Component, data: Datasets) -> Stage:
    place = ("stages", index)
    children = model.components if isinstance(model, Graph) else {}
    with file.at(*place, "component"):
        if section.component not in children:
            known = ", ".join(children) or "none"
            raise ForcingError(f"there is no component {section.component}; the graph has {known}")
    assert isinstance(model, Graph)
    component = children[section.component]
    with file.at(*place):
        inputs, handed = _inputs(file, section, model, data)
    task = make_task(file, component, section.objectives, inputs, data.observations, place=place)
    moments = moments_of(task.targets, task.sections, task.mean, task.std)
    moments |= {name: (task.mean[name], task.std[name]) for name in handed}
    own = {f"{section.component}.{name}": both for name, both in moments.items()}
    return Stage(f"stage-{index + 1}-{section.component}", section, component, task, own)


def _inputs(file: TrainFile, section: StageSection, graph: Graph, data: Datasets) -> tuple[xr.Dataset, list[str]]:
    """Return the inputs of a component, and the names of those that another one hands it, which are observed ones."""
    specs = {spec.name: spec for spec in graph.components[section.component].inputs}
    links = {link.target.field: link for link in graph.links if link.target.component == section.component}
    handed = [name for name, link in links.items() if link.source.component in graph.components]
    if unknown := sorted(set(section.inputs) - set(handed)):
        raise ForcingError(
            f"{section.component} is handed no {', '.join(unknown)} by another component; it is handed "
            f"{', '.join(handed) or 'nothing'}"
        )
    renamed = {name: link.source.field for name, link in links.items() if name not in handed}
    given = {n: file.samples.inputs[outer] for n, outer in renamed.items() if outer in file.samples.inputs}
    forcing = as_fields(data.forcing, [specs[name] for name in renamed], given, "input")
    observed = as_fields(data.observations, [specs[name] for name in handed], section.inputs, "observed input")
    for name in handed:
        if links[name].lagged:  # it is handed what was a step before
            observed[name] = observed[name].shift(time=1)
    try:
        return xr.merge([forcing, observed], join="exact", compat="no_conflicts", combine_attrs="override"), handed
    except (ValueError, xr.MergeError) as error:
        raise ForcingError(
            f"{section.component}: observed inputs and forcing have other times or places ({error}); give both at the "
            f"same"
        ) from error


def stage_moments(stages: list[Stage]) -> Moments:
    """Return the moments of all stages."""
    return {name: both for stage in stages for name, both in stage.moments.items()}
